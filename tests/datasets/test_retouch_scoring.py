"""The terms of the score against their definitions, written out; and that each falls or rises when it should."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from benchtool.datasets.retouch.histograms import LUMA
from benchtool.datasets.retouch.scoring import MEF_C, TERMS, Judge, _Fusion, colourfulness, halo, naturalness, order_error, standard_scores


def photograph() -> np.ndarray:
    return cv2.resize(data.astronaut(), (160, 128), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def terms(image: np.ndarray, result: np.ndarray) -> dict[str, float]:
    return dict(zip(TERMS, Judge(image, [image]).measure(np.clip(result, 0, 1).astype(np.float32))))


def slow_mef(planes: list[np.ndarray], result: np.ndarray) -> float:
    """Ma et al., window by window."""
    found = []
    for y in range(result.shape[0] - 7):
        for x in range(result.shape[1] - 7):
            patches = [p[y : y + 8, x : x + 8].ravel() - p[y : y + 8, x : x + 8].mean() for p in planes]
            contrast = [np.linalg.norm(p) for p in patches]
            consistency = np.linalg.norm(sum(patches)) / sum(contrast)
            power = np.tan(np.pi / 2 * min(consistency, 0.97))
            structure = sum((c / max(contrast)) ** power * p / c for c, p in zip(contrast, patches))
            wanted = max(contrast) * structure / np.linalg.norm(structure)
            got = result[y : y + 8, x : x + 8].ravel() - result[y : y + 8, x : x + 8].mean()
            found.append((2 * (wanted * got).mean() + MEF_C) / ((wanted**2).mean() + (got**2).mean() + MEF_C))
    return float(np.mean(found))


def test_structure_is_mef_ssim() -> None:
    chance = np.random.default_rng(0)
    scene = cv2.GaussianBlur(chance.random((20, 23)), (0, 0), 1.5)
    planes = [np.clip(scene * gain + chance.normal(0, 0.02, scene.shape), 0, 1) for gain in (0.5, 1.0, 1.6)]
    for result in (planes[1], np.mean(planes, axis=0), 1 - planes[0]):
        assert _Fusion(planes).similarity(result) == pytest.approx(slow_mef(planes, result), abs=1e-6)


def test_structure_of_the_picture_itself_is_whole() -> None:
    luma = photograph() @ LUMA
    assert _Fusion([luma]).similarity(luma) == pytest.approx(1, abs=1e-6)
    flat = np.full((40, 40), 0.5)
    assert _Fusion([flat, flat * 0.5]).similarity(flat) == pytest.approx(1, abs=1e-6)


def test_order_error_counts_pairs() -> None:
    chance = np.random.default_rng(0)
    first, second = chance.random((2, 5, 6))
    a, b = first.ravel(), second.ravel()
    wanted = np.mean([(a[i] >= a[j]) != (b[i] >= b[j]) for i in range(30) for j in range(30)])
    assert order_error(first, second) == pytest.approx(wanted) and order_error(first, first**2) == 0


def test_colourfulness_is_the_published_formula() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.float64)
    rg, yb = pixels[:, :, 0] - pixels[:, :, 1], 0.5 * (pixels[:, :, 0] + pixels[:, :, 1]) - pixels[:, :, 2]
    wanted = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colourfulness(pixels / 255) == pytest.approx(wanted)


def test_naturalness_is_tmqis() -> None:
    from scipy.stats import beta, norm

    luma = (photograph() @ LUMA).astype(np.float64)
    blocks = [luma[y : y + 11, x : x + 11].std() * 255 for y in range(0, 118, 11) for x in range(0, 150, 11)]
    law, contrast = beta(4.4, 10.1), np.mean(blocks) / 64.29
    mode = 3.4 / 12.5
    wanted = norm(115.94, 27.99).pdf(luma.mean() * 255) / norm(0, 27.99).pdf(0) * law.pdf(contrast) / law.pdf(mode)
    assert naturalness(luma) == pytest.approx(wanted, rel=1e-6) and 0 < wanted < 1


def test_each_term_knows_what_it_is_for() -> None:
    image = photograph() * 0.5 + 0.2
    plain = terms(image, image)
    assert plain["order"] == plain["clipped"] == plain["halo"] == plain["noise"] == 0
    assert terms(image, image * 0.1)["exposedness"] < plain["exposedness"]
    assert terms(image, image * 0.3 + 0.3)["contrast"] < plain["contrast"]
    assert terms(image, np.repeat(image[:, :, :1], 3, axis=2))["colour"] < 1e-3 < plain["colour"]
    assert terms(image, image * 0.05)["naturalness"] < plain["naturalness"]
    assert terms(image, cv2.GaussianBlur(image, (0, 0), 3))["structure"] < 0.9 < plain["structure"]
    grey = np.repeat(image[:, :, :1], 3, axis=2)
    assert terms(grey, 1 - grey)["order"] > 0.9
    assert terms(image, (image - 0.2) * 3)["clipped"] > 0.05
    noisy = image + np.random.default_rng(0).normal(0, 0.05, image.shape)
    assert terms(image, noisy)["noise"] > 0.5


def test_colour_is_credited_up_to_a_limit() -> None:
    vivid = np.zeros((64, 64, 3), np.float32)
    vivid[:32, :, 0] = vivid[32:, :, 2] = 1
    assert terms(vivid, vivid)["colour"] == 60 < colourfulness(vivid)


def test_a_halo_is_found() -> None:
    """A bright step with a slope beside it, and the slope turned round."""
    x = np.arange(80)
    before = np.where(x < 40, np.maximum(0.1, 0.1 + 0.02 * (x - 25)), 1.0)
    after = np.where((x >= 30) & (x < 40), 0.4 - 0.02 * (x - 30), before)
    before, after = (np.tile(row, (40, 1)) for row in (before, after))
    assert halo(before, before) == 0 and halo(before, after) > 0.3


def test_standard_scores() -> None:
    values = np.random.default_rng(0).random((3, 7, len(TERMS)))
    values[:, :, 4] = 0.5  # a term in which all are equal says nothing
    signs = np.array(list(TERMS.values()))
    with np.errstate(invalid="ignore"):
        z = np.nan_to_num((values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True), nan=0, posinf=0, neginf=0)
    z[:, :, 4] = 0
    np.testing.assert_allclose(standard_scores(values), (z * signs).sum(axis=2).mean(axis=0) / len(TERMS), atol=1e-9)
