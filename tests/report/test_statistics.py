"""The bootstrap over scenes: against a plain loop, for coverage, and for what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

from benchtool.core.seeds import generator
from benchtool.report.statistics import (
    DRAWS,
    MIN_SCENES,
    Comparison,
    Interval,
    compare,
    draw_means,
    mean,
    rank_ranges,
    resamples,
    scene_interval,
)


def brute_force(parts: list[tuple[np.ndarray, np.ndarray]], draws: list[list[int]]) -> list[float]:
    """Means over images of whole scenes put together by hand."""
    names = sorted({scene for _, scenes in parts for scene in scenes})
    means = []
    for draw in draws:
        of_parts = []
        for values, scenes in parts:
            pooled = [v for index in draw for v, scene in zip(values, scenes) if scene == names[index]]
            of_parts.append(sum(pooled) / len(pooled))
        means.append(sum(of_parts) / len(of_parts))
    return means


def uneven(seed: int, scenes: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of scenes with one to four images each."""
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(scenes), random.integers(1, 5, scenes))
    return random.normal(20, 3, scenes)[names] + random.normal(0, 1, len(names)), names


def drawn(scenes: int, draws: int) -> list[list[int]]:
    """The draws written out as lists of scenes."""
    return [[scene for scene, times in enumerate(row) for _ in range(times)] for row in resamples(scenes)[:draws]]


@pytest.mark.parametrize("several", [False, True])
def test_equals_a_plain_loop(several: bool) -> None:
    parts = [uneven(1, 7)] + ([uneven(2, 7)] if several else [])
    sums = np.array([[v[s == k].sum() for v, s in parts] for k in range(7)])
    counts = np.array([[(s == k).sum() for _, s in parts] for k in range(7)])
    assert np.allclose(draw_means(sums[:, :, None], counts[:, :, None])[:50, 0], brute_force(parts, drawn(7, 50)), rtol=0, atol=1e-12)


def test_interval_is_the_percentiles_of_the_loop() -> None:
    parts = [uneven(3, 6)]
    means = brute_force(parts, drawn(6, DRAWS))
    found = scene_interval(parts)
    assert found.low == pytest.approx(np.percentile(means, 2.5), abs=1e-12)
    assert found.high == pytest.approx(np.percentile(means, 97.5), abs=1e-12)
    assert found.low < mean(parts) < found.high
    assert Interval(1.0, 4.0).half == 1.5


def test_draws_hold_every_scene_as_often_as_chance_says() -> None:
    times = resamples(9).astype(int)
    assert times.shape == (DRAWS, 9) and (times.sum(axis=1) == 9).all()
    assert times.mean(axis=0) == pytest.approx(1, abs=0.05)
    assert times.var(axis=0) == pytest.approx(8 / 9, abs=0.06)


def test_whole_scenes_are_drawn_not_images() -> None:
    """Ten equal images a scene are one observation: ten times the images, the same interval."""
    values, names = np.arange(8.0), np.arange(8)
    once, tenfold = scene_interval([(values, names)]), scene_interval([(np.repeat(values, 10), np.repeat(names, 10))])
    assert (once.low, once.high) == pytest.approx((tenfold.low, tenfold.high))


def test_names_and_order_of_images_do_not_matter_and_the_seed_does() -> None:
    values, names = uneven(4, 12)
    shuffled = np.random.default_rng(0).permutation(len(values))
    first = scene_interval([(values, names)])
    assert scene_interval([(values[shuffled], names[shuffled])]).low == pytest.approx(first.low, abs=1e-12)
    assert scene_interval([(values, names * 10)]) == first == scene_interval([(values, names)])
    assert scene_interval([(values, names)], seed=1) != first


def test_none_below_five_scenes_in_any_part() -> None:
    assert MIN_SCENES == 5
    assert scene_interval([uneven(0, 4)]) is None
    assert scene_interval([uneven(0, 5)]) is not None
    assert scene_interval([uneven(0, 5), uneven(0, 4)]) is None


def test_parts_of_different_scenes_are_drawn_apart() -> None:
    """The mean of two groups without common scenes never lacks one of them, and its variance is that of independent means."""
    left, right = uneven(5, 6), uneven(6, 30)
    right = (right[0], right[1] + 100)
    found = scene_interval([left, right])
    halves = [scene_interval([part]).half for part in (left, right)]
    assert found.half == pytest.approx(np.hypot(*halves) / 2, rel=0.05)


def test_covers_the_true_mean_about_as_often_as_it_says() -> None:
    """150 times 40 scenes of a known mean: a 95 % percentile interval covers it 93 % of the times; 87 to 99 is chance."""
    random = generator("coverage")
    hits, names = 0, np.repeat(np.arange(40), 3)
    for _ in range(150):
        values = np.repeat(random.normal(20, 3, 40), 3) + random.normal(0, 1, 120)
        found = scene_interval([(values, names)])
        hits += found.low <= 20 <= found.high
    assert 0.87 <= hits / 150 <= 0.99


def test_naming_images_scenes_would_be_too_sure() -> None:
    """The reason for all this: treating the images of a scene as independent shrinks the interval."""
    values, names = uneven(7, 40)
    assert scene_interval([(values, np.arange(len(values)))]).half < 0.8 * scene_interval([(values, names)]).half


def methods(count: int, scenes: int, seed: int = 0, missing: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """[count, n] values of the same images, which share how hard a scene is, with some missing; and the images' scenes."""
    random = np.random.default_rng(seed)
    values, names = uneven(seed, scenes)
    table = values + random.normal(0, 0.5, (count, len(values))) + np.linspace(0, 0.4, count)[:, None]
    for row in table:
        row[random.choice(len(row), missing, replace=False)] = np.nan
    return table, names


@pytest.mark.parametrize("missing", [0, 3])
@pytest.mark.parametrize("several", [False, True])
def test_comparison_equals_a_plain_loop_over_what_two_methods_have_in_common(missing: int, several: bool) -> None:
    table, names = methods(3, 9, seed=11, missing=missing)
    parts = np.array([np.arange(len(names)) % 2 == 0, np.arange(len(names)) % 2 == 1] if several else [np.ones(len(names), bool)])
    found = compare(table, names, parts)
    for i in range(3):
        for j in range(3):
            both = ~np.isnan(table[i]) & ~np.isnan(table[j])
            pairs = [(table[i][part & both] - table[j][part & both], names[part & both]) for part in parts]
            assert found.differences[i, j] == pytest.approx(mean(pairs), abs=1e-12)
            assert (found.values[i, j], found.scenes[i, j]) == (both.sum(), len(np.unique(names[both])))
            expected = scene_interval([(table[i][part & both], names[part & both]) for part in parts] if i == j else pairs)
            interval = found.intervals[i] if i == j else found.interval(i, j)
            assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_paired_difference_is_the_percentiles_of_a_loop() -> None:
    table, names = methods(2, 6, seed=5)
    draws = drawn(6, DRAWS)
    gaps = np.subtract(*(brute_force([(row, names)], draws) for row in table))
    found = compare(table, names, np.ones((1, len(names)), bool)).interval(0, 1)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(gaps, [2.5, 97.5])), abs=1e-12)


def test_pairing_tells_methods_apart_whose_own_intervals_overlap() -> None:
    table, names = methods(2, 60, seed=2)
    found = compare(table, names, np.ones((1, len(names)), bool))
    assert found.intervals[0].high > found.intervals[1].low  # scenes differ far more than methods do
    assert found.interval(1, 0).low > 0 and found.interval(1, 0).half < 0.3 * found.intervals[0].half
    assert found.interval(0, 1) == Interval(-found.interval(1, 0).high, -found.interval(1, 0).low)


def test_a_difference_of_too_few_common_scenes_has_no_interval() -> None:
    names = np.arange(9)
    table = np.array([[1.0] * 6 + [np.nan] * 3, [np.nan] * 3 + [2.0] * 6, [3.0] * 9])
    found = compare(table, names, np.ones((1, 9), bool))
    assert found.scenes[0, 1] == 3 and found.differences[0, 1] == -1 and found.interval(0, 1) is None
    assert found.interval(0, 2) == Interval(-2.0, -2.0) and None not in found.intervals
    apart = compare(np.array([[1.0] * 5 + [np.nan] * 5, [np.nan] * 5 + [1.0] * 5]), np.arange(10), np.ones((1, 10), bool))
    assert np.isnan(apart.differences[0, 1]) and apart.values[0, 1] == 0 and apart.interval(0, 1) is None


def contest_of(better: list[tuple[int, int]], count: int, known: int | None = None) -> Comparison:
    """Methods of which the first of each pair is better than the second."""
    low, high = np.full((count, count), -1.0), np.full((count, count), 1.0)
    for one, other in better:
        low[one, other], high[one, other], low[other, one], high[other, one] = 0.5, 1.5, -1.5, -0.5
    intervals = [Interval(0.0, 1.0) if known is None or n < known else None for n in range(count)]
    zeros = np.zeros((count, count))
    return Comparison(intervals, zeros, low, high, zeros, zeros)


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        ([], [(1, 3)] * 3),
        ([(0, 1), (0, 2), (1, 2)], [(1, 1), (2, 2), (3, 3)]),
        ([(0, 2)], [(1, 2), (1, 3), (2, 3)]),  # 0 ties with 1 and 1 with 2, and 0 beats 2 all the same
        ([(0, 1), (0, 2)], [(1, 1), (2, 3), (2, 3)]),
        ([(0, 1), (1, 2), (2, 0)], [(2, 2)] * 3),  # possible with different images a pair
    ],
)
def test_rank_ranges_say_no_more_than_the_differences(better: list, expected: list) -> None:
    assert rank_ranges(contest_of(better, 3), True) == expected
    assert rank_ranges(contest_of([(b, a) for a, b in better], 3), False) == expected


def test_no_rank_is_claimed_without_intervals_or_rivals() -> None:
    assert rank_ranges(contest_of([], 3, known=0), True) == [None] * 3
    assert rank_ranges(contest_of([], 3, known=1), True) == [None] * 3
    assert rank_ranges(contest_of([(0, 1)], 3, known=2), True) == [(1, 2), (2, 3), None]  # the unknown one may stand anywhere


def test_equal_methods_are_told_apart_about_as_rarely_as_promised() -> None:
    """100 times six pairs of equal methods: 5 of 100 differences exclude 0, percentile intervals of 30 scenes 6 or 7; 2 to 12 is chance."""
    random, told, names = generator("equal methods"), 0, np.arange(30)
    for _ in range(100):
        table = random.normal(20, 3, 30) + random.normal(0, 1, (4, 30))
        found = compare(table, names, np.ones((1, 30), bool))
        told += (found.low > 0).sum()
    assert 0.02 < told / 600 < 0.12
