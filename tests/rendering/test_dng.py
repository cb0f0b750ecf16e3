"""What is read from a DNG's tags, and files whose tags promise more than they hold."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from benchtool.core.errors import UserError
from benchtool.rendering.dng import read_tags

WIDTH, HEIGHT = 40, 30
SHORT, LONG, RATIONAL, SRATIONAL, FLOAT = 3, 4, 5, 10, 11


def dng(path: Path, *tags: tuple[int, int, int, Any], **options: Any) -> bytes:
    """A mosaic with the few tags that make it a DNG and those given: (number, type, count, value)."""
    base = [(33421, SHORT, 2, (2, 2)), (33422, 1, 4, bytes((0, 1, 1, 2))), (50706, 1, 4, bytes((1, 4, 0, 0)))]
    extra = [(*tag, True) for tag in (*base, *tags)]
    mosaic = np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    tifffile.imwrite(path, mosaic, photometric=32803, metadata=None, extratags=extra, **options)
    return path.read_bytes()


def refused(data: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        read_tags(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tags_are_read(tmp_path: Path, byteorder: str) -> None:
    curve = (0.0, 0.0, 0.5, 0.75, 1.0, 1.0)
    tags = read_tags(
        dng(
            tmp_path / "a.dng",
            (50719, RATIONAL, 2, (7, 2, 5, 1)),  # 3.5, 5: rounded half up, as the DNG SDK does
            (50720, LONG, 2, (30, 20)),
            (50730, SRATIONAL, 1, (-35, 100)),
            (51109, SRATIONAL, 1, (1, 4)),
            (50713, SHORT, 2, (2, 2)),
            (50940, FLOAT, 6, curve),
            byteorder=byteorder,
        )
    )
    assert tags.crop == (4, 5, 30, 20)
    assert tags.baseline_exposure == pytest.approx(-0.35) and tags.baseline_exposure_offset == pytest.approx(0.25)
    assert tags.tone_curve == ((0.0, 0.0), (0.5, 0.75), (1.0, 1.0))
    assert tags.black_repeat == (2, 2)


def test_absent_tags(tmp_path: Path) -> None:
    tags = read_tags(dng(tmp_path / "a.dng"))
    assert (tags.crop, tags.baseline_exposure, tags.tone_curve, tags.black_repeat) == (None, 0.0, None, (1, 1))


def test_crop_is_relative_to_the_active_area(tmp_path: Path) -> None:
    data = dng(tmp_path / "a.dng", (50829, LONG, 4, (2, 5, 28, 39)), (50719, LONG, 2, (3, 1)), (50720, LONG, 2, (20, 10)))
    assert read_tags(data).crop == (8, 3, 20, 10)


def test_crop_that_sticks_out_is_moved_inside(tmp_path: Path) -> None:
    """As dng_negative::DefaultCropArea does for old DNGs."""
    data = dng(tmp_path / "a.dng", (50719, LONG, 2, (5, 4)), (50720, LONG, 2, (38, 28)))
    assert read_tags(data).crop == (2, 2, 38, 28)


@pytest.mark.parametrize(
    ("name", "crop", "baseline"),
    [
        ("Blackmagic.dng", (16, 8, 4096, 2160), 2.65412),
        ("canon_eos_6d.dng", (0, 0, 1224, 816), 0.25),
        ("DSC_1339_wrapped.dng", (8, 4, 752, 504), 0.35),
    ],
)
def test_real_files(real_data: Path, name: str, crop: tuple[int, ...], baseline: float) -> None:
    tags = read_tags((real_data / "raws" / name).read_bytes())
    assert tags.crop == crop and tags.baseline_exposure == pytest.approx(baseline)


def test_other_raws_have_no_dng_tags(real_data: Path) -> None:
    for name in ("RAW_KODAK_DC50.KDC", "Nikon_uncompressed.nef"):
        assert read_tags((real_data / "raws" / name).read_bytes()) is None
    assert read_tags(b"FUJIFILMCCD-RAW 0201") is None


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ([(50720, LONG, 2, (50, 20))], "DefaultCrop"),
        ([(50720, LONG, 2, (0, 20))], "DefaultCrop"),
        ([(50720, RATIONAL, 2, (30, 0, 20, 1))], "50720"),
        ([(50720, LONG, 1, 30)], "50720"),
        ([(50720, LONG, 2, (3, 2)), (50829, LONG, 4, (0, 0, 99, 10))], "ActiveArea"),
        ([(50730, SRATIONAL, 1, (1, 0))], "50730"),
        ([(50940, FLOAT, 6, (0, 0, 0.6, 0.5, 0.5, 1))], "ProfileToneCurve"),
        ([(50940, FLOAT, 4, (0, 0, float("nan"), 1))], "50940"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, tags: list[tuple[int, int, int, Any]], words: str) -> None:
    refused(dng(tmp_path / "a.dng", *tags), words)


@pytest.mark.parametrize("rows", [4, HEIGHT])
@pytest.mark.parametrize("missing", [1, 300, 1500])
def test_a_strip_outside_the_file_is_refused(tmp_path: Path, rows: int, missing: int) -> None:
    data = dng(tmp_path / "a.dng", rowsperstrip=rows)
    assert read_tags(data) is not None
    refused(data[:-missing], "cut off")


def test_a_tile_outside_the_file_is_refused(tmp_path: Path) -> None:
    data = dng(tmp_path / "a.dng", tile=(16, 16))
    assert read_tags(data) is not None
    refused(data[:-1], "tile 6 of 6 ends at")


def test_claimed_pixels_must_be_there(tmp_path: Path) -> None:
    whole = dng(tmp_path / "a.dng")
    refused(claiming(whole, {256: 60_000}), "holds only 2,400 bytes")
    refused(claiming(whole, {257: 0}), "damaged")
    refused(claiming(whole, {259: 7}), "no whole JPEG stream")
    tiled = dng(tmp_path / "b.dng", tile=(16, 16))
    refused(claiming(tiled, {257: 60_000}), "tiles, but it has 6")


def test_jpeg_streams_must_be_whole(real_data: Path) -> None:
    """A download that was laid out in advance and then stopped ends in zeros."""
    data = (real_data / "raws" / "canon_eos_6d.dng").read_bytes()
    assert read_tags(data) is not None
    refused(data[:-2000] + bytes(2000), "tile 6 of 6 is no whole JPEG")


def test_a_directory_that_leads_to_itself_ends(tmp_path: Path) -> None:
    data = bytearray(dng(tmp_path / "a.dng"))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert read_tags(bytes(data)) is not None


def test_a_directory_outside_the_file_is_refused(real_data: Path) -> None:
    refused(b"II*\0" + struct.pack("<I", 1 << 30) + bytes(100), "a directory of its tags lies outside")
    data = (real_data / "raws" / "canon_eos_6d.dng").read_bytes()  # the raw picture's directory is at 134,256
    refused(data[:134_300], "a directory of its tags lies outside")


def test_a_count_of_billions_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = bytearray(dng(tmp_path / "a.dng", (50720, LONG, 2, (30, 20))))
    at = entry(data, 50720)
    struct.pack_into("<I", data, at + 4, 0xFFFFFFFF)
    refused(bytes(data), "outside the file")


def claiming(data: bytes, values: dict[int, int]) -> bytes:
    """The file with other values of some tags."""
    changed = bytearray(data)
    for tag, value in values.items():
        at = entry(changed, tag)
        struct.pack_into("<I" if struct.unpack_from("<H", changed, at + 2)[0] == LONG else "<H", changed, at + 8, value)
    return bytes(changed)


def entry(data: bytearray, tag: int) -> int:
    """Where a little-endian file's first directory has `tag`."""
    first = struct.unpack_from("<I", data, 4)[0]
    places = range(first + 2, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], 12)
    return next(at for at in places if struct.unpack_from("<H", data, at)[0] == tag)
