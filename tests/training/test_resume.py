"""A run that was killed and started again with the same command ends in the same bits as one that never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_training import TOY, make_dataset, moved, toy_recipe, weights
from safetensors.torch import load_file

from benchtool.core import files
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.core.recipe_stage import Optimizer
from benchtool.training.checkpoints import read_facts, save_tensors
from benchtool.training.folder import add_provenance, held
from benchtool.training.optimise import Moments, build_optimizer

HARD: dict[str, Any] = {  # everything a state holds, in one stage
    "losses": {"mse": 1.0, "adversarial": 0.1, "critic": 1.0},
    "players": {"critic": {"optimizer": {"lr": 1e-3}, "from_epoch": 2}},
    "ema": 0.9,
    "accumulate": 2,
    "batch": 1,
    "clip": 0.5,
    "schedule": {"kind": "cosine"},
    "augment": ["hflip", "rot90"],
}


def command(recipe: Path | str, data: Path, out: Path, *more: str) -> list[str]:
    plugin = ["--plugin", str(TOY)] if str(recipe).endswith(".yaml") else []
    places = ["--data", str(data), "--out", str(out)]
    return [*plugin, "train", str(recipe), *places, "--device", "cpu", "--workers", "0", "--save-every", "0", *more]


# The command line, but it stands still once a step is saved: whoever kills it in time before that step cannot be late.
HELD = """
import time
from benchtool.cli.main import run
from benchtool.training import checkpoints

save = checkpoints.save_state

def save_and_wait(folder, tensors, facts):
    save(folder, tensors, facts)
    if facts["step"] == 20:
        time.sleep(600)

checkpoints.save_state = save_and_wait
run()
"""


def start(arguments: list[str], program: tuple[str, str] = ("-m", "benchtool"), **env: str) -> subprocess.Popen:
    """The command line in a process of its own, which a test may kill; on as many threads as this one, for the same bits."""
    whole = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), **env}
    return subprocess.Popen([sys.executable, *program, *arguments], stderr=subprocess.DEVNULL, env=whole)


def same_bytes(one: Path, two: Path) -> None:
    """All weights are the same files; all states the same tensors; all logs the same but for the seconds."""
    for path in sorted(one.rglob("*.safetensors")):
        other = two / path.relative_to(one)
        if path.name != "state.safetensors":
            assert path.read_bytes() == other.read_bytes(), path
        assert moved(load_file(path), load_file(other)) == set(), path
    logs = [[line.rpartition(",")[0] for line in (folder / "log.csv").read_text().splitlines()] for folder in (one, two)]
    assert logs[0] == logs[1]
    assert (one / "recipe.resolved.yaml").read_bytes() == (two / "recipe.resolved.yaml").read_bytes()


def test_sigkill_at_a_step_through_the_command_line(benchtool: Callable, dataset: Dataset, tmp_path: Path) -> None:
    """Noise, batch norm, a critic, EMA and clipping; killed in the second of two epochs, and while tuning."""
    tune = {"name": "tune", "start": "train.best", "exposures": "worst", "regularise": {}}
    recipe = toy_recipe(tmp_path, [HARD, tune], options={"noise": 0.1, "gated": True})
    whole, killed = (command(recipe, dataset.folder, tmp_path / name) for name in ("whole", "killed"))
    assert benchtool(*whole).code == 0
    for place in ("train:16", "tune:8"):  # calls of `losses`: 12 in the first epoch, then twice as many; 6 for the importance
        assert start(killed, TOY_KILL_AT=place).wait(300) == -signal.SIGKILL
        facts = read_facts(tmp_path / "killed/checkpoints" / place.partition(":")[0])
        assert facts["step"] > 0 and not facts["finished"]
    assert benchtool(*killed, "--resume").code == 0
    same_bytes(tmp_path / "whole", tmp_path / "killed")
    assert len(files.read_json(tmp_path / "killed/provenance.json")) == 3


def test_sid_killed_from_outside(benchtool: Callable, tmp_path: Path) -> None:
    """The real network, made small, killed when two steps have been saved; fused Adam on channels-last weights."""
    dataset = make_dataset(tmp_path / "data", size=(48, 40))
    sets = ("options.width=4", "channels_last=true", "stages.0.steps=30", "stages.0.patch=32", "stages.0.optimizer.fused=true")
    more = [part for text in sets for part in ("-s", text)]
    whole, killed = (command("sid", dataset.folder, tmp_path / name, *more) for name in ("whole", "killed"))
    assert benchtool(*whole).code == 0
    process, begun = start(killed, ("-c", HELD)), time.monotonic()
    while (read_facts(tmp_path / "killed/checkpoints/train") or {"step": 0})["step"] < 2:
        assert process.poll() is None and time.monotonic() - begun < 300
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    step = read_facts(tmp_path / "killed/checkpoints/train")["step"]
    assert 2 <= step <= 20
    ended = benchtool(*killed)
    assert ended.code == 0 and f"from step {step}" in ended.err
    same_bytes(tmp_path / "whole", tmp_path / "killed")


class Crash(BaseException):
    """Stands for a kill: nothing catches it."""


def crashing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that has the n-th rename from then on crash."""
    real, left = os.replace, 0

    def replace(source: str, target: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crash
        real(source, target)

    def crash_at(number: int) -> None:
        nonlocal left
        left = number

    monkeypatch.setattr(files.os, "replace", replace)
    return crash_at


def test_a_kill_at_any_write_leaves_something_to_continue(
    trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Crashing before the n-th rename, for every n, and going on each time: always the same end."""
    tune = {"name": "b", "start": "train.best", "steps": 1, "epochs": None, "regularise": {}}
    stages, settings = [HARD | {"steps": 2, "epochs": None, "batch": 2}, tune], {"save_every": 0}
    whole = trained("whole", stages, settings)
    crash_at = crashing(monkeypatch)
    for number in range(1, 100):
        name = f"crash{number}"
        crash_at(number)
        try:
            trained(name, stages, settings)
            break
        except Crash:
            trained(name, stages, settings)
            same_bytes(whole, tmp_path / name)
            assert not list((tmp_path / name).rglob(".tmp-*"))
    assert number > 12, "there are more writes than that"


def test_when_it_saves_changes_nothing(trained: Callable[..., Path]) -> None:
    same_bytes(trained("often", [HARD], {"save_every": 0}), trained("once", [HARD], {"save_every": 1e9}))


def test_how_it_reads_changes_nothing(trained: Callable[..., Path]) -> None:
    same_bytes(trained("plain", [HARD]), trained("workers", [HARD], {"workers": 2, "cache": 10**6}))


def test_moments_get_their_strides_back_and_fused_adam_needs_them() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(8, 8, 3).to(memory_format=torch.channels_last)
    parameters = dict(conv.named_parameters())
    image = torch.randn(2, 8, 9, 9)

    def steps(optimizer: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            conv(image).square().mean().backward()
            optimizer.step()

    optimizer = build_optimizer(Optimizer(lr=1e-2, fused=True), parameters)
    steps(optimizer, 3)
    moments = Moments(optimizer, parameters)
    saved = {name: t.clone(memory_format=torch.contiguous_format) for name, t in moments.tensors().items()}
    at = {name: p.detach().clone() for name, p in parameters.items()}
    steps(optimizer, 3)
    expected = {name: p.detach().clone() for name, p in parameters.items()}

    def again(load: Callable[[Moments], None]) -> float:
        with torch.no_grad():
            for name, p in parameters.items():
                p.copy_(at[name])
        fresh = build_optimizer(Optimizer(lr=1e-2, fused=True), parameters)
        load(Moments(fresh, parameters))
        steps(fresh, 3)
        return max(float((p.detach() - expected[name]).abs().max()) for name, p in parameters.items())

    def contiguous(m: Moments) -> None:
        m.load(saved)
        for state in m.optimizer.state.values():
            state.update({key: t.contiguous() for key, t in state.items()})

    assert again(lambda m: m.load(saved)) == 0
    assert again(contiguous) > 1e-4, "without the strides it trains wrongly, which this test would see"


def test_a_folder_that_holds_something_else(trained: Callable[..., Path], tmp_path: Path) -> None:
    run = trained("run")
    with pytest.raises(UserError, match=r"holds a run of another recipe .stages.0.batch: 2 there, 3 here.; .* --restart"):
        trained("run", [{"batch": 3}])
    with pytest.raises(UserError, match=r"another recipe .seed: 0 there, 1 here."):
        trained("run", seed=1)
    with pytest.raises(UserError, match="--resume: .*new holds no run"):
        trained("new", settings={"resume": True})
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("x")
    for settings in ({}, {"restart": True}):
        with pytest.raises(UserError, match="is not empty and holds no run"):
            trained("full", settings=settings)
    assert (tmp_path / "full/thesis.tex").read_text() == "x" and run.is_dir()


def test_two_processes_do_not_train_in_one_folder(trained: Callable[..., Path], tmp_path: Path) -> None:
    run = trained("run")
    before = (run / "recipe.resolved.yaml").stat().st_mtime_ns
    with held(run):
        for settings in ({}, {"restart": True}):
            with pytest.raises(UserError, match="run: another process is training there"):
                trained("run", settings=settings)
    assert (run / "recipe.resolved.yaml").stat().st_mtime_ns == before
    with held(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


def test_other_data_and_another_number_of_processes_are_refused(trained: Callable[..., Path], tmp_path: Path) -> None:
    trained("run")
    (tmp_path / "run/summary.json").unlink()
    with pytest.raises(UserError, match="was begun on data with the fingerprint"):
        trained("run", data=make_dataset(tmp_path / "other", scenes=(5, 1, 1)))
    (entry,) = files.read_json(tmp_path / "run/provenance.json")
    with pytest.raises(UserError, match="was begun with a number of processes of 1, not 2"):
        add_provenance(tmp_path / "run", entry | {"processes": 2})


def test_a_finished_run_says_so_and_restart_begins_anew(trained: Callable[..., Path], capfd: pytest.CaptureFixture) -> None:
    run = trained("run")
    files.write_json(run / "summary.json", files.read_json(run / "summary.json") | {"evaluations": [{"kept": True}]})
    before = (run / "checkpoints/train/last.safetensors").stat().st_mtime_ns
    trained("run", settings={"resume": True})
    assert "already trained" in capfd.readouterr().err
    assert (run / "checkpoints/train/last.safetensors").stat().st_mtime_ns == before
    trained("run", [{"batch": 3}], {"restart": True})
    assert files.read_json(run / "summary.json")["evaluations"] == [] and len(files.read_json(run / "provenance.json")) == 1
    assert moved(weights(run), weights(trained("fresh", [{"batch": 3}]))) == set()


def test_the_summary_keeps_what_evaluate_wrote(trained: Callable[..., Path]) -> None:
    run = trained("run")
    files.write_json(run / "summary.json", {"schema": 1, "run": "run", "evaluations": [{"kept": True}]})
    trained("run")
    summary = files.read_json(run / "summary.json")
    assert summary["evaluations"] == [{"kept": True}] and summary["trained"]["steps"] == 12 and summary["parameters"] == 251


def test_damaged_and_infinite_states(trained: Callable[..., Path], tmp_path: Path) -> None:
    run = trained("run", [{}, {"name": "b", "start": "train.best"}])
    (run / "summary.json").unlink()
    state = run / "checkpoints/b/state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(UserError, match="state.safetensors: damaged .*--restart"):
        trained("run", [{}, {"name": "b", "start": "train.best"}])
    kept = tmp_path / "x.safetensors"
    save_tensors(kept, {"w": torch.ones(2)})
    with pytest.raises(UserError, match="'w' became infinite or NaN; the checkpoint before stands"):
        save_tensors(kept, {"w": torch.tensor([1.0, float("nan")])})
    assert load_file(kept)["w"].tolist() == [1, 1]


def test_a_start_that_has_gone_is_named(trained: Callable[..., Path]) -> None:
    stages = [{}, {"name": "b", "start": "train.best"}]
    run = trained("run", stages)
    for gone in ("summary.json", "checkpoints/b/state.safetensors", "checkpoints/train/best.safetensors"):
        (run / gone).unlink()
    with pytest.raises(UserError, match=r"'train.best': no such checkpoint .*best.safetensors"):
        trained("run", stages)
