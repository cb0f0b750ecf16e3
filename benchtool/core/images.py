"""The one place that reads, writes, resizes and quantises images.

Arrays are H x W x 3 RGB (or H x W x 4 with alpha where asked for), uint8, uint16 or float32. Files of high dynamic range are
decoded by `hdr_files`.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchtool.core import hdr_files
from benchtool.core.errors import UserError
from benchtool.core.files import write_bytes
from benchtool.core.resample import Resampler

MAX_PIXELS = 400_000_000  # a larger header is refused before any pixel is decoded
STRIP = 64  # rows worked on together, so that they stay in the processor's cache
MULTIPLE = 4  # pixels: of the sides that ENC's released code brings images to
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
SUBSAMPLING = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


@dataclass(frozen=True)
class Picture:
    """An image file as stored.

    Attributes:
        pixels: H x W x 3 RGB, or H x W x 4 with alpha, uint8, uint16 or float32; not yet rotated.
        orientation: EXIF orientation, 1..8.
        icc: embedded colour profile, None where absent.
        size: (width, height) as displayed, i.e. after applying the orientation.
    """

    pixels: np.ndarray
    orientation: int
    icc: bytes | None

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.pixels.shape[:2]
        return (height, width) if self.orientation >= 5 else (width, height)


def header(path: Path) -> tuple[int, int, int, bytes | None]:
    """(width, height, EXIF orientation, ICC profile) from a file's header, without decoding pixels.

    Raises:
        UserError: not an image, or one of more than MAX_PIXELS pixels.
    """
    suffix = Path(path).suffix.lower()
    read = _hdr_header if suffix in hdr_files.SUFFIXES else _tiff_header if suffix in (".tif", ".tiff") else _pillow_header
    try:
        width, height, orientation, icc = read(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError, SyntaxError, struct.error) as error:  # the last from tifffile, of a file cut off
        raise UserError(f"{path}: not a readable image ({error})") from None
    if width * height > MAX_PIXELS:
        raise UserError(f"{path}: {width} x {height} pixels is over the limit of {MAX_PIXELS:,}; refused")
    return width, height, orientation if orientation in range(1, 9) else 1, icc


def _hdr_header(path: Path) -> tuple[int, int, int, None]:
    return *hdr_files.header(Path(path)), 1, None


def _pillow_header(path: Path) -> tuple[int, int, int, bytes | None]:
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as image:
            return *image.size, image.getexif().get(0x0112, 1), image.info.get("icc_profile")
    except Pillow.DecompressionBombError:
        raise UserError(f"{path}: claims too many pixels; refused") from None


def _tiff_header(path: Path) -> tuple[int, int, int, bytes | None]:
    """As `_pillow_header`; Pillow does not know RGB TIFFs of 16-bit or float samples."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        if page.samplesperpixel > 1 and page.planarconfig != tifffile.PLANARCONFIG.CONTIG:
            raise ValueError("its channels are stored apart, planar configuration 2; save it again interleaved")  # OpenCV would mix them up
        return page.imagewidth, page.imagelength, int(page.tags.valueof(274, 1)), page.tags.valueof(34675)


def read_picture(path: Path) -> Picture:
    """Read an image with its bit depth, alpha, orientation and profile kept apart from the pixels.

    Grey images become three equal channels; a palette is expanded.

    Raises:
        UserError: missing, unreadable, truncated or too large.
    """
    path = Path(path)
    width, height, orientation, icc = header(path)
    if path.suffix.lower() in hdr_files.SUFFIXES:
        return Picture(_decode_hdr(path), orientation, icc)
    data = np.fromfile(path, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UserError(f"{path}: cannot be decoded ({error.err})") from None
    if pixels is not None and path.suffix.lower() in (".tif", ".tiff"):
        pixels = orient(pixels, {6: 8, 8: 6}.get(orientation, orientation))  # OpenCV turns TIFFs, whatever the flag: turn them back
    if pixels is None or pixels.shape[:2] != (height, width):
        raise UserError(f"{path}: cannot be decoded; the file is damaged or of an unsupported kind")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise UserError(f"{path}: {pixels.dtype} pixels are not supported; convert to 8 or 16 bit")
    if path.suffix.lower() in (".jpg", ".jpeg") and not _ends_whole(data):
        raise UserError(f"{path}: the JPEG is cut off (no end marker)")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    elif pixels.shape[2] == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    elif pixels.shape[2] == 4:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    else:
        raise UserError(f"{path}: {pixels.shape[2]} channels are not supported")
    return Picture(pixels, orientation, icc)


def _decode_hdr(path: Path) -> np.ndarray:
    try:
        return hdr_files.decode(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be decoded ({error})") from None


def _ends_whole(data: np.ndarray) -> bool:
    """Whether a JPEG's end marker follows its last scan (libjpeg fills a cut file with grey without an error; a thumbnail has its own)."""
    content = data.tobytes()
    return content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda")


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels into displayed ones, by EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def read_image(path: Path) -> np.ndarray:
    """Read a dataset image: H x W x 3 RGB uint8 or uint16 (float32 if linear) as displayed; alpha is dropped, profiles are not applied."""
    picture = read_picture(path)
    return orient(picture.pixels[:, :, :3], picture.orientation)


def encode_image(pixels: np.ndarray, suffix: str, quality: int = 75, subsampling: str = "4:2:0") -> bytes:
    """Encode RGB or RGBA pixels as the file type `suffix` (`.png`, `.jpg`, `.tif`).

    PNG takes uint8 and uint16, JPEG uint8, TIFF also float32 (losslessly compressed; four planes of raw images are whole too).
    The bytes depend on the pixels and settings alone.
    """
    suffix = suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLING[subsampling]]
        pixels = pixels[:, :, :3]
    elif suffix == ".png":
        settings = [cv2.IMWRITE_PNG_COMPRESSION, 3]
    elif suffix in (".tif", ".tiff"):
        settings = []
    else:
        raise UserError(f"'{suffix}': images are written as .png, .jpg or .tif")
    if pixels.dtype != np.uint8 and suffix in (".jpg", ".jpeg") or pixels.dtype == np.float32 and suffix == ".png":
        raise ValueError(f"{pixels.dtype} pixels cannot be written as {suffix}")
    if pixels.dtype == np.float32:
        return _float_tiff(pixels)
    code = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(suffix, cv2.cvtColor(np.ascontiguousarray(pixels), code), settings)
    if not done:
        raise ValueError(f"encoding as {suffix} failed")
    return data.tobytes()


def _float_tiff(pixels: np.ndarray) -> bytes:
    """By tifffile: OpenCV compresses no floats, and says of a fourth plane what its own reader warns about."""
    import tifffile

    extra = ["unspecified"] * (pixels.shape[2] - 3)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="rgb", extrasamples=extra, compression="zlib", metadata=None)
    return stream.getvalue()


def write_image(path: Path, pixels: np.ndarray, quality: int = 75, subsampling: str = "4:2:0") -> bytes:
    """Write an image atomically as the type of `path`'s suffix; returns the bytes written (for hashing)."""
    data = encode_image(pixels, Path(path).suffix, quality, subsampling)
    write_bytes(path, data)
    return data


def quantise(image: np.ndarray, levels: int = 255) -> np.ndarray:
    """Clamp [0, 1] floats, scale and round half up: uint8 for 255 levels, uint16 for 65535."""
    scaled = np.clip(np.asarray(image, np.float32), 0, 1) * np.float32(levels) + np.float32(0.5)
    return scaled.astype(np.uint8 if levels == 255 else np.uint16)


def floats(pixels: np.ndarray) -> np.ndarray:
    """uint8 or uint16 as float32 in [0, 1]; float32 as it is."""
    return pixels if pixels.dtype == np.float32 else pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def up_to_multiple(size: tuple[int, int]) -> tuple[int, int]:
    """The next multiples of MULTIPLE of two sides."""
    return -(-size[0] // MULTIPLE) * MULTIPLE, -(-size[1] // MULTIPLE) * MULTIPLE


def enlarge(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """`floats` of an image at a size somewhat larger, bilinearly, as ENC's released code; the image itself where it has that size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(floats(pixels), (width, height), interpolation=cv2.INTER_LINEAR)


def resize(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic (a = -0.5) with antialiasing when shrinking, as MATLAB's imresize: what benchtool resizes by unless told otherwise.

    Args:
        pixels: H x W x C, uint8 (rounded after each direction, first down, then across) or float32 (not clipped).
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    resampler = Resampler((pixels.shape[1], pixels.shape[0]), (width, height), pixels.shape[2], whole=pixels.dtype == np.uint8)
    for top in range(0, len(pixels), STRIP):
        resampler.push(pixels[top : top + STRIP])
    return resampler.image().astype(pixels.dtype, copy=False)
