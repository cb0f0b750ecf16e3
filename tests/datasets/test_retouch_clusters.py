"""Clusters against Lloyd's algorithm written out; histograms against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchtool.datasets.retouch import clusters
from benchtool.datasets.retouch.clusters import cluster, lloyd, plus_plus
from benchtool.datasets.retouch.histograms import features, histogram


def bumps(count: int, bins: int = 16, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    level = np.linspace(0, 1, bins)
    return 1 + np.round(500 * np.exp(-((level - chance.random((count, 1))) ** 2) / (2 * chance.uniform(0.05, 0.3, (count, 1)) ** 2)))


def slow_lloyd(points: np.ndarray, centroids: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Point by point, cluster by cluster."""
    assignment = np.full(len(points), -1)
    for _ in range(iterations):
        new = np.array([min(range(len(centroids)), key=lambda c: (((p - centroids[c]) ** 2).sum(), c)) for p in points])
        far = sorted(range(len(points)), key=lambda i: -((points[i] - centroids[new[i]]) ** 2).sum())
        for empty in sorted(set(range(len(centroids))) - set(new.tolist()), reverse=True):
            taken = next(i for i in far if (new == new[i]).sum() > 1)
            new[taken] = empty
            far.remove(taken)
        if (new == assignment).all():
            break
        assignment = new
        centroids = np.array([points[assignment == c].mean(axis=0) for c in range(len(centroids))])
    return assignment, centroids


@pytest.mark.parametrize("lost", [0, 3])
def test_lloyd_agrees_with_brute_force(lost: int) -> None:
    points = features(bumps(300)).astype(np.float64)
    start = points[:12].copy()
    start[:lost] += np.arange(1, lost + 1)[:, None] * 50  # nothing is nearest to these: they run empty
    assignment, distance, centroids, _ = lloyd(torch.from_numpy(points), torch.from_numpy(start))
    wanted, means = slow_lloyd(points, start, clusters.ITERATIONS)
    np.testing.assert_array_equal(assignment.numpy(), wanted)
    np.testing.assert_allclose(centroids.numpy(), means, atol=1e-12)
    np.testing.assert_allclose(distance.numpy(), ((points - means[wanted]) ** 2).sum(axis=1), atol=1e-12)
    assert np.bincount(wanted, minlength=12).min() > 0


def test_medoids_and_members() -> None:
    points = features(bumps(400))
    found = cluster(points, 20, seed=3)
    for number, medoid in enumerate(found.medoids):
        members = np.flatnonzero(found.assignment == number)
        distance = ((points[members] - points[members].mean(axis=0)) ** 2).sum(axis=1)
        order = members[np.argsort(distance, kind="stable")]
        assert medoid == order[0] and found.nearest(number, 4) == order[:4].tolist()


def test_the_seed_decides() -> None:
    points = features(bumps(400))
    first, again, other = (cluster(points, 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.assignment, again.assignment)
    assert (first.assignment != other.assignment).any()


def test_better_than_a_random_start() -> None:
    points = features(bumps(2_000))
    random = lloyd(torch.from_numpy(points), torch.from_numpy(points[:60].copy()), 1)[1].mean()
    assert cluster(points, 60, 0).distance.mean() < 0.9 * float(random)


@pytest.mark.parametrize(("photographs", "wanted"), [(7, 10), (10, 10), (1, 500)])
def test_no_more_clusters_than_photographs(photographs: int, wanted: int) -> None:
    found = cluster(features(bumps(photographs)), wanted, 0)
    assert len(found.medoids) == min(photographs, wanted) and sorted(np.unique(found.assignment)) == list(range(len(found.medoids)))


def test_copies_of_one_photograph() -> None:
    found = cluster(features(np.repeat(bumps(2), 10, axis=0)), 6, 0)
    assert np.bincount(found.assignment).min() > 0 and len(found.medoids) == 6


def test_plus_plus_spreads() -> None:
    groups = np.repeat(np.eye(5, dtype=np.float32) * 10, 40, axis=0) + np.random.default_rng(0).normal(0, 0.01, (200, 5)).astype(np.float32)
    chosen = plus_plus(torch.from_numpy(groups), 5, torch.Generator().manual_seed(0))
    assert sorted(chosen.argmax(dim=1).tolist()) == [0, 1, 2, 3, 4]


def test_plus_plus_draws_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "SAMPLE", 50)
    points = torch.arange(1_000.0)[:, None]
    chosen = plus_plus(points, 12, torch.Generator().manual_seed(0))
    assert len(set(chosen.flatten().tolist())) == 12


def test_histograms() -> None:
    image = np.random.default_rng(0).random((60, 80, 3)).astype(np.float32)
    assert histogram(image, 16) == np.histogram(image.max(axis=2), 16, (0, 1))[0].tolist()
    assert histogram(image, 16, "y") == np.histogram(image @ [0.299, 0.587, 0.114], 16, (0, 1))[0].tolist()
    assert histogram(np.ones((8, 8, 3), np.float32), 4) == [0, 0, 0, 64]
    assert sum(histogram(np.zeros((600, 1024, 3), np.float32))) == 150 * 256


def test_features() -> None:
    counts = np.array([[1, 0, 3], [2, 2, 0]])
    np.testing.assert_allclose(features(counts), [[0.25, 0.25, 1], [0.5, 1, 1]])
    np.testing.assert_allclose(features(counts, "raw"), [[0.25, 0, 0.75], [0.5, 0.5, 0]])
    np.testing.assert_allclose(features(counts, "sqrt") ** 2, features(counts, "raw"), atol=1e-7)
