"""`benchtool train` from the command line: what is refused and how, what is shown, where it writes, how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from made_training import TOY, make_dataset, toy_recipe

from benchtool.core.files import read_json
from benchtool.core.recipe import load_recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data")).folder


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return toy_recipe(tmp_path)


def toy(benchtool: Callable, recipe: Path, *arguments: object):
    return benchtool("--plugin", TOY, "train", recipe, "--device", "cpu", "--workers", 0, *arguments)


def test_trains_into_runs_name_and_says_what_came_of_it(benchtool: Callable, recipe: Path, data: Path) -> None:
    done = toy(benchtool, recipe, "--data", data)
    assert done.code == 0 and done.out == "" and "best psnr:rgb-u8" in done.err
    run = Path("runs/toy-recipe")
    assert {p.name for p in run.iterdir()} == {"recipe.resolved.yaml", "provenance.json", "log.csv", "summary.json", "checkpoints"}
    assert {p.stem for p in (run / "checkpoints/train").iterdir()} == {"last", "best", "state"}
    summary = read_json(run / "summary.json")
    assert (summary["run"], summary["method"], summary["recipe"], summary["parameters"]) == ("toy-recipe", "toy", "toy-recipe", 251)
    assert summary["trained"]["fingerprint"] == read_json(data / "dataset.json")["fingerprint"]
    again = toy(benchtool, recipe, "--data", data)
    assert again.code == 0 and "already trained" in again.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("i-sdi",), "unknown recipe 'i-sdi'; did you mean 'i-sid'?"),
        (("sid", "-s", "stages.0.pach=3"), "stages.0: unknown key 'pach'; did you mean 'patch'?"),
        (("sid", "-s", "stages.0.patch"), "write KEY=VALUE"),
        (("sid",), "--data is missing: give the folder of the dataset 'me'"),
        (("sid", "--show", "--smoke"), "--data is missing"),
        (("sid", "--data", "DATA", "--resume", "--restart"), "exclude each other"),
        (("sid", "--data", "DATA", "--resume", "-s", "stages.0.patch=16"), "--resume: runs/sid holds no run"),
        (("sid", "--data", "nowhere"), "nowhere: not a dataset"),
        (("sid", "--data", "DATA", "--root", "here"), "--root here: give NAME=VALUE"),
        (("sid", "--data", "DATA", "--root", "here="), "--root here=: give NAME=VALUE"),
        (("sid", "--data", "DATA", "--root", "there=x"), "--root there="),
        (("sid:sice", "--data", "DATA"), "is the dataset 'me', the recipe is for 'sice'; train sid:me"),
        (("sid", "--data", "DATA"), "are too few for the patch of 384 in stage 'train'"),
        (("sid", "--data", "DATA", "--device", "cuda:1"), "--device cuda:1: write cuda, and choose the GPU with CUDA_VISIBLE_DEVICES"),
        (("sid", "--data", "DATA", "--device", "gpu"), "--device gpu: not available here"),
        (("i-sid", "--data", "DATA", "-s", "defaults.patch=16", "-s", "stages.1.teacher=gone:a.best"), "'gone:a.best': gone is not a run"),
    ],
)
def test_refused_in_one_line_with_nothing_written(
    benchtool: Callable, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = benchtool("train", *(data if a == "DATA" else a for a in arguments))
    assert done.code == 2 and says in done.err and done.err.count("\n") == 1 and done.err.startswith("benchtool: ")
    assert list(tmp_path.iterdir()) == []


def test_show_prints_a_recipe(benchtool: Callable, data: Path, tmp_path: Path) -> None:
    shown = benchtool("train", "i-sid", "--show", "-s", "stages.2.epochs=3", "-s", "seed=7")
    assert shown.code == 0 and shown.err == ""
    values = yaml.safe_load(shown.out)
    assert values["seed"] == 7 and [stage["epochs"] for stage in values["stages"]] == [80, 80, 3]
    assert values["stages"][0]["optimizer"]["weight_decay"] == 0.0, "with what is left at its default"
    (tmp_path / "again.yaml").write_text(shown.out)
    assert load_recipe(str(tmp_path / "again.yaml")) == load_recipe("i-sid", ["stages.2.epochs=3", "seed=7"])
    smoke = yaml.safe_load(benchtool("train", "i-sid", "--show", "--smoke", "--data", data).out)
    assert smoke["smoke"] is True and smoke["stages"][0]["patch"] == 32


def test_options_reach_the_training(benchtool: Callable, recipe: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchtool.training import run

    seen = []
    monkeypatch.setattr(run, "train", lambda *a: seen.append(a))
    values = {"--data": data, "--out": "x", "--workers": 3, "--cache": 0.5, "--save-every": 4, "--device": "cpu", "--root": f"here={data}"}
    benchtool("--plugin", TOY, "train", recipe, "--tensorboard", "--resume", *(part for pair in values.items() for part in pair))
    assert seen[0][2:] == (Path("x"), run.Settings("cpu", 3, 2**29, 4.0, True, True, False), False)
    benchtool("--plugin", TOY, "train", recipe, "--data", data, "--restart", "--smoke")
    assert seen[1][2:] == (Path("runs/toy-recipe"), run.Settings("auto", 0, 0, 30.0, False, False, True), True)
    benchtool("--plugin", TOY, "train", recipe, "--data", data)
    assert seen[2][3].workers == 2
    for name, folder in (("sid", "sid"), ("sid:me", "sid"), ("sid:me-v2", "sid.me-v2")):
        benchtool("train", name, "--data", data)
        assert seen.pop()[2] == Path("runs") / folder


def test_ctrl_c_leaves_a_run_to_continue(recipe: Path, data: Path, tmp_path: Path) -> None:
    """SIGINT to the whole group, as a terminal sends it, while worker processes read."""
    sets = ("-s", "stages.0.epochs=100000", "-s", "validate=none")
    places = ("--data", str(data), "--out", "run", "--device", "cpu", "--workers", "1", "--save-every", "0")
    arguments = [sys.executable, "-m", "benchtool", "--plugin", str(TOY), "train", str(recipe), *places, *sets]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(arguments, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = time.monotonic()
    while not (tmp_path / "run/checkpoints/train/state.json").exists():
        assert process.poll() is None and time.monotonic() - begun < 300
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130 and said.splitlines()[-1] == "interrupted; the same command continues run", said
    assert "Traceback" not in said
    assert not list((tmp_path / "run").rglob(".tmp-*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a mapped file may wait for the garbage collector


def test_a_full_disk_is_one_line_and_leaves_what_was_whole(benchtool: Callable, recipe: Path, data: Path, small_disk: Path) -> None:
    arguments = ("--data", data, "--out", small_disk / "run", "-s", "options.width=24")
    full = toy(benchtool, recipe, *arguments)
    assert full.code == 2 and "No space left" in full.err and "run the same command again" in full.err and "Traceback" not in full.err
    assert not list(small_disk.rglob(".tmp-*")) and not (small_disk / "run/summary.json").exists()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert toy(benchtool, recipe, *arguments).code == 0
