"""Relative total variation against a dense solution of the same equations, written out pixel by pixel; and the way it is sped up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from benchtool.datasets.retouch import smoothing
from benchtool.datasets.retouch.smoothing import guided_upsample, relative_total_variation, smooth, solve, weights


def mirrored(i: int, n: int) -> int:
    """cv2.BORDER_REFLECT: fedcba|abcdef|fedcba."""
    while not 0 <= i < n:
        i = -1 - i if i < 0 else 2 * n - 1 - i
    return i


def windowed(plane: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian window around every pixel, one pixel at a time."""
    radius = round(2.5 * sigma)
    if radius == 0:
        return plane
    bell = np.exp(-(np.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
    bell /= bell.sum()
    height, width = plane.shape
    result = np.zeros(plane.shape)
    for y in range(height):
        for x in range(width):
            for j, b in zip(range(-radius, radius + 1), bell):
                for i, a in zip(range(-radius, radius + 1), bell):
                    result[y, x] += a * b * plane[mirrored(y + j, height), mirrored(x + i, width)]
    return result


def slow_weights(planes: np.ndarray, strength: float, sigma: float, scale: float = 1.0) -> list[np.ndarray]:
    """Xu et al.: lambda u w with u = G * 1 / (|G * d| + eps) and w = 1 / (|d| + eps_s)."""
    found = []
    for axis in (2, 1):
        steps = np.diff(planes.astype(np.float64), axis=axis)
        u = windowed(1 / (np.mean([np.abs(windowed(step, sigma)) for step in steps], axis=0) + 1e-3 * scale), sigma)
        found.append(strength * u / (np.abs(steps).mean(axis=0) + 0.02 * scale))
    return found


def dense(across: np.ndarray, down: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """1 + L, whole."""
    height, width = shape
    matrix = np.eye(height * width)
    links = [(y * width + x, y * width + x + 1, across[y, x]) for y in range(height) for x in range(width - 1)]
    links += [(y * width + x, (y + 1) * width + x, down[y, x]) for y in range(height - 1) for x in range(width)]
    for p, q, weight in links:
        matrix[[p, q], [p, q]] += weight
        matrix[p, q] -= weight
        matrix[q, p] -= weight
    return matrix


def test_the_solver_agrees_with_a_dense_one() -> None:
    chance = np.random.default_rng(0)
    right = chance.random((3, 8, 11)).astype(np.float32)
    across, down = (chance.random(shape).astype(np.float32) ** 4 * 500 for shape in ((8, 10), (7, 11)))
    found = solve(right, across, down, start=right)
    wanted = np.linalg.solve(dense(across, down, (8, 11)), right.reshape(3, -1).T.astype(np.float64)).T.reshape(right.shape)
    assert np.sqrt(((found - wanted) ** 2).mean()) <= smoothing.TOLERANCE  # the residual bounds the error: 1 + L >= 1
    assert np.abs(wanted - right).max() > 0.2


@pytest.mark.parametrize(("sigma", "scale"), [(2.0, 1.0), (0.75, 4.0)])
def test_weights_are_those_of_the_paper(sigma: float, scale: float) -> None:
    planes = np.random.default_rng(1).random((3, 9, 12)).astype(np.float32)
    for found, wanted in zip(weights(planes, 0.01, sigma, scale), slow_weights(planes, 0.01, sigma, scale)):
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_the_whole_iteration_agrees_with_a_dense_one() -> None:
    image = np.random.default_rng(2).random((10, 12)).astype(np.float32)
    image[:, 6:] += 1
    wanted = image.astype(np.float64)
    for sigma in (3.0, 1.5, 0.75, 0.5):
        across, down = slow_weights(wanted[None], 0.01, sigma)
        wanted = np.linalg.solve(dense(across, down, image.shape), image.ravel().astype(np.float64)).reshape(image.shape)
    found = relative_total_variation(image, 0.01, 3.0)
    assert np.abs(found - wanted).max() < 0.02 * np.ptp(image)
    assert np.abs(found - image).max() > 0.3


def test_texture_goes_and_an_edge_stays() -> None:
    y, x = np.mgrid[:96, :96]
    texture = 0.1 * ((x // 2 + y // 2) % 2)
    image = (0.3 + 0.4 * (x >= 48) + texture - 0.05).astype(np.float32)
    found = smooth(image, 0.02, 3, reduce=1)
    assert found[20:76, 12:36].std() < 0.1 * image[20:76, 12:36].std()
    assert found[:, 52].mean() - found[:, 43].mean() == pytest.approx(0.4, abs=0.04)


def test_lambda_and_sigma_matter() -> None:
    image = data.camera()[100:200, 100:200].astype(np.float32) / 255
    weak, strong, wide = smooth(image, 0.001, 2, reduce=1), smooth(image, 0.05, 2, reduce=1), smooth(image, 0.001, 5, reduce=1)
    variation = [np.abs(np.diff(p, axis=0)).sum() for p in (image, weak, strong, wide)]
    assert variation[2] < variation[1] < variation[0] and np.abs(wide - weak).max() > 0.01


def test_channels_are_smoothed_with_common_weights() -> None:
    image = data.astronaut()[:64, :64].astype(np.float32) / 255
    grey = np.repeat(image[:, :, :1], 3, axis=2)
    found = smooth(grey, 0.01, 3, reduce=1)
    np.testing.assert_allclose(found[:, :, 0], smooth(grey[:, :, 0], 0.01, 3, reduce=1), atol=3e-3)
    assert smooth(image, 0.01, 3).shape == image.shape


def test_reduced_solves_come_near_the_full_one() -> None:
    image = cv2.resize(data.coffee(), (320, 240), interpolation=cv2.INTER_AREA).max(axis=2).astype(np.float32) / 255
    full = smooth(image, 0.01, 3, reduce=1)
    error = [np.sqrt(((smooth(image, 0.01, 3, reduce=reduce) - full) ** 2).mean()) for reduce in (2, 4)]
    assert 0 < error[0] < error[1] < 0.5 * np.sqrt(((image - full) ** 2).mean())


def test_a_picture_reduced_before_is_smoothed_alike() -> None:
    image = cv2.resize(data.chelsea(), (384, 256), interpolation=cv2.INTER_AREA).max(axis=2).astype(np.float32) / 255
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    wanted = cv2.resize(smooth(image, 0.01, 4, reduce=1), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    scaled, plain = (np.abs(smooth(half, 0.01, 4, reduce=1, scale=scale) - wanted).mean() for scale in (2.0, 1.0))
    assert scaled < 0.6 * plain


def test_guided_upsampling_of_a_linear_function_is_exact_but_for_its_regularisation() -> None:
    guide = np.random.default_rng(3).random((40, 60)).astype(np.float32)
    low = cv2.resize(guide, (20, 10), interpolation=cv2.INTER_AREA)
    found = guided_upsample(guide, low, np.full_like(low, 0.4))
    np.testing.assert_allclose(found, 0.4, atol=1e-5)
    ramp = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    low = cv2.resize(ramp, (20, 10), interpolation=cv2.INTER_AREA)
    assert np.abs(guided_upsample(ramp, low, 0.5 * low + 0.1) - (0.5 * ramp + 0.1)).max() < 0.05


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (32, 300)])
def test_small_and_odd_pictures(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(4).random(shape).astype(np.float32)
    found = smooth(image, 0.01, 3)
    assert found.shape == shape and np.isfinite(found).all() and found.std() < image.std()
