"""CLAHE against the libraries called on lightness directly, and what it must not touch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import color, exposure

from benchtool.core.errors import UserError
from benchtool.methods import create


@pytest.fixture
def image() -> np.ndarray:
    """A dark 96 x 72 scene whose colours stay within the gamut."""
    coarse = np.random.default_rng(0).random((9, 12, 3))
    return np.clip(0.25 + 0.15 * cv2.resize(coarse, (72, 96), interpolation=cv2.INTER_CUBIC), 0, 1)


def enhance(image: np.ndarray, **options: object) -> np.ndarray:
    output = create("clahe", **options).enhance(torch.from_numpy(image).permute(2, 0, 1)[None, None])
    return output[0].permute(1, 2, 0).numpy()


def test_skimage_on_lightness(image: np.ndarray) -> None:
    lab = color.rgb2lab(image)
    lab[..., 0] = 100 * exposure.equalize_adapthist(lab[..., 0] / 100, kernel_size=(96 // 8, 72 // 8), clip_limit=0.01, nbins=256)
    np.testing.assert_allclose(enhance(image), color.lab2rgb(lab), atol=1e-9)


def test_opencv_on_lightness(image: np.ndarray) -> None:
    lab = color.rgb2lab(image)
    lightness = np.floor(lab[..., 0] * 2.55 + 0.5).astype(np.uint8)
    lab[..., 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lightness) / 2.55
    np.testing.assert_allclose(enhance(image, backend="opencv"), color.lab2rgb(lab), atol=1e-9)


def test_contrast_grows_and_hue_stays(image: np.ndarray) -> None:
    before, after = color.rgb2lab(image), color.rgb2lab(enhance(image, backend="opencv"))
    assert after[..., 0].std() > 1.2 * before[..., 0].std()
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=0.5)


@pytest.mark.parametrize(
    ("backend", "option"),
    [
        ("skimage", {"clip_limit": 0.5}),
        ("skimage", {"tiles": 2}),
        ("opencv", {"clip_limit": 40.0}),
        ("opencv", {"tiles": 2}),
    ],
)
def test_options_matter(image: np.ndarray, backend: str, option: dict) -> None:
    assert np.abs(enhance(image, backend=backend) - enhance(image, backend=backend, **option)).max() > 0.01


def test_value_is_what_skimage_does_with_colour_images(image: np.ndarray) -> None:
    hsv = color.rgb2hsv(image)
    hsv[..., 2] = exposure.equalize_adapthist(hsv[..., 2], kernel_size=(96 // 8, 72 // 8), clip_limit=0.01, nbins=256)
    np.testing.assert_allclose(enhance(image, colour="v"), color.hsv2rgb(hsv), atol=1e-9)


@pytest.mark.parametrize("backend", ["skimage", "opencv"])
def test_channels_by_themselves(image: np.ndarray, backend: str) -> None:
    output = enhance(image, backend=backend, colour="rgb")
    for c in range(3):
        grey = np.repeat(image[..., c, None], 3, axis=-1)
        np.testing.assert_allclose(output[..., c], enhance(grey, backend=backend, colour="v")[..., 0], atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_flat_images_stay(level: float) -> None:
    flat = np.full((20, 30, 3), level)
    np.testing.assert_allclose(enhance(flat), flat, atol=1e-5)


def test_batch_and_type(image: np.ndarray) -> None:
    """Each image of a batch is equalised for itself; the type is the input's."""
    pair = torch.from_numpy(np.stack([image, image[::-1] * 0.5])).permute(0, 3, 1, 2)[:, None].float()
    method = create("clahe")
    together = method.enhance(pair)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, torch.cat([method.enhance(pair[:1]), method.enhance(pair[1:])]))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"backend": "matlab"}, "backend 'matlab' is not one of skimage, opencv"),
        ({"colour": "y"}, "colour 'y' is not one of lab, v, rgb"),
        ({"tiles": 0}, "tiles 0 has to be from 1 to 256"),
        ({"clip_limit": -1.0}, "clip_limit -1.0 has to be over 0"),
    ],
)
def test_options_out_of_range(option: dict, message: str) -> None:
    with pytest.raises(UserError, match=f"clahe: {message}"):
        create("clahe", **option)
