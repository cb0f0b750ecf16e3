"""`benchtool demo` as a newcomer runs it: from raws to Table 1, in a folder with a space in its name, without pyiqa."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchtool.workflows.demo import steps

GIB = 2**20  # in the kilobytes of ru_maxrss


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """The demo's folder and how the command ended. A pyiqa that cannot be imported stands first in the path."""
    folder = tmp_path_factory.mktemp("a demo")
    (folder / "site" / "pyiqa").mkdir(parents=True)
    (folder / "site" / "pyiqa" / "__init__.py").write_text("raise RuntimeError('pyiqa was imported')\n")
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "benchtool", "demo", "--out", str(folder / "demo")]
    return folder / "demo", subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)


def test_it_ends_in_the_table(demo: tuple[Path, subprocess.CompletedProcess]) -> None:
    out, done = demo
    assert done.returncode == 0, done.stderr
    assert "ENC Table 1" in done.stdout and "sample scene" in done.stdout and "smoke training" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.startswith("I-SID"))
    assert row.split()[1] == "22.59", "published, then measured"
    summary = json.loads((out / "runs" / "i-sid.me" / "summary.json").read_text())
    assert summary["trained"]["stages"] == ["train", "distil", "tune"]
    assert f"{summary['evaluations'][0]['means']['psnr:rgb-u8']['under']:.2f}" == row.split()[2]


def test_every_dataset_and_row_is_measured(demo: tuple[Path, subprocess.CompletedProcess]) -> None:
    out, _ = demo
    found = {path.parent.name: json.loads(path.read_text()) for path in (out / "runs").glob("*/summary.json")}
    assert set(found) == {"clahe", "sid.me", "sid.me-v2", "i-sid.me", "i-sid.me-v2"}
    assert all(e["complete"] and not e["failures"] for summary in found.values() for e in summary["evaluations"])


def test_memory(demo: tuple[Path, subprocess.CompletedProcess]) -> None:
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 6 * GIB


def test_a_step_that_fails_stops_the_demo(tmp_path: Path) -> None:
    (tmp_path / "raws").write_text("a file where the raws should go")
    done = subprocess.run([sys.executable, "-m", "benchtool", "demo", "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "is a file" in done.stderr and "stopped at step 1" in done.stderr


def test_jobs_reach_the_steps_that_have_them(tmp_path: Path) -> None:
    commands = [arguments for _, arguments in steps(tmp_path, jobs=3)]
    assert all(("--jobs" in a) == (a[0] == "evaluate" or a[:2] == ["data", "render-me"]) for a in commands)
