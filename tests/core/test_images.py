"""Reading, writing, resizing and quantising images, against Pillow as the independent reader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchtool.core.errors import UserError
from benchtool.core.images import encode_image, orient, quantise, read_image, read_picture, resize, write_image


@pytest.fixture
def picture() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 4, (rows + columns) * 2], axis=2).astype(np.uint8)


def test_png_keeps_every_level(tmp_path: Path, picture: np.ndarray) -> None:
    for pixels in (picture, picture.astype(np.uint16) * 257 + 3):
        write_image(tmp_path / "a.png", pixels)
        assert np.array_equal(read_image(tmp_path / "a.png"), pixels)


def test_alpha_is_kept_apart(tmp_path: Path, picture: np.ndarray) -> None:
    rgba = np.dstack([picture, picture[:, :, 0]])
    write_image(tmp_path / "a.png", rgba)
    assert np.array_equal(read_picture(tmp_path / "a.png").pixels, rgba)
    assert np.array_equal(read_image(tmp_path / "a.png"), picture)


def test_jpeg_settings(picture: np.ndarray) -> None:
    opened = Pillow.open(io.BytesIO(encode_image(picture, ".JPG")))
    reference = io.BytesIO()
    Pillow.fromarray(picture).save(reference, "JPEG", quality=75, subsampling="4:2:0")
    assert opened.quantization == Pillow.open(reference).quantization
    assert [layer[1:3] for layer in opened.layer] == [(2, 2), (1, 1), (1, 1)]
    assert [layer[1:3] for layer in Pillow.open(io.BytesIO(encode_image(picture, ".jpg", 75, "4:4:4"))).layer] == [(1, 1)] * 3
    assert len(encode_image(picture, ".jpg", 95)) > len(encode_image(picture, ".jpg", 75))


def test_float_tiff(tmp_path: Path, picture: np.ndarray) -> None:
    pixels = picture.astype(np.float32) / 200 - 0.1
    write_image(tmp_path / "a.tif", pixels)
    assert np.array_equal(read_picture(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_agrees_with_pillow(tmp_path: Path, picture: np.ndarray, orientation: int, suffix: str) -> None:
    from PIL import ImageOps

    path = tmp_path / f"a{suffix}"
    image = Pillow.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(path)))
    stored = read_picture(path)
    assert np.array_equal(stored.pixels, picture)
    assert np.array_equal(orient(stored.pixels, stored.orientation), expected)
    assert stored.size == expected.shape[1::-1]
    assert np.array_equal(read_image(path), expected)


def test_a_tiff_of_separate_channels_is_refused(tmp_path: Path, picture: np.ndarray) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", picture.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    with pytest.raises(UserError, match="stored apart"):
        read_picture(tmp_path / "a.tif")


def test_grey_and_palette_become_rgb(tmp_path: Path, picture: np.ndarray) -> None:
    Pillow.fromarray(picture).convert("L").save(tmp_path / "grey.png")
    grey = read_image(tmp_path / "grey.png")
    assert grey.shape == picture.shape and (grey == grey[:, :, :1]).all()
    Pillow.fromarray(picture).quantize(16).save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == picture.shape


def test_refused(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "text.png").write_text("hello")
    write_image(tmp_path / "cut.jpg", picture)
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    write_image(tmp_path / "cut.png", picture)
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    exif = Pillow.Exif()
    exif[0x010E] = encode_image(picture[::4, ::4], ".jpg")  # a thumbnail with an end marker of its own
    Pillow.fromarray(picture).save(tmp_path / "thumbnail.jpg", exif=exif)
    assert read_image(tmp_path / "thumbnail.jpg").shape == picture.shape
    data = (tmp_path / "thumbnail.jpg").read_bytes()
    (tmp_path / "thumbnail.jpg").write_bytes(data[: len(data) - 200])
    for name in ("text.png", "cut.jpg", "thumbnail.jpg", "cut.png", "absent.png"):
        with pytest.raises(UserError, match=name):
            read_image(tmp_path / name)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path, picture: np.ndarray) -> None:
    data = bytearray(encode_image(picture, ".png"))
    data[16:24] = (60000).to_bytes(4, "big") * 2  # IHDR width and height
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(data))
    with pytest.raises(UserError, match="refused"):
        read_image(tmp_path / "bomb.png")


def test_quantise() -> None:
    values = np.array([-1, 0, 0.5 / 255 - 1e-6, 0.5 / 255 + 1e-6, 1, 2], np.float32)
    assert quantise(values).tolist() == [0, 0, 0, 1, 255, 255]
    assert quantise(np.float32([0.5]), 65535).tolist() == [32768]


def test_resize_is_antialiased_bicubic(picture: np.ndarray) -> None:
    checks = ((np.indices((64, 64)).sum(0) % 2) * 255).astype(np.uint8)[:, :, None].repeat(3, 2)
    small = resize(checks, 16, 16)
    assert abs(small.astype(int) - 127.5).max() < 12  # a filter without antialiasing returns 0 or 255
    assert resize(picture, 20, 15).shape == (15, 20, 3)
    as_float = resize(picture.astype(np.float32), 20, 15)
    assert np.abs(as_float - resize(picture, 20, 15)).max() <= 1.01
    assert resize(picture, 64, 48) is picture
