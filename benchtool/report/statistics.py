"""How sure a mean is, and a difference of two: percentile intervals from a bootstrap over scenes; and the ranks they allow.

The images of a scene are exposures of one photograph and anything but independent, so that whole scenes are drawn with
replacement and the mean over images is computed anew (the cluster bootstrap; Davison and Hinkley, Bootstrap Methods and
their Application, 1997). Two methods are compared on the images that both have a value for, the same scenes drawn for both.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchtool.core.seeds import generator

DRAWS = 10_000
LEVEL = 0.95
MIN_SCENES = 5  # with fewer, the draws have too few distinct values for their percentiles to mean anything
BLOCK = 1_000  # draws at a time, which bounds the memory


@dataclass(frozen=True)
class Interval:
    """A percentile interval."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


def mean(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The mean over the images of each part (values, scenes), then over the parts."""
    return float(np.mean([values.mean() for values, _ in parts]))


def scene_interval(parts: Sequence[tuple[np.ndarray, np.ndarray]], seed: int = 0) -> Interval | None:
    """The interval of `mean(parts)`; None where a part has fewer than MIN_SCENES scenes.

    Scenes that occur in the same parts are one stratum, drawn from by itself; a scene in several parts is drawn for all
    of them at once.

    Args:
        parts: one (values [n] float, scenes [n] names) a part; an ordinary mean has one part.
        seed: of the draws; equal scenes are drawn alike for every method, so that their figures are paired.
    """
    if any(len(np.unique(scenes)) < MIN_SCENES for _, scenes in parts):
        return None
    sums, counts = _by_scene(parts)
    (low,), (high,) = _limits(draw_means(sums[:, :, None], counts[:, :, None], seed))
    return Interval(float(low), float(high))


def _limits(draws: np.ndarray) -> np.ndarray:
    """[2, c] percentiles of [DRAWS, c]."""
    return np.quantile(np.ascontiguousarray(draws.T), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)


def _by_scene(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of values, [scenes, parts], the scenes in the order of their names."""
    names, where = np.unique(np.concatenate([scenes for _, scenes in parts]), return_inverse=True)
    sums, counts = np.empty((len(names), len(parts))), np.empty((len(names), len(parts)))
    begin = 0
    for k, (values, _) in enumerate(parts):
        index = where[begin : begin + len(values)]
        begin += len(values)
        sums[:, k] = np.bincount(index, weights=values, minlength=len(names))
        counts[:, k] = np.bincount(index, minlength=len(names))
    return sums, counts


def draw_means(sums: np.ndarray, counts: np.ndarray, seed: int = 0, of: Sequence[int] | None = None) -> np.ndarray:
    """[DRAWS, c] bootstrap means of c figures from per-scene sums [scenes, parts, c] and counts [scenes, parts, k].

    All counts are of the same scenes in each part; figure n belongs to counts `of[n]`, by default to counts n.
    """
    _, stratum = np.unique(counts[:, :, 0] > 0, axis=0, return_inverse=True)
    stratum = stratum.reshape(-1)
    members = [np.flatnonzero(stratum == k) for k in range(stratum.max() + 1)]
    _, parts, figures = sums.shape
    both = np.concatenate([sums, counts], axis=2).reshape(len(sums), -1)
    means = np.empty((DRAWS, figures))
    for begin in range(0, DRAWS, BLOCK):
        block = slice(begin, begin + BLOCK)
        drawn = sum(resamples(len(chosen), seed, k)[block].astype(np.float64) @ both[chosen] for k, chosen in enumerate(members))
        drawn = drawn.reshape(len(drawn), parts, -1)
        totals, numbers = drawn[:, :, :figures], drawn[:, :, figures:]
        means[block] = (totals / (numbers if of is None else numbers[:, :, of])).mean(axis=1)
    return means


@functools.lru_cache(maxsize=8)
def resamples(scenes: int, seed: int = 0, stratum: int = 0) -> np.ndarray:
    """How often each of `scenes` scenes is in each draw: [DRAWS, scenes] uint8 (256 times is beyond all chance)."""
    random = generator("scene bootstrap", seed, scenes, stratum)
    times = np.empty((DRAWS, scenes), np.uint8)
    for begin in range(0, DRAWS, BLOCK):
        rows = len(times[begin : begin + BLOCK])
        drawn = random.integers(0, scenes, (rows, scenes)) + np.arange(rows)[:, None] * scenes
        times[begin : begin + BLOCK] = np.bincount(drawn.ravel(), minlength=rows * scenes).reshape(rows, scenes)
    return times


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods compared with each other over the same images.

    Attributes:
        intervals: [m] of each method's mean over its own images; None below MIN_SCENES scenes.
        differences: [m, m] the row's mean minus the column's, over the images that both have a value for; NaN where there are none.
        low, high: [m, m] their intervals; NaN below MIN_SCENES common scenes.
        values, scenes: [m, m] how many the difference is of.
    """

    intervals: list[Interval | None]
    differences: np.ndarray
    low: np.ndarray
    high: np.ndarray
    values: np.ndarray
    scenes: np.ndarray

    def interval(self, one: int, other: int) -> Interval | None:
        """Of the difference of two."""
        low, high = float(self.low[one, other]), float(self.high[one, other])
        return None if np.isnan(low) else Interval(low, high)


@dataclass(eq=False)
class _Common:
    """The images that some methods have in common: [parts, images] bool; pairs of them that share exactly these; per-scene figures."""

    masks: np.ndarray
    pairs: list[tuple[int, int]]
    methods: list[int]
    sums: np.ndarray
    counts: np.ndarray


def compare(values: np.ndarray, scenes: np.ndarray, parts: np.ndarray, seed: int = 0) -> Comparison:
    """Compare m methods over n images, every two of them on what they have in common.

    Sums a scene are formed once for all methods that have the same images, and one product draws for all of them: the difference of
    two means costs no more than a subtraction of draws.

    Args:
        values: [m, n] float, NaN where a method has none.
        scenes: [n] numbers of the scenes, from 0, in the order of their names.
        parts: [k, n] bool, over whose means the mean is formed (as `mean`); an ordinary mean has one.
    """
    m = len(values)
    intervals: list[Interval | None] = [None] * m
    differences, low, high = (np.full((m, m), np.nan) for _ in range(3))
    numbers, of_scenes = np.zeros((m, m), int), np.zeros((m, m), int)
    by_scenes: dict[bytes, list[_Common]] = {}
    for common in _commons(values, scenes, parts):
        one, other = np.array(common.pairs).T
        numbers[one, other] = numbers[other, one] = common.masks.any(axis=0).sum()
        of_scenes[one, other] = of_scenes[other, one] = (common.counts > 0).any(axis=1).sum()
        if not common.masks.any(axis=1).all():
            continue
        means = (common.sums.sum(axis=0) / common.counts.sum(axis=0)[:, None]).mean(axis=0)
        for i, j in common.pairs:
            differences[i, j] = means[common.methods.index(i)] - means[common.methods.index(j)]
            differences[j, i] = -differences[i, j]
        if ((common.counts > 0).sum(axis=0) >= MIN_SCENES).all():
            by_scenes.setdefault((common.counts > 0).tobytes(), []).append(common)
    for alike in by_scenes.values():
        for common, draws in zip(alike, _draws(alike, seed)):
            place = {method: n for n, method in enumerate(common.methods)}
            own = [i for i, j in common.pairs if i == j]
            for i, (least, most) in zip(own, _limits(draws[:, [place[i] for i in own]]).T):
                intervals[i] = Interval(float(least), float(most))
            if two := [(i, j) for i, j in common.pairs if i != j]:
                one, other = np.array(two).T
                limits = _limits(draws[:, [place[i] for i in one]] - draws[:, [place[j] for j in other]])
                low[one, other], high[one, other] = limits
                high[other, one], low[other, one] = -limits
    return Comparison(intervals, differences, low, high, numbers, of_scenes)


def _commons(values: np.ndarray, scenes: np.ndarray, parts: np.ndarray) -> list[_Common]:
    """Every two methods (and each with itself), by the images they have in common."""
    there = ~np.isnan(values)
    found: dict[bytes, tuple[np.ndarray, list[tuple[int, int]]]] = {}
    for i in range(len(values)):
        for j in range(i, len(values)):
            shared = there[i] & there[j]
            found.setdefault(np.packbits(shared).tobytes(), (shared, []))[1].append((i, j))
    size, commons = int(scenes.max()) + 1, []
    for shared, pairs in found.values():
        masks, methods = parts & shared, sorted({method for pair in pairs for method in pair})
        counts = np.stack([np.bincount(scenes[mask], minlength=size) for mask in masks], axis=1)
        sums = [[np.bincount(scenes[mask], values[method][mask], size) for method in methods] for mask in masks]
        commons.append(_Common(masks, pairs, methods, np.array(sums).transpose(2, 0, 1), counts))
    return commons


def _draws(alike: Sequence[_Common], seed: int) -> list[np.ndarray]:
    """[DRAWS, methods] a member; all have the same scenes in the same parts, so that the same scenes are drawn for all."""
    there = alike[0].counts.any(axis=1)
    of = [n for n, common in enumerate(alike) for _ in common.methods]
    sums = np.concatenate([common.sums[there] for common in alike], axis=2)
    counts = np.stack([common.counts[there] for common in alike], axis=2)
    return np.split(draw_means(sums, counts, seed, of), np.cumsum([len(common.methods) for common in alike])[:-1], axis=1)


def rank_ranges(comparison: Comparison, higher_is_better: bool) -> list[tuple[int, int] | None]:
    """The ranks each method may have: 1 + how many are better, to m - how many are worse.

    Better and worse are those alone whose difference's interval excludes zero. This "tie" is not transitive (a may equal b, and b equal
    c, while a beats c), so that no groups of equals are formed: every method has its own range, which says what its own differences
    say. Each interval holds by itself with probability LEVEL, not all at once (Mogstad et al., Inference for Ranks, 2024).

    None for methods without an interval, and for all where fewer than two have one: nothing is claimed of them.
    """
    better = comparison.low > 0 if higher_is_better else comparison.high < 0  # [one, other]; False where there is no interval
    known = [interval is not None for interval in comparison.intervals]
    first, last = 1 + better.sum(axis=0), len(known) - better.sum(axis=1)
    return [(int(low), int(high)) if there and sum(known) > 1 else None for low, high, there in zip(first, last, known)]
