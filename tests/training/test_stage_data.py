"""What a stage trains on, validates, logs and keeps, and what it refuses: a test a setting, failing where it is ignored."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch
from made_training import CONV, EVS, Trained, moved, rows, spy, toy, toy_recipe, weights

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.core.recipe_text import read_yaml
from benchtool.evaluation.validate import validate
from benchtool.methods import load
from benchtool.training import stage as stage_module
from benchtool.training.checkpoints import read_facts, read_tensors, under


@pytest.mark.parametrize("augment", ["hflip", "vflip", "rot180", "rot90"])
def test_augmentation_is_used(trained: Trained, augment: str) -> None:
    assert moved(weights(trained("a", [{"augment": [augment]}])), weights(trained("b"))) >= CONV


def test_patch_and_batch_reach_the_method(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    trained("a", [{"patch": 24, "batch": 3}])
    assert {tuple(batch.inputs.shape) for batch, _, _ in seen} == {(3, 1, 3, 24, 24)} and len(seen) == 2 * (12 // 3)
    seen.clear()
    trained("b", [{"patch": None, "batch": 1, "epochs": 1}])
    assert {tuple(batch.inputs.shape) for batch, _, _ in seen} == {(1, 1, 3, 36, 40)}


def test_exposures(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    trained("run", [{"exposures": [1.5]}])
    assert {s.rpartition("_")[2] for batch, _, _ in seen for s in batch.samples} == {"P1.5"}
    assert all((batch.exposures == 1.5).all() for batch, _, _ in seen)


def test_worst_is_the_group_that_start_validates_worst_on(trained: Trained, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    run = trained("run", [{}, {"name": "tune", "start": "train.best", "exposures": "worst"}])
    groups = validate(load(str(run), "train.best").method, dataset, "val").groups
    worst = min(groups, key=groups.get)
    resolved = read_yaml((run / "recipe.resolved.yaml").read_text(), "")["stages"][1]
    assert resolved["exposures"] == "worst" and resolved["worst"] == dataset.facts.exposure_groups[worst]
    tokens = {s.rpartition("_")[2] for batch, stage, _ in seen if stage.name == "tune" for s in batch.samples}
    assert tokens == {token for token, ev in EVS.items() if ev in resolved["worst"]}
    changed = load_recipe(str(run / "recipe.resolved.yaml"))
    assert changed.stages[1].worst == resolved["worst"], "what ran can be run again"


def test_target(trained: Trained, dataset: Dataset) -> None:
    two = [dataclasses.replace(s, targets=(*s.targets, dataclasses.replace(s.inputs[0], role="expert_a"))) for s in dataset.samples]
    both = dataclasses.replace(dataset, samples=two)
    runs = {role: trained(role or "default", [{"target": role}], data=both) for role in (None, "expert_c", "expert_a")}
    assert moved(weights(runs[None]), weights(runs["expert_c"])) == set()
    assert moved(weights(runs["expert_a"]), weights(runs["expert_c"])) >= CONV
    assert rows(runs["expert_a"])[0]["validation"] != rows(runs["expert_c"])[0]["validation"]


def test_epochs_are_counted_for_the_method(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    trained("run", [{"epochs": 3}])
    assert [stage.epoch for _, stage, _ in seen] == [0] * 6 + [1] * 6 + [2] * 6


def test_ema_is_what_is_validated_and_kept(trained: Trained, dataset: Dataset) -> None:
    run = trained("run", [{"steps": 2, "epochs": None, "ema": 0.75}])
    raw = [toy().state_dict()]
    for steps in (1, 2):
        raw.append(weights(trained(f"plain{steps}", [{"steps": steps, "epochs": None, "schedule": {"kind": "constant"}}])))
    kept = weights(run)
    for name in CONV:
        expected = 0.75 * (0.75 * raw[0][name] + 0.25 * raw[1][name]) + 0.25 * raw[2][name]
        assert torch.allclose(kept[name], expected, atol=1e-7)
    assert moved(weights(run, "best"), kept) == set()
    assert moved(under("weights", read_tensors(run / "checkpoints/train")), raw[2]) == set(), "training goes on from the weights themselves"
    best = read_json(run / "summary.json")["trained"]["best"]["train"]["value"]
    assert best == pytest.approx(validate(load(str(run)).method, dataset, "val").value, abs=1e-9)


def test_validation_chooses_the_best(trained: Trained, dataset: Dataset) -> None:
    """A rate that ruins the second half: the best is from before."""
    ruin = {"kind": "milestones", "at": [0.5], "gamma": 60.0}
    run = trained("run", [{"epochs": 4, "optimizer": {"name": "sgd", "lr": 0.05}, "schedule": ruin}])
    values = [float(row["validation"]) for row in rows(run)]
    best = read_json(run / "summary.json")["trained"]["best"]["train"]
    assert best["epoch"] == values.index(max(values)) + 1 < 4 and best["value"] == pytest.approx(max(values), abs=1e-4)
    assert validate(load(str(run)).method, dataset, "val").value == pytest.approx(best["value"], abs=1e-9)
    assert moved(weights(run), weights(run, "best")) >= CONV


def test_a_metric_for_which_lower_is_better(trained: Trained) -> None:
    run = trained("run", [{"epochs": 3}], validate="loe:full")
    values = [float(row["validation"]) for row in rows(run)]
    assert read_json(run / "summary.json")["trained"]["best"]["train"]["value"] == pytest.approx(min(values), abs=1e-4)
    assert len(set(values)) == 3


def test_validate_none_keeps_the_last(trained: Trained, dataset: Dataset) -> None:
    without = dataclasses.replace(dataset, samples=[s for s in dataset.samples if s.split != "val"])
    run = trained("run", validate="none", data=without)
    assert moved(weights(run), weights(run, "best")) == set()
    assert {row["validation"] for row in rows(run)} == {""} and read_json(run / "summary.json")["trained"]["best"] == {"train": None}
    with pytest.raises(UserError, match="no validation split .* -s validate=none"):
        trained("other", data=without)


def test_stages_of_steps_validate_as_often_as_asked(trained: Trained) -> None:
    run = trained("run", [{"epochs": None, "steps": 10, "validate_every": 4}])
    assert [row["step"] for row in rows(run) if row["validation"]] == ["4", "8", "10"]
    plain = trained("plain", [{"epochs": None, "steps": 10}])
    assert [(row["epoch"], row["step"]) for row in rows(plain) if row["validation"]] == [("1", "6"), ("2", "10")]


def test_the_log_means_what_happened_between_its_rows(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "LOG_EVERY", 1)
    each = [float(row["loss"]) for row in rows(trained("a"))]
    monkeypatch.setattr(stage_module, "LOG_EVERY", 4)
    means = [(int(row["step"]), float(row["loss"])) for row in rows(trained("b"))]
    assert [step for step, _ in means] == [4, 6, 8, 12]
    expected = [sum(each[a:b]) / (b - a) for a, b in ((0, 4), (4, 6), (6, 8), (8, 12))]
    assert [value for _, value in means] == pytest.approx(expected, rel=1e-5)


def test_tensorboard(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = trained("run", settings={"tensorboard": True})
    events = event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"train/loss", "train/mse", "train/lr", "train/validation"} <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("train/loss")] == [6, 12]
    assert not (trained("without") / "tensorboard").exists()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="--tensorboard needs the package tensorboard"):
        trained("missing", settings={"tensorboard": True})


def test_nan_stops_with_step_and_sample_and_what_was_saved_stands(trained: Trained, tmp_path: Path) -> None:
    stages = [{}, {"name": "b", "start": "train.best"}]
    with pytest.raises(UserError, match=r"stage 'train', step \d+: the loss 'mse' is nan .samples .*train2_0.* stands") as caught:
        trained("run", stages, {"save_every": 0}, options={"nan_for": "train2_0"})
    step = int(str(caught.value).split("step ")[1].split(":")[0])
    facts = read_facts(tmp_path / "run/checkpoints/train")
    assert (facts["step"] if facts else 0) == step - 1
    assert not (tmp_path / "run/summary.json").exists()
    with pytest.raises(UserError, match=f"step {step}:"):  # resumed, it comes to the same place
        trained("run", stages, {"save_every": 0}, options={"nan_for": "train2_0"})


def test_a_weighted_loss_the_method_does_not_give(trained: Trained) -> None:
    with pytest.raises(UserError, match="stage 'train' weighs the loss 'mze', which the method does not give; it gives l1, mse"):
        trained("a", [{"losses": {"mze": 1.0}}])
    with pytest.raises(UserError, match="weighs the loss 'mze'"):
        trained("b", [{"losses": {"mse": 1.0, "mze": 1.0}}])


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([{"freeze": ["frist.*"]}], r"stage 'train': freeze: unknown parameter pattern 'frist.\*'; did you mean 'first.\*'"),
        ([{"freeze": ["*"]}], "nothing is left to train"),
        ([{"patch": 64}], "40 x 36 pixels are too few for the patch of 64 in stage 'train'"),
        ([{}, {"name": "b", "patch": 64}], "stage 'b'"),
        ([{"batch": 13}], "12 training samples do not fill one step"),
        ([{"exposures": [7.0]}], "no training sample has an exposure of"),
        ([{"target": "label"}], "has no target 'label'"),
        ([{"start": "nowhere:train.best"}], "nowhere is not a run"),
        ([{"teacher": "nowhere:train.best"}], "nowhere is not a run"),
        ([{"players": {"critic": {"start": "nowhere:a.last"}}}], "nowhere is not a run"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(trained: Trained, tmp_path: Path, stages: list[dict], says: str) -> None:
    with pytest.raises(UserError, match=says):
        trained("run", stages)
    assert not (tmp_path / "run").exists()


def test_more_that_does_not_fit(trained: Trained, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the dataset 'me', the recipe is for 'sice'; train toy-recipe:me"):
        trained("a", dataset="sice")
    with pytest.raises(UserError, match="unknown metric 'psrn'; did you mean 'psnr'"):
        trained("a", validate="psrn")
    with pytest.raises(UserError, match="unknown option of the method toy 'widht'; did you mean 'width'"):
        trained("a", options={"widht": 3})
    groupless = dataclasses.replace(dataset, facts=dataclasses.replace(dataset.facts, exposure_groups={}))
    with pytest.raises(UserError, match="stages.1: exposures: worst, but the dataset 'me' has no exposure groups"):
        trained("a", [{}, {"name": "b", "start": "train.best", "exposures": "worst"}], data=groupless)
    assert not (tmp_path / "a").exists()


def test_checkpoints_of_another_method_or_shape(trained: Trained, tmp_path: Path) -> None:
    wide = trained("wide", options={"width": 6})
    with pytest.raises(UserError, match="weights of another network than Toy"):
        trained("a", [{"start": f"{wide}:train.best"}])
    resolved = wide / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("method: toy", "method: sid"))
    with pytest.raises(UserError, match="trained the method 'sid', this recipe is of 'toy'"):
        trained("b", [{"start": f"{wide}:train.best"}])
    with pytest.raises(UserError, match=r"no such checkpoint .*nope.*train that stage first"):
        trained("c", [{"teacher": f"{trained('good')}:nope.best", "losses": {"teach": 1.0}}])
    assert toy_recipe(tmp_path).is_file() and "toy" in catalog.names("methods")
