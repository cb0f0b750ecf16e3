"""Several targets in one evaluation: one prediction, a score against each, means over images and then over targets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.core.manifest import Dataset, write_dataset
from benchtool.evaluation import evaluate as module
from benchtool.evaluation.evaluate import Outcome, evaluate
from benchtool.evaluation.scores import Row, read_rows

pytestmark = pytest.mark.usefixtures("in_process")
METRICS = ["psnr:rgb-u8", "loe:full"]
FIVE = "+".join(f"expert_{letter}" for letter in "abcde")


@pytest.fixture
def experts(dataset: Dataset, store: Callable) -> Dataset:
    """The small dataset with experts a to e for every scene, each darker than the one before."""
    samples = []
    for sample in dataset.samples:
        pixels = read_image(dataset.folder / f"{sample.scene}_c.png")
        targets = [
            store(dataset.folder, f"{sample.scene}_{letter}5.png", (pixels * 0.9**n).astype(np.uint8), role=f"expert_{letter}")
            for n, letter in enumerate("abcde")
        ]
        samples.append(dataclasses.replace(sample, targets=tuple(targets)))
    return write_dataset(dataset.folder, dataset.facts, samples)


def run_msec(dataset: Dataset, **changes: Any) -> Outcome:
    """Identity under MSEC's protocol, less PI, which needs another package."""
    given = {"protocol": "msec", "metric_keys": METRICS, "out": dataset.folder.parent / "identity", **changes}
    return evaluate("identity", dataset.folder, **given)


def rows_of(outcome: Outcome, **where: Any) -> list[Row]:
    return [row for row in read_rows(outcome.folder / "scores.parquet") if all(row[k] == v for k, v in where.items())]


def test_a_row_for_each_target(experts: Dataset) -> None:
    outcome = run_msec(experts)
    assert outcome.entry["target"] == FIVE and (outcome.predicted, outcome.scored) == (6, 6) and not outcome.failures
    assert len(rows_of(outcome)) == 6 * 2 * 5
    for row in rows_of(outcome, metric="psnr"):
        output = read_image(outcome.folder / outcome.entry["predictions"] / f"{row['sample']}.png")
        target = read_image(experts.folder / f"{row['scene']}_{row['expert'][-1]}5.png")
        assert row["value"] == pytest.approx(peak_signal_noise_ratio(target, output))
    for sample in experts.split("test"):
        values = {(row["value"], row["target_sha256"]) for row in rows_of(outcome, metric="loe", sample=sample.sample)}
        assert len(values) == 1 and len(rows_of(outcome, metric="loe", sample=sample.sample)) == 5, "no reference: the same row in each"


def test_means_over_images_then_over_experts(experts: Dataset) -> None:
    outcome = run_msec(experts, protocol="enc", target=FIVE)
    values = {(row["expert"], row["sample"]): row["value"] for row in rows_of(outcome, metric="psnr")}
    assert {key for key, value in values.items() if np.isinf(value)} == {("expert_a", "a_0"), ("expert_a", "b_0")}
    of_expert = {
        letter: np.mean([v for (expert, _), v in values.items() if expert == f"expert_{letter}" and np.isfinite(v)]) for letter in "abcde"
    }
    entry = outcome.entry
    for letter, value in of_expert.items():
        assert entry["experts"][f"expert_{letter}"]["psnr:rgb-u8"]["all"] == pytest.approx(value)
    assert entry["means"]["psnr:rgb-u8"]["all"] == pytest.approx(np.mean(list(of_expert.values())))
    finite = [value for value in values.values() if np.isfinite(value)]
    assert entry["means"]["psnr:rgb-u8"]["all"] != pytest.approx(np.mean(finite), abs=1e-3), "expert a has fewer finite values: it tells"
    assert set(entry["means"]["psnr:rgb-u8"]) == {"all", "under", "over"} and entry["excluded"] == {"psnr:rgb-u8": {"infinite": 2}}


def test_what_a_target_has_no_value_for_has_no_mean(dataset: Dataset) -> None:
    outcome = run_msec(dataset, protocol="enc", target="expert_c+expert_e", metric_keys=["psnr"])  # expert e is scene a's alone
    assert {r["status"] for r in rows_of(outcome, expert="expert_e", scene="b")} == {"n/a"}
    assert outcome.entry["excluded"]["psnr:rgb-u8"] == {"n/a": 3, "infinite": 2}
    both = [outcome.entry["experts"][f"expert_{letter}"]["psnr:rgb-u8"]["under"] for letter in "ce"]
    assert outcome.entry["means"]["psnr:rgb-u8"]["under"] == pytest.approx(np.mean(both))
    only_b = dataclasses.replace(dataset, samples=[s for s in dataset.samples if s.scene != "a" or s.exposure > 0])
    write_dataset(dataset.folder, dataset.facts, only_b.samples)
    outcome = run_msec(dataset, protocol="enc", target="expert_c+expert_e", metric_keys=["psnr"])
    assert "under" in outcome.entry["experts"]["expert_c"]["psnr:rgb-u8"] and "under" not in outcome.entry["means"]["psnr:rgb-u8"]


def test_no_score_is_computed_twice(experts: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare, tasks = module.compare, []

    def interrupted(comparison: Any) -> Any:
        tasks.extend((comparison.prediction.stem, *task) for task in comparison.tasks)
        if len(tasks) > 3 * 6 and len(tasks) <= 4 * 6:
            raise KeyboardInterrupt
        return compare(comparison)

    monkeypatch.setattr(module, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_msec(experts)
    stopped, done = len(tasks) - 6, tasks[:-6]
    outcome = run_msec(experts)
    assert (outcome.predicted, outcome.scored) == (0, 3) and stopped == 3 * 6, "five PSNRs and one LOE a sample"
    assert len(set(done + tasks[stopped + 6 :])) == len(done + tasks[stopped + 6 :]) == 6 * 6
    whole = run_msec(experts, out=tmp_path / "again" / "identity")
    assert (outcome.folder / "scores.parquet").read_bytes() == (whole.folder / "scores.parquet").read_bytes()
    before = (outcome.folder / "scores.parquet").read_bytes(), (outcome.folder / "summary.json").read_bytes()
    again = run_msec(experts)
    assert (again.predicted, again.scored) == (0, 0)
    assert before == ((outcome.folder / "scores.parquet").read_bytes(), (outcome.folder / "summary.json").read_bytes())


def test_scores_of_one_target_serve_several(experts: Dataset) -> None:
    run_msec(experts, protocol="enc", target="expert_b")
    outcome = run_msec(experts, protocol="rsnet", target="expert_b+expert_d", metric_keys=["psnr"])
    assert (outcome.predicted, outcome.scored) == (0, 6)
    outcome = run_msec(experts, protocol="fecnet-script", target="expert_b+expert_d", metric_keys=["psnr"])
    assert outcome.scored == 0
    entries = json.loads((outcome.folder / "summary.json").read_text())["evaluations"]
    assert [(e["protocol"], e["target"]) for e in entries] == [
        ("enc", "expert_b"), ("rsnet", "expert_b+expert_d"), ("fecnet-script", "expert_b+expert_d"),
    ]  # fmt: skip


def test_earlier_metrics_stay(experts: Dataset) -> None:
    run_msec(experts)
    outcome = run_msec(experts, metric_keys=["psnr:gray"])
    assert outcome.entry["metrics"] == ["psnr:gray", *METRICS] and len(rows_of(outcome)) == 6 * 5 * 3


@pytest.mark.parametrize("target", ["expert_c", "expert_c+expert_a"])
def test_evaluations_that_share_rows_are_refused(target: str, experts: Dataset) -> None:
    outcome = run_msec(experts, target="expert_a+expert_c")
    before = (outcome.folder / "scores.parquet").read_bytes()
    with pytest.raises(UserError, match=r"by protocol msec against expert_a\+expert_c; one against expert_c.*--out"):
        run_msec(experts, target=target)
    assert (outcome.folder / "scores.parquet").read_bytes() == before
    assert run_msec(experts, target="expert_b").entry["complete"], "without shared targets they stand side by side"
    assert len(rows_of(outcome)) == 6 * 2 * 3


def test_a_role_that_is_not_there(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="no test sample has the target 'expert_a'; there are: expert_c, expert_e"):
        run_msec(dataset)


def test_a_broken_target_costs_its_scores_alone(experts: Dataset) -> None:
    (experts.folder / "a_b5.png").unlink()
    outcome = run_msec(experts)
    failed = {(row["scene"], row["expert"], row["metric"]) for row in rows_of(outcome, status="failed")}
    assert failed == {("a", "expert_b", "psnr")} and outcome.entry["failures"] == 3
    assert [f.item for f in outcome.failures] == [f"{name}, psnr:rgb-u8" for name in ("a_0", "a_N1.5", "a_P1.5")]
