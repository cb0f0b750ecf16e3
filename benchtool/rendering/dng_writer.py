"""Write a Bayer mosaic as a DNG 1.4 file that LibRaw and the DNG SDK read: the least set of tags, 16-bit, uncompressed.

Tag numbers and meanings: Adobe DNG specification 1.4, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from benchtool.core.files import atomic_path

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")  # the 2 x 2 colours at the sensor's top left, row by row
_D65 = 21  # EXIF LightSource, of CalibrationIlluminant1
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SRATIONAL, _FLOAT, _DOUBLE = 1, 2, 3, 4, 5, 10, 11, 12  # TIFF field types
_DENOMINATOR = 1_000_000
_ROWS_PER_STRIP = 64


@dataclass(frozen=True)
class Camera:
    """What a DNG says of the camera that took it.

    Attributes:
        model: name; one LibRaw does not know, so that it takes the matrix from the file.
        color_matrix: 3 x 3, CIE XYZ (D65 white, Y = 1) to camera RGB.
        tone_curve: points (x, y) of the ProfileToneCurve, from (0, 0) to (1, 1), or None.
    """

    model: str
    color_matrix: np.ndarray
    tone_curve: tuple[tuple[float, float], ...] | None = None


def write_dng(
    path: Path,
    mosaic: np.ndarray,
    *,
    camera: Camera,
    pattern: str,
    black: int | Sequence[int],
    white: int,
    neutral: Sequence[float],
    crop: tuple[int, int, int, int] | None = None,
    baseline_exposure: float = 0.0,
    orientation: int = 1,
    noise_profile: tuple[float, float] | None = None,
) -> None:
    """Write `mosaic` to `path`, atomically; the bytes depend on the arguments alone.

    Args:
        mosaic: H x W uint16 sensor levels, unrotated.
        pattern: one of PATTERNS.
        black: black level, one for all or four for the 2 x 2 pattern, row by row.
        white: level at which the sensor saturates.
        neutral: camera RGB of a neutral surface (AsShotNeutral), largest 1.
        crop: DefaultCrop (x, y, width, height) in unrotated sensor pixels; the whole frame where None.
        baseline_exposure: EV a converter adds to what the user asks for.
        orientation: EXIF orientation, 1..8.
        noise_profile: (shot, read): variance shot * x + read of a level x in [0, 1].

    Raises:
        ValueError: the arguments contradict each other or the format.
    """
    height, width = _check(mosaic, pattern, black, white, crop)
    x, y, crop_width, crop_height = crop or (0, 0, width, height)
    blacks = [black] if isinstance(black, int) else list(black)
    tags = [
        (271, _ASCII, None, "benchtool"),  # Make
        (272, _ASCII, None, camera.model),
        (274, _SHORT, 1, orientation),
        (33421, _SHORT, 2, (2, 2)),  # CFARepeatPatternDim
        (33422, _BYTE, 4, bytes("RGB".index(colour) for colour in pattern)),
        (50706, _BYTE, 4, bytes((1, 4, 0, 0))),  # DNGVersion
        (50707, _BYTE, 4, bytes((1, 1, 0, 0))),  # DNGBackwardVersion
        (50708, _ASCII, None, f"benchtool {camera.model}"),  # UniqueCameraModel
        (50713, _SHORT, 2, (1, 1) if len(blacks) == 1 else (2, 2)),  # BlackLevelRepeatDim
        (50714, _LONG, len(blacks), tuple(blacks)),
        (50717, _LONG, 1, white),
        (50719, _LONG, 2, (x, y)),  # DefaultCropOrigin
        (50720, _LONG, 2, (crop_width, crop_height)),
        (50721, _SRATIONAL, 9, _rationals(camera.color_matrix)),
        (50728, _RATIONAL, 3, _rationals(neutral)),  # AsShotNeutral
        (50730, _SRATIONAL, 1, _rationals([baseline_exposure])),
        (50778, _SHORT, 1, _D65),  # CalibrationIlluminant1
    ]
    if camera.tone_curve is not None:
        tags.append((50940, _FLOAT, 2 * len(camera.tone_curve), tuple(np.ravel(camera.tone_curve).tolist())))
    if noise_profile is not None:
        tags.append((51041, _DOUBLE, 2, noise_profile))
    with atomic_path(Path(path)) as temporary:
        tifffile.imwrite(
            temporary,
            mosaic,
            byteorder="<",
            photometric=32803,
            rowsperstrip=_ROWS_PER_STRIP,
            software="benchtool",
            metadata=None,
            extratags=[(*tag, True) for tag in tags],
        )


def _check(
    mosaic: np.ndarray, pattern: str, black: int | Sequence[int], white: int, crop: tuple[int, int, int, int] | None
) -> tuple[int, int]:
    if mosaic.ndim != 2 or mosaic.dtype != np.uint16:
        raise ValueError(f"a mosaic is H x W uint16, not {mosaic.shape} {mosaic.dtype}")
    if pattern not in PATTERNS:
        raise ValueError(f"pattern {pattern} is none of {', '.join(PATTERNS)}")
    if np.size(black) not in (1, 4) or not 0 <= np.min(black) <= np.max(black) < white <= 65535:
        raise ValueError(f"black {black} and white {white} must be one or four levels below one level of 16 bits")
    height, width = mosaic.shape
    if crop is not None:
        x, y, crop_width, crop_height = crop
        if min(x, y) < 0 or min(crop_width, crop_height) < 1 or x + crop_width > width or y + crop_height > height:
            raise ValueError(f"crop {crop} leaves the sensor of {width} x {height}")
    return height, width


def _rationals(values: Sequence[float] | np.ndarray) -> tuple[int, ...]:
    """Numerators and denominators in turn."""
    return tuple(part for value in np.ravel(values) for part in (round(float(value) * _DENOMINATOR), _DENOMINATOR))
