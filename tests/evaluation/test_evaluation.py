"""`evaluate`: right values, a row for everything, nothing computed twice, nothing of other evaluations lost."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from small_data import make_dataset, make_run

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, open_dataset, write_dataset
from benchtool.evaluation import evaluate as module
from benchtool.evaluation import predictions
from benchtool.evaluation.evaluate import Outcome, evaluate
from benchtool.evaluation.scores import SCHEMA, Row, read_rows

pytestmark = pytest.mark.usefixtures("in_process")
ENC = ["psnr:rgb-u8", "ssim:gray-uniform7", "ssim:rgb-gauss", "loe:full"]


def rows_of(folder: Path, **where: Any) -> list[Row]:
    return [row for row in read_rows(folder / "scores.parquet") if all(row[k] == v for k, v in where.items())]


def run_identity(dataset: Dataset, **changes: Any) -> Outcome:
    return evaluate("identity", dataset.folder, **{"out": dataset.folder.parent / "identity", **changes})


def test_values_and_rows(dataset: Dataset) -> None:
    outcome = run_identity(dataset)
    rows = rows_of(outcome.folder)
    assert len(rows) == 6 * 4 and list(rows[0]) == SCHEMA.names and outcome.failures == []
    for row in rows:
        output = read_image(outcome.folder / "predictions" / "me" / "test" / f"{row['sample']}.png")
        target = read_image(dataset.folder / f"{row['scene']}_c.png")
        assert np.array_equal(output, read_image(dataset.folder / f"{row['sample']}.png"))
        if row["metric"] == "psnr" and row["exposure"] != 0:
            assert row["value"] == pytest.approx(peak_signal_noise_ratio(target, output))
        if row["variant"] == "rgb-gauss":
            settings = {"gaussian_weights": True, "use_sample_covariance": False}
            assert row["value"] == pytest.approx(structural_similarity(output, target, channel_axis=2, **settings), abs=1e-6)
        if row["metric"] == "loe":
            assert row["value"] == 0 and row["target_sha256"] is None and row["source_sha256"]
        assert (row["status"], row["expert"], row["split"], row["dataset"], row["checkpoint"]) == ("ok", "expert_c", "test", "me", None)
    assert rows[0]["fingerprint"] == dataset.facts.fingerprint


def test_summary(dataset: Dataset) -> None:
    outcome = run_identity(dataset)
    summary = json.loads((outcome.folder / "summary.json").read_text())
    assert summary["evaluations"] == [outcome.entry]
    top = {"schema": 1, "run": "identity", "method": "identity", "recipe": None, "options": {}, "parameters": 0, "trained": None}
    assert {key: summary[key] for key in top} == top
    entry = outcome.entry
    assert entry["metrics"] == ENC and entry["complete"] and (entry["samples"], entry["scenes"], entry["failures"]) == (6, 2, 0)
    values = {row["sample"]: row["value"] for row in rows_of(outcome.folder, metric="psnr")}
    assert values["a_0"] == values["b_0"] == math.inf and entry["excluded"] == {"psnr:rgb-u8": {"infinite": 2}}
    assert entry["means"]["psnr:rgb-u8"] == pytest.approx({
        "all": np.mean([v for v in values.values() if math.isfinite(v)]),
        "under": np.mean([values["a_N1.5"], values["b_N1.5"]]),
        "over": np.mean([values["a_P1.5"], values["b_P1.5"]]),
    })  # fmt: skip


def test_again_computes_nothing(dataset: Dataset) -> None:
    first = run_identity(dataset)
    before = [(first.folder / name).read_bytes() for name in ("scores.parquet", "summary.json")]
    again = run_identity(dataset)
    assert (first.predicted, first.scored, again.predicted, again.scored) == (6, 6, 0, 0)
    assert [(first.folder / name).read_bytes() for name in ("scores.parquet", "summary.json")] == before
    assert not (first.folder / ".scores.jsonl").exists()


def test_only_what_changed_is_computed(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_identity(dataset).folder
    (folder / "predictions" / "me" / "test" / "a_0.png").unlink()
    (again := folder / "predictions" / "me" / "test" / "b_0.png").write_bytes(again.read_bytes() + b" ")
    outcome = run_identity(dataset)
    assert (outcome.predicted, outcome.scored) == (2, 0), "lost and altered predictions are made anew; their scores hold"
    outcome = run_identity(dataset, metric_keys=[*ENC, "psnr:gray"])
    assert (outcome.predicted, outcome.scored) == (0, 6)
    find = metrics.find
    monkeypatch.setattr(metrics, "find", lambda key: _with_version(find(key), "2") if key == "ssim:rgb-gauss" else find(key))
    outcome = run_identity(dataset)
    assert (outcome.predicted, outcome.scored) == (0, 6)
    assert {r["metric_version"] for r in rows_of(outcome.folder, variant="rgb-gauss")} == {"2"}


def _with_version(metric: metrics.Metric, version: str) -> metrics.Metric:
    return dataclasses.replace(metric, spec=dataclasses.replace(metric.spec, version=version))


def test_changed_data_is_another_evaluation(dataset: Dataset) -> None:
    folder = run_identity(dataset).folder
    new = make_dataset(dataset.folder)
    assert run_identity(new).predicted == 0
    _change_one_input(dataset.folder)
    outcome = run_identity(dataset)
    assert (outcome.predicted, outcome.scored) == (1, 1)
    assert len({row["fingerprint"] for row in rows_of(folder)}) == 2 and len(rows_of(folder)) == 2 * 24


def _change_one_input(folder: Path) -> None:
    """Make the dataset anew with one input a level brighter."""
    dataset = open_dataset(folder)
    write_image(folder / "a_0.png", read_image(folder / "a_0.png") // 2)
    samples = {sample.sample: sample for sample in dataset.samples}
    image = dataclasses.replace(samples["a_0"].inputs[0], sha256=sha256_file(folder / "a_0.png"))
    samples["a_0"] = dataclasses.replace(samples["a_0"], inputs=(image,))
    write_dataset(folder, dataset.facts, samples.values())


def test_new_weights_replace_everything_of_the_checkpoint(dataset: Dataset, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    evaluate(str(run), dataset.folder)
    old = rows_of(run)
    evaluate(str(run), dataset.folder, target="expert_e")
    make_run(run, seed=1)
    outcome = evaluate(str(run), dataset.folder)
    assert (outcome.predicted, outcome.scored) == (6, 6)
    new = rows_of(run)
    assert len(new) == 24 and {r["expert"] for r in new} == {"expert_c"}, "what other weights gave is gone"
    assert {r["prediction_sha256"] for r in new}.isdisjoint(r["prediction_sha256"] for r in old)
    assert len(json.loads((run / "summary.json").read_text())["evaluations"]) == 1


def test_evaluations_stand_side_by_side(dataset: Dataset, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", size=(30, 50), name="other")
    folder = run_identity(dataset).folder
    run_identity(other)
    run_identity(dataset, target="expert_e", metric_keys=["psnr"])
    run_identity(dataset, split="val")
    outcome = run_identity(dataset, metric_keys=["psnr:gray"])
    assert outcome.entry["metrics"] == ["psnr:gray", *ENC], "earlier metrics of the same predictions stay"
    assert len(rows_of(folder, dataset="me", split="test", expert="expert_c")) == 30
    assert len(rows_of(folder, dataset="me", split="test", expert="expert_e")) == 6
    assert len(rows_of(folder, dataset="me", split="val", expert="expert_c")) == 12
    assert len(rows_of(folder, dataset="other", split="test", expert="expert_c")) == 24
    entries = json.loads((folder / "summary.json").read_text())["evaluations"]
    assert len(entries) == 4 and all(e["complete"] for e in entries)


def test_training_facts_are_kept(dataset: Dataset, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    top = {"schema": 1, "run": "run", "method": "sid", "recipe": "sid", "options": {"width": 2}, "trained": {"steps": 7}, "more": 1}
    (run / "summary.json").write_text(json.dumps(top))
    evaluate(str(run), dataset.folder)
    summary = json.loads((run / "summary.json").read_text())
    assert {k: summary[k] for k in top} == top and summary["evaluations"][0]["checkpoint"] == "train.best"
    evaluate(str(run), dataset.folder, out=tmp_path / "elsewhere")
    elsewhere = json.loads((tmp_path / "elsewhere" / "summary.json").read_text())
    assert elsewhere["trained"] == {"steps": 7} and elsewhere["run"] == "elsewhere" and len(elsewhere["evaluations"]) == 1


def test_failures_cost_only_what_they_touch(dataset: Dataset) -> None:
    whole = {name: (dataset.folder / name).read_bytes() for name in ("a_0.png", "b_c.png")}
    (dataset.folder / "a_0.png").write_bytes(whole["a_0.png"][:200])
    (dataset.folder / "b_c.png").unlink()
    outcome = run_identity(dataset)
    failed = rows_of(outcome.folder, status="failed")
    assert {(r["sample"], r["metric"]) for r in failed} == {("a_0", m) for m in ("psnr", "ssim", "loe")} | {
        (f"b_{token}", m) for token in ("N1.5", "0", "P1.5") for m in ("psnr", "ssim")
    }
    assert len(rows_of(outcome.folder)) == 24 and outcome.entry["failures"] == 4 and outcome.entry["complete"]
    assert all(r["value"] is None for r in failed)
    reasons = {f.item: f.reason for f in outcome.failures}
    assert "a_0.png: not a readable image" in reasons["a_0"] and "b_c.png: no such file" in reasons["b_0, psnr:rgb-u8"]
    assert outcome.entry["excluded"]["psnr:rgb-u8"] == {"failed": 4}
    for name, data in whole.items():
        (dataset.folder / name).write_bytes(data)
    mended = run_identity(dataset)
    assert mended.failures == [] and (mended.predicted, mended.scored) == (1, 4)


def test_what_a_metric_is_not_defined_for(tmp_path: Path) -> None:
    small = make_dataset(tmp_path / "small", size=(8, 9))
    outcome = run_identity(small, target="expert_e")
    rows = {(r["sample"], r["variant"]): r for r in rows_of(outcome.folder)}
    assert rows["a_0", "rgb-gauss"]["reason"] == "ssim:rgb-gauss needs at least 11 x 11 pixels; the image is 9 x 8"
    assert rows["b_0", "rgb-u8"]["reason"] == "the sample has no target expert_e" and rows["b_0", "full"]["status"] == "ok"
    assert {r["status"] for r in rows.values()} == {"ok", "n/a"} and outcome.failures == []
    assert outcome.entry["means"]["ssim:rgb-gauss"] == {} and outcome.entry["excluded"]["ssim:rgb-gauss"] == {"n/a": 6}
    assert run_identity(small, target="expert_e").scored == 0


@pytest.mark.parametrize(("keep", "left"), [(0, []), (2, ["a_0", "b_0"]), (99, ["a_0", "a_N1.5", "a_P1.5", "b_0", "b_N1.5", "b_P1.5"])])
def test_keep(keep: int, left: list[str], dataset: Dataset) -> None:
    folder = run_identity(dataset, keep=keep).folder
    assert sorted(p.stem for p in (folder / "predictions" / "me" / "test").glob("*.png")) == left
    again = run_identity(dataset, keep=keep)
    assert (again.predicted, again.scored) == (0, 0) and len(rows_of(folder)) == 24
    assert run_identity(dataset).predicted == 6 - len(left)


def test_interrupted_while_predicting(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    predict, calls = predictions.predict, []

    def interrupted(*arguments: Any) -> np.ndarray:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return predict(*arguments)

    monkeypatch.setattr(predictions, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_identity(dataset)
    summary = json.loads((dataset.folder.parent / "identity" / "summary.json").read_text())
    assert [e["complete"] for e in summary["evaluations"]] == [False]
    outcome = run_identity(dataset)
    assert (outcome.predicted, outcome.scored) == (3, 6)


def test_interrupted_while_scoring(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare, calls = module.compare, []

    def interrupted(comparison: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return compare(comparison)

    monkeypatch.setattr(module, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_identity(dataset)
    outcome = run_identity(dataset)
    assert (outcome.predicted, outcome.scored) == (0, 2)
    assert (outcome.folder / "scores.parquet").read_bytes() == _uninterrupted(dataset, tmp_path / "again" / "identity")


def _uninterrupted(dataset: Dataset, out: Path) -> bytes:
    return (run_identity(dataset, out=out).folder / "scores.parquet").read_bytes()


def test_options_reach_the_method_and_belong_to_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    plain = evaluate("clahe", dataset.folder, out=tmp_path / "plain", metric_keys=["psnr"])
    strong = evaluate("clahe", dataset.folder, out=tmp_path / "strong", metric_keys=["psnr"], options={"clip_limit": 0.1})
    assert plain.entry["means"] != strong.entry["means"]
    with pytest.raises(UserError, match="holds results of options {'clip_limit': 0.1}, not {}"):
        evaluate("clahe", dataset.folder, out=tmp_path / "strong")
    with pytest.raises(UserError, match="holds results of method clahe, not identity"):
        run_identity(dataset, out=tmp_path / "plain")


def test_refused(dataset: Dataset, tmp_path: Path) -> None:
    cases = {
        "no test sample has the target 'expert_a'; there are: expert_c, expert_e": {"target": "expert_a"},
        "unknown protocol 'end'; did you mean 'enc'": {"protocol": "end"},
        "unknown metric 'snr'": {"metric_keys": ["snr"]},
        "split 'tset'": {"split": "tset"},
        "--root there=": {"roots": {"there": tmp_path}},
        "has no checkpoint 'train.best'": {"checkpoint": "train.best"},
    }
    for says, changes in cases.items():
        with pytest.raises(UserError, match=says):
            run_identity(dataset, **changes)
    assert not (tmp_path / "identity").exists(), "nothing is written before everything named is known"
    with pytest.raises(UserError, match="has no weights yet: train it first"):
        evaluate("sid", dataset.folder)
