"""LOE against comparing all pairs of pixels, and what must hold of any image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import data

from benchtool import metrics
from benchtool.core.errors import UserError
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


def test_npe_takes_local_maxima_at_every_step() -> None:
    source = data.chelsea()[:160, :211]
    output = np.roll(source, 7, axis=1)

    def samples(rgb: np.ndarray) -> np.ndarray:
        """As the script does: borders mirrored without their edge, maximum over 15 x 15, then pixels step, 2 step ... from 1."""
        lightness = np.pad(rgb.max(axis=2), 7, mode="reflect")
        step = 160 // 50
        return np.array([[lightness[y - 1 : y + 14, x - 1 : x + 14].max() for x in range(step, 212, step)] for y in range(step, 161, step)])

    expected = disorder(samples(source)[:, :, None], samples(output)[:, :, None])
    scored = metrics.find("loe:npe50").score(output, source=source)
    assert expected.shape == (53, 70) and scored.facts["samples"] == expected.size
    assert scored.value == pytest.approx(expected.mean(), rel=1e-12)
    with pytest.raises(UserError, match="loe:npe50 needs at least 50 x 50 pixels; the image is 60 x 49"):
        metrics.find("loe:npe50").score(output[:49, :60], source=source[:49, :60])


def imresize(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    """MATLAB's, on uint8, pixel by pixel: the documented kernel, stretched by the ratio, borders mirrored, rounded after each pass."""

    def kernel(x: float) -> float:
        x = abs(x)
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    def line(values: np.ndarray, m: int) -> list[int]:
        n, ratio = len(values), max(len(values) / m, 1)
        mirrored = np.concatenate([values[::-1], values, values[::-1]]).astype(float)
        results = []
        for k in range(1, m + 1):
            u = k * n / m + 0.5 * (1 - n / m)
            places = range(int(np.floor(u - 2 * ratio)), int(np.ceil(u + 2 * ratio)) + 1)
            weights = [kernel((u - p) / ratio) for p in places]
            total = sum(w * mirrored[n + p - 1] for w, p in zip(weights, places)) / sum(weights)
            results.append(int(min(max(total, 0), 255) + 0.5))
        return results

    if height / len(levels) <= width / levels.shape[1]:
        levels = np.array([line(column, height) for column in levels.T]).T
        return np.array([line(row, width) for row in levels])
    levels = np.array([line(row, width) for row in levels])
    return np.array([line(column, height) for column in levels.T]).T


@pytest.mark.parametrize(("height", "width", "expected"), [(150, 211, (50, 70)), (211, 149, (71, 50)), (40, 60, (50, 75))])
def test_imresize(height: int, width: int, expected: tuple[int, int]) -> None:
    source = data.chelsea()[:height, 100 : 100 + width]
    output = np.roll(source, 7, axis=1)
    small = [imresize(rgb.max(axis=2), *expected)[:, :, None] for rgb in (source, output)]
    scored = metrics.find("loe:imresize50").score(output, source=source)
    assert scored.facts["samples"] == small[0].size
    assert scored.value == pytest.approx(disorder(*small).mean(), rel=1e-12)


def test_imresize_invents_errors() -> None:
    """A strictly monotone curve changes no order, but averages before and after it do."""
    source = data.chelsea() // 2
    curve = np.concatenate([np.arange(64), np.arange(66, 256, 3), [255]])[:128].astype(np.uint8)
    assert (np.diff(curve.astype(int)) > 0).all()
    assert FULL.score(curve[source], source=source).value == 0
    assert metrics.find("loe:imresize50").score(curve[source], source=source).value > 5


@pytest.mark.parametrize("variant", ["full", "bimef100", "npe50", "imresize50"])
def test_the_same_image_is_in_order(variant: str) -> None:
    source = image(256, 60, 50, 7)
    scored = metrics.find(f"loe:{variant}").score(source, source=source)
    assert scored.value == 0 and FULL.spec.variants.keys() == {"full", "bimef100", "npe50", "imresize50"}


# ---------------------------------------------------------------------------------------------------------------- any images


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(source, output) of one size, of 1 to 256 levels, so that ties are many or few."""
    shape = (*draw(st.tuples(st.integers(1, 9), st.integers(1, 9))), 3)
    return tuple(draw(arrays(np.uint8, shape, elements=st.integers(0, draw(st.sampled_from([0, 1, 3, 255]))))) for _ in range(2))


@settings(max_examples=200)
@given(pairs())
def test_any_pair_equals_all_pairs(pair: tuple[np.ndarray, np.ndarray]) -> None:
    source, output = pair
    expected = disorder(source, output)
    value = FULL.score(output, source=source).value
    assert value == pytest.approx(1e4 * expected.sum() / expected.size**2, rel=1e-12, abs=0)
    found = loe.map(output, source)
    assert found == pytest.approx(1e4 * expected / expected.size, rel=1e-6, abs=0)
    assert found.mean(dtype=float) == pytest.approx(value, rel=1e-5) and 0 <= value < 1e4
    assert FULL.score(source, source=output).value == value, "order is lost as much as it is made"


@settings(max_examples=100)
@given(st.data())
def test_any_strictly_monotone_map_keeps_the_order(drawn: st.DataObject) -> None:
    levels = np.array(sorted(drawn.draw(st.sets(st.integers(0, 255), min_size=1, max_size=256))), np.uint8)
    shape = (*drawn.draw(st.tuples(st.integers(1, 20), st.integers(1, 20))), 3)
    source = drawn.draw(arrays(np.uint8, shape, elements=st.integers(0, len(levels) - 1)))
    for output in (source, levels[source]):
        assert FULL.score(output, source=source).value == 0 and not loe.map(output, source).any()


@settings(max_examples=100)
@given(pairs(), st.randoms(use_true_random=False))
def test_where_pixels_lie_does_not_matter(pair: tuple[np.ndarray, np.ndarray], random: object) -> None:
    source, output = pair
    order = list(range(source.shape[0] * source.shape[1]))
    random.shuffle(order)
    moved = [image.reshape(-1, 1, 3)[order].reshape(image.shape) for image in pair]
    assert FULL.score(moved[1], source=moved[0]).value == FULL.score(output, source=source).value
    assert np.array_equal(np.sort(loe.map(moved[1], moved[0]), axis=None), np.sort(loe.map(output, source), axis=None))
