"""Run folders: found, checked, and left out by name where malformed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import expert_rows, score_rows, write_run, write_scores

from benchtool.core.errors import UserError
from benchtool.report.frame import read_results, read_run


def edit(run: Path, **changes: object) -> None:
    """Change the evaluation's fields in summary.json."""
    summary = json.loads((run / "summary.json").read_text())
    summary["evaluations"][0].update(changes)
    (run / "summary.json").write_text(json.dumps(summary))


def test_finds_runs_at_most_four_folders_deep_and_nothing_inside_one(tmp_path: Path) -> None:
    for place in ("one", "a/b/c/four", "a/b/c/d/five", "one/inside"):
        write_run(tmp_path / place)
    results = read_results([tmp_path, tmp_path])
    assert sorted(e.folder.relative_to(tmp_path).as_posix() for e in results.evaluations) == ["a/b/c/four", "one"]
    assert results.runs == 2 and results.unreadable == []
    assert [e.folder for e in read_results([tmp_path / "one"]).evaluations] == [tmp_path / "one"]


def test_does_not_follow_links(tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere" / "run")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    assert read_results([tmp_path / "runs"]).evaluations == []


def test_newest_comes_first(tmp_path: Path) -> None:
    write_run(tmp_path / "old", finished="2026-01-01T12:00:00+00:00")
    write_run(tmp_path / "new", finished="2026-01-01T12:00:00+01:00")
    write_run(tmp_path / "newest", finished="2026-01-01T12:00:01+00:00")
    assert [e.run.rpartition("/")[2] for e in read_results([tmp_path]).evaluations] == ["newest", "old", "new"]


def test_scores_are_those_of_the_metric_the_target_and_the_evaluation(tmp_path: Path) -> None:
    rows = score_rows("me", 6, seed=1)
    other_target = [{**r, "expert": "expert_a", "value": 0.0} for r in rows]
    other_data = [{**r, "fingerprint": "another", "value": 0.0} for r in rows]
    write_run(tmp_path / "run", rows=rows + other_target + other_data, samples=30)
    evaluation = read_results([tmp_path]).evaluations[0]
    scores = evaluation.scores("psnr:rgb-u8")
    assert scores.values.tolist() == [r["value"] for r in rows if r["metric"] == "psnr"]
    assert scores.exposures.tolist() == [r["exposure"] for r in rows if r["metric"] == "psnr"]
    assert [f"a{9000 + s}" for s in scores.scenes] == [r["scene"] for r in rows if r["metric"] == "psnr"]
    assert evaluation.scenes == 6 and scores.versions == {"1"} and set(scores.reasons) == {""}
    assert evaluation.scores("psnr:y") is None


def test_a_score_without_value_is_missing_whatever_number_stands_there(tmp_path: Path) -> None:
    rows = [r for r in score_rows("me", 5) if r["metric"] == "psnr"]
    rows[3] |= {"status": "failed", "value": 12.0, "reason": "no prediction"}
    rows[4] |= {"value": np.inf}
    rows[5] |= {"status": "n/a", "value": None, "reason": "flat"}
    write_run(tmp_path / "run", rows=rows)
    scores = read_results([tmp_path]).evaluations[0].scores("psnr:rgb-u8")
    assert np.flatnonzero(np.isnan(scores.values)).tolist() == [3, 4, 5]
    assert np.flatnonzero(scores.failed).tolist() == [3]
    assert np.flatnonzero(scores.missing).tolist() == [3, 5] and np.flatnonzero(scores.infinite).tolist() == [4]
    assert scores.reasons[2:7].tolist() == ["", "no prediction", "infinite: no difference to the target", "flat", ""]


@pytest.mark.parametrize(("protocol", "left_out"), [("enc", []), ("fecnet-script", [3]), ("of-another-version", [])])
def test_the_protocol_says_what_means_take_in(protocol: str, left_out: list[int], tmp_path: Path) -> None:
    rows = score_rows("me", 5)
    rows[3] |= {"value": 120.0}
    rows[30] |= {"value": 120.0}
    assert rows[30]["metric"] == "ssim"
    write_run(tmp_path / "run", rows=rows, protocol=protocol)
    evaluation = read_results([tmp_path]).evaluations[0]
    psnr, ssim = evaluation.scores("psnr:rgb-u8"), evaluation.scores("ssim:gray-uniform7")
    assert np.flatnonzero(np.isnan(psnr.values)).tolist() == np.flatnonzero(psnr.above).tolist() == left_out
    assert psnr.measured[3] == 120 and not ssim.above.any() and not np.isnan(ssim.values).any()


def test_an_interrupted_evaluation_is_named_and_not_used(tmp_path: Path) -> None:
    write_run(tmp_path / "run", complete=False)
    results = read_results([tmp_path])
    assert results.evaluations == [] and results.unfinished == [(str(tmp_path / "run"), "me")]


def test_a_trained_run_that_was_not_evaluated_is_no_error(tmp_path: Path) -> None:
    write_run(tmp_path / "run", "sid", "sid")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    del summary["evaluations"]
    (tmp_path / "run" / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "run" / "scores.parquet").unlink()
    assert read_results([tmp_path]).unreadable == []


def break_json(run: Path) -> None:
    (run / "summary.json").write_text("{")


def break_schema(run: Path) -> None:
    (run / "summary.json").write_text(json.dumps({"schema": 2, "run": "run", "method": "clahe"}))


def break_time(run: Path) -> None:
    edit(run, finished="yesterday")


def lose_summary(run: Path) -> None:
    (run / "summary.json").unlink()


def lose_scores(run: Path) -> None:
    (run / "scores.parquet").unlink()


def cut_scores(run: Path) -> None:
    data = (run / "scores.parquet").read_bytes()
    (run / "scores.parquet").write_bytes(data[: len(data) // 2])


def lose_rows(run: Path) -> None:
    edit(run, samples=31)


def double_rows(run: Path) -> None:
    rows = score_rows("me", 6)
    key = {"dataset": "me", "fingerprint": "f" * 64, "split": "test", "protocol": "enc", "checkpoint": None}
    write_scores(run / "scores.parquet", [{**key, **row} for row in rows + rows[:1]])


def lose_column(run: Path) -> None:
    write_scores(run / "scores.parquet", [{"sample": "a", "value": 1.0}])


def other_data(run: Path) -> None:
    edit(run, fingerprint="of other data")


BREAKS = {
    break_json: "summary.json: not valid JSON",
    break_schema: "summary.json: schema",
    break_time: "evaluations.0.finished",
    lose_summary: "summary.json: no such file",
    lose_scores: "scores.parquet: no such file",
    cut_scores: "scores.parquet: damaged",
    lose_rows: "30 samples scored by psnr on me, 31 in summary.json",
    double_rows: "evaluate again",
    lose_column: "scores.parquet: damaged",
    other_data: "0 samples scored by any metric",
}


@pytest.mark.parametrize("harm", BREAKS, ids=lambda f: f.__name__)
def test_a_malformed_run_is_named_and_the_others_are_read(harm, tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    write_run(tmp_path / "bad")
    harm(tmp_path / "bad")
    results = read_results([tmp_path])
    assert [e.folder.name for e in results.evaluations] == ["good"]
    assert len(results.unreadable) == 1
    assert str(tmp_path / "bad") in results.unreadable[0] and BREAKS[harm] in results.unreadable[0]
    with pytest.raises(UserError):
        read_run(tmp_path / "bad")


def test_what_a_terminal_would_obey_is_not_passed_on(tmp_path: Path) -> None:
    rows = [{**r, "status": "failed", "value": None, "reason": "bad\x1b[2Jfile"} for r in score_rows("me", 5)]
    write_run(tmp_path / "run", rows=rows)
    assert read_results([tmp_path]).evaluations[0].scores("psnr:rgb-u8").reasons[0] == "bad?[2Jfile"


def test_rows_against_every_target_of_an_evaluation_are_its(tmp_path: Path) -> None:
    rows = expert_rows("me", 6, ("expert_a", "expert_b", "expert_c"))
    write_run(tmp_path / "run", rows=rows, target="expert_a+expert_c")
    evaluation = read_results([tmp_path]).evaluations[0]
    assert evaluation.entry.roles == ("expert_a", "expert_c")
    scores = evaluation.scores("psnr:rgb-u8")
    expected = [r for r in rows if r["metric"] == "psnr" and r["expert"] != "expert_b"]
    assert scores.values.tolist() == [r["value"] for r in expected]
    assert scores.experts.tolist() == [r["expert"] for r in expected] and scores.samples.tolist() == [r["sample"] for r in expected]
    assert len(set(scores.keys)) == 60


@pytest.mark.parametrize("lost", ["all of one expert", "one sample of one expert"])
def test_an_evaluation_lacking_rows_against_an_expert_is_named(lost: str, tmp_path: Path) -> None:
    rows = expert_rows("me", 6, ("expert_a", "expert_b"))
    kept = [r for r in rows if r["expert"] == "expert_a"] if lost.startswith("all") else [r for r in rows if r is not rows[-1]]
    write_run(tmp_path / "run", rows=kept, target="expert_a+expert_b", samples=30)
    results = read_results([tmp_path])
    assert results.evaluations == [] and "against expert_b on me, 30 in summary.json" in results.unreadable[0]
