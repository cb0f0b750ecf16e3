"""Radiance and OpenEXR files against files written byte by byte or by OpenEXR itself, and those that are refused by their headers."""

from __future__ import annotations

import builtins
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.hdr_files import RUN
from benchtool.core.images import SUFFIXES, header, read_image, read_picture

LINEAR = (np.random.default_rng(0).random((21, 34, 3)) ** 4 * 50).astype(np.float32)


def rgbe(rgb: np.ndarray) -> np.ndarray:
    """H x W x 4 uint8: shared exponent, mantissas rounded down."""
    _, exponent = np.frexp(rgb.max(axis=2))
    mantissas = rgb / np.ldexp(1.0, exponent)[:, :, None] * 256
    return np.dstack([mantissas.astype(np.uint8), (exponent + 128).astype(np.uint8)])


HEAD = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"


def radiance(rgb: np.ndarray, compress: bool = True, head: bytes = HEAD, size: bytes = b"") -> bytes:
    """A Radiance file: rows of four planes in literal runs, or pixel after pixel."""
    height, width = rgb.shape[:2]
    rows = b""
    for row in rgbe(rgb):
        if not compress:
            rows += row.tobytes()
            continue
        rows += bytes([2, 2, width >> 8, width & 255])
        for plane in row.T:
            rows += b"".join(bytes([len(part)]) + part.tobytes() for part in (plane[i : i + RUN] for i in range(0, width, RUN)))
    return head + (size or b"-Y %d +X %d\n" % (height, width)) + rows


def expected(rgb: np.ndarray) -> np.ndarray:
    """What the stored bytes mean: mantissa / 256 * 2^(exponent - 128)."""
    stored = rgbe(rgb).astype(np.float64)
    return (stored[:, :, :3] / 256 * 2 ** (stored[:, :, 3:] - 128)).astype(np.float32)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("head", [HEAD, b"#?RGBE\n# by hand\nEXPOSURE=2.0\nFORMAT=32-bit_rle_rgbe\n\n"])
def test_radiance(tmp_path: Path, compress: bool, head: bytes) -> None:
    """Channels in order, values as stored: EXPOSURE is not divided out."""
    path = tmp_path / "a.HDR"
    path.write_bytes(radiance(LINEAR, compress, head))
    assert header(path) == (34, 21, 1, None)
    pixels = read_image(path)
    assert pixels.dtype == np.float32 and np.array_equal(pixels, expected(LINEAR))
    assert (abs(pixels - LINEAR) <= LINEAR.max(axis=2, keepdims=True) / 128).all() and read_picture(path).size == (34, 21)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 8), (2, 300)])
def test_small_and_wide(tmp_path: Path, shape: tuple[int, int]) -> None:
    rgb = np.resize(LINEAR, (*shape, 3))
    (tmp_path / "a.hdr").write_bytes(radiance(rgb, compress=shape[1] >= 8))
    assert np.array_equal(read_image(tmp_path / "a.hdr"), expected(rgb))


def test_opencv_writes_what_is_read(tmp_path: Path) -> None:
    flat = np.full((64, 1000, 3), (3.0, 0.5, 0.25), np.float32)
    cv2.imwrite(str(tmp_path / "flat.hdr"), flat[:, :, ::-1])
    assert np.array_equal(read_image(tmp_path / "flat.hdr"), flat), "the best compression is not taken for a file cut off"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (radiance(LINEAR)[:-1], "cut off, damaged"),
        (radiance(LINEAR)[:200], "cut off"),
        (radiance(LINEAR[:1, :1], False)[:-1], "the file is cut off"),
        (b"", "no Radiance header"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "no Radiance header"),
        (b"hello\n\n-Y 1 +X 1\n1234", "no Radiance header"),
        (radiance(LINEAR, head=b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n"), "its FORMAT is not 32-bit_rle_rgbe"),
        (radiance(LINEAR, size=b"+Y 21 +X 34\n"), "save it again upright"),
        (radiance(LINEAR, size=b"-Y 0 +X 34\n"), "no pixels"),
        (radiance(LINEAR, size=b"-Y 99999 +X 99999\n"), "over the limit"),
        (radiance(LINEAR, size=b"-Y 19999 +X 19999\n"), "the file is cut off"),
    ],
)
def test_radiance_refused(tmp_path: Path, data: bytes, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.hdr").write_bytes(data)
    if b"9999" in data:
        monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("its size alone must refuse it"))
    with pytest.raises(UserError, match=f"bad.hdr: .*{message}"):
        read_image(tmp_path / "bad.hdr")


def test_absent_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.hdr: no such file"):
        read_image(tmp_path / "absent.hdr")


def test_they_are_no_photographs_to_enhance() -> None:
    assert not {".hdr", ".exr"} & set(SUFFIXES)


# ------------------------------------------------------------------------------------------------------------------- OpenEXR


def exr(path: Path, channels: dict[str, np.ndarray], **facts: object) -> Path:
    openexr = pytest.importorskip("OpenEXR")
    described = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage} | facts
    with openexr.File(described, channels) as file:
        file.write(str(path))
    return path


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_exr(tmp_path: Path, kind: type) -> None:
    stored = (LINEAR - 1).astype(kind)
    planes = {name: np.ascontiguousarray(stored[:, :, i]) for i, name in enumerate("RGB")} | {"A": stored[:, :, 0], "Z": stored[:, :, 1]}
    path = exr(tmp_path / "a.exr", {name: np.ascontiguousarray(plane) for name, plane in planes.items()})
    assert header(path) == (34, 21, 1, None)
    assert read_image(path).dtype == np.float32 and np.array_equal(read_image(path), stored.astype(np.float32))


def test_grey_exr(tmp_path: Path) -> None:
    grey = np.ascontiguousarray(LINEAR[:, :, 1])
    assert np.array_equal(read_image(exr(tmp_path / "a.exr", {"Y": grey})), np.repeat(grey[:, :, None], 3, axis=2))


def test_exr_refused(tmp_path: Path) -> None:
    depth = exr(tmp_path / "depth.exr", {"Z": np.ascontiguousarray(LINEAR[:, :, 0])})
    with pytest.raises(UserError, match=r"depth\.exr: .*its channels are Z, not R, G, B or Y"):
        read_image(depth)
    window = (np.array([0, 0], np.int32), np.array([99, 99], np.int32))
    with pytest.raises(UserError, match=r"window\.exr: .*its data window is not its display window"):
        read_image(exr(tmp_path / "window.exr", {"RGB": LINEAR}, displayWindow=window))
    whole = exr(tmp_path / "cut.exr", {"RGB": LINEAR}).read_bytes()
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.exr").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.exr: "):
            read_image(tmp_path / "cut.exr")
    with pytest.raises(UserError, match=r"absent\.exr: no such file"):
        read_image(tmp_path / "absent.exr")


def test_an_exr_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    data = exr(tmp_path / "bomb.exr", {"RGB": LINEAR}).read_bytes()
    corner = np.array([33, 20], "<i4").tobytes()
    assert data.count(corner) >= 2
    (tmp_path / "bomb.exr").write_bytes(data.replace(corner, np.array([59_999, 59_999], "<i4").tobytes()))
    with pytest.raises(UserError, match=r"bomb\.exr: .*(over the limit|readable)"):
        read_image(tmp_path / "bomb.exr")


def test_without_openexr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def none(name: str, *rest: object) -> object:
        if name == "OpenEXR":
            raise ModuleNotFoundError("No module named 'OpenEXR'")
        return real(name, *rest)

    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01")
    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(UserError, match=r"a\.exr: \.exr files need OpenEXR's own package .*; pip install OpenEXR, or save as"):
        read_image(tmp_path / "a.exr")
