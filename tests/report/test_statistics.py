"""The bootstrap over scenes: against a plain loop, for coverage, and for what it must not depend on."""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchtool.core.seeds import generator
from benchtool.report.statistics import DRAWS, MIN_SCENES, Interval, draw_means, mean, resamples, scene_interval


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
    assert np.allclose(draw_means(sums, counts)[:50], brute_force(parts, drawn(7, 50)), rtol=0, atol=1e-12)


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


def test_a_full_test_set_is_quick() -> None:
    """132 cells (11 methods, 12 columns) of 1,181 scenes in under 3 s on an idle core; 12 s allows for a busy one."""
    names = np.repeat(np.arange(1181), 3)
    values = np.random.default_rng(0).normal(20, 3, len(names))
    begun = time.process_time()
    for _ in range(132):
        scene_interval([(values, names)])
    assert time.process_time() - begun < 12
