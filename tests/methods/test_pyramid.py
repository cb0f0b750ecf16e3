"""The pyramids: exact reconstruction, the filters against SciPy and the effects known of the released code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.losses import pyramid

NAMES = tuple(pyramid.FILTERS)
NINE = (0.0025, 0.025, 0.1025, 0.225, 0.29, 0.225, 0.1025, 0.025, 0.0025)  # what src9 comes to


def noise(*size: int) -> Tensor:
    return torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 48), (37, 51), (3, 1), (1, 1)])
def test_reconstruction_is_exact(name: str, size: tuple[int, int]) -> None:
    image = noise(*size)
    levels = pyramid.laplacian_pyramid(image, 4, name)
    assert [tuple(level.shape[2:]) for level in levels] == [tuple(-(-n // 2**k) for n in size) for k in range(4)]
    torch.testing.assert_close(pyramid.reconstruct(levels, name), image, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("name", "taps"), [("src9", NINE), ("binom5", np.array([1, 4, 6, 4, 1]) / 16)])
@pytest.mark.parametrize("size", [(64, 48), (37, 51), (2, 3)])
def test_reduce_is_scipys_filter(name: str, taps: tuple[float, ...], size: tuple[int, int]) -> None:
    image = noise(*size)
    rows = ndimage.correlate1d(image.numpy(), taps, axis=2, mode="reflect")
    expected = ndimage.correlate1d(rows, taps, axis=3, mode="reflect")[..., ::2, ::2]
    np.testing.assert_allclose(pyramid.reduce(image, name).numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(8, 6), (7, 11), (1, 2)])
def test_expand_is_scipys_filter(name: str, size: tuple[int, int]) -> None:
    """Two-dimensional taps, once for each pass, zeros outside, as the released code writes it down."""
    height, width = size
    image = noise(-(-height // 2), -(-width // 2))
    around = np.pad(image.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    spread = np.zeros((*around.shape[:2], 2 * around.shape[2], 2 * around.shape[3]))
    spread[..., ::2, ::2] = 4 * around
    taps = np.outer(pyramid.FILTERS[name].taps, pyramid.FILTERS[name].taps)[None, None]
    for _ in range(pyramid.FILTERS[name].passes):
        spread = ndimage.correlate(spread, taps, mode="constant")
    expected = spread[..., 2:-2, 2:-2][..., :height, :width]
    np.testing.assert_allclose(pyramid.expand(image, size, name).numpy(), expected, rtol=0, atol=1e-14)


def test_src9_darkens_the_edges_of_what_it_enlarges() -> None:
    """As found of the released code: the first row and column .995, the last two .995 and .95; the textbook's filter keeps 1."""
    ones = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    row = pyramid.expand(ones, (16, 16), "src9")[0, 0, 8]
    expected = torch.ones(16, dtype=torch.float64)
    expected[[0, 14]], expected[15] = 0.995, 0.95
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(pyramid.expand(ones, (16, 16), "binom5"), torch.ones(1, 1, 16, 16, dtype=torch.float64))


def test_a_gaussian_pyramid_is_the_mean_of_its_image() -> None:
    image = noise(64, 64)
    levels = pyramid.gaussian_pyramid(image, 3, "src9")
    assert torch.equal(levels[0], image)
    torch.testing.assert_close(levels[2].mean(), image.mean(), rtol=0, atol=0.01)
    assert levels[2].std() < 0.3 * image.std()


@pytest.mark.parametrize("size", [(64, 48), (37, 51)])
def test_the_textbooks_filter_is_opencvs(size: tuple[int, int]) -> None:
    image = noise(*size)[0]
    expected = cv2.pyrDown(image.permute(1, 2, 0).numpy(), borderType=cv2.BORDER_REFLECT)
    ours = pyramid.reduce(image[None], "binom5")[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-14)


def test_unknown_filter() -> None:
    with pytest.raises(UserError, match="'box' is not one of src9, binom5"):
        pyramid.laplacian_pyramid(noise(8, 8), 2, "box")
