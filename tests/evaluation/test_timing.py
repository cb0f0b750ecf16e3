"""The run time of an evaluation: measured where it is wanted, once for a machine, and costing nothing when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchtool.core.manifest import Dataset
from benchtool.evaluation import evaluate as module
from benchtool.evaluation.evaluate import Outcome, evaluate

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes that a run time was measured at; the real measure at a tenth of them."""
    real, sizes = module.runtime.measure, []

    def measure(loaded: Any, device: Any, size: tuple[int, int]) -> dict[str, Any]:
        sizes.append(size)
        return real(loaded, device, (size[0] // 10, size[1] // 10), repeats=1, warmup=0) | {"size": list(size)}

    monkeypatch.setattr(module.runtime, "measure", measure)
    return sizes


def run(method: str, dataset: Dataset, protocol: str = "enc", **changes: Any) -> Outcome:
    given = {"metric_keys": ["psnr"], "target": "expert_c", "out": dataset.folder.parent / method, **changes}
    return evaluate(method, dataset.folder, protocol=protocol, **given)


def test_only_where_it_is_wanted(dataset: Dataset, measured: list) -> None:
    assert "runtime" not in run("identity", dataset).entry and measured == []
    outcome = run("identity", dataset, timed=True)
    assert measured == [(1280, 720)] and outcome.entry["runtime"]["seconds"] > 0 and outcome.scored == 0
    summary = json.loads((outcome.folder / "summary.json").read_text())
    assert summary["evaluations"][0]["runtime"] == outcome.entry["runtime"]


def test_a_protocol_may_want_it(dataset: Dataset, measured: list) -> None:
    assert run("identity", dataset, "niid").entry["runtime"]["size"] == [1280, 720] and measured == [(1280, 720)]


def test_it_is_measured_once_for_a_machine(dataset: Dataset, measured: list, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("identity", dataset, "niid")
    again = run("identity", dataset, "niid")
    assert again.entry == first.entry and len(measured) == 1
    assert run("identity", dataset, "niid", metric_keys=["psnr:gray"]).entry["runtime"] == first.entry["runtime"]
    monkeypatch.setattr(module.runtime, "device_name", lambda device: "another machine")
    run("identity", dataset, "niid")
    assert len(measured) == 2


def test_a_time_that_was_asked_for_stays(dataset: Dataset, measured: list) -> None:
    first = run("identity", dataset, timed=True)
    assert run("identity", dataset).entry["runtime"] == first.entry["runtime"] and len(measured) == 1


def test_a_method_that_fails_costs_no_scores(dataset: Dataset, toy: Callable) -> None:
    picky = toy("picky", "assert inputs.shape[-1] < 1000, 'too large'; return inputs[:, 0]")
    outcome = run(picky, dataset, timed=True)
    assert [(f.item, f.reason) for f in outcome.failures] == [("run time", "AssertionError: too large")]
    assert outcome.entry["complete"] and outcome.entry["failures"] == 0 and "runtime" not in outcome.entry
