"""A user's photograph as methods want it: upright, in sRGB, its alpha apart, its bit depth kept.

Orientation and colour profile are those embedded. Matrix profiles are applied in floating point, others by LittleCMS at 8 bits.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from benchtool.core.errors import UserError
from benchtool.core.images import header, orient, quantise, read_picture
from benchtool.rendering.colour import XYZ_D50_TO_SRGB, srgb_decode
from benchtool.rendering.experts import to_srgb
from benchtool.rendering.profiles import MatrixProfile, ProfileError, parse_profile

MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}  # Pillow's names; 16-bit ones begin with "I;16"
PHOTOMETRIC = {"MINISBLACK", "RGB", "PALETTE", "YCBCR"}
SAME_COLOUR = 2e-3  # of full scale: profiles called sRGB differ by less


@dataclass(frozen=True)
class Photo:
    """An opened photograph.

    Attributes:
        pixels: H x W x 3 sRGB, uint8 or uint16, as displayed.
        alpha: H x W of the same type, None where the file has none.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None


def open_photo(path: Path) -> Photo:
    """Read a photograph of 8 or 16 bits; grey becomes three equal channels, a palette is expanded.

    Raises:
        UserError: unreadable, damaged, several images in one file, CMYK or Lab, floating-point, a profile that cannot be applied.
    """
    header(path)  # refuses what is no image, and what is too large
    _refuse_other_kinds(path)
    picture = read_picture(path)
    if picture.pixels.dtype == np.float32:
        raise UserError(f"{path}: floating-point pixels; save it with 8 or 16 bits")
    upright = orient(picture.pixels, picture.orientation)
    pixels, alpha = np.ascontiguousarray(upright[:, :, :3]), upright[:, :, 3] if upright.shape[2] == 4 else None
    if picture.icc:
        try:
            pixels = apply_profile(pixels, bytes(picture.icc))
        except ProfileError as error:
            raise UserError(f"{path}: its colour profile {error}; convert it to sRGB") from None
    return Photo(pixels, alpha)


def _refuse_other_kinds(path: Path) -> None:
    """UserError for images whose channels are not RGB or grey, and for files of several images."""
    if path.suffix.lower() in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as tiff:
            images = sum(not page.is_reduced for page in tiff.pages)
            kind = getattr(tiff.pages.first.photometric, "name", "unknown")
            supported = kind in PHOTOMETRIC
    else:
        with Pillow.open(path) as image:
            images = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a phone's MPO is a JPEG with a second view
            kind, supported = image.mode, image.mode in MODES or image.mode.startswith("I;16")
    if not supported:
        raise UserError(f"{path}: its colours are {kind}; convert it to RGB")
    if images > 1:
        raise UserError(f"{path}: holds {images} images (animated, or of several pages); save the one you want by itself")


def apply_profile(pixels: np.ndarray, icc: bytes) -> np.ndarray:
    """Convert H x W x 3 uint8 or uint16 pixels of the colour space `icc` describes to sRGB, of the same type.

    Raises:
        ProfileError: damaged, for another kind of image, or by tables where the pixels have 16 bits.
    """
    try:
        profile = parse_profile(icc)
    except ProfileError:
        if pixels.dtype != np.uint8:
            raise
        return _through_littlecms(pixels, icc)
    if is_srgb(profile):
        return pixels
    return quantise(to_srgb(pixels, profile), np.iinfo(pixels.dtype).max)


def is_srgb(profile: MatrixProfile) -> bool:
    """Whether a profile is sRGB's, as near as such profiles are: then pixels stay exactly what they are."""
    levels = np.linspace(0, 1, 256)
    curves = max(np.abs(curve(levels) - srgb_decode(levels)).max() for curve in profile.curves)
    return curves < SAME_COLOUR and np.abs(XYZ_D50_TO_SRGB @ profile.to_xyz - np.eye(3)).max() < SAME_COLOUR


def _through_littlecms(pixels: np.ndarray, icc: bytes) -> np.ndarray:
    """What works by tables, or is for grey images: relative colorimetric."""
    grey = icc[16:20] == b"GRAY"
    image = Pillow.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if grey else pixels)
    intent, exact = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NOOPTIMIZE  # its short cuts can be 10 levels off
    try:
        converted = ImageCms.profileToProfile(image, io.BytesIO(icc), ImageCms.createProfile("sRGB"), intent, "RGB", flags=exact)
    except (ImageCms.PyCMSError, OSError) as error:
        raise ProfileError(f"cannot be applied ({' '.join(str(error).split())})") from None
    return np.asarray(converted)
