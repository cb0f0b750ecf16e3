"""The first two steps of the retouched set: every photograph's histogram, kept in a journal, and their clusters in `clusters.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.files import Journal, read_json, sha256_bytes, write_json
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.retouch.clusters import Clusters, cluster
from benchtool.datasets.retouch.histograms import CountTask, count_file, features, stamp

JOURNAL, FILE = ".histograms.jsonl", "clusters.json"


@dataclass(frozen=True)
class Features:
    """What photographs are grouped by: `histograms.histogram` and `.features`, and how many groups are wanted."""

    clusters: int
    bins: int
    kind: Literal["cdf", "sqrt", "raw"]
    channel: Literal["v", "y"]
    seed: int


@dataclass(frozen=True)
class Grouping:
    """Photographs in clusters.

    Attributes:
        names: of the photographs, sorted; `clusters` numbers them so.
        hash: of `clusters.json`: equal hashes, the same clusters of the same photographs.
    """

    names: list[str]
    clusters: Clusters
    hash: str

    def cluster_of(self) -> dict[str, int]:
        """Name -> cluster."""
        return dict(zip(self.names, self.clusters.assignment.tolist()))

    def members(self, number: int, count: int) -> list[str]:
        """The medoid of a cluster and its nearest members."""
        return [self.names[i] for i in self.clusters.nearest(number, count)]


def group(photographs: Mapping[str, Path], out: Path, how: Features, jobs: int | None) -> tuple[Grouping | None, list[Failure]]:
    """Group photographs, name -> file; what an interrupted call counted is taken from its journal, and whole clusters from their file.

    Returns:
        The grouping, None where nothing could be read, and the photographs that could not.
    """
    counted, failures = _count(photographs, out, how, jobs)
    if not counted:
        return None, failures
    names = sorted(counted)
    table = np.array([counted[name] for name in names], np.int64)
    made_of = {**asdict(how), "histograms": sha256_bytes("\n".join(names).encode() + table.tobytes())}
    path = out / FILE
    if not path.is_file() or read_json(path).get("made_of") != made_of:
        found = cluster(features(table, how.kind), how.clusters, how.seed)
        write_json(path, _plain(names, found, made_of))
    return _read(path), failures


def _count(photographs: Mapping[str, Path], out: Path, how: Features, jobs: int | None) -> tuple[dict[str, list[int]], list[Failure]]:
    journal = Journal(out / JOURNAL)
    settings = [how.bins, how.channel]
    marks = {name: stamp(path) for name, path in photographs.items()}
    counted = {e["name"]: e["histogram"] for e in journal.entries if e["settings"] == settings and marks.get(e["name"]) == e["stamp"]}

    def done(name: str, found: list[int]) -> None:
        journal.append({"name": name, "settings": settings, "stamp": marks[name], "histogram": found})
        counted[name] = found

    items = [(name, CountTask(path, how.bins, how.channel)) for name, path in photographs.items() if name not in counted]
    return counted, run_batch(count_file, items, done, label="histograms", jobs=jobs, unit="img") if items else []


def _plain(names: list[str], found: Clusters, made_of: dict[str, Any]) -> dict[str, Any]:
    members = zip(names, found.assignment.tolist(), found.distance.astype(np.float64).round(9).tolist())
    return {
        "schema": 1,
        "made_of": made_of,
        "iterations": found.iterations,
        "sizes": np.bincount(found.assignment).tolist(),
        "medoids": [names[i] for i in found.medoids],
        "centroids": found.centroids.astype(np.float64).round(7).tolist(),
        "photographs": {name: [number, distance] for name, number, distance in members},
    }


def _read(path: Path) -> Grouping:
    raw = path.read_bytes()
    try:
        kept = json.loads(raw)
        names = list(kept["photographs"])
        assignment, distance = zip(*kept["photographs"].values())
        order = {name: i for i, name in enumerate(names)}
        medoids = np.array([order[name] for name in kept["medoids"]])
        found = Clusters(np.array(kept["centroids"]), np.array(assignment), np.array(distance), medoids, kept["iterations"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}); delete it to group the photographs anew") from None
    return Grouping(names, found, sha256_bytes(raw))
