"""How sure a mean is: percentile intervals from a bootstrap over scenes.

The images of a scene are exposures of one photograph and anything but independent, so that whole scenes are drawn with
replacement and the mean over images is computed anew (the cluster bootstrap; Davison and Hinkley, Bootstrap Methods and
their Application, 1997).
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
    means = draw_means(sums, counts, seed)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


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


def draw_means(sums: np.ndarray, counts: np.ndarray, seed: int = 0) -> np.ndarray:
    """[DRAWS] bootstrap means from per-scene sums and counts [scenes, parts]."""
    _, stratum = np.unique(counts > 0, axis=0, return_inverse=True)
    stratum = stratum.reshape(-1)
    members = [np.flatnonzero(stratum == k) for k in range(stratum.max() + 1)]
    both = np.hstack([sums, counts])
    means = np.empty(DRAWS)
    for begin in range(0, DRAWS, BLOCK):
        block = slice(begin, begin + BLOCK)
        drawn = sum(resamples(len(chosen), seed, k)[block].astype(np.float64) @ both[chosen] for k, chosen in enumerate(members))
        means[block] = (drawn[:, : sums.shape[1]] / drawn[:, sums.shape[1] :]).mean(axis=1)
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
