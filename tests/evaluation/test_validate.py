"""Validation: the same numbers as `evaluate`'s, the right samples, the method left as it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_data import make_run

from benchtool import methods
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.evaluation.evaluate import evaluate
from benchtool.evaluation.scores import read_rows
from benchtool.evaluation.validate import validate


@pytest.mark.parametrize("metric", ["psnr:rgb-u8", "ssim:gray-uniform7", "loe:full"])
def test_equals_evaluate(metric: str, dataset: Dataset, tmp_path: Path, in_process: None) -> None:
    run = make_run(tmp_path / "run")
    outcome = evaluate(str(run), dataset.folder, split="val", metric_keys=[metric])
    result = validate(methods.load(str(run)).method, dataset, "val", metric=metric)
    assert result.scores == {row["sample"]: row["value"] for row in read_rows(run / "scores.parquet")}
    assert outcome.entry["means"][metric] == {"all": result.value, **result.groups}


def test_groups_exposures_target(dataset: Dataset) -> None:
    identity = methods.create("identity")
    result = validate(identity, dataset, "test")
    assert result.scores["a_0"] == result.scores["b_0"] == math.inf
    finite = [v for v in result.scores.values() if math.isfinite(v)]
    assert len(finite) == 4 and result.value == pytest.approx(np.mean(finite))
    assert result.groups["under"] == pytest.approx(np.mean([result.scores["a_N1.5"], result.scores["b_N1.5"]]))
    under = validate(identity, dataset, "test", exposures=[-1.5])
    assert set(under.scores) == {"a_N1.5", "b_N1.5"} and under.value == result.groups["under"] and set(under.groups) == {"under"}
    assert validate(identity, dataset, "test", exposures=[0.0]).value == math.inf
    with pytest.raises(UserError, match="'b_0' has no target 'expert_e'; it has expert_c"):
        validate(identity, dataset, "test", target="expert_e")
    with pytest.raises(UserError, match="no test sample has an exposure of 7 EV"):
        validate(identity, dataset, "test", exposures=[7])


def test_training_mode_is_put_back(dataset: Dataset) -> None:
    method = methods.create("sid", width=2)
    for mode in (True, False):
        validate(method.train(mode), dataset, "val")
        assert method.training is mode


def test_changed_files_are_noticed(dataset: Dataset) -> None:
    (dataset.folder / "c_0.png").write_bytes((dataset.folder / "c_N1.5.png").read_bytes())
    with pytest.raises(UserError, match=r"c_0.png: has changed"):
        validate(methods.create("identity"), dataset, "val")
