"""The guide's third-party example as a reader would use it: checked, trained with distillation, evaluated, missed when it is gone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from made_training import make_dataset, moved, weights

from benchtool.core import catalog
from benchtool.workflows.check_method import check_method

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PLUGIN, RECIPE = EXAMPLES / "enc_plugin.py", EXAMPLES / "enc-plugin.yaml"


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


def test_keeps_the_contract() -> None:
    catalog.add_plugin(PLUGIN)
    assert [f"{c.point}: {c.note}" for c in check_method("enc-plugin") if c.passed is False] == []


def test_is_trained_with_distillation_and_evaluated(tmp_path: Path, benchtool, monkeypatch: pytest.MonkeyPatch) -> None:
    data, run = tmp_path / "me", tmp_path / "run"
    make_dataset(data, (2, 1, 1))
    short = [text for stage in (0, 1) for text in ("-s", f"stages.{stage}.epochs=1", "-s", f"stages.{stage}.patch=16")]
    trained = benchtool("--plugin", PLUGIN, "train", RECIPE, "--data", data, "--out", run, "--device", "cpu", "--workers", 0, *short)
    assert trained.code == 0, trained.err
    with open(run / "log.csv") as stream:
        logged = [row for row in csv.DictReader(stream) if row.get("stage") == "distil"]
    assert any(float(row.get("normalisation") or 0) > 0 and float(row.get("exposure") or 0) > 0 for row in logged), logged
    assert any(name.startswith("enc.") for name in moved(weights(run, "best"), weights(run, "last", "distil")))
    assert all(torch.isfinite(tensor).all() for tensor in weights(run, "best", "distil").values())
    result = benchtool("--plugin", PLUGIN, "evaluate", run, "--data", data, "--device", "cpu", "--metrics", "psnr:rgb-u8")
    assert result.code == 0, result.err
    monkeypatch.setattr(catalog, "_plugins", [])
    result = benchtool("evaluate", run, "--data", data, "--device", "cpu")
    assert result.code == 2 and "plugin" in result.err and str(PLUGIN) in result.err
