"""LOE against comparing all pairs of pixels, and what must hold of any image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from benchtool import metrics
from benchtool.metrics import loe

FULL = metrics.find("loe")


def image(levels: int, height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels, (height, width, 3), dtype=np.uint8)


def disorder(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """RD of every pixel, by the definition."""
    a, b = one.max(axis=2).ravel(), other.max(axis=2).ravel()
    return ((a[:, None] >= a) ^ (b[:, None] >= b)).sum(axis=1).reshape(one.shape[:2])


@pytest.mark.parametrize(("levels", "height", "width"), [(4, 37, 53), (256, 37, 53), (256, 64, 64), (2, 1, 9)])
def test_equals_all_pairs(levels: int, height: int, width: int) -> None:
    one, other = image(levels, height, width, 0), image(levels, height, width, 1)
    expected = disorder(one, other)
    assert FULL.score(other, source=one).value == pytest.approx(1e4 * expected.sum() / expected.size**2, rel=1e-12)
    assert loe.map(other, one) == pytest.approx(1e4 * expected / expected.size, rel=1e-6)


def test_bimef_is_mean_disorder_of_its_grid() -> None:
    source = data.chelsea()
    output = np.roll(source, 7, axis=1)
    rows, columns = (np.array([int(1 + k * (n - 1) / 99 + 0.5) - 1 for k in range(100)]) for n in source.shape[:2])
    assert rows[0] == 0 and rows[-1] == source.shape[0] - 1
    expected = disorder(source[rows][:, columns], output[rows][:, columns]).mean()
    scored = metrics.find("loe:bimef100").score(output, source=source).value
    assert scored == pytest.approx(expected, rel=1e-12)
    assert scored == pytest.approx(FULL.score(output, source=source).value, rel=0.02) and scored != FULL.score(output, source=source).value


def test_small_images_repeat_samples_in_bimef() -> None:
    assert metrics.find("loe:bimef100").score(image(9, 5, 7, 0), source=image(9, 5, 7, 1)).value > 0


def test_invariants() -> None:
    source = image(200, 40, 30, 2)
    assert FULL.score(source, source=source).value == 0
    assert FULL.score(source + 55, source=source).value == 0  # strictly monotone
    output = image(200, 40, 30, 3)
    order = np.random.default_rng(4).permutation(1200)
    shuffled = [i.reshape(1200, 1, 3)[order].reshape(40, 30, 3) for i in (output, source)]
    assert FULL.score(shuffled[0], source=shuffled[1]).value == FULL.score(output, source=source).value
    tie, broken = np.full((1, 2, 3), 7, np.uint8), np.array([[[7] * 3, [8] * 3]], np.uint8)
    assert FULL.score(broken, source=tie).value == 1e4 * 1 / 4  # a broken tie counts once


def test_histogram_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = image(256, 64, 33, 5), image(256, 64, 33, 6)
    whole = FULL.score(other, source=one).value
    monkeypatch.setattr(loe, "COUNTED", 100)
    assert FULL.score(other, source=one).value == whole


def test_refused() -> None:
    with pytest.raises(ValueError, match="output and source must be H x W x 3 of one size"):
        FULL.score(image(9, 4, 5, 0), source=image(9, 5, 4, 0))
    with pytest.raises(ValueError, match="needs a source"):
        FULL.score(image(9, 4, 5, 0))
