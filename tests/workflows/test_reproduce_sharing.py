"""`benchtool reproduce` trains what trainings have in common once: who gives to whom, what is saved by it, and what is never taken."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_training import make_dataset

from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset, open_dataset
from benchtool.core.recipe import Recipe, load_recipe
from benchtool.papers.load import load
from benchtool.training.folder import write_recipe
from benchtool.workflows.reproduce.graph import graph
from benchtool.workflows.reproduce.node import Node, Places, total

TRAIN = 80 * 12  # steps of a stage: 80 epochs of 12 samples, one a step
TUNE = 40 * 8  # of the larger exposure group


@pytest.fixture
def sice(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "data" / "sice", name="sice")


def look(tmp_path: Path, number: str = "3", recipes: tuple[str, ...] = (), backwards: bool = False) -> dict[str, Node]:
    """The graph of a table's rows with these recipes (all by default), in the order they have there or the other one round."""
    library = load("enc")
    table = library.table(number)
    rows = [row for row in table.rows if row.recipe in recipes or not recipes]
    table = dataclasses.replace(table, rows=tuple(reversed(rows) if backwards else rows))
    return {node.name: node for node in graph(library, table, Places(tmp_path / "data", tmp_path / "runs"))}


def giver(node: Node) -> str:
    """The run whose stages a training takes over, empty where it takes none."""
    return Path(node.command[-1]).name if "--reuse" in node.command else ""


def givers(nodes: dict[str, Node]) -> dict[str, str]:
    return {name.removeprefix("train "): giver(node) for name, node in nodes.items() if node.kind == "train"}


def write(tmp_path: Path, name: str, recipe: Recipe, stages: dict[str, int], fingerprint: str, processes: int = 1) -> Path:
    """A run as `train` leaves it when its stages have these steps of 960 behind them, less what its tensors mean."""
    run = tmp_path / "runs" / name
    write_recipe(run, recipe)
    (run / "provenance.json").write_text(json.dumps([{"fingerprint": fingerprint, "processes": processes}]))
    for stage, step in stages.items():
        place = run / "checkpoints" / stage
        place.mkdir(parents=True)
        for which in ("last", "best", "state"):
            (place / f"{which}.safetensors").write_bytes(b"tensors")
        facts = {"step": step, "steps": TRAIN, "finished": step == TRAIN, "seconds": step / 2}
        (place / "state.json").write_text(json.dumps(facts))
    return run


TABLE_3 = {
    "drbn-enc-4.sice": "", "drbn-enc-4-seq.sice": "drbn-enc-4.sice", "i-drbn-4.sice": "drbn-enc-4.sice",
    "sid-enc.sice": "", "sid-enc-seq.sice": "sid-enc.sice", "i-sid.sice": "sid-enc.sice",
}  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
def test_three_rows_train_two_stages_once(tmp_path: Path, sice: Dataset, backwards: bool) -> None:
    """Whatever the order of the rows: the shortest goes first, as none has to wait for another's tuning."""
    found = look(tmp_path, backwards=backwards)
    assert givers(found) == TABLE_3
    order = list(found)
    for taker, run in ((name, run) for name, run in TABLE_3.items() if run):
        assert f"train {run}" in found[f"train {taker}"].needs and order.index(f"train {run}") < order.index(f"train {taker}")
    assert all(order.index(need) < order.index(name) for name, node in found.items() for need in node.needs)
    node = found["train i-sid.sice"]
    assert node.state == "due" and node.command[-2:] == ["--reuse", str(tmp_path / "runs" / "sid-enc.sice")]
    assert [stage.about for stage in node.stages[:2]] == ["taken over from sid-enc.sice"] * 2
    assert node.stages[2].about.startswith("40 epochs, 320 steps, start distil.best")


def test_what_is_taken_over_costs_nothing(tmp_path: Path, sice: Dataset) -> None:
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    costs = {name: node.cost.count for name, node in found.items() if node.kind == "train"}
    assert costs == {"train sid-enc.sice": 2 * TRAIN, "train sid-enc-seq.sice": TUNE, "train i-sid.sice": TUNE}
    assert total(found.values()).startswith(f"3 trainings, {2 * TRAIN + 2 * TUNE:,} steps")


def test_among_equals_the_first_one_gives(tmp_path: Path, sice: Dataset) -> None:
    assert givers(look(tmp_path, recipes=("sid-enc-seq", "i-sid"))) == {"sid-enc-seq.sice": "", "i-sid.sice": "sid-enc-seq.sice"}


def test_one_stage_of_the_ablation(tmp_path: Path) -> None:
    """Each on its own data; a giver of one stage is as good as one of two."""
    for name in ("me", "sice"):
        make_dataset(tmp_path / "data" / name, name=name)
    found = givers(look(tmp_path, "6"))
    for name in ("me", "sice"):
        takers = {run for run, source in found.items() if source == f"sid-enc-is-ic-in.{name}"}
        assert takers == {f"{recipe}.{name}" for recipe in ("sid-enc", "sid-enc-is-ic-in-nd", "sid-enc-is-ic-in-ed")}
    assert sum(bool(source) for source in found.values()) == 6


def test_a_run_of_another_table(tmp_path: Path, sice: Dataset) -> None:
    """It is there already: nothing waits, and both stages of SID-ENC come out of it; of its third nothing is wanted."""
    recipe = load_recipe("i-sid:sice")
    settled = recipe.stages[2].model_copy(update={"worst": [0.0, 1.5]})
    recipe = recipe.model_copy(update={"stages": [*recipe.stages[:2], settled]})
    write(tmp_path, "by-hand", recipe, {"train": TRAIN, "distil": TRAIN, "tune": 5}, sice.facts.fingerprint)
    found = look(tmp_path, "6")
    takers = [f"{recipe}.sice" for recipe in ("sid-enc-is-ic-in", "sid-enc-is-ic-in-nd", "sid-enc-is-ic-in-ed", "sid-enc")]
    assert {run for run, source in givers(found).items() if source == "by-hand"} == set(takers)
    assert all(found[f"train {taker}"].needs == ["data sice"] for taker in takers)
    assert found["train sid-enc.sice"].cost.count == 0 and found["train sid-enc-is-ic-in-nd.sice"].cost.count == TRAIN
    assert [stage.about for stage in found["train sid-enc.sice"].stages] == ["taken over from by-hand"] * 2


def other_data(run: Path) -> None:
    (run / "provenance.json").write_text(json.dumps([{"fingerprint": "0" * 64, "processes": 1}]))


def many_processes(run: Path) -> None:
    (run / "provenance.json").write_text(json.dumps([{**read_json(run / "provenance.json")[0], "processes": 8}]))


def unfinished(run: Path) -> None:
    path = run / "checkpoints" / "train" / "state.json"
    path.write_text(json.dumps(read_json(path) | {"step": 3, "finished": False}))


def no_state(run: Path) -> None:
    (run / "checkpoints/train/state.safetensors").unlink()


def no_weights(run: Path) -> None:
    (run / "checkpoints/train/last.safetensors").unlink()


def damaged_recipe(run: Path) -> None:
    (run / "recipe.resolved.yaml").write_bytes(b"\xff\xfe")


def damaged_checkpoint(run: Path) -> None:
    (run / "checkpoints/train/state.json").write_text("{")


def shortened(run: Path) -> None:
    recipe = run / "recipe.resolved.yaml"
    recipe.write_text(recipe.read_text().replace("smoke: false", "smoke: true"))


@pytest.mark.parametrize(
    "spoil",
    [other_data, many_processes, unfinished, no_state, no_weights, damaged_recipe, damaged_checkpoint, shortened, shutil.rmtree],
    ids=lambda spoil: spoil.__name__,
)
def test_nothing_is_taken_from_a_run_that_does_not_have_it(tmp_path: Path, sice: Dataset, spoil: Callable[[Path], None]) -> None:
    run = write(tmp_path, "other", load_recipe("i-sid:sice"), {"train": TRAIN}, sice.facts.fingerprint)
    assert givers(look(tmp_path, recipes=("sid-enc",))) == {"sid-enc.sice": "other"}
    spoil(run)
    assert givers(look(tmp_path, recipes=("sid-enc",))) == {"sid-enc.sice": ""}


def test_a_stale_run_gives_nothing_and_takes_nothing(tmp_path: Path, sice: Dataset) -> None:
    """Even where the stages that it had finished are still the same."""
    recipe = load_recipe("sid-enc:sice", ["stages.1.epochs=1"])
    write(tmp_path, "sid-enc.sice", recipe, {"train": TRAIN}, sice.facts.fingerprint)
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    assert found["train sid-enc.sice"].state == "stale"
    assert givers(found) == {"sid-enc.sice": "", "sid-enc-seq.sice": "", "i-sid.sice": "sid-enc-seq.sice"}


def test_a_longer_part_is_waited_for(tmp_path: Path, sice: Dataset) -> None:
    """A run that is there has one stage, the training before this one will have two."""
    write(tmp_path, "one-stage", load_recipe("sid-enc-is-ic-in:sice"), {"train": TRAIN}, sice.facts.fingerprint)
    found = look(tmp_path, recipes=("sid-enc", "i-sid"))
    assert givers(found) == {"sid-enc.sice": "one-stage", "i-sid.sice": "sid-enc.sice"}
    assert found["train sid-enc.sice"].cost.count == TRAIN and found["train i-sid.sice"].cost.count == TUNE


def test_what_has_begun(tmp_path: Path, sice: Dataset) -> None:
    """A stage on its way goes on by itself, and the others wait for it; what is finished is not taken over again."""
    fingerprint = sice.facts.fingerprint
    write(tmp_path, "i-sid.sice", load_recipe("i-sid:sice"), {"train": TRAIN, "distil": 60}, fingerprint)
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    assert givers(found) == {"sid-enc.sice": "i-sid.sice", "sid-enc-seq.sice": "sid-enc.sice", "i-sid.sice": ""}
    assert found["train i-sid.sice"].cost.count == TRAIN - 60 + TUNE
    assert "train i-sid.sice" in found["train sid-enc.sice"].needs
    shutil.rmtree(tmp_path / "runs" / "i-sid.sice" / "checkpoints" / "distil")
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    assert givers(found) == {"sid-enc.sice": "i-sid.sice", "sid-enc-seq.sice": "sid-enc.sice", "i-sid.sice": "sid-enc.sice"}
    node = found["train i-sid.sice"]
    assert [(stage.state, "taken over" in stage.about) for stage in node.stages] == [("done", False), ("due", True), ("due", False)]
    assert node.cost.count == TUNE and found["train sid-enc.sice"].needs == ["data sice"]


def test_of_two_that_are_waited_for_the_shorter_gives(tmp_path: Path, sice: Dataset) -> None:
    """Though the longer one runs first, being on its way."""
    write(tmp_path, "sid-enc.sice", load_recipe("sid-enc:sice"), {"train": 60}, sice.facts.fingerprint)
    nodes = look(tmp_path, "6", ("sid-enc", "sid-enc-is-ic-in", "sid-enc-is-ic-in-nd"))
    found = {name: source for name, source in givers(nodes).items() if name.endswith(".sice")}
    assert found.pop("sid-enc-is-ic-in-nd.sice") == "sid-enc-is-ic-in.sice"
    assert found == {"sid-enc-is-ic-in.sice": "sid-enc.sice", "sid-enc.sice": ""}


def test_what_is_done_or_past_it_takes_nothing(tmp_path: Path, sice: Dataset) -> None:
    fingerprint = sice.facts.fingerprint
    run = write(tmp_path, "sid-enc.sice", load_recipe("sid-enc:sice"), {"train": TRAIN, "distil": TRAIN}, fingerprint)
    (run / "summary.json").write_text(json.dumps({"trained": {"finished": "2026-01-01"}}))
    write(tmp_path, "i-sid.sice", load_recipe("i-sid:sice"), {"train": TRAIN, "distil": TRAIN}, fingerprint)
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    assert found["train sid-enc.sice"].state == "done" and found["train i-sid.sice"].state == "due"
    assert givers(found) == {"sid-enc.sice": "", "sid-enc-seq.sice": "sid-enc.sice", "i-sid.sice": ""}
    assert found["train sid-enc-seq.sice"].needs == ["data sice"], "its stages are there already"


def test_who_waits_for_what_is_blocked_is_blocked(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert givers(found) == TABLE_3
    node = found["train i-sid.sice"]
    assert node.state == "blocked" and node.why == "waits for train sid-enc.sice"
    assert found["train sid-enc.sice"].why == "waits for data sice" and found["evaluate i-sid.sice on sice"].state == "blocked"


def test_a_giver_that_cannot_be_trained(tmp_path: Path, sice: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data does not fill a step of its own second stage: the others do not wait for it."""
    real = load_recipe

    def recipe(source: str) -> Recipe:
        return real(source, ["stages.1.batch=99"] if source == "sid-enc:sice" else [])

    monkeypatch.setattr("benchtool.workflows.reproduce.graph.load_recipe", recipe)
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq", "i-sid"))
    assert found["train sid-enc.sice"].state == "blocked" and "do not fill one step of 99" in found["train sid-enc.sice"].why
    assert givers(found) == {"sid-enc.sice": "", "sid-enc-seq.sice": "", "i-sid.sice": "sid-enc-seq.sice"}
    assert found["train sid-enc-seq.sice"].state == found["train i-sid.sice"].state == "due"


def test_really_trained_in_that_order(benchtool: Callable, tmp_path: Path, sice: Dataset) -> None:
    """The commands of two rows, made short and small; the second time there is nothing to take over."""
    found = look(tmp_path, recipes=("sid-enc", "sid-enc-seq"))
    for name in ("train sid-enc.sice", "train sid-enc-seq.sice"):
        assert benchtool(*found[name].command, "--smoke", "-s", "options.width=2", "--device", "cpu").code == 0
    first, second = (tmp_path / "runs" / name for name in ("sid-enc.sice", "sid-enc-seq.sice"))
    for stage in ("train", "distil"):
        names = (f"checkpoints/{stage}/{which}.safetensors" for which in ("last", "best"))
        assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    (entry,) = read_json(second / "provenance.json")
    assert entry["reused"] == {"run": str(first), "stages": ["train", "distil"]}
    assert open_dataset(sice.folder).facts.fingerprint == entry["fingerprint"]


def test_the_listing(benchtool: Callable, tmp_path: Path, sice: Dataset) -> None:
    done = benchtool("reproduce", "enc:3", "--data", tmp_path / "data", "--runs", tmp_path / "runs", "--dry-run")
    lines = done.out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("due      train sid-enc-seq.sice"))
    assert done.code == 0 and "320 steps" in lines[start]
    assert [line.strip() for line in lines[start + 1 : start + 3]] == [
        f"{s}: due; taken over from sid-enc.sice" for s in ("train", "distil")
    ]
