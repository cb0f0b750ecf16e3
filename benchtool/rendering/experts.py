"""Expert retouchings as MIT-Adobe FiveK ships them: 16-bit ProPhoto RGB TIFFs, turned into sRGB through their own profile.

The profile's curves and matrix are applied in floating point (a colour management system at 8 bits would lose the
16-bit precision): curve -> XYZ D50 -> Bradford -> linear sRGB -> clip -> sRGB curve.
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

import numpy as np
import tifffile

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_path
from benchtool.core.images import MAX_PIXELS, orient, quantise, read_picture
from benchtool.rendering.colour import PROPHOTO_TO_XYZ, XYZ_D50_TO_SRGB, srgb_decode, srgb_encode
from benchtool.rendering.profiles import MatrixProfile, ProfileError, gamma_tag, matrix_profile, parse_profile

_GAMMA = 461 / 256  # what 1.8 becomes in a profile
_ROWS = 256  # converted at a time, so that a 12-megapixel image needs little more than its own memory


def read_expert(path: Path) -> np.ndarray:
    """Read an expert's TIFF through its embedded matrix/TRC profile.

    Args:
        path: an interleaved RGB TIFF of 16 (or 8) bits; its orientation is honoured.

    Returns:
        float32 H x W x 3, sRGB-encoded, in [0, 1]; colours outside sRGB are clipped in linear light.

    Raises:
        UserError: no such file, damaged, not RGB, without a profile, or with one that is not matrix/TRC.
    """
    path = Path(path)
    _refuse_other_kinds(path)
    picture = read_picture(path)
    if picture.icc is None:
        raise UserError(f"{path}: has no colour profile; export the expert's image again with its ProPhoto RGB profile embedded")
    try:
        profile = parse_profile(bytes(picture.icc))
    except ProfileError as error:
        raise UserError(f"{path}: its colour profile {error}; export it again as ProPhoto RGB with a matrix/TRC profile") from None
    return to_srgb(orient(picture.pixels, picture.orientation), profile)


def _refuse_other_kinds(path: Path) -> None:
    """UserError unless `path` is a whole, reasonably large RGB TIFF of integers."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            if page.photometric != tifffile.PHOTOMETRIC.RGB or page.samplesperpixel != 3 or page.dtype not in (np.uint8, np.uint16):
                photometric = getattr(page.photometric, "name", page.photometric)
                kind = f"{page.samplesperpixel} channel(s) of {page.dtype}, photometric {photometric}"
                raise UserError(f"{path}: holds {kind}; expert images are 16-bit RGB without alpha")
            if page.imagewidth * page.imagelength > MAX_PIXELS:
                raise UserError(f"{path}: {page.imagewidth} x {page.imagelength} pixels is over the limit of {MAX_PIXELS:,}; refused")
            if any(start + size > tiff.filehandle.size for start, size in zip(page.dataoffsets, page.databytecounts)):
                raise UserError(f"{path}: is cut off; copy it again from its source")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (tifffile.TiffFileError, ValueError, struct.error, IndexError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a readable TIFF ({error})") from None


def to_srgb(pixels: np.ndarray, profile: MatrixProfile) -> np.ndarray:
    """Convert H x W x 3 uint8 or uint16 of `profile`'s colour space to float32 sRGB-encoded values in [0, 1]."""
    levels = np.linspace(0.0, 1.0, np.iinfo(pixels.dtype).max + 1)
    tables = [curve(levels).astype(np.float32) for curve in profile.curves]
    matrix = (XYZ_D50_TO_SRGB @ profile.to_xyz).T.astype(np.float32)
    result = np.empty(pixels.shape, np.float32)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        linear = np.stack([table[pixels[rows, :, channel]] for channel, table in enumerate(tables)], axis=2)
        result[rows] = srgb_encode(np.clip(linear @ matrix, 0, 1))
    return result


@cache
def prophoto_profile() -> bytes:
    """The profile of the images we write: ProPhoto RGB with a pure gamma."""
    return matrix_profile(PROPHOTO_TO_XYZ, gamma_tag(_GAMMA), "ProPhoto RGB")


def write_expert(path: Path, image: np.ndarray) -> None:
    """Write H x W x 3 sRGB-encoded floats in [0, 1] as a 16-bit ProPhoto RGB TIFF with its profile, atomically."""
    profile = parse_profile(prophoto_profile())
    matrix = np.linalg.inv(XYZ_D50_TO_SRGB @ profile.to_xyz).T
    linear = np.clip(srgb_decode(np.asarray(image, np.float64)) @ matrix, 0, 1)
    pixels = quantise(linear ** (1 / _GAMMA), 65535)
    with atomic_path(Path(path)) as temporary:
        tifffile.imwrite(
            temporary, pixels, photometric="rgb", rowsperstrip=_ROWS, iccprofile=prophoto_profile(), software="benchtool", metadata=None
        )
