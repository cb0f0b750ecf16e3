"""Running a table's graph: what fails holds up only what needs it, Ctrl-C stops, and a second call continues."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_training import make_dataset

from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.papers.load import load
from benchtool.workflows import steps
from benchtool.workflows.reproduce.graph import graph
from benchtool.workflows.reproduce.node import Node, Places
from benchtool.workflows.reproduce.run import run

# a program in place of benchtool: it notes its arguments, and ends as the file `ends` says for the first word that they hold
FAKE = """
import pathlib, sys, time
here, given = pathlib.Path(__file__).parent, " ".join(sys.argv[1:])
with open(here / "ran", "a") as stream:
    stream.write(given + "\\n")
for line in (here / "ends").read_text().splitlines():
    word, code = line.rsplit(" ", 1)
    if word in given:
        time.sleep(600) if code == "sleep" else sys.exit(int(code))
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fake.py").write_text(FAKE)
    (tmp_path / "ends").write_text("")
    monkeypatch.setattr(steps, "BENCHTOOL", (sys.executable, str(tmp_path / "fake.py")))
    return tmp_path


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().splitlines()


def chain() -> list[Node]:
    return [
        Node("data b", ["data", "prepare", "b"]),
        Node("train x", ["train", "x"], ["data b"]),
        Node("evaluate x", ["evaluate", "x"], ["data b", "train x"]),
        Node("evaluate y", ["evaluate", "y"]),
        Node("evaluate z", ["evaluate", "z"], state="done"),
        Node("report", ["report"]),
    ]


def test_everything_that_is_due_in_order(fake: Path) -> None:
    assert run(chain(), Places(fake, fake / "runs")) == []
    assert ran(fake) == ["data prepare b", "train x", "evaluate x", "evaluate y", "report"]
    assert (fake / "runs").is_dir(), "report wants the folder"


def test_a_failure_holds_up_only_what_needs_it(fake: Path) -> None:
    (fake / "ends").write_text("prepare b 3\n")
    failures = run(chain(), Places(fake, fake / "runs"))
    assert ran(fake) == ["data prepare b", "evaluate y", "report"]
    assert [(failure.item, failure.reason) for failure in failures] == [
        ("data b", "failed with exit code 3"),
        ("train x", "not run: it needs data b"),
        ("evaluate x", "not run: it needs data b, train x"),
    ]


def test_a_command_that_was_interrupted_stops_everything(fake: Path) -> None:
    (fake / "ends").write_text("train 130\n")
    with pytest.raises(KeyboardInterrupt):
        run(chain(), Places(fake, fake / "runs"))
    assert ran(fake) == ["data prepare b", "train x"]


def test_the_command_says_what_failed_and_ends_with_1(benchtool: Callable, fake: Path) -> None:
    make_dataset(fake / "data" / "me")
    (fake / "ends").write_text("train sid:me 2\n")
    done = benchtool("reproduce", "enc:6", "--data", fake / "data", "--runs", fake / "runs")
    assert done.code == 1
    assert "train sid.me: failed with exit code 2\nevaluate sid.me on me: not run: it needs train sid.me\n" in done.err
    assert any(line.startswith("train sid-enc:me") for line in ran(fake)) and ran(fake)[-1].startswith("report")
    assert not any("sid.me " in line for line in ran(fake)[1:])


def test_who_would_take_over_stages_is_not_run_when_their_training_failed(benchtool: Callable, fake: Path) -> None:
    make_dataset(fake / "data" / "sice", name="sice")
    (fake / "ends").write_text("train sid-enc:sice 2\n")
    done = benchtool("reproduce", "enc:3", "--data", fake / "data", "--runs", fake / "runs")
    assert done.code == 1 and "train i-sid.sice: not run: it needs train sid-enc.sice\n" in done.err
    assert "evaluate i-sid.sice on sice: not run: it needs train i-sid.sice\n" in done.err
    did = [line.split()[1] for line in ran(fake) if line.startswith("train")]
    assert did == ["drbn-enc-4:sice", "drbn-enc-4-seq:sice", "i-drbn-4:sice", "sid-enc:sice"]


def test_what_is_blocked_ends_it_with_1_too(benchtool: Callable, fake: Path) -> None:
    done = benchtool("reproduce", "enc:3", "--data", fake / "data", "--runs", fake / "runs")
    assert done.code == 1 and [line.split()[0] for line in ran(fake)] == ["report"]


def test_ctrl_c_stops_at_once(fake: Path) -> None:
    """As a terminal does it: the signal goes to this command and to the one it runs."""
    make_dataset(fake / "data" / "me")
    (fake / "ends").write_text("evaluate clahe sleep\n")
    code = f"from benchtool.workflows import steps; steps.BENCHTOOL = {steps.BENCHTOOL!r}; from benchtool.cli.main import run; run()"
    arguments = ["reproduce", "enc:1", "--data", str(fake / "data"), "--runs", str(fake / "runs")]
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], start_new_session=True, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not any(line.startswith("evaluate clahe") for line in (ran(fake) if (fake / "ran").exists() else [])):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    before = ran(fake)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130 and "run the same command again" in err
    assert ran(fake) == before


def test_a_table_from_its_datasets_and_again(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """For real: ME-v2 is made of ME, CLAHE measured on it, the table printed; the second time only the report is left."""
    make_dataset(tmp_path / "data" / "me", scenes=(1, 1, 1))
    library, places = load("enc"), Places(tmp_path / "data", tmp_path / "runs")
    table = library.table("1")
    rows, panels = (row for row in table.rows if row.method == "clahe"), (panel for panel in table.panels if panel.dataset == "me-v2")
    table = dataclasses.replace(table, rows=tuple(rows), panels=tuple(panels))
    assert run(graph(library, table, places), places) == []
    shown = capfd.readouterr().out
    found = {node.name: node.state for node in graph(library, table, places)}
    assert found == {"data me": "done", "data me-v2": "done", "evaluate clahe on me-v2": "done", "report": "due"}
    (entry,) = read_json(places.runs / "clahe" / "summary.json")["evaluations"]
    figure = f"{entry['means']['psnr:rgb-u8']['under']:.2f}"
    assert any(line.startswith("CLAHE") and figure in line.split() for line in shown.splitlines())


def test_steps_of_the_demo_stop_at_the_first_failure(fake: Path) -> None:
    (fake / "ends").write_text("two 1\n")
    with pytest.raises(UserError, match=r"the demo stopped at step 2 \(second\)"):
        steps.run_steps([("first", ["one"]), ("second", ["two"]), ("third", ["three"])], "the demo")
    assert ran(fake) == ["one", "two"]
