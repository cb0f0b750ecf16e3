"""HE, BPDHE and DHECI against their definitions in plain loops, and what holds for any image."""

from __future__ import annotations

import numpy as np
import pytest
from made_images import enhanced, scene
from skimage import color, exposure

from benchtool.methods.bpdhe import cuts, level_map
from benchtool.methods.dheci import correlation, gradient
from benchtool.methods.he import equalise


def histeq(channel: np.ndarray, bins: int) -> np.ndarray:
    """MATLAB's rule: each level to the output level whose cumulative histogram errs least without falling short by over half the level."""
    levels = np.floor(255 * channel + 0.5).astype(int)
    count = np.array([(levels == level).sum() for level in range(256)])
    table = np.zeros(256)
    for level in range(256):
        tolerance = count[level] / 2 if 0 < level < 255 else 0
        errors = levels.size / bins * np.arange(1, bins + 1) - count[: level + 1].sum() + tolerance
        errors[errors < -levels.size * np.sqrt(2.0**-52)] = levels.size
        table[level] = np.argmin(errors) / (bins - 1)
    return table[levels]


@pytest.mark.parametrize("bins", [2, 64, 256])
@pytest.mark.parametrize("ev", [-2, 0, 2])
def test_he_is_histeq(bins: int, ev: float) -> None:
    image = scene(30, 41, ev)
    expected = np.stack([histeq(image[..., c], bins) for c in range(3)], axis=-1)
    np.testing.assert_array_equal(enhanced("he", image, bins=bins), expected)


def test_he_of_the_value_alone() -> None:
    image = scene(30, 41, -1)
    output = enhanced("he", image, colour="v", bins=256)
    np.testing.assert_allclose(output.max(axis=-1), histeq(image.max(axis=-1), 256), atol=1e-12)
    before, after = color.rgb2hsv(image), color.rgb2hsv(output)
    lit = after[..., 2] > 0
    np.testing.assert_allclose(after[lit][:, :2], before[lit][:, :2], atol=1e-9)


def test_he_is_near_skimage_where_levels_are_sparse() -> None:
    """The two place a level at the middle and at the end of its share; with few pixels a level that is half a share."""
    channel = np.random.default_rng(0).random((200, 200)) ** 2
    assert np.abs(equalise(channel, 256) - exposure.equalize_hist(channel, nbins=256)).max() < 0.05


def test_he_is_nearly_idempotent_and_flat() -> None:
    channel = scene(120, 160, -2)[..., 0]
    once = equalise(channel, 64)
    assert np.abs(equalise(once, 64) - once).mean() < 0.02
    assert abs(once.mean() - 0.5) < 0.02 and abs(once.std() - np.sqrt(1 / 12)) < 0.02


def bpdhe_loops(levels: np.ndarray) -> np.ndarray:
    """The public code's steps, level by level; [256]."""
    low, high = levels.min(), levels.max()
    histogram = [int((levels == level).sum()) for level in range(low, high + 1)]
    n = len(histogram)
    kernel = [np.exp(-(x**2) / (2 * 1.0762**2)) for x in range(-4, 5)]

    def at(values: list, i: int) -> float:
        return values[min(max(i, 0), len(values) - 1)]

    smooth = [sum(k * at(histogram, i + x - 4) for x, k in enumerate(kernel)) / sum(kernel) for i in range(n)]
    slope = [int(np.sign(at(smooth, i + 1) - smooth[i])) for i in range(n)]
    slope = [int(np.sign(at(slope, i - 1) + at(slope, i) + at(slope, i + 1))) for i in range(n)]
    ends = [i + 3 for i in range(n - 7) if slope[i : i + 8] == [1, 1, 1, -1, -1, -1, -1, -1]] + [n - 1]
    parts, begin = [], 0
    for end in ends:
        parts.append(histogram[begin : end + 1])
        begin = end + 1
    weights = [len(part) * np.log10(sum(part)) for part in parts]
    table, start = np.arange(256.0), float(low)
    level = low
    for part, weight in zip(parts, weights):
        span = np.floor((256 - low) * weight / sum(weights) + 0.5)
        for i in range(len(part)):
            table[level] = np.floor(start + (span - 1) * sum(part[: i + 1]) / sum(part) + 0.5)
            level += 1
        start += span
    return np.minimum(table, 255)


@pytest.mark.parametrize("ev", [-2, 0, 1])
def test_bpdhe_is_the_public_codes(ev: float) -> None:
    levels = np.floor(255 * scene(80, 90, ev).max(axis=-1) + 0.5).astype(int)
    table = level_map(levels.astype(np.uint8))
    np.testing.assert_array_equal(table, bpdhe_loops(levels))
    assert (np.diff(table[levels.min() : levels.max() + 1]) >= 0).all()


def test_bpdhe_cuts_between_two_peaks() -> None:
    level = np.arange(200)
    histogram = 1000 * np.exp(-(((level - 50) / 15) ** 2)) + 800 * np.exp(-(((level - 140) / 15) ** 2))
    np.testing.assert_array_equal(cuts(histogram), [51, 141])
    assert cuts(np.ones(5)).size == 0


def test_bpdhe_restores_the_mean_unless_told_not_to() -> None:
    image = scene(80, 90, -2)
    with_mean, without = enhanced("bpdhe", image), enhanced("bpdhe", image, restore_mean=False)
    np.testing.assert_allclose(with_mean.max(axis=-1).mean(), image.max(axis=-1).mean(), rtol=1e-12)
    assert without.max(axis=-1).mean() > 1.5 * image.max(axis=-1).mean()
    np.testing.assert_allclose(with_mean / with_mean.mean(), without / without.mean(), atol=1e-9)


def dheci_loops(image: np.ndarray, mix: float) -> np.ndarray:
    """V after DHECI, pixel by pixel, with `corrcoef` as the public code."""
    hsv = np.floor(255 * color.rgb2hsv(image) + 0.5)
    s, v = (np.pad(hsv[..., i], 2, mode="edge") for i in (1, 2))
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    at_level = np.zeros(256)
    for y in range(2, s.shape[0] - 2):
        for x in range(2, s.shape[1] - 2):
            near, wide = np.s_[y - 1 : y + 2, x - 1 : x + 2], np.s_[y - 2 : y + 3, x - 2 : x + 3]
            of_v, of_s = (np.floor(np.sqrt((p[near] * sobel).sum() ** 2 + (p[near] * sobel.T).sum() ** 2) + 0.5) for p in (v, s))
            flat = np.ptp(v[wide]) == 0 or np.ptp(s[wide]) == 0
            rho = 0 if flat else np.corrcoef(v[wide].ravel(), s[wide].ravel())[0, 1]
            at_level[int(v[y, x])] += (1 - mix) * of_v + mix * np.floor(abs(rho) * of_s + 0.5)
    table = np.floor(255 * np.cumsum(at_level) / at_level.sum() + 0.5)
    return table[hsv[..., 2].astype(int)] / 255


@pytest.mark.parametrize("mix", [0, 0.5, 1])
@pytest.mark.parametrize("ev", [-2, 1])
def test_dheci_is_its_loops(mix: float, ev: float) -> None:
    image = scene(22, 27, ev)
    image[:8, :9] = 0.4  # a flat patch has no correlation
    np.testing.assert_allclose(enhanced("dheci", image, mix=mix).max(axis=-1), dheci_loops(image, mix), atol=1e-12)


def test_dheci_is_monotone_and_keeps_colours() -> None:
    image = scene(60, 70, 1)
    output = enhanced("dheci", image)
    order = np.argsort(image.max(axis=-1).ravel(), kind="stable")
    assert (np.diff(output.max(axis=-1).ravel()[order]) >= -1e-12).all()
    before, after = color.rgb2hsv(image), color.rgb2hsv(output)
    lit = after[..., 2] > 0
    np.testing.assert_allclose(after[lit][:, :2], before[lit][:, :2], atol=1e-9)


def test_dheci_blocks() -> None:
    ramp = np.tile(np.arange(12.0), (10, 1))
    np.testing.assert_allclose(gradient(ramp)[2:-2, 2:-2], 8)
    np.testing.assert_allclose(correlation(ramp, 3 * ramp + 1), 1)
    np.testing.assert_allclose(correlation(ramp, 100 - ramp), -1)
    assert not correlation(ramp, np.full_like(ramp, 7)).any()
