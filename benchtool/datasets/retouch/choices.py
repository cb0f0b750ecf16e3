"""Each cluster's coefficients: by the score, or by people, who come first; the journal of the search, and its candidates on the sheets.

A person's values come before a person's candidate number, and that before the score. Of several numbers the one with most votes counts,
in a tie, and of several values, the median.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.files import Journal, sha256_bytes
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.retouch.grouping import Grouping
from benchtool.datasets.retouch.retouching import IDENTITY, Coefficients, read_coefficients
from benchtool.datasets.retouch.scoring import VERSION
from benchtool.datasets.retouch.search import PHOTOGRAPHS, ClusterTask, Search, rerank, search_cluster, shared
from benchtool.datasets.retouch.votes import Vote, read_votes

JOURNAL = ".search.jsonl"
BETTER = 0.25  # standard deviations a candidate must be above the identity
SHOWN, FROM = 8, 24  # candidates on a sheet, of so many best


@dataclass(frozen=True)
class Chosen:
    """A cluster's coefficients and whose they are.

    Attributes:
        by: `default`, `score`, `number` or `values`.
        agreement: share of the raters who named what was chosen, None where nobody was asked, or the median was taken.
        raters: how many were.
    """

    coefficients: Coefficients
    by: str
    agreement: float | None = None
    raters: int = 0


@dataclass(frozen=True)
class Searched:
    """What the search found.

    Attributes:
        clusters: number -> `search.search_cluster`'s result.
        scores: number -> reranked scores of its candidates.
        hash: of clusters and search: a candidate's number means the same only where this is the same.
    """

    clusters: dict[int, dict[str, Any]]
    scores: dict[int, np.ndarray]
    hash: str

    def coefficients(self, number: int, candidate: int) -> Coefficients:
        """A cluster's candidate."""
        return read_coefficients(self.clusters[number]["coefficients"][candidate], f"cluster {number}")

    def best(self, number: int) -> Coefficients:
        """The identity (candidate 0), unless another is better by BETTER."""
        scores = self.scores[number]
        best = int(scores.argmax())
        return self.coefficients(number, best) if scores[best] - scores[0] >= BETTER else IDENTITY

    def shown(self, number: int) -> list[int]:
        """Candidates of the cluster's sheet: SHOWN of the FROM best, as unlike in their terms as can be, the best first."""
        scores, terms = self.scores[number], np.array(self.clusters[number]["terms"])
        order = [int(c) for c in np.argsort(-scores, kind="stable") if c != 0][:FROM]
        terms = (terms - terms.mean(axis=0)) / (terms.std(axis=0) + 1e-9)
        chosen = order[:1]
        while len(chosen) < min(SHOWN, len(order)):
            chosen.append(max((c for c in order if c not in chosen), key=lambda c: min(((terms[c] - terms[d]) ** 2).sum() for d in chosen)))
        return sorted(chosen, key=order.index)


def guard(grouping: Grouping, search: Search) -> str:
    """The hash that choices must carry."""
    return sha256_bytes(json.dumps([grouping.hash, VERSION, dataclasses.astuple(search)]).encode())[:16]


def choose(
    grouping: Grouping, photographs: Mapping[str, Path], out: Path, search: Search, auto: bool, choices: str | None, jobs: int | None
) -> tuple[dict[int, Chosen], list[Failure], list[str]]:
    """Every cluster's coefficients, what failed, and notes.

    Args:
        auto: whether the score chooses where nobody did; otherwise the default coefficients hold.
        choices: file or folder of people's choices.

    Raises:
        UserError: choices that cannot be read, or are not for these clusters.
    """
    numbers = range(len(grouping.clusters.medoids))
    votes = read_votes(Path(choices), guard(grouping, search), len(numbers), SHOWN) if choices else {}
    by_number = any(isinstance(vote.choice, int) for found in votes.values() for vote in found)
    found, failures = search_all(grouping, photographs, out, search, jobs) if auto or by_number else (None, [])
    chosen = {number: _by_score(number, found) if auto else Chosen(Coefficients(), "default") for number in numbers}
    for number, cast in votes.items():
        chosen[number] = _by_people(number, cast, found) or chosen[number]
    notes = (
        [f"coefficients of {sum(c.by in ('number', 'values') for c in chosen.values())} of {len(numbers)} clusters are people's"]
        if choices
        else []
    )
    failed = [str(number) for number in numbers if auto and chosen[number].by == "default"]
    return (
        chosen,
        failures,
        notes + ([f"the default coefficients are used for clusters that could not be searched: {', '.join(failed)}"] if failed else []),
    )


def search_all(
    grouping: Grouping, photographs: Mapping[str, Path], out: Path, search: Search, jobs: int | None
) -> tuple[Searched, list[Failure]]:
    """Search every cluster that the journal does not have."""
    mark = guard(grouping, search)
    journal = Journal(out / JOURNAL)
    found = {e["cluster"]: e for e in journal.entries if e["hash"] == mark}

    def done(name: str, result: dict[str, Any]) -> None:
        entry = {"cluster": int(name.split()[1]), "hash": mark, **result}
        journal.append(entry)
        found[entry["cluster"]] = entry

    points = shared(search)
    tasks = [
        ClusterTask(number, tuple(photographs[name] for name in grouping.members(number, PHOTOGRAPHS)), search, points)
        for number in range(len(grouping.clusters.medoids))
    ]
    items = [(f"cluster {task.number}", task) for task in tasks if task.number not in found]
    failures = run_batch(search_cluster, items, done, label="coefficients", jobs=jobs, unit="clusters") if items else []
    return Searched(found, rerank(found, grouping.clusters.centroids), mark), failures


def _by_score(number: int, found: Searched) -> Chosen:
    return Chosen(found.best(number), "score") if number in found.clusters else Chosen(Coefficients(), "default")


def _by_people(number: int, votes: Sequence[Vote], found: Searched | None) -> Chosen | None:
    """What a cluster's raters make of it, None where all of them skipped it, or it could not be searched."""
    values = [vote.choice for vote in votes if isinstance(vote.choice, Coefficients)]
    if values:
        return Chosen(median(values), "values", 1.0 if len(set(values)) == 1 else None, len(values))
    numbers = [vote.choice for vote in votes if vote.choice is not None]
    if any(numbers) and (found is None or number not in found.clusters):
        return None
    if not numbers:
        return None

    def meant(choice: int) -> Coefficients:
        return found.coefficients(number, found.shown(number)[choice - 1]) if choice else IDENTITY

    (winner, most), *others = Counter(numbers).most_common()
    if not others or others[0][1] < most:
        return Chosen(meant(winner), "number", round(most / len(numbers), 3), len(numbers))
    return Chosen(median([meant(choice) for choice in numbers]), "number", None, len(numbers))


def median(values: Sequence[Coefficients]) -> Coefficients:
    """The median of each coefficient; of vectors, among those of the most common length (the shorter in a tie).

    The identity stands for vectors of gammas 0, so it pulls the others towards the picture as it is.
    """
    others = [value for value in values if value != IDENTITY]
    if not others:
        return IDENTITY
    like = others[0]
    none = dataclasses.replace(like, gamma1=(0.0,) * len(like.gamma1), gamma2=(0.0,) * len(like.gamma2), alpha=0.0)
    plain = [(none if value == IDENTITY else value).plain() for value in values]
    return read_coefficients({name: _median([value[name] for value in plain]) for name in plain[0]}, "the median of choices")


def _median(parts: Sequence[Any]) -> Any:
    if not isinstance(parts[0], list):
        return float(np.median(parts))
    lengths = Counter(len(part) for part in parts)
    length = min(lengths, key=lambda n: (-lengths[n], n))
    return np.median([part for part in parts if len(part) == length], axis=0).tolist()
