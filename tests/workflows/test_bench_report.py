"""`benchtool bench report`: the table it times is a whole one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchtool.workflows import bench_report


def test_it_times_a_table_with_intervals(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_report, "SCENES", 12)
    done = benchtool("bench", "report", "--repeats", 2, "--json", tmp_path / "r.json")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["methods"], found["images"], found["metrics"], found["cells"]) == (11, 60, 4, 132)
    assert found["steps"].keys() == {"read", "fill", "render"} and all(t["seconds"] > 0 for t in found["steps"].values())
    assert "11 methods x 60 images x 4 metrics, 132 cells" in done.out
