"""Two exposures of one HDR+ burst, made of two of its frames (Ren et al., EMVNet, Sec. 5.1: ratio 2 to 16, ground truth the merged raw).

The paper says no more. Here the long exposure is one frame under a gain that saturates 1 to 10 % of it; the short one is the reference
frame under that gain and divided by the ratio, with the noise a real one had besides; both are of 10 bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile

from benchtool.core.errors import UserError
from benchtool.core.images import orient, read_image
from benchtool.core.seeds import generator
from benchtool.rendering.demosaic import bayer_pattern
from benchtool.rendering.sensor import cropped, open_raw

LEVELS = 1023  # of the sensors' 10 bits
SATURATED = (0.01, 0.1)  # share of the long exposure that is made to saturate; drawn evenly over its logarithm
SAME_EXPOSURE = 1.01  # frames whose times differ by less: the last one of a Nexus 5 is longer
BLACK, NOISE, EXIF, EXPOSURE_TIME, CFA = 50714, 51041, 34665, "ExposureTime", 32803
EIGHTH = 8  # alignment is measured at this part of the size
FIRST_RED = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # row and column


@dataclass(frozen=True)
class Frame:
    """A raw as linear planes.

    Attributes:
        planes: H x W x 4 float32, R, G, G, B of an RGGB mosaic at half its size; black 0, white 1.
        size: (width, height) of the picture the planes were cut from; corner: (row, column) in it where they begin.
        noise: [4, 2] shot and read of each plane, variance shot * x + read; None where the file does not say.
        orientation: EXIF orientation, 1..8.
    """

    planes: np.ndarray
    size: tuple[int, int]
    corner: tuple[int, int]
    noise: np.ndarray | None
    orientation: int


@dataclass(frozen=True)
class Pair:
    """What is made of a burst: planes in 0..1, those of the target in the scale of the short exposure; and how."""

    short: np.ndarray
    long: np.ndarray
    merged: np.ndarray
    ratio: float
    gain: float


def read_frame(path: Path) -> Frame:
    """Decode a raw Bayer mosaic. The black level is the file's own, which may be a fraction (LibRaw rounds it).

    Raises:
        UserError: unreadable, or not a plain Bayer mosaic.
    """
    with open_raw(path) as sensor:
        pattern = bayer_pattern(sensor)
        if pattern is None:
            raise UserError(f"{path}: is no plain Bayer mosaic")
        x, y, width, height = sensor.crop
        mosaic = cropped(sensor.raw.raw_image_visible, sensor.crop).astype(np.float32)
        white, rounded, orientation = float(sensor.raw.white_level), sensor.raw.black_level_per_channel, sensor.orientation
    black, noise = _levels(path)
    if black is None:
        black = np.array([[rounded[0], rounded[1]], [rounded[3], rounded[2]]]) if len(set(rounded)) > 1 else np.full((2, 2), rounded[0])
    mosaic -= np.tile(np.roll(black, (-(y % 2), -(x % 2)), (0, 1)), (height // 2 + 1, width // 2 + 1))[:height, :width]
    mosaic /= np.float32(white - black.mean())
    red = FIRST_RED[pattern]
    row, column = (red[0] + y) % 2, (red[1] + x) % 2
    mosaic = mosaic[row : row + (height - row) // 2 * 2, column : column + (width - column) // 2 * 2]
    planes = np.stack([mosaic[0::2, 0::2], mosaic[0::2, 1::2], mosaic[1::2, 0::2], mosaic[1::2, 1::2]], axis=2)
    return Frame(planes, (width, height), (row, column), noise, orientation)


def _levels(path: Path) -> tuple[np.ndarray | None, np.ndarray | None]:
    """BlackLevel as 2 x 2 (None where the file has another kind), and NoiseProfile as [4, 2] of R, G, G, B."""
    with tifffile.TiffFile(path) as tiff:
        pages = [page for top in tiff.pages for page in (top, *(top.pages or ()))]
        mosaic = next((page for page in pages if page.photometric == CFA), pages[0])
        black, profile = mosaic.tags.get(BLACK), next((page.tags.valueof(NOISE) for page in pages if NOISE in page.tags), None)
        levels = np.array(black.value, np.float64).reshape(-1) if black is not None else np.zeros(0)
        if black is not None and black.dtype in (5, 10):  # rationals: numerator and denominator in turn
            levels = levels[0::2] / levels[1::2]
    square = levels.reshape(2, 2) if len(levels) == 4 else np.full((2, 2), levels[0]) if len(levels) == 1 else None
    pairs = np.array(profile, np.float64).reshape(-1, 2) if profile is not None else np.zeros((0, 2))
    chosen = {1: (0, 0, 0, 0), 3: (0, 1, 1, 2), 4: (0, 1, 2, 3)}.get(len(pairs))
    return square, pairs[list(chosen)] if chosen else None


def exposure_time(path: Path) -> float | None:
    """Seconds by the file's EXIF, None where it does not say. Decodes nothing.

    Raises:
        UserError: not a TIFF or DNG.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            found = (tiff.pages[0].tags.valueof(EXIF) or {}).get(EXPOSURE_TIME)
    except (OSError, ValueError, struct.error) as error:
        raise UserError(f"{path}: not a readable DNG ({error})") from None
    return found[0] / found[1] if isinstance(found, tuple) and found[1] else found


def synthesise(reference: Frame, other: Frame, merged: Frame, low: float, high: float, *seed: object) -> Pair:
    """A short and a long exposure of one scene from two frames of equal exposure.

    Args:
        reference: the frame that `merged` is aligned with: becomes the short exposure. other: becomes the long one.
        low, high: bounds of the ratio, drawn evenly over its logarithm.
        seed: what the draws depend on.

    Raises:
        UserError: frames of different sizes.
        ValueError: a reference without a noise profile.
    """
    if len({frame.planes.shape for frame in (reference, other, merged)}) > 1:
        sizes = ", ".join(f"{f.planes.shape[1]} x {f.planes.shape[0]}" for f in (reference, other, merged))
        raise UserError(f"reference, other frame and merged raw differ in size: {sizes}")
    if reference.noise is None:
        raise ValueError("the reference frame has no noise profile")
    draw = generator(*seed)
    ratio = float(np.exp(draw.uniform(np.log(low), np.log(high))))
    share = np.exp(draw.uniform(*np.log(SATURATED)))
    gain = float(1 / max(np.quantile(other.planes, 1 - share), 1 / LEVELS))
    extra = np.sqrt(extra_variance(reference.planes, ratio, reference.noise))
    short = reference.planes / np.float32(ratio) + extra * draw.standard_normal(extra.shape, np.float32)
    target = np.clip(merged.planes * np.float32(gain / ratio), 0, 1)
    return Pair(ten_bits(short * np.float32(gain)), ten_bits(other.planes * np.float32(gain)), target.astype(np.float32), ratio, gain)


def extra_variance(x: np.ndarray, ratio: float, noise: np.ndarray) -> np.ndarray:
    """What x / ratio, of a frame x of variance S x + O, lacks of the variance S x / ratio + O of a real exposure so short."""
    shot, read = noise[:, 0].astype(np.float32), noise[:, 1].astype(np.float32)
    light = np.maximum(x, 0)
    return shot * light * np.float32(1 / ratio - 1 / ratio**2) + read * np.float32(1 - 1 / ratio**2)


def ten_bits(x: np.ndarray) -> np.ndarray:
    """Clip to 0..1, round to the sensor's levels, in the range of uint16."""
    return np.round(np.round(np.clip(x, 0, 1) * LEVELS) * (65535 / LEVELS)).astype(np.uint16)


def aligned_label(jpeg: Path, merged: Frame, most: float, least: float) -> tuple[np.ndarray, float, float]:
    """The burst's JPEG, turned as the sensor is and cut to the planes: uint8 2H x 2W x 3; its shift and the correlation's peak.

    Args:
        most: pixels of shift, at an eighth of the size. least: peak of the phase correlation, 0..1.

    Raises:
        UserError: another size or orientation, a larger shift, or a lower peak.
    """
    picture = orient(read_image(jpeg), {6: 8, 8: 6}.get(merged.orientation, merged.orientation))
    height, width = picture.shape[:2]
    if (width, height) != merged.size:
        raise UserError(f"misaligned: its JPEG is {width} x {height}, unturned, the raw {merged.size[0]} x {merged.size[1]}")
    (row, column), (rows, columns) = merged.corner, merged.planes.shape[:2]
    label = np.ascontiguousarray(picture[row : row + 2 * rows, column : column + 2 * columns])
    size = max(16, 2 * columns // EIGHTH), max(16, 2 * rows // EIGHTH)
    ours = cv2.resize(np.sqrt(np.clip(merged.planes.mean(axis=2), 0, 1)), size, interpolation=cv2.INTER_AREA)
    theirs = cv2.resize(label.astype(np.float32).mean(axis=2), size, interpolation=cv2.INTER_AREA)
    (dx, dy), peak = cv2.phaseCorrelate(_edges(ours), _edges(theirs), cv2.createHanningWindow(size, cv2.CV_32F))
    shift = float(np.hypot(dx, dy))
    if shift > most or peak < least:
        limits = f"(at most {most:g}), peak {peak:.2f} (at least {least:g})"
        raise UserError(f"misaligned: its JPEG is {shift:.1f} pixels off at an eighth of the size {limits}")
    return label, shift, float(peak)


def _edges(image: np.ndarray) -> np.ndarray:
    """Local contrast alone: the JPEG's tone is another, and differs from place to place."""
    image = image.astype(np.float32)
    fine = image - cv2.GaussianBlur(image, (0, 0), 4)
    return fine / np.float32(fine.std() + 1e-9)
