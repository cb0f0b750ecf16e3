"""The measured figures of a column brought together image by image, so that methods are compared on the same scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchtool.core.protocol import LIMIT
from benchtool.report.frame import Scores
from benchtool.report.statistics import Comparison, Interval, compare, rank_ranges

MISSING, INFINITE, ABOVE = "without a value", "infinite", f"above {LIMIT:g} dB"


@dataclass(frozen=True, eq=False)
class Entrant:
    """A row's scores in a column.

    Attributes:
        parts: [k, n] bool, the scores over whose means its mean is formed.
    """

    scores: Scores
    parts: np.ndarray

    @property
    def together(self) -> np.ndarray:
        """[n] bool: the scores of any part."""
        return self.parts.any(axis=0)

    @property
    def pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(values, scenes) a part, of the scores that have a value."""
        there = self.parts & ~np.isnan(self.scores.values)
        return [(self.scores.values[part], self.scores.scenes[part]) for part in there]

    @property
    def has_mean(self) -> bool:
        """Whether every part has a value."""
        return all(len(values) for values, _ in self.pairs)

    @property
    def samples(self) -> int:
        """How many images it is of, each counting once whatever the number of experts."""
        return self._images(self.together)

    @property
    def failures(self) -> int:
        """Of how many of them its mean leaves out some value, or there is none."""
        return self._images(self.together & np.isnan(self.scores.values))

    @property
    def left_out(self) -> dict[str, tuple[int, str]]:
        """MISSING, INFINITE or ABOVE, as far as they occur -> how many of those images are so, and the first's reason."""
        kinds = {MISSING: self.scores.missing, INFINITE: self.scores.infinite, ABOVE: self.scores.above}
        masks = {kind: self.together & mask for kind, mask in kinds.items()}
        return {kind: (self._images(mask), self.scores.reasons[mask][0]) for kind, mask in masks.items() if mask.any()}

    @property
    def failed(self) -> int:
        """Of how many of them there is no value because a prediction or score failed."""
        return self._images(self.together & self.scores.failed)

    def _images(self, chosen: np.ndarray) -> int:
        return int(chosen.sum()) if len(self.parts) == 1 else len(set(self.scores.samples[chosen]))

    @property
    def scenes(self) -> int:
        """How many scenes they are of."""
        return len(np.unique(self.scores.scenes[self.together]))


@dataclass(frozen=True, eq=False)
class Contest:
    """The measured rows of a column.

    Attributes:
        rows: their numbers in the table, in the order of `comparison`.
        comparison: each with each.
        places: the first and last rank each may have; None where nothing can be said.
        one_version: all were measured by one version of the metric.
    """

    rows: list[int]
    comparison: Comparison
    places: list[tuple[int, int] | None]
    one_version: bool

    def difference(self, row: int, other: int) -> tuple[float, Interval | None]:
        """A row's mean minus another's, over the images both have, and its interval."""
        one, two = self.rows.index(row), self.rows.index(other)
        return float(self.comparison.differences[one, two]), self.comparison.interval(one, two)


def contest(entrants: Mapping[int, Entrant], higher_is_better: bool) -> Contest:
    """Compare the rows of a column; they are of one edition, hence of the same images, but for those without a value.

    Rows that were measured by different versions of the metric have no difference, and then no row of the column has a rank.
    """
    found = list(entrants.values())
    first = found[0].scores
    if all(np.array_equal(one.scores.keys, first.keys) for one in found):
        keys, scenes, places = first.keys, first.scenes, [slice(None)] * len(found)
    else:
        keys, where = np.unique(np.concatenate([one.scores.keys for one in found]), return_inverse=True)
        places = np.split(where, np.cumsum([len(one.scores.keys) for one in found])[:-1])
        scenes = np.unique([key.partition("\n")[0] for key in keys], return_inverse=True)[1]
    values, parts = np.full((len(found), len(keys)), np.nan), np.zeros((len(found[0].parts), len(keys)), bool)
    for line, one, place in zip(values, found, places):
        line[place] = np.where(one.together, one.scores.values, np.nan)
        parts[:, place] |= one.parts
    comparison, versions = compare(values, scenes, parts), [one.scores.versions for one in found]
    if one_version := len(frozenset.union(*versions)) == 1:
        return Contest(list(entrants), comparison, rank_ranges(comparison, higher_is_better), one_version)
    apart = np.array([[len(one | other) > 1 for other in versions] for one in versions])
    for figures in (comparison.differences, comparison.low, comparison.high):
        figures[apart] = np.nan
    return Contest(list(entrants), comparison, [None] * len(found), one_version)
