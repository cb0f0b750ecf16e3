"""Noise has the variance its model says, a mosaic is filled in as published, and a seed decides all of it."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import convolve
from skimage import data

from benchtool.datasets.retouch import degrade as module
from benchtool.datasets.retouch.degrade import Degradation, Response, add_noise, bayer_masks, degrade, demosaic, deviation, sensed
from benchtool.rendering.colour import srgb_decode, srgb_encode


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture() -> np.ndarray:
    return data.chelsea()[:120, :160].astype(np.float32) / 255


@pytest.mark.parametrize(("form", "power"), [("var-linear", 1), ("std-linear", 2)])
@pytest.mark.parametrize("level", [0.2, 0.6])
def test_noise_of_the_cbdnet_model(form: str, power: int, level: float) -> None:
    flat = np.full((300, 300, 3), level, np.float32)
    noisy, _ = sensed(flat, lambda x: deviation(x, 0.1, 0.03, form), "none", chance())
    wanted = 0.1**2 * level**power + 0.03**2
    assert noisy.mean() == pytest.approx(level, abs=1e-3)
    assert noisy.var() == pytest.approx(wanted, rel=0.02)  # 270,000 draws: a deviation of 0.3 %


def test_gauss_poisson_is_in_linear_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOT", 0.04)
    monkeypatch.setattr(module, "FIXED", 0.02)
    flat = srgb_encode(np.full((300, 300, 3), 0.4, np.float32))
    noisy, drawn = add_noise(flat, Degradation("gauss-poisson"), chance())
    assert srgb_decode(noisy).var() == pytest.approx(drawn["sigma_s"] ** 2 * 0.4 + drawn["sigma_c"] ** 2, rel=0.02)


def test_unprocessing_draws_shot_and_read_noise() -> None:
    drawn = [add_noise(picture()[:32, :32], Degradation("unprocess"), chance(seed))[1] for seed in range(400)]
    shot, read = (np.log([d[name] for d in drawn]) for name in ("shot", "read"))
    assert np.log(1e-4) <= shot.min() < np.log(1.5e-4) and np.log(8e-3) < shot.max() <= np.log(0.012)
    left = read - (2.18 * shot + 1.20)
    assert left.mean() == pytest.approx(0, abs=0.04) and left.std() == pytest.approx(0.26, abs=0.03)
    red, green, blue = np.array([d["gains"] for d in drawn]).T
    assert (red / green).min() >= 1.9 and (red / green).max() <= 2.4 and (blue / green).min() >= 1.5 and (blue / green).max() <= 1.9


def test_unprocessing_without_noise_gives_the_picture_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_normal", lambda chance, shape: np.zeros(shape, np.float32))
    image = picture()
    for seed in range(5):
        found, _ = add_noise(image, Degradation("unprocess", mosaic="none"), chance(seed))
        assert np.abs(found - image).mean() < 5e-3


def test_variance_after_unprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches the mosaic-free raw: shot x + read."""
    seen = []
    plain = module.sensed

    def spy(linear: np.ndarray, sigma, *rest):
        seen.append((linear, sigma(linear)))
        return plain(linear, sigma, *rest)

    monkeypatch.setattr(module, "sensed", spy)
    _, drawn = add_noise(picture(), Degradation("unprocess", mosaic="none"), chance(1))
    np.testing.assert_allclose(seen[0][1] ** 2, drawn["shot"] * seen[0][0] + drawn["read"], rtol=1e-4)


@pytest.mark.parametrize(("gamma", "strength"), [(1.8, 0.0), (2.6, 0.5), (2.2, 0.3)])
def test_the_response_is_inverted(gamma: float, strength: float) -> None:
    response = Response(gamma, strength)
    encoded = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(response.encode(response.decode(encoded)), encoded, atol=1e-3)
    assert (np.diff(response.decode(encoded)) >= 0).all() and response.decode(encoded)[128] < 0.35


@pytest.mark.parametrize("pattern", module.PATTERNS)
def test_masks_are_the_pattern(pattern: str) -> None:
    masks = bayer_masks((5, 6), pattern)
    np.testing.assert_array_equal(masks.sum(axis=2), 1)
    assert (
        "".join("RGB"[int(masks[y, x].argmax())] for y in (0, 1) for x in (0, 1))
        == pattern
        == "".join("RGB"[int(masks[y, x].argmax())] for y in (2, 3) for x in (4, 5))
    )


@pytest.mark.parametrize("pattern", module.PATTERNS)
@pytest.mark.parametrize("how", ["bilinear", "malvar"])
def test_a_linear_picture_is_filled_in_exactly(how: str, pattern: str) -> None:
    """Both are exact for one plane in all channels; values that were measured are always kept."""
    y, x = np.mgrid[:20, :24].astype(np.float32)
    plane = 0.2 + 0.01 * x + 0.02 * y
    masks = bayer_masks(plane.shape, pattern)
    found = demosaic(plane, masks, how)
    np.testing.assert_allclose(found[3:-3, 3:-3], np.repeat(plane[:, :, None], 3, axis=2)[3:-3, 3:-3], atol=1e-5)
    random = np.random.default_rng(0).random(plane.shape).astype(np.float32)
    np.testing.assert_allclose((demosaic(random, masks, how) * masks).sum(axis=2), random, atol=1e-6)


def test_bilinear_is_the_mean_of_the_neighbours() -> None:
    raw = np.random.default_rng(0).random((12, 12)).astype(np.float32)
    masks = bayer_masks(raw.shape, "RGGB")
    found = demosaic(raw, masks, "bilinear")
    for c in range(3):
        near = convolve(raw * masks[:, :, c], np.ones((3, 3)), mode="mirror") / convolve(masks[:, :, c], np.ones((3, 3)), mode="mirror")
        holes = masks[:, :, c] == 0
        if c != 1:  # a green hole has its 4 nearest; a red or blue one all there are within 3 x 3
            np.testing.assert_allclose(found[:, :, c][holes], near[holes], atol=1e-5)
    np.testing.assert_allclose(found[4, 4, 1], (raw[3, 4] + raw[5, 4] + raw[4, 3] + raw[4, 5]) / 4, atol=1e-6)


def test_malvar_agrees_with_the_published_example() -> None:
    """Malvar et al., Eq. 1 to 3: green at red is the bilinear one and half the Laplacian of red."""
    raw = np.random.default_rng(1).random((12, 12)).astype(np.float32)
    found = demosaic(raw, bayer_masks(raw.shape, "RGGB"), "malvar")
    y = x = 4
    green = (raw[3, 4] + raw[5, 4] + raw[4, 3] + raw[4, 5]) / 4
    laplacian = raw[y, x] - (raw[y - 2, x] + raw[y + 2, x] + raw[y, x - 2] + raw[y, x + 2]) / 4
    assert found[y, x, 1] == pytest.approx(green + laplacian / 2, abs=1e-6)


def test_a_mosaic_keeps_a_third_of_the_noise_in_place() -> None:
    """White noise: red holes are means of 2 or 4 draws, so a quarter keeps its variance, half has 1/2, a quarter 1/4."""
    flat = np.full((400, 400, 3), 0.5, np.float32)
    noisy, drawn = sensed(flat, lambda x: np.full_like(x, 0.05), "bilinear", chance())
    assert drawn["pattern"] in module.PATTERNS
    assert noisy[:, :, 0].var() / 0.05**2 == pytest.approx(1 / 4 + 1 / 4 + 1 / 16, rel=0.03)
    assert noisy[:, :, 1].var() / 0.05**2 == pytest.approx(1 / 2 + 1 / 8, rel=0.03)


@pytest.mark.parametrize(
    "change",
    [
        {"noise": "unprocess"},
        {"noise": "gauss-poisson"},
        {"noise": "off"},
        {"mosaic": "malvar"},
        {"mosaic": "none"},
        {"std_form": "std-linear"},
    ],
)
def test_every_option_matters(change: dict) -> None:
    first, other = (add_noise(picture(), dataclasses.replace(Degradation(), **part), chance())[0] for part in ({}, change))
    assert np.abs(first - other).max() > 0.02


def test_jpeg_quality_is_drawn_and_kept() -> None:
    how = Degradation("off", jpeg=(30, 50))
    found = [degrade(picture(), how, chance(seed)) for seed in range(60)]
    drawn = [facts["quality"] for _, facts in found]
    assert min(drawn) == 30 and max(drawn) == 50
    tables = {facts["quality"]: Image.open(io.BytesIO(data)).quantization[0] for data, facts in found}
    assert sum(tables[30]) > sum(tables[50])
    assert Image.open(io.BytesIO(found[0][0])).layer[0][1:3] == (2, 2)  # 4:2:0


def test_without_jpeg_the_picture_is_whole() -> None:
    data_, drawn = degrade(picture(), Degradation("off", jpeg=None), chance())
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data_))), np.round(picture() * 255))
    assert drawn == {}


def test_the_seed_decides() -> None:
    first, again, other = (degrade(picture(), Degradation(), chance(seed)) for seed in (1, 1, 2))
    assert first == again and first[0] != other[0]
