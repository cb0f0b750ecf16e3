"""What the tags of a DNG (or another raw built as a TIFF) say of its picture, read without decoding it, and whether the file is whole.

Tag numbers and meanings: TIFF 6.0; Adobe DNG specification 1.4, chapter 4. LibRaw reads DefaultCrop and BaselineExposure, but
applies neither.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchtool.core.errors import UserError

_TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8", 13: "u4"}
_RATIONALS = (5, 10)
_MAX_DIRECTORIES = 64
_SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _PLANAR = 254, 256, 257, 258, 259, 277, 284
_STRIP_OFFSETS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _SUB_DIRECTORIES = 322, 323, 324, 325, 330
_DNG_VERSION, _BLACK_REPEAT, _CROP_ORIGIN, _CROP_SIZE, _ACTIVE_AREA = 50706, 50713, 50719, 50720, 50829
_BASELINE, _BASELINE_OFFSET, _TONE_CURVE = 50730, 51109, 50940
_UNCOMPRESSED, _JPEG, _LOSSY_JPEG = 1, 7, 34892


@dataclass(frozen=True)
class Tags:
    """What the renderer needs of a DNG's tags.

    Attributes:
        crop: DefaultCrop as (x, y, width, height) in pixels of the whole sensor, unrotated; None where absent.
        baseline_exposure: EV a converter adds to what the user asks for; 0 where absent.
        baseline_exposure_offset: EV the embedded profile adds to that; 0 where absent.
        tone_curve: points (x, y) of the embedded profile's curve, linear light in [0, 1]; None where absent.
        black_repeat: (rows, columns) after which black levels repeat.
    """

    crop: tuple[int, int, int, int] | None
    baseline_exposure: float
    baseline_exposure_offset: float
    tone_curve: tuple[tuple[float, float], ...] | None
    black_repeat: tuple[int, int]


@dataclass(frozen=True)
class _Directory:
    """One image file directory: tag -> (type, count, where the values are)."""

    data: memoryview
    order: str
    entries: dict[int, tuple[int, int, int]]

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def values(self, tag: int, default: tuple[float, ...] = ()) -> np.ndarray:
        """The values of a tag, rationals divided; `default` where it is absent."""
        if tag not in self.entries:
            return np.array(default)
        kind, count, where = self.entries[tag]
        if kind not in _TYPES:
            raise UserError(f"tag {tag} is of an unknown type, {kind}: the file is damaged")
        dtype = np.dtype(self.order + _TYPES[kind])
        count *= 2 if kind in _RATIONALS else 1
        if where + count * dtype.itemsize > len(self.data):
            raise UserError(f"the values of tag {tag} lie outside the file: it is cut off or damaged")
        found = np.frombuffer(self.data, dtype, count, where)
        if kind in _RATIONALS:
            with np.errstate(divide="ignore", invalid="ignore"):
                return found[0::2] / found[1::2].astype(np.float64)
        return found

    def whole(self, tag: int, default: int) -> int:
        """The first value of a tag as a whole number."""
        return int(_finite(tag, self.values(tag, (default,)), 1)[0])


def read_tags(data: bytes) -> Tags | None:
    """Check that every strip and tile of a TIFF lies in `data`, the file's bytes, and read the tags of a DNG.

    Returns:
        None where the file is no DNG: its maker's crop and exposure are LibRaw's business.

    Raises:
        UserError: cut off, damaged, or contradicting itself; the message does not name the file.
    """
    view = memoryview(data)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(view[:4]))
    if order is None or len(view) < 8:
        return None
    directories = list(_directories(view, order))
    first = directories[0]
    for directory in directories:
        _check_pieces(directory, strict=_DNG_VERSION in first)
    if _DNG_VERSION not in first:
        return None
    picture = next((d for d in directories if d.whole(_SUBFILE_TYPE, 0) == 0 and _WIDTH in d), first)
    _check_picture(picture)
    return Tags(
        _crop(picture),
        float(_finite(_BASELINE, first.values(_BASELINE, (0,)), 1)[0]),
        float(_finite(_BASELINE_OFFSET, first.values(_BASELINE_OFFSET, (0,)), 1)[0]),
        _tone_curve(first),
        tuple(int(n) for n in _finite(_BLACK_REPEAT, picture.values(_BLACK_REPEAT, (1, 1)), 2)),
    )


def _directories(data: memoryview, order: str) -> Iterator[_Directory]:
    """The first directory, those below it, and what follows each; a following one that lies outside ends its chain (makers' raws)."""
    waiting, seen = [(struct.unpack_from(order + "I", data, 4)[0], True)], set()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        where, needed = waiting.pop(0)
        if where in seen:
            continue
        seen.add(where)
        count = struct.unpack_from(order + "H", data, where)[0] if 8 <= where <= len(data) - 2 else 0
        end = where + 2 + 12 * count
        if not count or end > len(data):
            if needed:
                raise UserError("a directory of its tags lies outside the file: it is cut off or damaged")
            continue
        entries = {}
        for at in range(where + 2, end, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, at)
            size = number * np.dtype(_TYPES.get(kind, "u1")).itemsize * (2 if kind in _RATIONALS else 1)
            entries[tag] = (kind, number, at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0])
        directory = _Directory(data, order, entries)
        yield directory
        waiting += [(int(below), True) for below in directory.values(_SUB_DIRECTORIES)[:_MAX_DIRECTORIES]]
        if end + 4 <= len(data):
            waiting.append((struct.unpack_from(order + "I", data, end)[0], False))


def _pieces(directory: _Directory) -> tuple[str, np.ndarray, np.ndarray]:
    """What the image is stored in: `strip` or `tile`, their offsets and sizes in bytes."""
    if _TILE_OFFSETS in directory:
        return "tile", directory.values(_TILE_OFFSETS).astype(np.int64), directory.values(_TILE_BYTES).astype(np.int64)
    return "strip", directory.values(_STRIP_OFFSETS).astype(np.int64), directory.values(_STRIP_BYTES).astype(np.int64)


def _check_pieces(directory: _Directory, strict: bool) -> None:
    """Every strip and tile lies in the file; `strict` also wants a size for each (some makers' raws leave it out)."""
    name, offsets, sizes = _pieces(directory)
    if len(offsets) != len(sizes):
        if strict:
            raise UserError(f"it has {len(offsets)} {name}s but {len(sizes)} sizes of them: the file is damaged")
        return
    ends = offsets + sizes
    if len(ends) and (ends > len(directory.data)).any():
        number = int((ends > len(directory.data)).argmax())
        place = f"{name} {number + 1} of {len(ends)} ends at byte {ends[number]:,}"
        raise UserError(f"{place}, but the file has only {len(directory.data):,}: it is cut off; copy it again from its source")


def _check_picture(picture: _Directory) -> None:
    """The strips or tiles are as many as the claimed size needs, and hold what their compression must."""
    name, offsets, sizes = _pieces(picture)
    width, height = picture.whole(_WIDTH, 0), picture.whole(_HEIGHT, 0)
    across = -(-width // max(1, picture.whole(_TILE_WIDTH, width))) if name == "tile" else 1
    down = -(-height // max(1, picture.whole(_TILE_HEIGHT, height) if name == "tile" else min(height, picture.whole(_STRIP_ROWS, height))))
    samples = picture.whole(_SAMPLES, 1)
    needed = across * down * (samples if picture.whole(_PLANAR, 1) == 2 else 1)
    if min(width, height) < 1 or len(offsets) != needed:
        raise UserError(f"its {width} x {height} pixels need {needed} {name}s, but it has {len(offsets)}: the file is damaged")
    compression = picture.whole(_COMPRESSION, _UNCOMPRESSED)
    if compression == _UNCOMPRESSED and int(sizes.sum()) * 8 < width * height * samples * picture.whole(_BITS, 1):
        raise UserError(f"it claims {width} x {height} pixels but holds only {int(sizes.sum()):,} bytes of them: the file is damaged")
    if compression in (_JPEG, _LOSSY_JPEG):
        for number, (offset, size) in enumerate(zip(offsets.tolist(), sizes.tolist()), 1):
            if bytes(picture.data[offset : offset + 2]) != b"\xff\xd8" or not _ends_whole(picture.data[offset : offset + size]):
                raise UserError(f"{name} {number} of {len(sizes)} is no whole JPEG stream: it is damaged; copy it again from its source")


def _ends_whole(stream: memoryview) -> bool:
    """Whether a JPEG stream has its end marker, but for some padding."""
    return bytes(stream[-64:]).rstrip(b"\0").endswith(b"\xff\xd9")


def _crop(picture: _Directory) -> tuple[int, int, int, int] | None:
    """DefaultCrop, moved by the ActiveArea's corner; rounded and kept inside as the DNG SDK does (dng_negative::DefaultCropArea)."""
    if _CROP_SIZE not in picture:
        return None
    width, height = picture.whole(_WIDTH, 0), picture.whole(_HEIGHT, 0)
    top, left, bottom, right = (int(n) for n in _finite(_ACTIVE_AREA, picture.values(_ACTIVE_AREA, (0, 0, height, width)), 4))
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise UserError(f"its ActiveArea ({top}, {left}, {bottom}, {right}) leaves the {width} x {height} pixels: the file is damaged")
    origin = _finite(_CROP_ORIGIN, picture.values(_CROP_ORIGIN, (0, 0)), 2)
    size = _finite(_CROP_SIZE, picture.values(_CROP_SIZE), 2)
    crop_width, crop_height = (math.floor(n + 0.5) for n in size)
    x, y = (math.floor(n + 0.5) for n in origin)
    if min(x, y) < 0 or not (1 <= crop_width <= right - left and 1 <= crop_height <= bottom - top):
        raise UserError(f"its DefaultCrop ({x}, {y}, {crop_width} x {crop_height}) leaves the picture: the file is damaged")
    return left + min(x, right - left - crop_width), top + min(y, bottom - top - crop_height), crop_width, crop_height


def _tone_curve(first: _Directory) -> tuple[tuple[float, float], ...] | None:
    if _TONE_CURVE not in first:
        return None
    values = first.values(_TONE_CURVE)
    points = _finite(_TONE_CURVE, values, max(4, len(values) // 2 * 2)).reshape(-1, 2)
    if (np.diff(points[:, 0]) <= 0).any() or points.min() < 0 or points.max() > 1 or points[0, 0] > 0 or points[-1, 0] < 1:
        raise UserError("its ProfileToneCurve does not rise from 0 to 1: the file is damaged")
    return tuple((float(x), float(y)) for x, y in points)


def _finite(tag: int, values: np.ndarray, count: int) -> np.ndarray:
    """The first `count` values, which must be there and numbers."""
    if len(values) < count or not np.isfinite(values[:count]).all():
        raise UserError(f"tag {tag} holds {len(values)} values, not {count} numbers: the file is damaged")
    return values[:count]
