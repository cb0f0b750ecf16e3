"""Files of high dynamic range, linear RGB in 32-bit floats: Radiance (.hdr) through OpenCV, OpenEXR (.exr) through its own package.

`core.images` reads them. Values are those stored: Radiance's EXPOSURE is not divided out (as in MATLAB and OpenCV), EXR's alpha is dropped.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from benchtool.core.errors import UserError

SUFFIXES = (".hdr", ".exr")
LONGEST_HEADER = 64 * 1024  # bytes
RUN = 127  # pixels: the longest run of Radiance's compression; it takes 2 bytes in each of the four planes


def header(path: Path) -> tuple[int, int]:
    """(width, height), without decoding pixels.

    Raises:
        UserError: an .exr, and the package that reads it is not installed.
        OSError, ValueError: not a file of this type that can be read here.
    """
    return _radiance_header(path)[:2] if path.suffix.lower() == ".hdr" else _exr_header(path)[:2]


def decode(path: Path) -> np.ndarray:
    """H x W x 3 RGB float32.

    Raises:
        UserError, OSError, ValueError: as `header`, or the file is cut off or damaged.
    """
    return _radiance(path) if path.suffix.lower() == ".hdr" else _exr(path)


def _radiance_header(path: Path) -> tuple[int, int, int]:
    """(width, height, bytes of the header)."""
    with open(path, "rb") as file:
        start = file.read(LONGEST_HEADER)
    text, end, rest = start.partition(b"\n\n")
    if not start.startswith((b"#?RADIANCE\n", b"#?RGBE\n")) or not end:
        raise ValueError("no Radiance header")
    if b"FORMAT=32-bit_rle_rgbe" not in text.split(b"\n"):
        raise ValueError("its FORMAT is not 32-bit_rle_rgbe")
    size = re.match(rb"-Y (\d{1,9}) \+X (\d{1,9})\n", rest)
    if not size:
        raise ValueError("its rows do not run from the top left; save it again upright")
    height, width = map(int, size.groups())
    if not width or not height:
        raise ValueError("it has no pixels")
    return width, height, len(text) + len(end) + size.end()


def _radiance(path: Path) -> np.ndarray:
    width, height, begin = _radiance_header(path)
    data = np.fromfile(path, np.uint8)
    if len(data) - begin < height * 4 * 2 * (width / RUN if width >= 8 else width / 2):  # before room is made for what is not there
        raise ValueError("the file is cut off")
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (height, width, 3):
        raise ValueError("the file is cut off, damaged, or of Radiance's oldest compression")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _exr_header(path: Path) -> tuple[int, int, list[str]]:
    """(width, height, the names of the channels: R, G and B, or Y)."""
    if not path.is_file():
        raise FileNotFoundError(path)
    described = _openexr(path).InputFile(str(path)).header()
    drawn, shown = described["dataWindow"], described["displayWindow"]
    if (drawn.min.x, drawn.min.y, drawn.max.x, drawn.max.y) != (shown.min.x, shown.min.y, shown.max.x, shown.max.y):
        raise ValueError("its data window is not its display window")
    channels = described["channels"]
    names = ["R", "G", "B"] if {"R", "G", "B"} <= channels.keys() else ["Y"]
    if not channels.keys() >= set(names):
        raise ValueError(f"its channels are {', '.join(sorted(channels))}, not R, G, B or Y")
    if any((channels[name].xSampling, channels[name].ySampling) != (1, 1) for name in names):
        raise ValueError("its channels are subsampled")
    return drawn.max.x - drawn.min.x + 1, drawn.max.y - drawn.min.y + 1, names


def _exr(path: Path) -> np.ndarray:
    width, height, names = _exr_header(path)
    import Imath

    planes = _openexr(path).InputFile(str(path)).channels(names, Imath.PixelType(Imath.PixelType.FLOAT))
    rgb = planes if len(planes) == 3 else planes * 3
    return np.stack([np.frombuffer(plane, np.float32).reshape(height, width) for plane in rgb], axis=2)


def _openexr(path: Path) -> ModuleType:
    try:
        import OpenEXR
    except ImportError as error:
        raise UserError(f"{path}: .exr files need OpenEXR's own package ({error}); pip install OpenEXR, or save as .hdr or .tif") from None
    return OpenEXR
