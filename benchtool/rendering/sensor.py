"""Open a raw of any kind LibRaw reads: white balance, camera matrix, crop, and linear camera RGB from one decode.

LibRaw's own habits that make the brightness depend on the picture (auto-bright, adjust-maximum) are off.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rawpy

from benchtool.core.errors import UserError
from benchtool.rendering.colour import SRGB_TO_XYZ
from benchtool.rendering.dng import Tags, read_tags

MAX_BYTES = 2 << 30  # of a file
MAX_PIXELS = 250_000_000  # of a sensor; a larger header is refused before anything is allocated for it
_DAMAGE = re.compile(r"corrupt|premature|unexpected end|extraneous|truncated|bad ", re.IGNORECASE)
_ORIENTATION = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}  # LibRaw's flip bits (mirror, upside down, transpose) as EXIF's


@dataclass(frozen=True)
class Sensor:
    """A decoded raw.

    Attributes:
        raw: LibRaw's object, unpacked.
        tags: of a DNG, None for other kinds.
        white_balance: multipliers of the colours, as many as the sensor has (3 or 4).
        wb_source: `camera`, `daylight` (LibRaw's, for the model) or `none`.
        matrix: white-balanced camera RGB to linear sRGB, 3 x colours.
        matrix_source: `file`, `libraw` (its table of models) or `identity`.
        crop: (x, y, width, height) of the picture in the unrotated, visible part of the sensor.
        orientation: EXIF orientation that turns the stored picture into the displayed one.
    """

    raw: rawpy.RawPy
    tags: Tags | None
    white_balance: tuple[float, ...]
    wb_source: str
    matrix: np.ndarray
    matrix_source: str
    crop: tuple[int, int, int, int]
    orientation: int

    def camera_rgb(self, exposure: float = 0.0) -> np.ndarray:
        """Demosaiced (AHD), white-balanced, linear camera RGB, clipped at white: uint16 H x W x colours, cropped, unrotated.

        Where LibRaw turns or stretches the sensor's grid (Fuji's diagonal one, pixels that are not square), the crop
        means nothing for the result, and all of it is returned.

        Args:
            exposure: EV applied, and clipped again, before the demosaic (LibRaw's exp_shift).
        """
        given = self.wb_source == "camera"
        balance = self.white_balance
        image = self.raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
            use_camera_wb=given,
            user_wb=None if given else [*balance[:3], balance[3] if len(balance) > 3 else balance[1]],
            output_color=rawpy.ColorSpace.raw,
            output_bps=16,
            gamma=(1, 1),
            user_flip=0,
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            highlight_mode=rawpy.HighlightMode.Clip,
            exp_shift=2.0**exposure if exposure else None,
            exp_preserve_highlights=0.0,
        )
        return cropped(image, self.crop) if image.shape[:2] == (self.raw.sizes.height, self.raw.sizes.width) else image

    def facts(self) -> dict[str, object]:
        """What a manifest records of how the raw was read; plain JSON values."""
        return {
            "crop": list(self.crop),
            "black": list(self.raw.black_level_per_channel),
            "white": int(self.raw.white_level),
            "white_balance": [float(m) for m in self.white_balance],
            "wb_source": self.wb_source,
            "matrix_source": self.matrix_source,
            "orientation": self.orientation,
        }


@contextlib.contextmanager
def open_raw(path: Path) -> Iterator[Sensor]:
    """Read, check and decode a raw file.

    Raises:
        UserError: missing, no raw, cut off, damaged, or of more than MAX_PIXELS pixels; the message names the file.
    """
    data = _read(Path(path))
    try:
        tags = read_tags(data)
        with rawpy.RawPy() as raw:
            with _damage_is_an_error():
                raw.open_buffer(io.BytesIO(data))
                if raw.sizes.raw_width * raw.sizes.raw_height > MAX_PIXELS:
                    raise UserError(f"{raw.sizes.raw_width} x {raw.sizes.raw_height} pixels are over the limit of {MAX_PIXELS:,}; refused")
                raw.unpack()
            yield _sensor(raw, tags)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        said = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else str(error)
        libraw = ".".join(map(str, rawpy.libraw_version))
        raise UserError(f"{path}: LibRaw {libraw} cannot decode it ({said}): not a raw file, or one that is cut off or damaged") from None


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"{path}: {size:,} bytes are more than any raw has; refused")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise UserError(f"{path}: the file is empty; copy it again from its source")
    return data


@contextlib.contextmanager
def _damage_is_an_error() -> Iterator[None]:
    """LibRaw and libjpeg say on standard error what they found damaged, and go on with grey: make that an error.

    What else is said is passed on. Standard error is the process's: another thread's words come late, not lost.

    Raises:
        UserError: damage was reported (where nothing else was raised).
    """
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            heard.seek(0)
            lines = heard.read(1 << 16).decode(errors="replace").splitlines()
            damage = [line for line in lines if _DAMAGE.search(line)]
            for line in lines:
                if line not in damage:
                    print(line, file=sys.stderr)
    if damage:
        raise UserError(f"the data are damaged ({damage[0].removeprefix('unknown file: ')}); copy the file again from its source")


def _sensor(raw: rawpy.RawPy, tags: Tags | None) -> Sensor:
    colours = raw.num_colors
    balance, wb_source = _white_balance(raw, colours)
    matrix, matrix_source = _camera_matrix(raw, colours, is_dng=tags is not None)
    return Sensor(raw, tags, balance, wb_source, matrix, matrix_source, _crop(raw, tags), _ORIENTATION.get(raw.sizes.flip, 1))


def _white_balance(raw: rawpy.RawPy, colours: int) -> tuple[tuple[float, ...], str]:
    """The camera's multipliers where the first three are positive, else LibRaw's for daylight, else 1."""
    for multipliers, source in ((raw.camera_whitebalance, "camera"), (raw.daylight_whitebalance, "daylight")):
        if all(np.isfinite(m) and m > 0 for m in multipliers[:3]):
            return tuple(multipliers[:3]) + ((multipliers[3] or multipliers[1],) if colours == 4 else ()), source
    return (1.0,) * max(3, colours), "none"


def _camera_matrix(raw: rawpy.RawPy, colours: int, is_dng: bool) -> tuple[np.ndarray, str]:
    """White-balanced camera RGB to linear sRGB, as LibRaw chooses it: a DNG's own, else its table's (which gives XYZ to camera)."""
    if is_dng and raw.color_matrix[:, :colours].any():
        return raw.color_matrix[:, :colours].astype(np.float64), "file"
    from_xyz = raw.rgb_xyz_matrix[:colours].astype(np.float64)
    if colours >= 3 and from_xyz.any():
        from_srgb = from_xyz @ SRGB_TO_XYZ
        return np.linalg.pinv(from_srgb / from_srgb.sum(axis=1, keepdims=True)), "libraw"
    return np.eye(3, colours) if colours >= 3 else np.ones((3, colours)) / colours, "identity"


def _crop(raw: rawpy.RawPy, tags: Tags | None) -> tuple[int, int, int, int]:
    """DefaultCrop in LibRaw's visible area; all of that where there is none."""
    sizes = raw.sizes
    if tags is None or tags.crop is None:
        return 0, 0, sizes.width, sizes.height
    x, y, width, height = tags.crop
    x, y = x - sizes.left_margin, y - sizes.top_margin
    if min(x, y) < 0 or x + width > sizes.width or y + height > sizes.height:
        raise UserError(f"its DefaultCrop {tags.crop} leaves the {sizes.width} x {sizes.height} pixels LibRaw decodes: the file is damaged")
    return x, y, width, height


def cropped(image: np.ndarray, crop: tuple[int, int, int, int]) -> np.ndarray:
    """A view of `image` in (x, y, width, height)."""
    x, y, width, height = crop
    return image[y : y + height, x : x + width]
