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


@pytest.mark.parametrize(("backend", "option"), [
    ("skimage", {"clip_limit": 0.5}), ("skimage", {"tiles": 2}), ("opencv", {"clip_limit": 40.0}), ("opencv", {"tiles": 2}),
])
def test_options_matter(image: np.ndarray, backend: str, option: dict) -> None:
    assert np.abs(enhance(image, backend=backend) - enhance(image, backend=backend, **option)).max() > 0.01


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


def test_unknown_backend() -> None:
    with pytest.raises(UserError, match="backend 'matlab' is not one of skimage, opencv"):
        create("clahe", backend="matlab")
