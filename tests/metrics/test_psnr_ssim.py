"""PSNR and SSIM against scikit-image, with each variant's settings written out."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.metrics import ssim

PSNR = ("rgb-u8", "y-16..235", "gray", "per-channel")
SSIM = ("rgb-gauss", "gray-uniform7", "gray-gauss", "y", "matlab")
GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def gray(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb[:, :, ::-1].copy(), cv2.COLOR_BGR2GRAY)


def y(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2ycbcr(rgb)[:, :, 0]


def matlab(p: np.ndarray, q: np.ndarray) -> float:
    """Wang's formula at every pixel of every channel, from SciPy's Gaussian with its nearest border, in double precision."""

    def blur(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, (1.5, 1.5, 0), truncate=3.4, mode="nearest")

    x, y = p.astype(float), q.astype(float)
    mean_x, mean_y, c1, c2 = blur(x), blur(y), (0.01 * 255) ** 2, (0.03 * 255) ** 2
    variances = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2) / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    return similarity.mean()


def reference(metric: str, p: np.ndarray, q: np.ndarray) -> float:
    """What scikit-image says, p being the output and q the target."""

    def psnr(convert: Callable[[np.ndarray], np.ndarray]) -> float:
        return peak_signal_noise_ratio(convert(q), convert(p), data_range=255)

    return {
        "psnr:rgb-u8": lambda: psnr(np.asarray),
        "psnr:y-16..235": lambda: psnr(y),
        "psnr:gray": lambda: psnr(gray),
        "psnr:per-channel": lambda: np.mean([psnr(operator.itemgetter((..., c))) for c in range(3)]),
        "ssim:rgb-gauss": lambda: structural_similarity(p, q, data_range=255, channel_axis=2, **GAUSS),
        "ssim:gray-uniform7": lambda: structural_similarity(gray(p), gray(q)),
        "ssim:gray-gauss": lambda: structural_similarity(gray(p), gray(q), **GAUSS),
        "ssim:matlab": lambda: matlab(p, q),
        "ssim:y": lambda: structural_similarity(y(p), y(q), data_range=255, **GAUSS),
    }[metric]()


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(output, target): a photograph changed in several ways, and images that are hard on float arithmetic."""
    random = np.random.default_rng(0)
    photo = data.astronaut()
    coffee = data.coffee()[:333, :501]

    def noisy(image: np.ndarray, gain: float, sigma: float) -> np.ndarray:
        return np.clip(image * gain + random.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)

    bright = np.full((200, 150, 3), 254, np.uint8)
    bright[:, 75:] -= random.integers(0, 2, (200, 75, 3), dtype=np.uint8)
    return {
        "dark": (noisy(photo, 0.5, 3), photo),
        "saturated": (noisy(coffee, 2.5, 1), coffee),
        "nearly equal": (np.where(random.random(photo.shape) < 0.01, photo ^ 1, photo).astype(np.uint8), photo),
        "bright and flat": (bright, np.full_like(bright, 255)),
        "noise": tuple(random.integers(0, 256, (67, 131, 3), dtype=np.uint8) for _ in range(2)),
        "opposite": (255 - photo, photo),
        "smallest": (photo[:11, :11].copy(), photo[1:12, 3:14].copy()),
    }


PAIRS = pairs()


def test_small_and_large_images_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images are computed in double precision: 60 crops, each to 1e-6; float32 would miss on some."""
    photo = data.astronaut()
    random = np.random.default_rng(1)
    errors = {}
    for limit in (ssim.AVERAGING, 0):
        monkeypatch.setattr(ssim, "AVERAGING", limit)
        errors[limit] = 0.0
        for top, left, height, width in random.integers((0, 0, 11, 11), (400, 400, 40, 40), (60, 4)):
            p, q = (photo[y : y + height, left : left + width] for y in (top, top + 30))
            error = metrics.find("ssim").score(p, q).value - reference("ssim:rgb-gauss", p, q)
            errors[limit] = max(errors[limit], abs(error))
    assert errors.pop(0) > 1e-6 > max(errors.values())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("metric", [f"psnr:{v}" for v in PSNR] + [f"ssim:{v}" for v in SSIM])
def test_equals_scikit_image(metric: str, name: str) -> None:
    p, q = PAIRS[name]
    assert metrics.find(metric).score(p, q).value == pytest.approx(reference(metric, p, q), abs=1e-6)


def test_every_variant_is_tested_and_another_number() -> None:
    for name, variants in (("psnr", PSNR), ("ssim", SSIM)):
        assert set(metrics.find(name).spec.variants) == set(variants)
        values = [metrics.find(f"{name}:{v}").score(*PAIRS["dark"]).value for v in variants]
        assert len({round(v, 5) for v in values}) == len(variants)


def test_the_first_variant_is_the_default() -> None:
    assert metrics.find("psnr").key == "psnr:rgb-u8" and metrics.find("ssim").key == "ssim:rgb-gauss"


def test_identical_images() -> None:
    photo = data.astronaut()
    for variant in PSNR:
        scored = metrics.find(f"psnr:{variant}").score(photo, photo)
        assert scored.value == math.inf and scored.facts["identical"]
    assert metrics.find("psnr").score(*PAIRS["dark"]).facts.keys() == {"mse"}
    for variant in SSIM:
        assert metrics.find(f"ssim:{variant}").score(photo, photo).value == pytest.approx(1, abs=1e-7)


def test_infinite_without_equal_images() -> None:
    """What is compared may be equal where the images are not: `identical` is of the images, and equal channels are named."""
    photo = data.astronaut()
    blue, red = photo.copy(), photo.copy()
    blue[:, :, 2] //= 2
    red[:, :, 0] //= 2
    for output, equal in ((blue, ["red", "green"]), (red, ["green", "blue"])):
        scored = metrics.find("psnr:per-channel").score(output, photo)
        assert scored.value == math.inf and scored.facts["identical"] is False and scored.facts["equal_channels"] == equal
        assert [not mse for mse in scored.facts["mse"]] == [channel in equal for channel in ("red", "green", "blue")]
    assert "equal_channels" not in metrics.find("psnr:per-channel").score(photo, photo).facts
    assert metrics.find("psnr:per-channel").score(*PAIRS["dark"]).facts.keys() == {"mse"}
    grey = np.full((20, 10, 3), 128, np.uint8)
    other = grey + np.array([0, 0, 1], np.uint8)
    assert np.array_equal(gray(grey), gray(other))
    scored = metrics.find("psnr:gray").score(other, grey)
    assert scored.value == math.inf and scored.facts["identical"] is False


def test_tiles_do_not_show() -> None:
    """Sizes around a tile's give what one pass over everything gives."""
    photo = data.astronaut()
    for height, width in ((137, 265), (138, 266), (139, 267), (266, 500), (267, 11)):
        p, q = photo[:height, :width], photo[20 : height + 20, 9 : width + 9]
        assert metrics.find("ssim").score(p, q).value == pytest.approx(reference("ssim:rgb-gauss", p, q), abs=1e-6)


def test_refused() -> None:
    image = np.zeros((20, 10, 3), np.uint8)
    with pytest.raises(UserError, match="ssim:rgb-gauss needs at least 11 x 11 pixels; the image is 10 x 20"):
        metrics.find("ssim").score(image, image)
    assert metrics.find("ssim:gray-uniform7").score(image, image).value == 1
    assert metrics.find("ssim:matlab").score(image[:1, :1], image[:1, :1]).value == 1
    for metric in ("psnr", "ssim"):
        with pytest.raises(ValueError, match="of one size, not 20 x 10 x 3 and 10 x 20 x 3"):
            metrics.find(metric).score(image, image.swapaxes(0, 1))
        with pytest.raises(UserError, match="8-bit"):
            metrics.find(metric).score(image, image.astype(np.float32))
        with pytest.raises(ValueError, match="needs a target"):
            metrics.find(metric).score(image)
    with pytest.raises(UserError, match="unknown metric 'snr'; did you mean 'psnr'"):
        metrics.find("snr")
    with pytest.raises(UserError, match="variant of the metric ssim 'gray-uniform'; did you mean 'gray-uniform7'"):
        metrics.find("ssim:gray-uniform")
