"""What `benchtool reproduce` finds of earlier work: done, begun, stale, and weights from elsewhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import write_run
from made_training import make_dataset
from safetensors.torch import save_file

from benchtool.core.files import sha256_file
from benchtool.core.manifest import Dataset, open_dataset
from benchtool.core.protocol import read_protocol
from benchtool.core.recipe import load_recipe
from benchtool.datasets import fivek, me_v2
from benchtool.methods import create
from benchtool.papers.load import load
from benchtool.training.folder import write_recipe
from benchtool.workflows.reproduce.graph import graph
from benchtool.workflows.reproduce.node import Node, Places, total


@pytest.fixture
def me(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "data" / "me")


ROWS = ("CLAHE", "SID", "I-SID", "HE", "Zero-DCE")  # one of each kind


def look(tmp_path: Path, paper: str = "enc", number: str = "1") -> dict[str, Node]:
    library = load(paper)
    table = library.table(number)
    table = dataclasses.replace(table, rows=tuple(row for row in table.rows if row.label in ROWS and row.recipe != "zero-dce"))
    return {node.name: node for node in graph(library, table, Places(tmp_path / "data", tmp_path / "runs"))}


def measured(data: Dataset, protocol: str = "enc") -> dict[str, Any]:
    """The fields of an evaluation on `data` as it is now."""
    found = read_protocol(protocol)
    target = "+".join(found.roles(data.facts.name)) or data.facts.default_target
    return {
        "fingerprint": data.facts.fingerprint, "protocol": protocol, "protocol_sha256": found.sha256, "target": target,
        "metrics": [*found.metrics, *found.extra],
    }  # fmt: skip


def trained_run(tmp_path: Path, data: Dataset, recipe: str = "sid") -> Path:
    """A run as `train` and `evaluate` leave it, less the weights' meaning."""
    run, name = tmp_path / "runs" / f"{recipe}.{data.facts.name}", data.facts.name
    loaded = load_recipe(f"{recipe}:{name}")
    checkpoint(run, loaded.stages[-1].name)
    weights = run / "checkpoints" / loaded.stages[-1].name / "best.safetensors"
    write_run(
        run, loaded.method, recipe, name, trained={"finished": "2026-01-01", "dataset": name}, options=loaded.options,
        checkpoint=f"{loaded.stages[-1].name}.best", weights_sha256=sha256_file(weights), **measured(data),
    )  # fmt: skip
    write_recipe(run, loaded)
    (run / "provenance.json").write_text(json.dumps([{"fingerprint": data.facts.fingerprint}]))
    return run


def checkpoint(run: Path, stage: str, step: int = 960, steps: int = 960, seconds: float = 0.0) -> None:
    place = run / "checkpoints" / stage
    place.mkdir(parents=True)
    (place / "best.safetensors").write_bytes(b"weights")
    for name in ("last", "state"):
        (place / f"{name}.safetensors").write_bytes(b"tensors")
    (place / "state.json").write_text(json.dumps({"step": step, "steps": steps, "finished": step == steps, "seconds": seconds}))


def change(path: Path, **fields: Any) -> None:
    raw = json.loads(path.read_text())
    raw["evaluations"][0] |= fields
    path.write_text(json.dumps(raw))


def test_really_evaluated_is_done(benchtool: Callable, tmp_path: Path, me: Dataset) -> None:
    assert benchtool("evaluate", "clahe", "--data", me.folder, "--out", tmp_path / "runs" / "clahe").code == 0
    assert look(tmp_path)["evaluate clahe on me"].state == "done"


def test_really_trained_by_another_recipe_is_stale(benchtool: Callable, tmp_path: Path, me: Dataset) -> None:
    run = tmp_path / "runs" / "sid.me"
    assert benchtool("train", "sid:me", "--data", me.folder, "--out", run, "--smoke", "-s", "options.width=2").code == 0
    found = look(tmp_path)
    assert found["train sid.me"].state == "stale" and "another recipe" in found["train sid.me"].why
    assert found["evaluate sid.me on me"].state == "blocked"
    assert found["train sid.me-v2"].cost.seconds is None, "a short training has no pace"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"fingerprint": "0" * 64}, "other data"),
        ({"protocol_sha256": "0" * 64}, "another protocol file"),
        ({"complete": False}, "begun"),
        ({"metrics": ["psnr:rgb-u8"]}, "lacks ssim:gray-uniform7"),
        ({"split": "val"}, ""),
        ({"target": "expert_a"}, ""),
    ],
)
def test_what_makes_an_evaluation_due_again(tmp_path: Path, me: Dataset, fields: dict[str, Any], says: str) -> None:
    write_run(tmp_path / "runs" / "clahe", **measured(me))
    assert look(tmp_path)["evaluate clahe on me"].state == "done"
    change(tmp_path / "runs" / "clahe" / "summary.json", **fields)
    node = look(tmp_path)["evaluate clahe on me"]
    assert node.state == "due" and says in node.why and bool(says) == bool(node.why)


def test_a_training_and_its_evaluation(tmp_path: Path, me: Dataset) -> None:
    run = trained_run(tmp_path, me)
    found = look(tmp_path)
    assert found["train sid.me"].state == found["evaluate sid.me on me"].state == "done"
    assert [(stage.name, stage.state) for stage in found["train sid.me"].stages] == [("train", "done")]
    (run / "checkpoints" / "train" / "best.safetensors").write_bytes(b"others")
    node = look(tmp_path)["evaluate sid.me on me"]
    assert node.state == "due" and "weights have changed" in node.why


def test_an_evaluation_of_a_stale_training_is_stale(tmp_path: Path, me: Dataset) -> None:
    trained_run(tmp_path, me)
    make_dataset(tmp_path / "data" / "me", scenes=(5, 1, 1))
    found = look(tmp_path)
    assert found["train sid.me"].state == "stale" and "other data" in found["train sid.me"].why
    assert found["evaluate sid.me on me"].state == "blocked", "measured on other data"
    now = open_dataset(tmp_path / "data" / "me").facts.fingerprint
    change(tmp_path / "runs" / "sid.me" / "summary.json", fingerprint=now)
    node = look(tmp_path)["evaluate sid.me on me"]
    assert node.state == "stale" and "train sid.me" in node.why


def test_what_is_done_stays_so_without_its_data(tmp_path: Path, me: Dataset) -> None:
    trained_run(tmp_path, me)
    (tmp_path / "data" / "me").rename(tmp_path / "elsewhere")
    found = look(tmp_path)
    assert found["data me"].state == "blocked"
    assert found["train sid.me"].state == found["evaluate sid.me on me"].state == "done"
    assert "not here to compare with" in found["evaluate sid.me on me"].why


@pytest.mark.parametrize("name", ["me-v2", "fivek"])
def test_a_dataset_made_of_another_one_that_was_replaced(tmp_path: Path, me: Dataset, name: str) -> None:
    place = tmp_path / "data" / name
    me_v2.view(me.folder, place) if name == "me-v2" else fivek.view(me.folder, place, fivek.Options())
    number = "1" if name == "me-v2" else "4"
    if name == "me-v2":
        write_run(tmp_path / "runs" / "clahe", dataset="me-v2", **measured(open_dataset(place)))
        assert look(tmp_path)["evaluate clahe on me-v2"].state == "done"
    assert look(tmp_path, number=number)[f"data {name}"].state == "done"
    make_dataset(tmp_path / "data" / "me", scenes=(5, 1, 1))
    found = look(tmp_path, number=number)
    assert found[f"data {name}"].state == "stale" and "made of another me (fingerprint" in found[f"data {name}"].why
    if name == "me-v2":
        assert "benchtool data prepare me-v2" in found["data me-v2"].why
        assert found["evaluate clahe on me-v2"].state == "stale" and found["train sid.me-v2"].state == "blocked"
        assert found["evaluate clahe on me"].state == "due", "it needs ME alone"


def test_stages_and_what_is_left(tmp_path: Path, me: Dataset) -> None:
    run = tmp_path / "runs" / "i-sid.me"
    write_recipe(run, load_recipe("i-sid:me"))
    checkpoint(run, "train", seconds=96.0)
    checkpoint(run, "distil", step=60, seconds=108.0)
    node = look(tmp_path)["train i-sid.me"]
    assert node.state == "due" and "goes on where it stopped" in node.why
    assert [stage.state for stage in node.stages] == ["done", "begun at step 60 of 960", "due"]
    assert str(node.cost) == "1,220 steps, about 4 min 04 s at the pace of this run" and 1_220 == 960 - 60 + 320
    assert 1_220 * (96.0 + 108.0) / (960 + 60) == 4 * 60 + 4
    other = look(tmp_path)["train i-sid.me-v2"]
    assert other.cost.paced_by == str(run) and other.cost.seconds == 0.2
    assert look(tmp_path)["train sid.me"].cost.seconds is None, "another method"
    assert " for 2 of them, no pace known for the others" in total(look(tmp_path).values())


def test_a_stale_training_has_all_its_steps_before_it(tmp_path: Path, me: Dataset) -> None:
    run = tmp_path / "runs" / "i-sid.me"
    write_recipe(run, load_recipe("i-sid:me", ["stages.0.epochs=1"]))
    checkpoint(run, "train")
    node = look(tmp_path)["train i-sid.me"]
    assert node.state == "stale" and node.cost.count == 2_240 and {stage.state for stage in node.stages} == {"due"}


def test_damaged_runs_are_named(tmp_path: Path, me: Dataset) -> None:
    for name in ("clahe", "sid.me"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "clahe" / "summary.json").write_text("{")
    (tmp_path / "runs" / "sid.me" / "recipe.resolved.yaml").write_text("stages: 3")
    found = look(tmp_path)
    assert found["evaluate clahe on me"].state == "stale" and "damaged" in found["evaluate clahe on me"].why
    assert found["train sid.me"].state == "stale" and "not a recipe" in found["train sid.me"].why


def test_one_evaluation_fills_all_panels_of_several_experts(tmp_path: Path, me: Dataset) -> None:
    assert look(tmp_path, "msec")["evaluate he on me"].state == "due"
    write_run(tmp_path / "runs" / "he", "he", **measured(me, "msec"))
    assert look(tmp_path, "msec")["evaluate he on me"].state == "done"
    change(tmp_path / "runs" / "he" / "summary.json", target="expert_a+expert_b")
    assert look(tmp_path, "msec")["evaluate he on me"].state == "due"


def test_a_network_without_a_recipe_takes_imported_weights(benchtool: Callable, tmp_path: Path, me: Dataset) -> None:
    node = look(tmp_path, "msec")["evaluate zero-dce on me"]
    assert node.state == "blocked" and "benchtool methods import zero-dce FILE" in node.why
    save_file(create("zero-dce").state_dict(), tmp_path / "theirs.safetensors")
    run = tmp_path / "runs" / "zero-dce-imported"
    assert benchtool("methods", "import", "zero-dce", tmp_path / "theirs.safetensors", "--out", run).code == 0
    node = look(tmp_path, "msec")["evaluate zero-dce-imported on me"]
    assert node.state == "due" and node.command[1] == str(run) and node.learned and node.run == run
    raw = json.loads((run / "summary.json").read_text())
    write_run(tmp_path / "other", "zero-dce", checkpoint="imported.best", **measured(me, "msec"))
    entry = json.loads((tmp_path / "other" / "summary.json").read_text())["evaluations"][0]
    entry["weights_sha256"] = sha256_file(run / "checkpoints" / "imported" / "best.safetensors")
    (run / "summary.json").write_text(json.dumps(raw | {"evaluations": [entry]}))
    assert look(tmp_path, "msec")["evaluate zero-dce-imported on me"].state == "done"


def test_data_that_a_recipe_cannot_choose_weights_by_blocks_its_training(tmp_path: Path) -> None:
    make_dataset(tmp_path / "data" / "me", (4, 0, 1))
    nodes = look(tmp_path)
    for name in ("train sid.me", "train i-sid.me"):
        assert nodes[name].state == "blocked" and "has no validation split" in nodes[name].why and "-s val=N" in nodes[name].why
    assert nodes["evaluate clahe on me"].state == "due" and nodes["evaluate sid.me on me"].why == "waits for train sid.me"
