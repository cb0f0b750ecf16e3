"""`--reuse`: stages taken over from another run are those that would have been trained, and nothing else is ever taken."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_training import TOY, make_dataset, toy_recipe
from test_resume import HARD, Crash, crashing, same_bytes

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json, write_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.training import run as whole_training
from benchtool.training.checkpoints import read_facts
from benchtool.training.folder import alike, read_recipe
from benchtool.training.run import Settings, train

SHORT = {"steps": 2, "epochs": None}
FIRST = {"name": "train", **SHORT}
DISTIL = {"name": "distil", "start": "train.best", "teacher": "train.best", "losses": {"mse": 1.0, "teach": 0.5}, **SHORT}
TUNE = {"name": "tune", "start": "distil.best", "exposures": "worst", "regularise": {}, **SHORT}
OTHER = {"name": "tune", "start": "distil.best", "losses": {"l1": 1.0}, **SHORT}
AFTER = {"name": "after", "start": "tune.best", "losses": {"l1": 1.0}, **SHORT}
OPTIONS = {"noise": 0.1, "gated": True}
Trained = Callable[..., Path]


def seconds(run: Path, stage: str) -> float:
    """What a stage took: a copied one has the other run's."""
    return read_facts(run / "checkpoints" / stage)["seconds"]


def test_a_run_with_stages_of_another_is_the_run_that_trained_them(trained: Trained, capfd: pytest.CaptureFixture) -> None:
    """Noise, batch norm, a critic, EMA; the other run goes on differently, with other columns in its log."""
    other = trained("other", [HARD, DISTIL, OTHER], options=OPTIONS)
    capfd.readouterr()
    ours = trained("ours", [HARD, DISTIL, TUNE], {"reuse": other}, options=OPTIONS)
    said = capfd.readouterr().err
    assert f"{ours}: taken over from {other}: train, distil\n" in said and "stage 'tune', 3 of 3" in said and "of 3, from" not in said
    assert "stage 'train'" not in said and "stage 'distil'" not in said
    whole = trained("whole", [HARD, DISTIL, TUNE], options=OPTIONS)
    same_bytes(whole, ours)
    for stage in ("train", "distil"):
        facts = read_facts(ours / "checkpoints" / stage)
        assert facts == read_json(ours / "checkpoints" / stage / "state.json") and facts["seconds"] == seconds(other, stage)
        assert facts["log_bytes"] < os.path.getsize(ours / "log.csv")
    headers = [(place / "log.csv").read_text().splitlines()[0] for place in (ours, other)]
    assert headers[0] != headers[1] and "regularise" in headers[0]
    (entry,) = read_json(ours / "provenance.json")
    assert entry["reused"] == {"run": str(other), "stages": ["train", "distil"]}
    summary = read_json(ours / "summary.json")["trained"]
    assert summary["reused"] == {"train": str(other), "distil": str(other)}
    assert summary["steps"] == read_json(whole / "summary.json")["trained"]["steps"]
    assert read_json(other / "summary.json")["trained"]["reused"] == {}
    (ours / "summary.json").unlink()
    shutil.rmtree(ours / "checkpoints/tune")
    trained("ours", [HARD, DISTIL, TUNE], options=OPTIONS)  # from the end of what was taken over, in the log too
    same_bytes(whole, ours)


def test_the_worst_exposure_is_taken_over_as_it_was_settled(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    other = trained("other", [FIRST, DISTIL, TUNE])
    whole = trained("whole", [FIRST, DISTIL, TUNE, AFTER])
    monkeypatch.setattr(whole_training, "settle_worst", None)
    ours = trained("ours", [FIRST, DISTIL, TUNE, AFTER], {"reuse": other})
    assert read_recipe(ours).stages[2].worst == read_recipe(other).stages[2].worst is not None
    same_bytes(whole, ours)


def test_nothing_is_left_to_train(trained: Trained) -> None:
    other = trained("other", [FIRST, DISTIL])
    ours = trained("ours", [FIRST], {"reuse": other, "restart": True})
    same_bytes(trained("whole", [FIRST]), ours)
    assert read_json(ours / "summary.json")["trained"]["finished"] and seconds(ours, "train") == seconds(other, "train")


def test_a_kill_at_any_write_leaves_something_to_continue(trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Crashing before the n-th rename, for every n, and going on each time: always the same end, and nothing is trained twice."""
    stages = [FIRST | {"ema": 0.9}, DISTIL]
    other, whole = trained("other", [*stages, OTHER]), trained("whole", stages)
    settings = {"reuse": other}
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
            assert [seconds(tmp_path / name, s) for s in ("train", "distil")] == [seconds(other, s) for s in ("train", "distil")]
    assert number > 10, "recipe, provenance, four files a stage, and the summary"


def test_what_a_run_has_trained_itself_is_its_own(trained: Trained, capfd: pytest.CaptureFixture) -> None:
    """Only what comes after is taken over, if it followed from the same weights; a stage that has begun goes on."""
    other, stages = trained("other", [FIRST, DISTIL, OTHER]), [FIRST, DISTIL, TUNE]
    whole = trained("whole", stages)
    for name, begun, own in (("finished", "distil", ["train"]), ("begun", "tune", ["train", "distil"])):
        ours = trained(name, stages)
        (ours / "summary.json").unlink()
        for stage in ("distil", "tune"):
            if stage not in own:
                shutil.rmtree(ours / "checkpoints" / stage)
        before = {stage: seconds(ours, stage) for stage in own}
        trained(name, stages, {"reuse": other})
        same_bytes(whole, ours)
        assert {stage: seconds(ours, stage) for stage in own} == before
        assert (seconds(ours, begun) == seconds(other, begun)) == (name == "finished")
    (ours / "summary.json").unlink()
    shutil.rmtree(ours / "checkpoints/distil")
    shutil.copy(other / "checkpoints/tune/last.safetensors", other / "checkpoints/train/last.safetensors")
    capfd.readouterr()
    trained("begun", stages, {"reuse": other})
    assert "train/last.safetensors: other weights than" in capfd.readouterr().err
    assert seconds(ours, "distil") != seconds(other, "distil") and "reused" not in read_json(ours / "provenance.json")[-1]


def test_the_other_run_may_go_once_its_stages_are_copied(trained: Trained, capfd: pytest.CaptureFixture) -> None:
    other, stages = trained("other", [FIRST]), [FIRST, DISTIL]
    ours = trained("ours", stages, {"reuse": other})
    (ours / "summary.json").unlink()
    shutil.rmtree(ours / "checkpoints/distil")
    shutil.rmtree(other)
    capfd.readouterr()
    trained("ours", stages, {"reuse": other})
    assert f"--reuse {other}: is no run" not in capfd.readouterr().err, "it has all that it wants of it"
    same_bytes(trained("whole", stages), ours)


@pytest.fixture(scope="module")
def two_stages(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalog.add_plugin(TOY)
    folder = tmp_path_factory.mktemp("other")
    train(load_recipe(str(toy_recipe(folder, [FIRST, DISTIL]))), dataset, folder / "other", Settings("cpu"))
    return folder / "other"


@pytest.fixture
def other(two_stages: Path, tmp_path: Path) -> Path:
    """A run of two stages."""
    return shutil.copytree(two_stages, tmp_path / "other")


def unfinished(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


def other_data(run: Path) -> None:
    write_json(run / "provenance.json", [{**entry, "fingerprint": "0" * 64} for entry in read_json(run / "provenance.json")])


def more_processes(run: Path) -> None:
    write_json(run / "provenance.json", [{**entry, "processes": 8} for entry in read_json(run / "provenance.json")])


def no_best(run: Path) -> None:
    (run / "checkpoints/train/best.safetensors").unlink()


def torn_log(run: Path) -> None:
    (run / "log.csv").write_text("stage,epoch,step,lr\ntrain,1,six,0.1\n")


REFUSED = [
    (shutil.rmtree, {}, "other: is no run (no recipe.resolved.yaml); nothing of it"),
    (unfinished, {}, "other: has not finished its stage 'train'"),
    (other_data, {}, "other: was trained on other data, or by another number of processes (fingerprint: 000"),
    (more_processes, {}, "other: was trained on other data, or by another number of processes (processes: 8 there, 1 here)"),
    (no_best, {}, "other: lacks best.safetensors of its stage 'train'"),
    (torn_log, {}, "other/log.csv: damaged (invalid literal for int() with base 10: 'six')"),
    (None, {"seed": 1}, "ran another recipe (seed: 0 there, 1 here)"),
    (None, {"validate": "none"}, "ran another recipe (validate: psnr:rgb-u8 there, None here)"),
    (None, {"options": {"width": 5}}, "ran another recipe (options.width: None there, 5 here)"),
    (None, {"stages": [FIRST | {"optimizer": {"lr": 0.5}}]}, "ran another recipe (stages.0.optimizer.lr: 0.01 there, 0.5 here)"),
    (None, {"stages": [FIRST | {"name": "first"}]}, "ran another recipe (stages.0.name: train there, first here)"),
]


@pytest.mark.parametrize(("spoil", "changes", "says"), REFUSED, ids=[says.partition("(")[2][:20] or says[:25] for _, _, says in REFUSED])
def test_refused_before_anything_is_written(
    benchtool: Callable, dataset: Dataset, tmp_path: Path, other: Path, spoil: Callable | None, changes: dict[str, Any], says: str
) -> None:
    if spoil:
        spoil(other)
    recipe = toy_recipe(tmp_path, **({"stages": [FIRST, DISTIL]} | changes))
    places = ("--data", dataset.folder, "--out", tmp_path / "new", "--device", "cpu", "--workers", 0)
    done = benchtool("--plugin", TOY, "train", recipe, *places, "--reuse", other)
    lines = [line for line in done.err.splitlines() if line.startswith("benchtool: ")]
    assert done.code == 2 and len(lines) == 1 and "--reuse" in lines[0] and says in lines[0], done.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("restart", [False, True])
def test_a_run_is_not_its_own_other(trained: Trained, other: Path, tmp_path: Path, restart: bool) -> None:
    (tmp_path / "link").symlink_to(other)
    with pytest.raises(UserError, match="link: is the run to be trained itself"):
        trained("other", [FIRST, DISTIL], {"reuse": tmp_path / "link", "restart": restart})
    assert (other / "summary.json").is_file()


def test_restart_begins_with_the_stages_of_the_other(trained: Trained, other: Path, tmp_path: Path) -> None:
    ours = trained("ours", [FIRST, OTHER | {"start": "train.best"}])
    with pytest.raises(UserError, match="seed: 0 there, 1 here"):
        trained("ours", [FIRST, DISTIL], {"reuse": other, "restart": True}, seed=1)
    assert (ours / "summary.json").is_file(), "refused before it was discarded"
    trained("ours", [FIRST, DISTIL], {"reuse": other, "restart": True})
    assert [seconds(ours, stage) for stage in ("train", "distil")] == [seconds(other, stage) for stage in ("train", "distil")]


def test_stages_that_are_alike() -> None:
    """ENC's own recipes."""
    load = {name: load_recipe(f"{name}:sice") for name in ("sid-enc", "i-sid", "sid-enc-seq", "sid-enc-ed", "sid-enc-is-ic-in", "sid")}
    counts = {name: alike(recipe, load["i-sid"])[0] for name, recipe in load.items()}
    assert counts == {"sid-enc": 2, "i-sid": 3, "sid-enc-seq": 2, "sid-enc-ed": 0, "sid-enc-is-ic-in": 1, "sid": 0}
    assert alike(load["sid-enc-seq"], load["i-sid"])[1].startswith("stages.2.")
    assert alike(load["i-sid"], load_recipe("i-sid:me")) == (0, "dataset: sice there, me here")


def test_a_checkpoint_of_another_run_is_compared_as_text(trained: Trained, other: Path, tmp_path: Path) -> None:
    """The same file by another name may be another file tomorrow."""
    start = {"start": f"{other}:train.best"}
    one = trained("one", [start])
    same_bytes(one, trained("two", [start], {"reuse": one}))
    with pytest.raises(UserError, match="stages.0.start: "):
        trained("three", [{"start": f"{tmp_path}/./other:train.best"}], {"reuse": one})


def test_other_data_of_the_same_name(trained: Trained, other: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="other data, .* .fingerprint"):
        trained("ours", [FIRST, DISTIL], {"reuse": other}, data=make_dataset(tmp_path / "data", scenes=(5, 1, 1)))


def test_a_run_without_a_log(trained: Trained, other: Path) -> None:
    (other / "log.csv").unlink()
    ours = trained("ours", [FIRST, OTHER | {"start": "train.best"}], {"reuse": other})
    assert {row["stage"] for row in csv.DictReader((ours / "log.csv").read_text().splitlines())} == {"tune"}
