"""Who chooses a cluster's coefficients: the score, with its guard; people, by precedence and majority; and files that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.datasets.retouch import choices
from benchtool.datasets.retouch.choices import Searched, median
from benchtool.datasets.retouch.retouching import IDENTITY, Coefficients
from benchtool.datasets.retouch.search import DEFAULT, Search, from_unit, rerank, shared
from benchtool.datasets.retouch.votes import Vote, read_votes

MARK = "0123456789abcdef"


def searched(scores: list[float]) -> Searched:
    """One cluster whose candidate k has alpha k / 100 (candidate 0 is the identity) and terms of its own."""
    found = [IDENTITY, *(Coefficients(alpha=k / 100) for k in range(1, len(scores)))]
    entry = {"coefficients": [c.plain() for c in found], "parent": list(range(len(scores))), "score": scores}
    entry["terms"] = np.random.default_rng(0).random((len(scores), 9)).tolist()
    return Searched({0: entry}, {0: np.array(scores)}, MARK)


def votes_of(folder: Path, text: str, name: str = "choices.csv") -> dict[int, list[Vote]]:
    (folder / name).write_text(text)
    return read_votes(folder / name, MARK, clusters=20, candidates=8)


def test_the_identity_stays_unless_clearly_beaten() -> None:
    assert searched([0.0, 0.24, -1.0]).best(0) == IDENTITY
    assert searched([0.0, 0.26, -1.0]).best(0) == Coefficients(alpha=0.01)


def test_the_sheet_shows_the_best_and_unlike_ones() -> None:
    scores = [9.0, *np.linspace(1, 0, 40)]
    shown = searched(scores).shown(0)
    assert shown[0] == 1 and len(set(shown)) == 8 and 0 not in shown and max(shown) <= choices.FROM and shown == sorted(shown)
    assert shown != list(range(1, 9))
    assert searched([0.0, 0.1, 0.3, 0.2]).shown(0) == [2, 3, 1]


def test_scores_lean_towards_their_neighbours() -> None:
    centroids = np.array([[0.0], [1.0], [10.0]])
    found = {n: {"score": score, "parent": [0, 1, 1]} for n, score in enumerate([[0.0, 1.0, 3.0], [1.0, 0.0, 9.0], [2.0, 4.0, 9.0]])}
    assert rerank(found, centroids, neighbours=1)[0].tolist() == [0.5, 0.5, 2.5]
    assert rerank(found, centroids, neighbours=2)[0].tolist() == [0.75, 1.5, 3.5]
    assert rerank({0: found[0]}, centroids)[0].tolist() == [0.0, 1.0, 3.0]


def test_candidates_are_within_the_ranges_and_differ() -> None:
    assert from_unit(DEFAULT) == Coefficients()
    points = shared(Search(64, 16, 4, 0))
    found = [from_unit(point) for point in points]
    assert (
        found[0] == Coefficients()
        and len(set(found)) == 65
        and points != shared(Search(64, 16, 4, 1))
        and points[:9] == shared(Search(8, 16, 4, 0))
    )
    assert {c.theta1[0] for c in found} == {(lam, sigma) for lam in (0.005, 0.01, 0.02, 0.05) for sigma in (2.0, 3.0, 5.0)}
    assert {c.theta4[0] for c in found} == {0.003, 0.005, 0.01} and {power for c in found for power in c.theta3} == {0.5, 1.0, 2.0}
    assert {len(c.gamma1) for c in found} == {1, 2, 3} and all(list(c.gamma2) == sorted(c.gamma2) and c.gamma2[-1] <= 1 for c in found)


def by_people(*votes: int | Coefficients | None, scores: int = 12) -> choices.Chosen | None:
    found = searched([0.0, *np.linspace(1, 0, scores)])
    return choices._by_people(0, [Vote(str(k), vote) for k, vote in enumerate(votes)], found)


def test_the_majority_counts() -> None:
    found = searched([0.0, *np.linspace(1, 0, 12)])
    chosen = by_people(3, 5, 3, None)
    assert chosen.coefficients == found.coefficients(0, found.shown(0)[2])
    assert (chosen.by, chosen.agreement, chosen.raters) == ("number", 0.667, 3)
    assert by_people(0, 0, 2).coefficients == IDENTITY


def test_a_tie_is_the_median() -> None:
    found = searched([0.0, *np.linspace(1, 0, 12)])
    alphas = [found.coefficients(0, found.shown(0)[k]).alpha for k in (0, 1)]
    chosen = by_people(1, 2)
    assert chosen.coefficients.alpha == pytest.approx(np.mean(alphas)) and chosen.agreement is None
    halfway = by_people(0, 1).coefficients
    assert halfway.gamma1 == (0.2, 0.35) and halfway.alpha == pytest.approx(alphas[0] / 2)


def test_values_come_before_numbers_and_skips_are_none() -> None:
    mine = Coefficients(alpha=0.9)
    assert by_people(3, 3, mine).coefficients == mine and by_people(3, mine).by == "values"
    assert by_people(mine, Coefficients(alpha=0.5), Coefficients(alpha=0.6)).coefficients.alpha == 0.6
    assert by_people(None, None) is None


def test_the_median_of_vectors_is_of_the_usual_length() -> None:
    values = [Coefficients(gamma1=g) for g in ((0.1, 0.2), (0.3, 0.4), (0.9,), (0.5, 0.9))]
    assert median(values).gamma1 == (0.3, 0.4)
    assert median([IDENTITY, IDENTITY]) == IDENTITY


def test_tables_and_lines_are_read(tmp_path: Path) -> None:
    head = "cluster_id,choice,rater,note,clusters\n"
    table = votes_of(
        tmp_path, head + f'3,2,ann,"nice, bright",{MARK}\n3,identity,bob,,{MARK}\n4,skip,ann,,{MARK}\n5,,,,\n3,7,ann,,{MARK}\n'
    )
    assert table == {3: [Vote("ann", 7), Vote("bob", 0)], 4: [Vote("ann", None)]}
    line = json.dumps({"cluster": 3, "gamma1": [0.4, 0.7], "alpha": 0.5, "rater": "ann", "clusters": MARK})
    assert votes_of(tmp_path, line + "\n\n", "more.jsonl") == {3: [Vote("ann", Coefficients(alpha=0.5))]}
    both = read_votes(tmp_path, MARK, 20, 8)
    assert both[3] == [Vote("ann", 7), Vote("ann", Coefficients(alpha=0.5)), Vote("bob", 0)]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "cluster_id,choice,rater,note\n3,2,ann,\n", "no column clusters"),
        ("a.csv", "cluster_id,choice,clusters\n3,2,fedcba\n", "line 2: is for the clusters 'fedcba', and these are"),
        ("a.csv", "cluster_id,choice,clusters\n3,2,\n", "line 2: is for the clusters ''"),
        ("a.csv", f"cluster_id,choice,clusters\n20,2,{MARK}\n", "cluster '20'; they are numbered 0 to 19"),
        ("a.csv", f"cluster_id,choice,clusters\n3,2,{MARK}\n3,9,{MARK}\n", "line 3: choice '9'; it is 1 to 8"),
        ("a.jsonl", "{broken\n", "line 1: not valid JSON"),
        ("a.jsonl", "[1]\n", "must be an object"),
        ("a.jsonl", json.dumps({"cluster": 3, "alpha": 9, "clusters": MARK}), "alpha (0 to 5)"),
        ("a.jsonl", json.dumps({"cluster": 3, "alpha": 1, "gama": 2, "clusters": MARK}), "'gama' is unknown"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        votes_of(tmp_path, text, name)
    assert said in str(error.value) and name in str(error.value)


def test_no_files_of_choices(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UserError, match="no file of choices"):
            read_votes(place, MARK, 20, 8)
