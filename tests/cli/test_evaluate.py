"""`benchtool evaluate` as a user types it: with real scoring processes, a real kill, third-party code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_data import make_dataset

from benchtool.evaluation.scores import read_rows

HANGING_METHOD = '''
"""The input; from the fourth picture on, only once there is a file `go`."""
import os
import time
from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Method

SPEC = MethodSpec(title="Hanging", citation="", needs_target=False, players=())

class Hanging(Method):
    calls = 0

    def enhance(self, inputs, exposures=None):
        self.calls += 1
        while self.calls > 3 and not os.path.exists("go"):
            time.sleep(0.02)
        return inputs[:, 0]
'''
LOOKING_METRIC = '''
"""How bright the output is, and whether torch is there."""
import sys
from benchtool.core.spec import MetricSpec, Score

SPEC = MetricSpec(title="Bright", variants={"mean": "of all values"}, needs=(), higher_is_better=True, unit="", version="1", source="none")

def score(output, target, source, variant):
    return Score(float(output.mean()), {"torch": "torch" in sys.modules, "pyiqa": "pyiqa" in sys.modules})
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_dataset(tmp_path / "me")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_table_it_prints(here: Path, benchtool: Callable) -> None:
    done = benchtool("evaluate", "identity", "--data", "me")
    assert done.code == 0
    what = "me (sample), test: 6 samples of 2 scenes, protocol enc, target expert_c"
    assert done.out.startswith(f"runs/identity: {what}; 6 predicted and 6 scored now")
    assert re.search(r"\n +all +under +over\npsnr:rgb-u8 +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d +left out: 2 infinite\n", done.out)
    assert re.search(r"\nloe:full +0\.0 +0\.0 +0\.0 *\n", done.out)
    parquet = (here / "runs" / "identity" / "scores.parquet").read_bytes()
    one = benchtool("evaluate", "identity", "--data", "me", "--out", "one/identity", "--jobs", 1, "--json")
    assert (here / "one" / "identity" / "scores.parquet").read_bytes() == parquet, "the number of processes must not show"
    entry = json.loads(one.out)
    assert entry["complete"] and entry["metrics"] == ["psnr:rgb-u8", "ssim:gray-uniform7", "ssim:rgb-gauss", "loe:full"]


def test_options(here: Path, benchtool: Callable) -> None:
    (here / "me").rename(here / "data")
    (here / "data" / "pixels").mkdir()
    for image in (here / "data").glob("*.png"):
        image.rename(here / "data" / "pixels" / image.name)
    arguments = ["--split", "val", "--metrics", "psnr:gray, ssim", "--keep", "none", "--root", "here=data/pixels", "--device", "cpu"]
    done = benchtool("evaluate", "clahe", "--data", "data", *arguments, "--set", "clip_limit=0.05", "-s", "tiles=4", "--out", "x y")
    assert done.code == 0, done.err
    rows = read_rows(here / "x y" / "scores.parquet")
    assert {f"{r['metric']}:{r['variant']}" for r in rows} == {"psnr:gray", "ssim:rgb-gauss"} and {r["split"] for r in rows} == {"val"}
    assert json.loads((here / "x y" / "summary.json").read_text())["options"] == {"clip_limit": 0.05, "tiles": 4}
    assert not list((here / "x y").rglob("*.png"))


def test_several_targets_and_the_run_time(here: Path, benchtool: Callable) -> None:
    arguments = ["--protocol", "msec", "--target", "expert_c+expert_e", "--metrics", "psnr,loe", "--runtime"]
    done = benchtool("evaluate", "identity", "--data", "me", *arguments)
    assert done.code == 0, done.err
    assert "protocol msec, target expert_c+expert_e; 6 predicted and 6 scored now" in done.out
    assert re.search(r"\npsnr:rgb-u8 expert_e +\d+\.\d\d", done.out) and "loe:full expert" not in done.out
    assert re.search(r"left out: 3 n/a\n", done.out)
    assert re.search(r"\nrun time: \S+ s at 1280 x 720 on \w", done.out)
    shown = json.loads(benchtool("evaluate", "identity", "--data", "me", *arguments, "--json").out)
    assert set(shown["experts"]) == {"expert_c", "expert_e"} and shown["runtime"]["size"] == [1280, 720]


def test_failures_are_listed(here: Path, benchtool: Callable) -> None:
    (here / "me" / "b_0.png").write_text("not an image")
    done = benchtool("evaluate", "identity", "--data", "me")
    assert done.code == 1
    assert "1 failed; the rest is done:\n  b_0: me/b_0.png: not a readable image" in done.err.replace(f"{here}/", "")
    assert "left out: 1 failed, 1 infinite" in done.out


def test_third_party_metric_in_processes_without_torch(here: Path, benchtool: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchtool.core import catalog

    monkeypatch.setattr(catalog, "_plugins", [])
    (here / "bright.py").write_text(LOOKING_METRIC)
    done = benchtool("--plugin", "bright.py", "evaluate", "identity", "--data", "me", "--metrics", "bright,psnr,ssim,loe")
    assert done.code == 0, done.err
    rows = [r for r in read_rows(here / "runs" / "identity" / "scores.parquet") if r["metric"] == "bright"]
    assert len(rows) == 6 and {r["facts"] for r in rows} == {'{"torch": false, "pyiqa": false}'}


def test_killed_and_continued(here: Path) -> None:
    (here / "hanging.py").write_text(HANGING_METHOD)
    command = [sys.executable, "-m", "benchtool", "--plugin", "hanging.py", "evaluate", "hanging", "--data", "me"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    journal = here / "runs" / "hanging" / "predictions" / "me" / "test" / ".journal.jsonl"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 300
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes().count(b"\n")
    assert 2 <= kept < 6
    (here / "go").touch()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{6 - kept} predicted and 6 scored now" in done.stdout
    assert len(read_rows(here / "runs" / "hanging" / "scores.parquet")) == 24
    assert not list(here.rglob(".tmp-*"))


def test_user_errors_are_one_line(here: Path, benchtool: Callable) -> None:
    cases = {
        ("identity", "--data", "nowhere"): "nowhere: not a dataset",
        ("identiy", "--data", "me"): "unknown method 'identiy'; did you mean 'identity'?",
        ("identity", "--data", "me", "--keep", "some"): "--keep some: give all, none, or a number",
        ("identity", "--data", "me", "--root", "here"): "--root here: give NAME=VALUE",
        ("clahe", "--data", "me", "-s", "clip=2"): "unknown option of the method clahe 'clip'; did you mean 'clip_limit'?",
        ("clahe", "--data", "me", "-s", "clip_limit=[2"): "--set clip_limit=[2: not valid YAML",
        ("me", "--data", "me"): "me: not a run",
        ("identity", "--data", "me", "--protocol", "emvnet-raw"): "compares linear images, identity makes display images",
        ("identity", "--data", "me", "--metrics", "psnr-mu"): "compares display images of 8 bits, psnr-mu:mu5000 compares linear",
        ("identity", "--data", "me", "--protocol", "msec"): "no test sample has the target 'expert_a'",
    }
    for arguments, says in cases.items():
        done = benchtool("evaluate", *arguments)
        assert done.code == 2 and says in done.err and done.err.count("\n") == 1 and done.out == ""
    assert not (here / "runs").exists()
