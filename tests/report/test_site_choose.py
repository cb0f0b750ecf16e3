"""Which scenes the site shows, and what they and their files are called."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from made_runs import score_rows, write_run

from benchtool.report.frame import read_results
from benchtool.report.site.choose import KINDS, choose, chosen_scenes, editions, file_names, labels, scene_values


def test_worst_median_best_of_known_values() -> None:
    values = {f"s{k}": float(k) for k in range(11)}
    assert choose(values, True, 1) == {"worst": ["s0"], "median": ["s5"], "best": ["s10"]}
    assert choose(values, True, 3) == {"worst": ["s0", "s1", "s2"], "median": ["s4", "s5", "s6"], "best": ["s8", "s9", "s10"]}
    assert choose(values, False, 1) == {"worst": ["s10"], "median": ["s5"], "best": ["s0"]}


def test_the_median_scene_has_the_median_value() -> None:
    random = np.random.default_rng(1)
    for count in (3, 7, 31):
        values = {f"s{k}": float(v) for k, v in enumerate(random.random(count))}
        for up in (True, False):
            assert values[choose(values, up, 1)["median"][0]] == np.median(list(values.values()))


def test_ties_are_in_the_order_of_names_whatever_the_order_of_the_values() -> None:
    values = dict.fromkeys("dbeacf", 1.0)
    for up in (True, False):
        assert choose(values, up, 1) == {"worst": ["a"], "median": ["c"], "best": ["f"]}
        assert choose(dict(reversed(values.items())), up, 1) == choose(values, up, 1)


def test_fewer_scenes_than_asked_are_each_shown_as_one_kind() -> None:
    values = {f"s{k}": float(k) for k in range(8)}
    found = choose(values, True, 20)
    assert found == {"worst": ["s0", "s1"], "median": ["s2", "s3", "s4", "s5"], "best": ["s6", "s7"]}
    assert choose({"a": 1.0}, True, 20) == {kind: ["a"] for kind in KINDS}
    assert choose({}, True, 20) == {kind: [] for kind in KINDS}


def test_a_scenes_value_is_the_mean_over_its_finite_samples(tmp_path: Path) -> None:
    rows = score_rows("me", 3)
    psnr = [row for row in rows if row["metric"] == "psnr"]
    psnr[0]["value"] = math.inf
    for row in psnr[5:10]:
        row["value"] = math.inf  # every exposure of the second scene
    write_run(tmp_path / "clahe", rows=rows)
    (evaluation,) = read_results([tmp_path]).evaluations
    values = scene_values(evaluation, "psnr:rgb-u8")
    assert set(values) == {"a9000", "a9002"}
    assert values["a9000"] == pytest.approx(np.mean([row["value"] for row in psnr[1:5]]))


def test_chosen_by_the_protocols_first_metric_and_every_scene_where_asked(tmp_path: Path) -> None:
    rows = score_rows("me", 9)
    for row in rows:
        if row["metric"] == "psnr":
            row["value"] = 10.0 + int(row["scene"][1:]) - 9000
        else:
            row["value"] = -row["value"]
    write_run(tmp_path / "clahe", rows=rows)
    ((_, methods),) = editions(read_results([tmp_path]).evaluations).items()
    assert chosen_scenes(methods, 1) == {
        "a9000": {"clahe": ["worst"]}, "a9004": {"clahe": ["median"]}, "a9008": {"clahe": ["best"]},
    }  # fmt: skip
    assert len(chosen_scenes(methods, None)) == 9


@pytest.mark.parametrize("field", ["dataset", "variant", "fingerprint", "split", "protocol", "target"])
def test_only_one_edition_is_shown_together(tmp_path: Path, field: str) -> None:
    rows = score_rows("me", 3)
    other = {"dataset": "sice", "variant": "x", "fingerprint": "e" * 64, "split": "val", "protocol": "niid", "target": "expert_a"}[field]
    write_run(tmp_path / "one", "clahe", rows=rows)
    rows = [{**row, "expert": other} if field == "target" else row for row in rows]
    write_run(tmp_path / "two", "identity", rows=rows, **{"target": "expert_c", field: other})
    found = editions(read_results([tmp_path]).evaluations)
    assert len(found) == 2 and len({edition.folder for edition in found}) == 2


def test_runs_called_the_same_are_told_apart(tmp_path: Path) -> None:
    for place in ("x/run", "y/run", "z"):
        write_run(tmp_path / place, "clahe", scenes=2)
    write_run(tmp_path / "w", "identity", scenes=2)
    names = labels(sorted(read_results([tmp_path]).evaluations, key=lambda e: str(e.folder)))
    assert len(set(names)) == 4 and names[0] == "identity" and names[3] == "clahe (z)"


def test_file_names_are_safe_and_never_equal_but_for_case() -> None:
    names = ["a9001", "A9001", "../x", "index", "<script>", "a b", "ä", "x" * 200, "", "con", "a."]
    found = file_names(names)
    assert found["A9001"] == "A9001" and found["a9001"] == "x-" + hashlib.sha256(b"a9001").hexdigest()[:16]
    assert len({name.lower() for name in found.values()}) == len(names)
    assert all(f"{name}.html".isascii() and not set(name) & set("/\\<>\"'& ~#%?:") and 0 < len(name) < 100 for name in found.values())
    assert "index" not in found.values()
