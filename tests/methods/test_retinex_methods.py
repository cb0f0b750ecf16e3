"""MSR, MSRCR and Dong against their definitions in plain loops, and what holds for any image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_images import enhanced, scene

from benchtool.methods.dong import haze_light
from benchtool.methods.msr import blur_matrix, blurred, stretched, to_unit


@pytest.mark.parametrize(("size", "sigma"), [(1, 3.0), (7, 15.0), (40, 2.5), (40, 25.0)])
def test_blur_matrix_is_a_filter_with_continued_borders(size: int, sigma: float) -> None:
    radius = int(np.ceil(2 * sigma))
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line = np.random.default_rng(0).random(size)
    expected = np.convolve(np.pad(line, radius, mode="edge"), kernel / kernel.sum(), mode="valid")
    np.testing.assert_allclose(blur_matrix(size, sigma) @ line, expected, atol=1e-13)


def test_blur_is_opencvs() -> None:
    image = scene(50, 70)
    size = 2 * int(np.ceil(2 * 15.0)) + 1
    expected = cv2.GaussianBlur(image, (size, size), 15.0, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred(image, 15.0), expected, atol=1e-9)


def single_scale(image: np.ndarray, sigma: float) -> np.ndarray:
    intensity = 255 * image + 1
    size = 2 * int(np.ceil(2 * sigma)) + 1
    return np.log(intensity) - np.log(cv2.GaussianBlur(intensity, (size, size), sigma, borderType=cv2.BORDER_REPLICATE) + 1) + 0.5


def test_msr() -> None:
    image = scene(40, 50, -2)
    retinex = sum(single_scale(image, sigma) for sigma in (25, 100, 240)) / 3
    np.testing.assert_allclose(enhanced("msr", image), (retinex - retinex.min()) / (retinex.max() - retinex.min()), atol=1e-8)


def test_msrcr() -> None:
    image = scene(40, 50, -2)
    output = enhanced("msr", image, restore=True)
    retinex = sum(single_scale(image, sigma) for sigma in (15, 80, 250)) / 3
    intensity = 255 * image + 1
    for c in range(3):
        restored = retinex[..., c] * (np.log(125 * intensity[..., c]) - np.log(intensity.sum(axis=-1)))
        unit = (restored - restored.min()) / np.ptp(restored)
        ordered = np.sort(np.floor(255 * unit + 0.5).ravel())
        low, high = ordered[ordered.size // 100] / 255, ordered[int(np.ceil(0.99 * ordered.size)) - 1] / 255
        np.testing.assert_allclose(output[..., c], np.clip((unit - low) / (high - low), 0, 1), atol=1e-7)


@pytest.mark.parametrize(("option", "base"), [({"scales": (3,)}, {}), ({"restore": True}, {}), ({"cut": 0.1}, {"restore": True})])
def test_msr_options_matter(option: dict, base: dict) -> None:
    image = scene(30, 40)
    assert np.abs(enhanced("msr", image, **base, **option) - enhanced("msr", image, **base)).max() > 0.01


def test_msr_hardly_depends_on_exposure() -> None:
    """But for the offsets of 1, a factor leaves the logarithm over its surroundings as it is."""
    image = np.clip(scene(40, 50, seed=2), 0.2, 1)
    assert np.abs(enhanced("msr", image) - enhanced("msr", image / 2)).mean() < 0.01
    assert np.abs(image - image / 2).mean() > 0.15


def test_stretch_and_unit() -> None:
    ramp = np.linspace(0, 1, 256)[None]
    np.testing.assert_allclose(stretched(ramp, 0.1)[0, [0, 25, 230, 255]], [0, 0, 1, 1], atol=1e-9)
    flat = np.full((4, 4), 0.3)
    assert stretched(flat, 0.01) is flat
    assert to_unit(flat - 5, flat) is flat


def dong_loops(image: np.ndarray, strength: float) -> np.ndarray:
    """The public code, pixel by pixel."""
    haze = np.pad(1 - image, ((10, 10), (10, 10), (0, 0)), mode="edge")
    height, width = haze.shape[:2]
    minima = np.zeros_like(haze)  # a window that leaves the image holds a zero
    for y in range(3, height - 3):
        for x in range(3, width - 3):
            minima[y, x] = haze[y - 3 : y + 4, x - 3 : x + 4].min(axis=(0, 1))
    places = [(y, x) for x in range(width) for y in range(height)]
    haziest = sorted(places, key=lambda p: -minima[p].min())[: max(int(0.002 * len(places)), 1)]
    light = haze[max(haziest, key=lambda p: haze[p].mean())]
    output = np.zeros_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            t = max(1 - strength * min(minima[y + 10, x + 10] / light), 1e-7)
            t = 2 * t**2 if t < 0.5 else t
            output[y, x] = 1 - ((haze[y + 10, x + 10] - light) / t + light)
    return output


@pytest.mark.parametrize("strength", [0.4, 0.8])
@pytest.mark.parametrize("ev", [-2, 0])
def test_dong_is_its_loops(strength: float, ev: float) -> None:
    image = scene(26, 31, ev)
    np.testing.assert_allclose(enhanced("dong", image, strength=strength), dong_loops(image, strength), atol=1e-9)


def test_dong_takes_the_first_of_equal_lights() -> None:
    inverted = np.full((40, 50, 3), 0.5)
    inverted[30, 2], inverted[3, 20] = (0.75, 0.5, 0.625), (0.625, 0.5, 0.75)  # as bright; down the columns, the first comes first
    np.testing.assert_array_equal(haze_light(inverted, inverted.min(axis=-1) + (inverted.max(axis=-1) > 0.7)), [0.75, 0.5, 0.625])


def test_dong_with_a_saturated_channel() -> None:
    """A channel without haze anywhere says nothing of the transmission; a white image stays white."""
    image = scene(20, 20, -1)
    image[..., 0] = 1
    output = enhanced("dong", image)
    assert np.isfinite(output).all() and np.abs(output).max() < 3
    np.testing.assert_allclose(output[..., 0], 1)
    np.testing.assert_allclose(enhanced("dong", np.ones((12, 12, 3))), 1)
