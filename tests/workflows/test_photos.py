"""A user's photographs: orientation, profiles, bit depth, alpha, and the kinds that are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from skimage import data

from benchtool.core.errors import UserError
from benchtool.rendering.colour import D50, PROPHOTO_TO_XYZ, srgb_encode
from benchtool.rendering.profiles import gamma_tag, matrix_profile
from benchtool.workflows.photos import open_photo

PHOTO = data.astronaut()[40:70, 200:240]
PROPHOTO = matrix_profile(PROPHOTO_TO_XYZ, gamma_tag(1.8), "ProPhoto")


def save(path: Path, pixels: np.ndarray = PHOTO, mode: str | None = None, **settings: object) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **settings)
    return path


def lookup_profile() -> bytes:
    """A profile that works by tables: Pillow's Lab, which is no RGB profile, stands for all that matrices cannot do."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int, tmp_path: Path) -> None:
    """As Pillow's own `exif_transpose`."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", exif=exif)
    with Image.open(path) as image:
        assert np.array_equal(open_photo(path).pixels, np.asarray(ImageOps.exif_transpose(image)))


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(open_photo(save(tmp_path / "a.png", icc_profile=srgb)).pixels, PHOTO)


def test_matrix_profile_as_littlecms(tmp_path: Path) -> None:
    opened = open_photo(save(tmp_path / "a.png", icc_profile=PROPHOTO)).pixels
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    expected = ImageCms.profileToProfile(Image.fromarray(PHOTO), io.BytesIO(PROPHOTO), ImageCms.createProfile("sRGB"), intent)
    assert np.abs(opened.astype(int) - np.asarray(expected)).max() <= 1 and np.abs(opened.astype(int) - PHOTO).max() > 20


def test_16_bits_keep_their_precision_through_a_profile(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    tifffile.imwrite(tmp_path / "a.tif", ramp, photometric="rgb", iccprofile=PROPHOTO)
    opened = open_photo(tmp_path / "a.tif").pixels
    expected = 65535 * srgb_encode((ramp / 65535) ** (461 / 256))  # a grey of ProPhoto is a grey of sRGB
    assert opened.dtype == np.uint16 and np.abs(opened - expected).max() < 70  # the profile's matrix has 16 bits after the point
    assert len(np.unique(opened)) > 3500


def grey_profile() -> bytes:
    """For grey images of linear light (ICC.1:2022, 8.4: `wtpt` and `kTRC`)."""
    white = b"XYZ \0\0\0\0" + b"".join(round(v * 65536).to_bytes(4, "big") for v in D50)
    blocks = {b"wtpt": white, b"kTRC": gamma_tag(1.0) + b"\0\0"}
    table, body = b"", b""
    for name, block in blocks.items():
        table += name + (132 + 12 * len(blocks) + len(body)).to_bytes(4, "big") + len(block).to_bytes(4, "big")
        body += block
    content = PROPHOTO[4:16] + b"GRAY" + PROPHOTO[20:128] + len(blocks).to_bytes(4, "big") + table + body
    return (len(content) + 4).to_bytes(4, "big") + content


def test_grey_profile(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    opened = open_photo(save(tmp_path / "a.png", levels, icc_profile=grey_profile())).pixels
    assert np.abs(opened - 255 * srgb_encode(levels[:, :, None] / 255)).max() <= 1


def test_alpha_grey_palette(tmp_path: Path) -> None:
    alpha = np.arange(PHOTO[:, :, 0].size, dtype=np.uint8).reshape(PHOTO.shape[:2])
    photo = open_photo(save(tmp_path / "rgba.png", np.dstack([PHOTO, alpha])))
    assert np.array_equal(photo.pixels, PHOTO) and np.array_equal(photo.alpha, alpha)
    grey = open_photo(save(tmp_path / "grey.png", PHOTO[:, :, 1].copy()))
    assert np.array_equal(grey.pixels, PHOTO[:, :, [1, 1, 1]]) and grey.alpha is None
    path = save(tmp_path / "palette.png", mode="P")
    with Image.open(path) as image:
        assert np.array_equal(open_photo(path).pixels, np.asarray(image.convert("RGB")))
    deep = np.dstack([PHOTO, alpha]).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    photo = open_photo(tmp_path / "deep.tif")
    assert np.array_equal(np.dstack([photo.pixels, photo.alpha]), deep)
    second_view = open_photo(save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(PHOTO[::-1])]))
    assert second_view.pixels.shape == PHOTO.shape


def test_refused(tmp_path: Path) -> None:
    frames = {"save_all": True, "append_images": [Image.fromarray(PHOTO[::-1])]}
    save(tmp_path / "cmyk.jpg", mode="CMYK")
    save(tmp_path / "cmyk.tif", mode="CMYK")
    save(tmp_path / "lab.tif", mode="LAB")
    save(tmp_path / "animated.png", **frames)
    save(tmp_path / "pages.tif", **frames)
    tifffile.imwrite(tmp_path / "float.tif", PHOTO.astype(np.float32), photometric="rgb")
    save(tmp_path / "broken-profile.png", icc_profile=b"no profile" * 20)
    tifffile.imwrite(tmp_path / "tables.tif", PHOTO.astype(np.uint16), photometric="rgb", iccprofile=lookup_profile())
    (tmp_path / "text.png").write_text("text")
    for name, says in {
        "cmyk.jpg": "its colours are CMYK; convert it to RGB",
        "cmyk.tif": "its colours are SEPARATED",
        "lab.tif": "its colours are CIELAB",
        "animated.png": "holds 2 images",
        "pages.tif": "holds 2 images",
        "float.tif": "floating-point",
        "broken-profile.png": "its colour profile cannot be applied",
        "tables.tif": "its colour profile is for 'Lab' images, not RGB; convert it to sRGB",
        "text.png": "not a readable image",
        "absent.png": "no such file",
    }.items():
        with pytest.raises(UserError) as error:
            open_photo(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ") and says in str(error.value)
