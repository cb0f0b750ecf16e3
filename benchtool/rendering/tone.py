"""Exposure and colour of linear camera RGB, a strip of rows at a time: what each EV looks like on an sRGB screen.

A strip passes OpenCV's 16-bit matrix and look-up tables while it is in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from benchtool.rendering.colour import PROPHOTO_TO_SRGB, SRGB_TO_PROPHOTO, srgb_encode
from benchtool.rendering.exposure import profile_tone, white_preserving

_WHITE = 65535
_LEVELS = np.arange(_WHITE + 1) / _WHITE

# uint16 n x W x colours of camera RGB -> (EV, n x W x 3 of whole sRGB levels 0..255 as float32), for each EV;
# the array is used again for the next EV: fresh memory for every strip would cost a tenth of the time
Tones = Callable[[np.ndarray], Iterator[tuple[float, np.ndarray]]]


def linear_tones(matrix: np.ndarray, exposures: Mapping[float, float]) -> Tones:
    """Gain and clip in camera RGB, then the matrix, clip, and the sRGB curve: what LibRaw's exp_shift does, after the demosaic.

    Args:
        matrix: 3 x colours, camera RGB to linear sRGB.
        exposures: EV asked for -> EV to apply to these pixels.
    """
    reach = max(1.0, np.clip(matrix, 0, None).sum(axis=1).max())  # the most a channel can come to
    shared = np.float32(matrix / reach)  # where nothing clips before it, all exposures share the matrix
    displays = {ev: _display(reach * 2.0**shift) for ev, shift in exposures.items() if shift <= 0}
    limits = {ev: (math.ceil(_WHITE * 2.0**-shift),) * 4 for ev, shift in exposures.items() if shift > 0}
    gained = {ev: np.float32(matrix * 2.0**shift) for ev, shift in exposures.items() if shift > 0}
    plain = _display(1.0)

    common = limited = linear = display = None

    def tones(strip: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        nonlocal common, limited, linear, display
        if displays:
            common = cv2.transform(strip, shared, common)
        for ev in exposures:
            if ev in displays:
                display = cv2.LUT(common, displays[ev], display)
            else:
                limited = cv2.min(strip, limits[ev], limited)
                linear = cv2.transform(limited, gained[ev], linear)
                display = cv2.LUT(linear, plain, display)
            yield ev, display

    return tones


def adobe_tones(matrix: np.ndarray, exposures: Mapping[float, float], curve: Sequence[tuple[float, float]] | None) -> Tones:
    """Linear ProPhoto, exposure and tone there, each channel by itself, then linear sRGB, clip, and the sRGB curve.

    Args:
        matrix: 3 x colours, camera RGB to linear sRGB.
        exposures: EV asked for -> total EV: a gain that clips, or the white-preserving curve where negative.
        curve: points of a ProfileToneCurve, None for none.
    """
    to_prophoto = SRGB_TO_PROPHOTO @ matrix
    gained = {ev: np.float32(to_prophoto * 2.0**total) for ev, total in exposures.items() if total > 0}
    tables = {ev: _tone(min(total, 0.0), curve) for ev, total in exposures.items() if total < 0 or curve}
    shared, to_srgb = np.float32(to_prophoto), np.float32(PROPHOTO_TO_SRGB)
    plain = _display(1.0)

    common = prophoto = toned = linear = display = None

    def tones(strip: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        nonlocal common, prophoto, toned, linear, display
        if len(gained) < len(exposures):
            common = cv2.transform(strip, shared, common)
        for ev in exposures:
            if ev in gained:
                prophoto = cv2.transform(strip, gained[ev], prophoto)  # 16 bits saturate: that is the clip
            exposed = prophoto if ev in gained else common
            if ev in tables:
                exposed = toned = cv2.LUT(exposed, tables[ev], toned)
            linear = cv2.transform(exposed, to_srgb, linear)
            display = cv2.LUT(linear, plain, display)
            yield ev, display

    return tones


def _tone(exposure: float, curve: Sequence[tuple[float, float]] | None) -> np.ndarray:
    """16 bits to 16: a negative exposure, then the profile's curve."""
    toned = white_preserving(_LEVELS, exposure)
    return np.rint(_WHITE * (profile_tone(toned, curve) if curve else toned)).astype(np.uint16)


def _display(white: float) -> np.ndarray:
    """16 bits of linear light, of which the highest is `white`, to whole sRGB levels 0..255, as float32 for the resampler."""
    return np.rint(255 * srgb_encode(np.minimum(_LEVELS * white, 1.0))).astype(np.float32)
