"""ICC matrix/TRC profiles (ICC.1:2022, 8.4.3): parsing ones that come with images, applying their curves, writing small ones.

Profiles come from outside: every offset and count is checked against the data before it is used. The profile connection
space is CIE XYZ of D50, to which the colorants are adapted already, so that a `chad` tag changes nothing here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchtool.rendering.colour import D50

_MAX_TAGS = 1000
_PARAMETERS = (1, 3, 4, 5, 7)  # how many numbers a parametricCurveType of function 0..4 holds


class ProfileError(ValueError):
    """Why a profile cannot be used, to be completed with the file it came from."""


@dataclass(frozen=True)
class MatrixProfile:
    """An RGB profile of three curves and a matrix.

    Attributes:
        curves: encoded value in [0, 1] (float64 array) to linear light, for red, green, blue.
        to_xyz: 3 x 3, linear RGB to XYZ of the PCS (D50, white's Y = 1).
    """

    curves: tuple[Callable[[np.ndarray], np.ndarray], ...]
    to_xyz: np.ndarray


def parse_profile(data: bytes) -> MatrixProfile:
    """Read a matrix/TRC profile.

    Raises:
        ProfileError: damaged, not RGB, or a lookup-table profile.
    """
    if len(data) < 132 or data[36:40] != b"acsp":
        raise ProfileError("is not an ICC profile")
    space, pcs = data[16:20], data[20:24]
    if space != b"RGB ":
        raise ProfileError(f"is for {_text(space)} images, not RGB")
    tags = _tags(data)
    names = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    # A profile with both is, by ICC.1 9.2, to be used through its tables.
    if pcs != b"XYZ " or names - tags.keys() or any(name in tags for name in (b"A2B0", b"A2B1", b"D2B0", b"D2B1")):
        raise ProfileError("works by lookup tables; only matrix/TRC profiles are supported")
    colorants = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    matrix = np.array(colorants).T
    if abs(np.linalg.det(matrix)) < 1e-6:
        raise ProfileError("is damaged: its colorants span no colour space")
    curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    return MatrixProfile(curves, matrix)


def _text(signature: bytes) -> str:
    return ascii(signature.decode("latin-1").strip())


def _tags(data: bytes) -> dict[bytes, bytes]:
    """Signature -> the tag's bytes, type signature first."""
    (count,) = struct.unpack_from(">I", data, 128)
    if count > _MAX_TAGS or len(data) < 132 + 12 * count:
        raise ProfileError("is damaged: its tag table does not fit")
    found = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        if offset + size > len(data) or size < 8:
            raise ProfileError(f"is damaged: its tag {_text(name)} lies outside it")
        found[name] = data[offset : offset + size]
    return found


def _fixed(tag: bytes, count: int, offset: int) -> np.ndarray:
    """`count` s15Fixed16 numbers."""
    if len(tag) < offset + 4 * count:
        raise ProfileError("is damaged: a tag is cut off")
    return np.frombuffer(tag, ">i4", count, offset) / 65536.0


def _xyz(tag: bytes) -> np.ndarray:
    if tag[:4] != b"XYZ ":
        raise ProfileError("is damaged: a colorant is no XYZ value")
    return _fixed(tag, 3, 8)


def _curve(tag: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A curveType or parametricCurveType (ICC.1 10.6, 10.18) as a function."""
    kind = tag[:4]
    if kind == b"curv" and len(tag) >= 12:
        (count,) = struct.unpack_from(">I", tag, 8)
        if len(tag) < 12 + 2 * count:
            raise ProfileError("is damaged: a curve is cut off")
        table = np.frombuffer(tag, ">u2", count, 12)
        if count == 0:
            return lambda x: np.asarray(x, np.float64)
        if count == 1:
            return _power(table[0] / 256.0)
        nodes, values = np.linspace(0.0, 1.0, count), table / 65535.0
        return lambda x: np.interp(x, nodes, values)
    if kind == b"para" and len(tag) >= 12:
        (function,) = struct.unpack_from(">H", tag, 8)
        if function >= len(_PARAMETERS):
            raise ProfileError(f"has a parametric curve of unknown kind {function}")
        return _parametric(function, _fixed(tag, _PARAMETERS[function], 12))
    raise ProfileError(f"has a curve of unknown kind {_text(kind)}")


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.power(np.asarray(x, np.float64), exponent)


def _parametric(function: int, numbers: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """ICC.1 table 68: (a x + b)^g + e from the break on, c x + f below it; results are clipped to [0, 1]."""
    g, a, b, c, d, e, f = numbers[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if function in (1, 2):
        a, b = numbers[1:3]
        if a == 0:
            raise ProfileError("is damaged: a parametric curve has no slope")
        d = -b / a
        e = f = numbers[3] if function == 2 else 0.0
    elif function in (3, 4):
        a, b, c, d = numbers[1:5]
        e, f = numbers[5:7] if function == 4 else (0.0, 0.0)
    if g < 0:
        raise ProfileError("is damaged: a parametric curve has a negative exponent")

    def curve(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, np.float64)
        upper = np.power(np.maximum(a * x + b, 0.0), g) + e
        return np.clip(np.where(x >= d, upper, c * x + f), 0.0, 1.0)

    return curve


def gamma_tag(exponent: float) -> bytes:
    """A curveType of one u8Fixed8 number: the exponent is rounded to 1/256 (1.8 becomes 461/256, as in Kodak's profile)."""
    return struct.pack(">4sIIH", b"curv", 0, 1, round(exponent * 256))


def matrix_profile(to_xyz: np.ndarray, curve: bytes, name: str) -> bytes:
    """A version 2.1 display profile with one curve for all channels.

    Args:
        to_xyz: 3 x 3, linear RGB to XYZ D50; rounded to s15Fixed16.
        curve: the tag's bytes, such as `gamma_tag(1.8)`.
        name: description, ASCII.
    """
    text = name.encode("ascii") + b"\0"
    blocks = {
        b"desc": struct.pack(">4sII", b"desc", 0, len(text)) + text + b"\0" * 78,  # no Unicode, no Macintosh text
        b"cprt": struct.pack(">4sI", b"text", 0) + b"No copyright, use freely\0",
        b"wtpt": _xyz_tag(D50),
        **{channel + b"XYZ": _xyz_tag(to_xyz[:, index]) for index, channel in enumerate((b"r", b"g", b"b"))},
        b"rTRC": curve,
    }
    start = 132 + 12 * (len(blocks) + 2)
    table, body = [], b""
    for signature, block in blocks.items():
        table.append((signature, start + len(body), len(block)))
        body += block + b"\0" * (-len(block) % 4)
    table += [(other, *table[-1][1:]) for other in (b"gTRC", b"bTRC")]  # the three share one block
    header = struct.pack(">I4xI4s4s4s6H4s", start + len(body), 0x02100000, b"mntr", b"RGB ", b"XYZ ", 2026, 1, 1, 0, 0, 0, b"acsp")
    header = header.ljust(68, b"\0") + _xyz_tag(D50)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(table)) + b"".join(struct.pack(">4sII", *row) for row in table) + body


def _xyz_tag(values: Sequence[float]) -> bytes:
    return struct.pack(">4sIiii", b"XYZ ", 0, *(round(float(value) * 65536) for value in values))
