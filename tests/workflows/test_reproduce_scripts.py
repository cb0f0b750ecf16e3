"""The scripts that `benchtool reproduce` writes, run by a real shell with a `benchtool` and an `sbatch` that note what they are asked."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from made_training import make_dataset

from benchtool.workflows.reproduce.node import Node, Places
from benchtool.workflows.reproduce.scripts import shell_script, slurm_script

BENCHTOOL = """#!/usr/bin/env bash
echo "$*" >> "$NOTES/ran"
case "$*" in $FAILS) exit "${CODE:-4}";; esac
"""
# numbers its jobs from 1; runs none of them
SBATCH = """#!/usr/bin/env bash
echo "$*" >> "$NOTES/submitted"
echo "$(wc -l < "$NOTES/submitted");cluster"
"""


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """`shell(script, "data", FAILS="*train*")` runs a script with made programs first in PATH."""
    (tmp_path / "bin").mkdir()
    for name, text in (("benchtool", BENCHTOOL), ("sbatch", SBATCH)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)

    def run(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        (tmp_path / "script.sh").write_text(script)
        assert subprocess.run(["bash", "-n", tmp_path / "script.sh"]).returncode == 0
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "FAILS": "nothing", **settings, "NOTES": str(tmp_path), "PATH": path}
        return subprocess.run(
            ["bash", tmp_path / "script.sh", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    return run


def noted(folder: Path, what: str = "ran") -> list[str]:
    found = (folder / what).read_text().splitlines()
    (folder / what).unlink()
    return found


def made_graph(folder: Path) -> list[Node]:
    """A dataset to be made and one that is there; two trainings, of which one runs on the made one; an algorithm measured on both."""
    x, y, he = (folder / "my runs" / name for name in ("x", "y", "he"))
    return [
        Node("data a", None, state="done"),
        Node("data b", ["data", "prepare", "b"], ["data a"]),
        Node("data c", None, state="blocked", why="missing;\nmake it"),
        Node("train x", ["train", "x", "--out", str(x)], ["data a"], run=x, learned=True),
        Node("evaluate x", ["evaluate", "x"], ["data a", "train x"], run=x, learned=True),
        Node("train y", ["train", "y"], ["data b"], run=y, learned=True),
        Node("evaluate y", ["evaluate", "y"], ["data b", "train y"], run=y, learned=True),
        Node("evaluate he on a", ["evaluate", "he", "a"], ["data a"], run=he),
        Node("evaluate he on b", ["evaluate", "he", "b"], ["data b"], run=he),
        Node("report", ["report"]),
    ]


def script(kind: Callable, folder: Path) -> str:
    return kind(made_graph(folder), "A table", Places(folder / "data", folder / "my runs"))


def test_the_shell_script_runs_what_is_due(shell: Callable, tmp_path: Path) -> None:
    text = script(shell_script, tmp_path)
    done = shell(text)
    assert done.returncode == 0, done.stderr
    order = ["data prepare b", f"train x --out {tmp_path / 'my runs' / 'x'}", "evaluate x", "train y", "evaluate y", "evaluate he a"]
    assert noted(tmp_path) == [*order, "evaluate he b", "report"]
    assert (tmp_path / "my runs").is_dir() and "# blocked: data c: missing; make it" in text


def test_the_shell_script_goes_on_after_a_failure(shell: Callable, tmp_path: Path) -> None:
    done = shell(script(shell_script, tmp_path), FAILS="*prepare*")
    assert done.returncode == 1
    assert noted(tmp_path) == ["data prepare b", f"train x --out {tmp_path / 'my runs' / 'x'}", "evaluate x", "evaluate he a", "report"]
    said = done.stderr.partition("failed:")[2].split("\n  ")[1:]
    assert said[0] == "exit code 4: benchtool data prepare b"
    assert [line.strip().rpartition("benchtool ")[2] for line in said[1:]] == ["train y", "evaluate y", "evaluate he b"]


def test_the_shell_script_stops_when_a_command_was_interrupted(shell: Callable, tmp_path: Path) -> None:
    assert shell(script(shell_script, tmp_path), FAILS="train x*", CODE="130").returncode == 130
    assert noted(tmp_path)[-1].startswith("train x")


def test_what_is_submitted_to_slurm(shell: Callable, tmp_path: Path) -> None:
    text = script(slurm_script, tmp_path)
    done = shell(text)
    assert done.returncode == 0 and "the report is job 5" in done.stdout
    data, *arrays, report = [line.split() for line in noted(tmp_path, "submitted")]
    assert data[-1] == "data" and not any("--gres" in word for word in data)
    found = {}
    for words in arrays:
        numbers = next(word for word in words if word.startswith("--array=")).removeprefix("--array=").split(",")
        found |= {number: ("--gres=gpu:1" in words, "--dependency=afterok:1" in words) for number in numbers}
        assert words[-1] == "task"
    assert found == {"0": (True, False), "1": (True, True), "2": (False, True)}, "x and y on a GPU; y and he wait for the dataset"
    assert "--dependency=afterany:2:3:4" in report and report[-1] == "report" and not any("--gres" in word for word in report)


def test_what_slurm_runs(shell: Callable, tmp_path: Path) -> None:
    text, did = script(slurm_script, tmp_path), []
    for number in ("0", "1", "2"):
        assert shell(text, "task", SLURM_ARRAY_TASK_ID=number).returncode == 0
        did.append([line.split(" --out")[0] for line in noted(tmp_path)])
    assert did == [["train x", "evaluate x"], ["train y", "evaluate y"], ["evaluate he a", "evaluate he b"]], "a task a run folder"
    assert shell(text, "data").returncode == 0 and noted(tmp_path) == ["data prepare b"]
    assert shell(text, "report").returncode == 0 and noted(tmp_path) == ["report"] and (tmp_path / "my runs").is_dir()


def test_a_task_that_fails_says_so(shell: Callable, tmp_path: Path) -> None:
    done = shell(script(slurm_script, tmp_path), "task", SLURM_ARRAY_TASK_ID="0", FAILS="train*")
    assert done.returncode == 1 and len(noted(tmp_path)) == 1 and "not run, as it needs what failed: benchtool evaluate x" in done.stderr


def test_nothing_is_submitted_after_a_submission_that_failed(shell: Callable, tmp_path: Path) -> None:
    (tmp_path / "bin" / "sbatch").write_text(SBATCH.replace('echo "$(wc', 'exit 1; echo "$(wc'))
    done = shell(script(slurm_script, tmp_path))
    assert done.returncode == 1 and len(noted(tmp_path, "submitted")) == 1 and "sbatch" in done.stderr


def test_nothing_but_the_report_is_due(shell: Callable, tmp_path: Path) -> None:
    text = slurm_script([Node("report", ["report"])], "A table", Places(tmp_path, tmp_path))
    assert shell(text).returncode == 0
    (line,) = noted(tmp_path, "submitted")
    assert "--dependency" not in line and line.endswith("report")


def sharing_graph(folder: Path) -> list[Node]:
    """A dataset to be made; y and z take over what x has, w what y has; v has nothing to do with them."""
    needs = {"x": [], "v": [], "y": ["x"], "z": ["x"], "w": ["y"]}
    nodes = [Node("data a", ["data", "prepare", "a"])]
    for name, others in needs.items():
        trained = ["data a", *(f"train {other}" for other in others)]
        run = folder / "runs" / name
        nodes.append(Node(f"train {name}", ["train", name, "--out", name], trained, run=run, learned=True))
        nodes.append(Node(f"evaluate {name}", ["evaluate", name], ["data a", f"train {name}"], run=run, learned=True))
    return [*nodes, Node("report", ["report"])]


def test_slurm_starts_what_takes_over_stages_after_those_that_have_them(shell: Callable, tmp_path: Path) -> None:
    text = slurm_script(sharing_graph(tmp_path), "A table", Places(tmp_path / "data", tmp_path / "runs"))
    done = shell(text)
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in noted(tmp_path, "submitted")]
    said = {job: {word.partition("=")[0]: word.partition("=")[2] for word in line} for job, line in enumerate(words, 1)}
    after = {one["--array"]: one["--dependency"] for one in said.values() if "--array" in one}
    assert after == {"0,1": "afterok:1", "2,3": "afterok:1,afterany:2_0", "4": "afterok:1,afterany:3_2"}
    assert said[5]["--dependency"] == "afterany:2:3:4" and words[4][-1] == "report"
    assert shell(text, "task", SLURM_ARRAY_TASK_ID="2").returncode == 0 and noted(tmp_path) == ["train y --out y", "evaluate y"]


def test_the_shell_script_leaves_out_who_would_take_over_what_failed(shell: Callable, tmp_path: Path) -> None:
    done = shell(shell_script(sharing_graph(tmp_path), "A table", Places(tmp_path / "data", tmp_path / "runs")), FAILS="train y*")
    assert done.returncode == 1 and [line.split()[1] for line in noted(tmp_path) if line.startswith("train")] == ["x", "v", "y", "z"]
    assert "not run, as it needs what failed: benchtool train w" in done.stderr


def test_written_by_the_command(benchtool: Callable, shell: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path / "my data" / "me")
    files = tmp_path / "run.sh", tmp_path / "submit.sh"
    done = benchtool(
        "reproduce", "enc:1", "--data", tmp_path / "my data", "--runs", tmp_path / "runs", "--shell", files[0], "--slurm", files[1]
    )
    assert done.code == 0 and not (tmp_path / "runs").exists()
    assert shell(files[0].read_text()).returncode == 0
    due = re.findall(r"^due      (\S+)", done.out, re.MULTILINE)
    did = noted(tmp_path)
    assert [line.split()[0] for line in did] == due and len(due) > 20
    assert f"--data {tmp_path / 'my data' / 'me'} " in did[1]
    assert shell(files[1].read_text()).returncode == 0
    tasks = [number for line in noted(tmp_path, "submitted") for number in re.findall(r"\d+", "".join(re.findall("--array=(\\S+)", line)))]
    outs = {line.partition("--out ")[2] for line in did if "--out" in line}
    assert sorted(map(int, tasks)) == list(range(len({out.split()[0] for out in outs})))
