"""`benchtool reproduce`: what exists, is stale, is missing; scripts; and a table run from its datasets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from made_training import make_dataset as training_data

from benchtool.papers.load import load
from benchtool.workflows.reproduce import Node, Places, graph, shell_script, slurm_script


def states(nodes: list[Node]) -> dict[str, str]:
    return {node.name: node.state for node in nodes}


def table_1(tmp_path: Path) -> list[Node]:
    library = load("enc")
    return graph(library, library.table("1"), Places(tmp_path / "data", tmp_path / "runs"))


def test_nothing_is_there(tmp_path: Path) -> None:
    nodes = table_1(tmp_path)
    found = {node.name: node for node in nodes}
    assert found["data me"].state == "blocked" and "render-me" in found["data me"].why
    assert found["data me-v2"].state == "blocked" and found["data me-v2"].needs == ["data me"]
    assert found["train i-sid.me"].state == "blocked" and "waits for data me" in found["train i-sid.me"].why
    assert nodes[-1].name == "report" and nodes[-1].state == "due"
    order = {node.name: k for k, node in enumerate(nodes)}
    assert all(order[needed] < order[node.name] for node in nodes for needed in node.needs)


def test_a_dataset_makes_its_rows_due(tmp_path: Path) -> None:
    training_data(tmp_path / "data" / "me")
    found = {node.name: node for node in table_1(tmp_path)}
    assert found["data me"].state == "done" and found["data me-v2"].state == "due"
    assert found["train i-sid.me"].state == "due" and found["train i-sid.me"].cost.endswith("steps")
    assert found["evaluate clahe on me"].state == "due" and "images" in found["evaluate clahe on me"].cost


def test_done_stale_and_changed(benchtool: Callable, tmp_path: Path) -> None:
    me, run = tmp_path / "data" / "me", tmp_path / "runs" / "sid.me"
    training_data(me)
    assert benchtool("evaluate", "clahe", "--data", me, "--out", tmp_path / "runs" / "clahe").code == 0
    assert benchtool("train", "sid:me", "--data", me, "--out", run, "--smoke", "-s", "options.width=2").code == 0
    found = {node.name: node for node in table_1(tmp_path)}
    assert found["evaluate clahe on me"].state == "done"
    assert found["train sid.me"].state == "stale" and "another recipe" in found["train sid.me"].why
    assert found["evaluate sid.me on me"].state == "blocked"
    summary = tmp_path / "runs" / "clahe" / "summary.json"
    raw = json.loads(summary.read_text())
    raw["evaluations"][0]["fingerprint"] = "0" * 64
    summary.write_text(json.dumps(raw))
    assert states(table_1(tmp_path))["evaluate clahe on me"] == "due"


def test_scripts(tmp_path: Path) -> None:
    training_data(tmp_path / "my data" / "me")
    library = load("enc")
    nodes = graph(library, library.table("1"), Places(tmp_path / "my data", tmp_path / "runs"))
    shell = shell_script(nodes, "ENC Table 1")
    assert shell.count("benchtool train") == sum(n.state == "due" and n.name.startswith("train") for n in nodes) > 5
    assert f"'{tmp_path / 'my data' / 'me'}'" in shell
    (tmp_path / "slurm.sh").write_text(slurm_script(nodes, "ENC Table 1"))
    assert subprocess.run(["bash", "-n", tmp_path / "slurm.sh"]).returncode == 0
    text = (tmp_path / "slurm.sh").read_text()
    last = max(int(line[:-1]) for line in text.splitlines() if line.endswith(")") and line[:-1].isdecimal())
    assert f"--array=0-{last} " in text


@pytest.mark.parametrize(("arguments", "says"), [(["enc"], "PAPER:TABLE"), (["enk:1"], "enc"), (["enc:99"], "99")])
def test_refused(benchtool: Callable, arguments: list[str], says: str) -> None:
    done = benchtool("reproduce", *arguments, "--dry-run")
    assert done.code == 2 and says in done.err


def test_dry_run_changes_nothing(benchtool: Callable, tmp_path: Path) -> None:
    training_data(tmp_path / "data" / "me")
    before = sorted(tmp_path.rglob("*"))
    done = benchtool("reproduce", "enc:1", "--data", tmp_path / "data", "--runs", tmp_path / "runs", "--dry-run")
    assert done.code == 0 and "due      train i-sid.me" in done.out and sorted(tmp_path.rglob("*")) == before


def test_running_it_stops_at_the_first_failure_and_reports_what_is_missing(
    benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import benchtool.workflows.steps as steps

    ran: list[list[str]] = []
    monkeypatch.setattr(steps.subprocess, "run", lambda command, **_: ran.append(command[3:]) or subprocess.CompletedProcess(command, 0))
    training_data(tmp_path / "data" / "me")
    done = benchtool("reproduce", "enc:6", "--data", tmp_path / "data", "--runs", tmp_path / "runs")
    assert done.code == 1, "SICE is missing"
    assert ran[0][:2] == ["train", "sid:me"] and ran[-1][0] == "report"
