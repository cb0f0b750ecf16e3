"""What goes wrong in training is one line and exit code 2; the folder stays as it was, and the same command ends in the same bits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made_training import TOY, toy_recipe

from benchtool.core.files import write_text
from benchtool.core.manifest import Dataset
from benchtool.training.checkpoints import read_facts
from benchtool.training.trainee import Trainee

STAGES = [{}, {"name": "distil", "start": "train.last", "teacher": "train.best", "losses": {"mse": 1.0, "teach": 0.5}}]
BEST = "checkpoints/train/best.safetensors"
Train = Callable[..., object]


@pytest.fixture
def toy(benchtool: Callable, dataset: Dataset, tmp_path: Path) -> Train:
    """`toy("run", "-s", "seed=1")` trains the two stages of the toy into `run`, saving after each step."""
    recipe = toy_recipe(tmp_path, STAGES)
    places = ("--data", dataset.folder, "--device", "cpu", "--workers", 0, "--save-every", 0)
    return lambda name, *more: benchtool("--plugin", TOY, "train", recipe, "--out", tmp_path / name, *places, *more)


def files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def kept(run: Path) -> dict[str, bytes]:
    """The weights a training keeps."""
    return {name: data for name, data in files(run).items() if name.endswith(("last.safetensors", "best.safetensors"))}


def stopped(done: object, says: str) -> None:
    lines = [line for line in done.err.splitlines() if line.startswith("benchtool: ")]
    assert done.code == 2 and len(lines) == 1 and lines[0] == done.err.splitlines()[-1] and says in lines[0], done.err
    assert "Traceback" not in done.err


def nan_at(monkeypatch: pytest.MonkeyPatch, stage: str, step: int) -> None:
    """Let the loss of that step (counted from 1) be NaN, as a fault of memory would."""
    real, calls = Trainee.forward, []

    def forward(self: Trainee, batch: object, given: object, player: str = "model") -> tuple:
        total, losses = real(self, batch, given, player)
        calls.append(given.name)
        return (total * torch.nan, losses) if given.name == stage and calls.count(stage) == step else (total, losses)

    monkeypatch.setattr(Trainee, "forward", forward)


@pytest.fixture
def interrupted(toy: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that stopped in the fourth step of its second stage."""
    with monkeypatch.context() as patched:
        nan_at(patched, "distil", 4)
        done = toy("run")
    stopped(done, "stage 'distil', step 4: the loss 'loss' is nan (samples train")
    assert "the last checkpoint stands" in done.err
    return tmp_path / "run"


def test_nan_at_a_step_leaves_what_was_saved(toy: Train, interrupted: Path, tmp_path: Path) -> None:
    assert read_facts(interrupted / "checkpoints/distil")["step"] == 3 and not (interrupted / "summary.json").exists()
    assert b"nan" not in (interrupted / "log.csv").read_bytes() and not list(interrupted.rglob(".tmp-*"))
    resumed = toy("run")
    assert resumed.code == 0 and "stage 'distil', 2 of 2, from step 3" in resumed.err
    assert toy("whole").code == 0
    assert kept(interrupted) == kept(tmp_path / "whole") != {}


def test_nan_before_anything_was_saved(toy: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        nan_at(patched, "train", 1)
        done = toy("run")
    stopped(done, "stage 'train', step 1: the loss 'loss' is nan")
    assert "nothing was saved yet" in done.err and "checkpoint stands" not in done.err and not (tmp_path / "run/checkpoints").exists()


@pytest.mark.parametrize("losses", ["stages.1.losses={mse: 1.0, teach: 0.5}", "stages.1.regularise={losses: {teach: 1.0}}"])
def test_a_loss_that_needs_a_teacher_without_one(toy: Train, tmp_path: Path, losses: str) -> None:
    """Found before anything is written."""
    stopped(
        toy("run", "-s", "stages.1.teacher=null", "-s", "stages.1.losses={mse: 1.0}", "-s", losses),
        "stages.1: the loss 'teach' needs a network to learn from",
    )
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_has_gone(toy: Train, interrupted: Path, tmp_path: Path) -> None:
    (interrupted / BEST).rename(tmp_path / "aside")
    before = files(interrupted)
    stopped(toy("run"), f"'train.best': no such checkpoint ({interrupted / BEST}); train that stage first")
    after = files(interrupted)
    del before["provenance.json"], after["provenance.json"]  # which tells of every start
    assert after == before
    (tmp_path / "aside").rename(interrupted / BEST)
    assert toy("run").code == 0 == toy("whole").code
    assert kept(interrupted) == kept(tmp_path / "whole")


def test_a_teacher_of_another_network(toy: Train, interrupted: Path, tmp_path: Path) -> None:
    """Its file was overwritten with that of a wider one."""
    assert toy("wide", "-s", "options.width=6").code == 0
    shutil.copy(interrupted / BEST, tmp_path / "aside")
    shutil.copy(tmp_path / "wide" / BEST, interrupted / BEST)
    stopped(toy("run"), "weights of another network than Toy (first difference: first.bias)")
    shutil.copy(tmp_path / "aside", interrupted / BEST)
    assert toy("run").code == 0 == toy("whole").code
    assert kept(interrupted) == kept(tmp_path / "whole")


@pytest.mark.parametrize("key", ["start", "teacher"])
def test_a_stage_that_names_an_unknown_one(toy: Train, interrupted: Path, tmp_path: Path, key: str) -> None:
    """Refused before anything is written, in a new folder and in one with a run."""
    before = files(interrupted)
    for name in ("run", "new"):
        stopped(toy(name, "-s", f"stages.1.{key}=trian.best"), f"stages.1.{key}: 'trian.best': unknown earlier stage 'trian'; did you mean")
    assert files(interrupted) == before and not (tmp_path / "new").exists()


@pytest.mark.parametrize("key", ["start", "teacher"])
def test_a_checkpoint_of_another_method(toy: Train, interrupted: Path, tmp_path: Path, key: str) -> None:
    write_text(tmp_path / "other/recipe.resolved.yaml", "method: sid\nstages: [{name: train}]\n")
    before = files(interrupted)
    for name in ("run", "new"):
        done = toy(name, "-s", f"stages.1.{key}={tmp_path / 'other'}:train.best")
        stopped(done, f"{tmp_path / 'other'} trained the method 'sid', this recipe is of 'toy'")
    assert files(interrupted) == before and not (tmp_path / "new").exists()
