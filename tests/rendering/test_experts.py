"""Expert TIFFs: against the transform written out in double precision, against Little CMS, and what is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from benchtool.core.errors import UserError
from benchtool.rendering.experts import prophoto_profile, read_expert, write_expert
from benchtool.rendering.profiles import matrix_profile

# ProPhoto's and sRGB's chromaticities and the profile connection space's white, written out apart from the code under test.
PCS = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127 / 0.3290, 1.0, 0.3583 / 0.3290])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_xyz(primaries: list[tuple[float, float]], white: np.ndarray) -> np.ndarray:
    columns = np.array([[x, y, 1 - x - y] for x, y in primaries]).T
    return columns @ np.diag(np.linalg.inv(columns) @ white)


PROPHOTO = to_xyz([(0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105)], PCS)
SRGB = to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)], D65)
ADAPT = np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D65 / (BRADFORD @ PCS)) @ BRADFORD


def analytic(linear: np.ndarray, colorants: np.ndarray = PROPHOTO) -> np.ndarray:
    """Linear ProPhoto to sRGB-encoded values, in float64."""
    light = np.clip(linear @ (np.linalg.inv(SRGB) @ ADAPT @ colorants).T, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def ramps() -> np.ndarray:
    """Every 16-bit level as grey; then every level of one channel over, and under, constant others."""
    level = np.arange(65536)
    grey = np.stack([level] * 3, axis=1)
    tinted = [np.where(np.arange(3) == channel, grey, constant) for channel in range(3) for constant in (12000, 40000)]
    return np.stack([grey, *tinted]).astype(np.uint16)


def save(path: Path, pixels: np.ndarray, **changes: Any) -> Path:
    settings = {"photometric": "rgb", "metadata": None, "iccprofile": prophoto_profile()}
    tifffile.imwrite(path, pixels, **{**settings, **changes})
    return path


@pytest.mark.parametrize("curve", ["gamma", "parametric"])
def test_ramps_agree_with_the_analytic_transform(tmp_path: Path, curve: str) -> None:
    pixels = ramps()
    x = pixels / 65535
    if curve == "gamma":
        icc, linear = prophoto_profile(), x ** (461 / 256)
    else:
        g, a, b, c, d = (round(n * 65536) / 65536 for n in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
        tag = struct.pack(">4sIHH5i", b"para", 0, 3, 0, *(round(n * 65536) for n in (g, a, b, c, d)))
        icc, linear = matrix_profile(PROPHOTO, tag, "test"), np.where(x >= d, (a * x + b) ** g, c * x)
    result = read_expert(save(tmp_path / "a.tif", pixels, iccprofile=icc))
    assert result.dtype == np.float32
    assert np.abs(result[0] - analytic(linear[0])).max() * 65535 < 1  # grey, with ProPhoto's exact primaries
    as_stored = np.round(PROPHOTO * 65536) / 65536  # near black, where sRGB's curve is steep, colours show the profile's own rounding
    assert np.abs(result - analytic(linear, as_stored)).max() * 65535 < 1


def test_agrees_with_little_cms(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    profile = ImageCms.getOpenProfile(io.BytesIO(prophoto_profile()))
    expected = ImageCms.profileToProfile(Pillow.fromarray(pixels), profile, ImageCms.createProfile("sRGB"), renderingIntent=1)
    assert np.abs(read_expert(save(tmp_path / "a.tif", pixels)) * 255 - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"compression": "zlib", "predictor": True},
        {"byteorder": ">"},
        {"tile": (16, 32)},
        {"rowsperstrip": 7},
        {"bigtiff": True},
    ],
    ids=str,
)
def test_kinds_of_tiff(tmp_path: Path, changes: dict[str, Any]) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (50, 70, 3), dtype=np.uint16)
    plain, other = save(tmp_path / "a.tif", pixels), save(tmp_path / "b.tif", pixels, **changes)
    assert np.array_equal(read_expert(plain), read_expert(other))


def test_lzw_needs_no_further_package(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "a.tif", compression="tiff_lzw", icc_profile=prophoto_profile())
    assert np.array_equal(read_expert(tmp_path / "a.tif"), read_expert(save(tmp_path / "b.tif", pixels)))


def test_orientation_is_honoured(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 60, 3), dtype=np.uint16)
    turned = read_expert(save(tmp_path / "a.tif", pixels, extratags=[(274, 3, 1, 6, True)]))
    assert np.array_equal(turned, np.rot90(read_expert(save(tmp_path / "b.tif", pixels)), -1))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((40, 60, 3)) * 0.9 + 0.1
    write_expert(tmp_path / "a.tif", image)
    assert tifffile.imread(tmp_path / "a.tif").dtype == np.uint16
    # Half a level, through the curve (slope at most 461/256), the matrix (a row's absolute sum) and sRGB's slope at 0.1.
    row = np.abs(np.linalg.inv(SRGB) @ ADAPT @ PROPHOTO).sum(axis=1).max()
    slope = 1.055 / 2.4 * ((0.1 + 0.055) / 1.055) ** (2.4 * (1 / 2.4 - 1))
    assert np.abs(read_expert(tmp_path / "a.tif") - image).max() < 0.5 / 65535 * 461 / 256 * row * slope
    first = (tmp_path / "a.tif").read_bytes()
    write_expert(tmp_path / "a.tif", image)
    assert (tmp_path / "a.tif").read_bytes() == first


def lookup_profile() -> bytes:
    return prophoto_profile().replace(b"cprt", b"A2B0")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iccprofile": None}, "no colour profile"),
        ({"iccprofile": lookup_profile()}, "lookup tables.*matrix/TRC"),
        ({"iccprofile": b"nonsense" * 30}, "not an ICC profile"),
        ({"pixels": np.zeros((8, 8), np.uint16), "photometric": "minisblack"}, "holds 1 channel"),
        ({"pixels": np.zeros((8, 8, 4), np.uint16), "extrasamples": ["unassalpha"]}, "without alpha"),
        ({"pixels": np.zeros((8, 8, 3), np.float32)}, "float32"),
        ({"photometric": "cielab"}, "CIELAB"),
        ({"pixels": np.zeros((3, 8, 8), np.uint16), "planarconfig": "separate"}, "stored apart"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = save(tmp_path / "expert.tif", changes.pop("pixels", np.zeros((8, 8, 3), np.uint16)), **changes)
    with pytest.raises(UserError, match=rf"expert\.tif.*{said}"):
        read_expert(path)


def test_files_that_are_no_whole_tiff(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.tif", np.ones((200, 200, 3), np.uint16), rowsperstrip=20).read_bytes()
    for number, data in enumerate([b"", b"text, not an image", *(whole[: len(whole) * part // 100] for part in (1, 30, 60, 95))]):
        path = tmp_path / f"cut{number}.tif"
        path.write_bytes(data)
        with pytest.raises(UserError, match=path.name):
            read_expert(path)
    with pytest.raises(UserError, match="no such file"):
        read_expert(tmp_path / "absent.tif")


def test_a_header_claiming_a_huge_image_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.ones((10, 10, 3), np.uint16))
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        places = [tiff.pages.first.tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    for place in places:
        struct.pack_into("<H", data, place, 60000)
    path.write_bytes(data)
    with pytest.raises(UserError, match="over the limit"):
        read_expert(path)
