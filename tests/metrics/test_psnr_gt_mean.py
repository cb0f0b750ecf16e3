"""PSNR scaled to the ground truth's mean: what it forgives, and that nobody gets it without asking."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import yaml
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.protocol import FOLDER

TARGET = data.chelsea()
METRIC = metrics.find("psnr-gt-mean")


@pytest.mark.parametrize("gain", [0.4, 1.5])
def test_against_scikit_image(gain: float) -> None:
    output = np.clip(TARGET * gain + np.random.default_rng(0).normal(0, 3, TARGET.shape), 0, 255).astype(np.uint8)
    ratio = np.mean(cv2.cvtColor(TARGET, cv2.COLOR_RGB2GRAY)) / np.mean(cv2.cvtColor(output, cv2.COLOR_RGB2GRAY))
    expected = peak_signal_noise_ratio(TARGET.astype(float), np.clip(output * ratio, 0, 255), data_range=255)
    scored = METRIC.score(output, TARGET)
    assert scored.value == pytest.approx(expected, abs=1e-4) and scored.facts["gain"] == pytest.approx(ratio)
    assert scored.value > metrics.find("psnr").score(output, TARGET).value + 3


def test_limits() -> None:
    assert METRIC.score(TARGET, TARGET).value == math.inf and METRIC.score(TARGET, TARGET).facts["identical"] is True
    half, whole = (np.full_like(TARGET, level) for level in (64, 128))
    scaled = METRIC.score(half, whole)
    assert scaled.value == math.inf and scaled.facts["identical"] is False, "equal only once it is scaled"
    with pytest.raises(UserError, match="the output is black"):
        METRIC.score(np.zeros_like(TARGET), TARGET)
    with pytest.raises(UserError, match="8-bit"):
        METRIC.score(TARGET.astype(np.float32), TARGET)


def test_it_is_never_a_default() -> None:
    assert METRIC.spec.title != catalog.facts("metrics", "psnr").title
    for path in FOLDER.glob("*.yaml"):
        protocol = yaml.safe_load(path.read_text())
        assert not any(key.startswith("psnr-gt-mean") for key in (*protocol["metrics"], *protocol.get("extra", ()))), path
