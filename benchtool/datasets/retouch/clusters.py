"""Photographs grouped by their histograms: Lloyd's k-means from a k-means++ start, empty clusters re-seeded, a medoid each.

NIID (Sec. 4) has 500 clusters of COCO; one picture of each is retouched, and its coefficients serve all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SAMPLE = 20_000  # photographs k-means++ chooses from
ITERATIONS = 20
CHUNK = 4_096  # rows whose distances are held at once


@dataclass(frozen=True)
class Clusters:
    """A grouping of N photographs.

    Attributes:
        centroids: K x D; assignment: N, each photograph's cluster, none of them empty.
        distance: N, squared, to the centroid.
        medoids: K, the photograph nearest to each centroid.
        iterations: done before nothing changed, or ITERATIONS.
    """

    centroids: np.ndarray
    assignment: np.ndarray
    distance: np.ndarray
    medoids: np.ndarray
    iterations: int

    def nearest(self, cluster: int, count: int) -> list[int]:
        """A cluster's members, the medoid first, then by distance from the centroid; at most `count`."""
        members = np.flatnonzero(self.assignment == cluster)
        return members[np.lexsort((members, self.distance[members]))][:count].tolist()


def cluster(features: np.ndarray, count: int, seed: int) -> Clusters:
    """Group N x D features into `count` clusters, or N where there are fewer.

    The result depends on the features and the seed, and in ties of the last bit on the machine.
    """
    points = torch.from_numpy(np.ascontiguousarray(features))
    chance = torch.Generator().manual_seed(seed % 2**63)
    centroids = plus_plus(points, min(count, len(points)), chance)
    assignment, distance, centroids, iterations = lloyd(points, centroids)
    order = np.lexsort((np.arange(len(points)), distance.numpy(), assignment.numpy()))
    medoids = order[np.unique(assignment.numpy()[order], return_index=True)[1]]
    return Clusters(centroids.numpy(), assignment.numpy(), distance.numpy(), medoids, iterations)


def plus_plus(points: Tensor, count: int, chance: torch.Generator) -> Tensor:
    """k-means++ (Arthur and Vassilvitskii, 2007): each start is drawn by its squared distance from those before.

    The draws are from at most SAMPLE points, or 4 a cluster where that is more.
    """
    size = max(SAMPLE, 4 * count)
    if len(points) > size:
        points = points[torch.randperm(len(points), generator=chance)[:size]]
    squares = (points * points).sum(dim=1)
    chosen = [int(torch.randint(len(points), (1,), generator=chance))]
    nearest = torch.full((len(points),), torch.inf, dtype=points.dtype)
    for _ in range(count - 1):
        last = points[chosen[-1]]
        nearest = torch.minimum(nearest, (squares - 2 * (points @ last) + last @ last).clamp(min=0))
        nearest[chosen[-1]] = 0  # never twice
        reach = torch.cumsum(nearest.double(), 0)
        drawn = int(torch.searchsorted(reach, torch.rand((), generator=chance, dtype=torch.float64) * reach[-1], right=True))
        if drawn >= len(points) or not nearest[drawn] > 0:  # nothing but copies is left: any that is not taken
            taken = set(chosen)
            drawn = next(i for i in range(len(points)) if i not in taken)
        chosen.append(drawn)
    return points[chosen].clone()


def lloyd(points: Tensor, centroids: Tensor, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor, Tensor, int]:
    """Full-batch Lloyd from these centroids until nothing changes; a cluster that runs empty takes the point farthest from its own.

    Returns:
        assignment (N), squared distance (N), centroids (K x D), each the mean of its members as assigned, and the iterations done.
    """
    before = None
    done = 0
    while done < iterations:
        done += 1
        assignment, distance = _assign(points, centroids)
        assignment = _fill_empty(assignment, distance, len(centroids))
        if before is not None and torch.equal(assignment, before):
            break
        centroids, before = _means(points, assignment, len(centroids)), assignment
    return assignment, ((points - centroids[assignment]) ** 2).sum(dim=1), centroids, done


def _assign(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each point, the first among equals, and the squared distance."""
    constant = (centroids * centroids).sum(dim=1)
    found = [torch.addmm(constant, chunk, centroids.T, alpha=-2).min(dim=1) for chunk in points.split(CHUNK)]
    squares = (points * points).sum(dim=1)
    return torch.cat([f.indices for f in found]), (torch.cat([f.values for f in found]) + squares).clamp(min=0)


def _fill_empty(assignment: Tensor, distance: Tensor, count: int) -> Tensor:
    """`assignment` with each empty cluster given the farthest point of a cluster that keeps another."""
    sizes = torch.bincount(assignment, minlength=count)
    empty = torch.nonzero(sizes == 0).flatten().tolist()
    if not empty:
        return assignment
    assignment = assignment.clone()
    for point in torch.argsort(distance, descending=True, stable=True).tolist():
        if sizes[assignment[point]] > 1:
            sizes[assignment[point]] -= 1
            assignment[point] = empty.pop()
            if not empty:
                break
    return assignment


def _means(points: Tensor, assignment: Tensor, count: int) -> Tensor:
    sums = torch.zeros((count, points.shape[1]), dtype=torch.float64).index_add_(0, assignment, points.double())
    return (sums / torch.bincount(assignment, minlength=count)[:, None]).to(points.dtype)
