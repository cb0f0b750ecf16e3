"""The HDR metrics against their formulas in double precision and scikit-image, and what they refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.metrics import hdr

HDR = ("psnr-mu:mu5000", "psnr-l:linear", "ssim-mu:mu5000", "ssim-l:linear", "pu21-psnr:peak1000", "pu21-ssim:peak1000")
TARGET = ((data.astronaut()[:200, :300] / 255.0) ** 2.2).astype(np.float32)
OUTPUT = np.clip(TARGET * 0.8 + np.random.default_rng(0).normal(0, 0.01, TARGET.shape), 0, 1).astype(np.float32)
GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2, "data_range": 1.0}


def score(key: str, output: np.ndarray = OUTPUT, target: np.ndarray = TARGET) -> float:
    return metrics.find(key).score(output, target).value


def curve(linear: np.ndarray) -> np.ndarray:
    return np.log(1 + 5000 * linear.astype(np.float64)) / np.log(5001)


def encoded(luminance: np.ndarray) -> np.ndarray:
    """PU21 `banding_glare`, value by value."""
    p1, p2, p3, p4, p5, p6, p7 = 0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142

    def one(y: float) -> float:
        y = min(max(y, 0.005), 10000) ** p4
        return p7 * (((p1 + p2 * y) / (1 + p3 * y)) ** p5 - p6)

    return np.vectorize(one)(luminance.astype(np.float64))


def test_psnr() -> None:
    assert score("psnr-l") == pytest.approx(peak_signal_noise_ratio(TARGET.astype(float), OUTPUT.astype(float), data_range=1), abs=1e-5)
    assert score("psnr-mu") == pytest.approx(peak_signal_noise_ratio(curve(TARGET), curve(OUTPUT), data_range=1), abs=1e-5)


def test_ssim() -> None:
    assert score("ssim-l") == pytest.approx(structural_similarity(TARGET.astype(float), OUTPUT.astype(float), **GAUSS), abs=1e-6)
    assert score("ssim-mu") == pytest.approx(structural_similarity(curve(TARGET), curve(OUTPUT), **GAUSS), abs=1e-6)


def test_ntire() -> None:
    output, target = OUTPUT * np.float32(3), TARGET * np.float32(3)  # its images are not in 0..1
    linear = [image.astype(np.float64) ** 2.24 for image in (output, target)]
    white = np.percentile(linear[1], 99)
    expected = -10 * math.log10(np.mean((curve(np.tanh(linear[0] / white)) - curve(np.tanh(linear[1] / white))) ** 2))
    assert score("psnr-mu:ntire", output, target) == pytest.approx(expected, abs=1e-4)
    assert abs(expected - score("psnr-mu")) > 1


def test_pu21_encoding() -> None:
    luminance = np.array([0, 0.001, 0.005, 0.1, 1, 10, 100, 1000, 10_000, 20_000], np.float32)
    values = hdr.pu21(luminance)
    assert values == pytest.approx(encoded(luminance), rel=1e-12, abs=1e-12)
    assert values[0] == values[2] == pytest.approx(0, abs=1e-8) and values[-1] == values[-2]
    assert values[6] == pytest.approx(256, abs=1), "100 cd/m2 is the white of 8 bits"
    assert (np.diff(values[2:-1]) > 0).all()


def test_pu21() -> None:
    output, target = (image[:60, :80] * np.float32(1000) for image in (OUTPUT, TARGET))
    expected = 10 * math.log10(256**2 / np.mean((encoded(output) - encoded(target)) ** 2))
    assert score("pu21-psnr:absolute", output, target) == pytest.approx(expected, abs=1e-6)
    assert score("pu21-psnr:peak1000", OUTPUT[:60, :80], TARGET[:60, :80]) == pytest.approx(expected, abs=1e-4)
    assert score("pu21-psnr:absolute", output * 4, target * 4) != pytest.approx(expected, abs=0.1), "brightness counts"


def test_pu21_ssim() -> None:
    output, target = (image[:60, :80] * np.float32(1000) for image in (OUTPUT, TARGET))
    x, y = (encoded(image.astype(float) @ [0.212656, 0.715158, 0.072186]) for image in (output, target))

    def blur(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, truncate=3.4, mode="nearest")

    mx, my, c1, c2 = blur(x), blur(y), (0.01 * 256) ** 2, (0.03 * 256) ** 2
    variances, covariance = blur(x * x) - mx**2 + blur(y * y) - my**2, blur(x * y) - mx * my
    expected = ((2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (variances + c2))).mean()
    assert score("pu21-ssim:absolute", output, target) == pytest.approx(expected, abs=1e-5)
    assert score("pu21-ssim:peak1000", OUTPUT[:60, :80], TARGET[:60, :80]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("key", HDR)
def test_equal_images(key: str) -> None:
    scored = metrics.find(key).score(TARGET, TARGET)
    assert scored.value == (math.inf if "psnr" in key else pytest.approx(1, abs=1e-9))
    assert scored.facts.get("identical") is (True if "psnr" in key else None)


@pytest.mark.parametrize("key", [key for key in HDR if "psnr" in key])
def test_equal_once_clamped_is_not_identical(key: str) -> None:
    beyond, target = TARGET.copy(), TARGET.copy()
    beyond[:20], target[:20] = -1, 0
    scored = metrics.find(key).score(beyond, target)
    assert scored.value == math.inf and scored.facts["identical"] is False


@pytest.mark.parametrize("key", HDR)
def test_the_output_is_clamped_and_the_share_told(key: str) -> None:
    beyond, within = OUTPUT.copy(), OUTPUT.copy()
    beyond[:20], within[:20] = 1.7, 1
    beyond[20:30], within[20:30] = -0.5, 0
    scored = metrics.find(key).score(beyond, TARGET)
    assert scored.value == pytest.approx(score(key, within), rel=1e-12) and scored.facts["clamped_share"] == pytest.approx(30 / 200)


@pytest.mark.parametrize("key", HDR)
def test_refused(key: str) -> None:
    metric = metrics.find(key)
    with pytest.raises(UserError, match=r"the metric is for 0\.\.1; scale output and target alike"):
        metric.score(OUTPUT, TARGET * 2)
    with pytest.raises(UserError, match="compare linear images of 32-bit floats; the target is uint8"):
        metric.score(OUTPUT, data.astronaut()[:200, :300])
    for bad in (np.nan, np.inf):
        broken = OUTPUT.copy()
        broken[3, 4, 1] = bad
        with pytest.raises(UserError, match="1 values of the output are NaN or infinite"):
            metric.score(broken, TARGET)
    with pytest.raises(ValueError, match="of one size"):
        metric.score(OUTPUT[1:], TARGET)


def test_undefined() -> None:
    with pytest.raises(UserError, match="they look relative; scale both images to cd/m2, or use peak1000"):
        score("pu21-psnr:absolute")
    with pytest.raises(UserError, match="99 % of the target's values are 0"):
        score("psnr-mu:ntire", OUTPUT, np.zeros_like(TARGET))
    with pytest.raises(UserError, match="the metric is for 0 and more"):
        score("psnr-mu:ntire", OUTPUT, -TARGET)
    for key in ("ssim-mu", "ssim-l"):
        with pytest.raises(UserError, match="at least 11 x 11"):
            score(key, OUTPUT[:10], TARGET[:10])


def test_every_variant_is_tested_and_another_number() -> None:
    for name in ("psnr-mu", "psnr-l", "ssim-mu", "ssim-l", "pu21-psnr", "pu21-ssim"):
        assert any(key.startswith(f"{name}:") for key in HDR)
    assert len({round(score(key), 4) for key in HDR}) == len(HDR)
    assert {spec: tuple(catalog.facts("metrics", spec).variants) for spec in ("psnr-mu", "pu21-psnr", "pu21-ssim")} == {
        "psnr-mu": ("mu5000", "ntire"), "pu21-psnr": ("absolute", "peak1000"), "pu21-ssim": ("absolute", "peak1000"),
    }  # fmt: skip


def test_float_files_on_the_command_line(tmp_path: Path, benchtool: Callable) -> None:
    write_image(tmp_path / "output.tif", OUTPUT)
    write_image(tmp_path / "target.tif", TARGET)
    arguments = (tmp_path / "output.tif", tmp_path / "target.tif", "--metrics", "psnr-mu,ssim-l,psnr", "--json")
    done = benchtool("metrics", "measure", *arguments)
    scores = json.loads(done.out)["images"][0]["scores"]
    assert scores["psnr-mu:mu5000"]["value"] == pytest.approx(score("psnr-mu")) and scores["ssim-l:linear"]["value"] == score("ssim-l")
    assert scores["psnr:rgb-u8"]["status"] == "n/a" and "8-bit images; the output is float32" in scores["psnr:rgb-u8"]["reason"]
    assert done.code == 0
