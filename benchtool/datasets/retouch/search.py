"""Which coefficients suit a cluster by `scoring`: a fixed set for all clusters, then some near the best, on a few of its photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.seeds import generator, seed_of
from benchtool.datasets.retouch.histograms import read_photograph, reduced
from benchtool.datasets.retouch.retouching import IDENTITY, Coefficients, Retoucher
from benchtool.datasets.retouch.scoring import Judge, standard_scores

LAMBDAS, SIGMAS = (0.005, 0.01, 0.02, 0.05), (2.0, 3.0, 5.0)
EXPONENTS = (0.5, 1.0, 2.0)
DETAIL_LAMBDAS, DETAIL_SIGMAS = (0.003, 0.005, 0.01), (1.0, 2.0, 3.0)
SIDE = 320  # pixels of the longer side of the photographs looked at
PHOTOGRAPHS = 5  # the medoid and its nearest members
NEAR = 0.12  # deviation of refinements from the best, in units of each range
# The point of the unit cube that is the default: lambda, sigma twice; number of gammas and three gammas, twice; theta3; alpha; theta4
DEFAULT = (0.375, 0.5, 0.375, 0.5, 0.5, 0.4, 0.7, 0.5, 0.5, 0.4, 0.7, 0.5, 0.5, 0.5, 0.5, 0.25, 0.5, 0.5)


@dataclass(frozen=True)
class Search:
    """How many coefficients are tried: `candidates` of a Sobol sequence besides identity and default, then `refinements` of the best."""

    candidates: int
    refinements: int
    reduce: int
    seed: int


@dataclass(frozen=True)
class ClusterTask:
    """A cluster to search for, its photographs to judge by, and the points `shared` draws."""

    number: int
    paths: tuple[Path, ...]
    search: Search
    points: tuple[tuple[float, ...], ...]


def shared(search: Search) -> tuple[tuple[float, ...], ...]:
    """The points of the unit cube that all clusters try: DEFAULT, then a scrambled Sobol sequence."""
    import torch  # not in the workers, which start faster without

    sobol = torch.quasirandom.SobolEngine(len(DEFAULT), scramble=True, seed=seed_of(search.seed, "candidates") % 2**31)
    drawn = sobol.draw(search.candidates, dtype=torch.float64).tolist() if search.candidates else []
    return DEFAULT, *map(tuple, drawn)


def from_unit(point: Sequence[float]) -> Coefficients:
    """Coefficients from a point of the unit cube; its coordinates as in DEFAULT."""
    l1, s1, l2, s2, n1, a1, b1, c1, n2, a2, b2, c2, *theta3, alpha, l4, s4 = point

    def gammas(number: float, *values: float) -> tuple[float, ...]:
        return tuple(sorted(round(value, 3) for value in values[: 1 + min(int(number * 3), 2)]))

    return Coefficients(
        theta1=((_step(LAMBDAS, l1), _step(SIGMAS, s1)),),
        theta2=((_step(LAMBDAS, l2), _step(SIGMAS, s2)),),
        theta3=tuple(_step(EXPONENTS, power) for power in theta3),
        theta4=(_step(DETAIL_LAMBDAS, l4), _step(DETAIL_SIGMAS, s4)),
        gamma1=gammas(n1, a1, b1, c1),
        gamma2=gammas(n2, a2, b2, c2),
        alpha=round(alpha, 3),
    )


def _step(values: Sequence[float], unit: float) -> float:
    return values[min(int(unit * len(values)), len(values) - 1)]


def search_cluster(task: ClusterTask) -> dict[str, Any]:
    """Try the identity, the shared candidates and some near the best of these on the cluster's photographs. Runs in a worker.

    Returns:
        JSON-able: `coefficients` of each candidate, `parent` (itself, or the shared candidate it refines), `score`, and `terms`,
        its mean over the photographs.

    Raises:
        UserError: a photograph cannot be read.
    """
    judges = [_Photograph(path, task.search.reduce) for path in task.paths]
    found = [IDENTITY, *map(from_unit, task.points)]
    terms = np.array([[photograph.measure(c) for c in found] for photograph in judges])
    best = 1 + int(standard_scores(terms)[1:].argmax())  # the identity has no neighbours
    more = _near(task.points[best - 1], task)
    if more:
        terms = np.concatenate([terms, [[photograph.measure(c) for c in more] for photograph in judges]], axis=1)
    return {
        "coefficients": [c.plain() for c in (*found, *more)],
        "parent": [*range(len(found)), *[best] * len(more)],
        "score": standard_scores(terms).round(5).tolist(),
        "terms": terms.mean(axis=0).round(6).tolist(),
    }


class _Photograph:
    """A photograph at SIDE, and its judge."""

    def __init__(self, path: Path, reduce: int) -> None:
        image = read_photograph(path)
        small = reduced(image, SIDE)
        self._retoucher = Retoucher(small, reduce, scale=max(image.shape[:2]) / max(small.shape[:2]))
        self._judge = Judge(small, self._retoucher.stack(Coefficients()))

    def measure(self, coefficients: Coefficients) -> list[float]:
        return self._judge.measure(self._retoucher.retouch(coefficients))


def _near(point: Sequence[float], task: ClusterTask) -> list[Coefficients]:
    """Coefficients near `point`, the same ones whenever this cluster is searched."""
    chance = generator(task.search.seed, "refine", task.number)
    moved = np.asarray(point) + NEAR * chance.standard_normal((task.search.refinements, len(point)))
    return [from_unit(row) for row in np.clip(moved, 0, 1).tolist()]


def rerank(found: Mapping[int, Mapping[str, Any]], centroids: np.ndarray, neighbours: int = 8) -> dict[int, np.ndarray]:
    """Scores of each cluster's candidates, halfway to what the shared ones score in the clusters with the nearest centroids.

    A refinement moves as the candidate it refines. It changes the order only: nothing new is tried.
    """
    result = {}
    for number, own in found.items():
        distance = ((centroids - centroids[number]) ** 2).sum(axis=1)
        near = [int(n) for n in np.argsort(distance, kind="stable") if n != number and int(n) in found][:neighbours]
        score, parent = np.array(own["score"]), np.array(own["parent"])
        around = np.mean([np.array(found[n]["score"])[parent] for n in near], axis=0) if near else score[parent]
        result[number] = score + (around - score[parent]) / 2
    return result
