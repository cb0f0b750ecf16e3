"""Each setting of a recipe does what it says: a test a setting, failing where it is ignored."""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_training import EVS, moved, toy_recipe, weights

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.core.recipe_text import read_yaml
from benchtool.core.seeds import seed_of
from benchtool.evaluation.validate import validate
from benchtool.methods import create, load
from benchtool.methods.base import Batch, Stage
from benchtool.training import stage as stage_module
from benchtool.training.checkpoints import read_facts, read_tensors, under

Trained = Callable[..., Path]
CONV = {"first.weight", "first.bias", "last.weight", "last.bias"}


def rows(run: Path) -> list[dict[str, str]]:
    with open(run / "log.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def toy(seed: int = 0, **options: Any) -> torch.nn.Module:
    """The toy as a run with this seed begins with it."""
    torch.manual_seed(seed_of(seed, "init"))
    return create("toy", **options)


def test_the_loop_is_the_plain_one(trained: Trained, dataset: Dataset) -> None:
    """Six steps of Adam written out, on the batches the loader gives, end in the very same weights."""
    from benchtool.datasets.loading import Pace, Patches, batches

    run = trained("run", [{"epochs": 1, "losses": {"mse": 2.0, "l1": 0.5}, "augment": ["hflip"]}])
    method, data = toy().train(), Patches(dataset, 0, "train", 16, ["hflip"], "expert_c")
    optimizer = torch.optim.Adam([p for _, p in method.trainable("model")], lr=1e-2)
    for (fields,) in batches(data, Pace(2), 0, 6):
        losses = method.losses(Batch(**fields), Stage(losses={"mse": 2.0, "l1": 0.5}))
        (2.0 * losses["mse"] + 0.5 * losses["l1"]).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert moved(method.state_dict(), weights(run)) == set()


def test_players_take_turns_as_in_the_plain_loop(trained: Trained, dataset: Dataset) -> None:
    """Each player's gradient is of its own losses alone, at the weights the other has moved to."""
    from benchtool.datasets.loading import Pace, Patches, batches

    weighed = {"mse": 1.0, "adversarial": 0.3, "critic": 0.7}
    run = trained("run", [{"epochs": 1, "losses": weighed, "players": {"critic": {"before": "model", "optimizer": {"lr": 3e-3}}}}])
    method, stage = toy().train(), Stage(losses=weighed)
    own = {player: [p for _, p in method.trainable(player)] for player in ("critic", "model")}
    optimizers = {player: torch.optim.Adam(own[player], lr=lr) for player, lr in (("critic", 3e-3), ("model", 1e-2))}
    for (fields,) in batches(Patches(dataset, 0, "train", 16, [], "expert_c"), Pace(2), 0, 6):
        for player in ("critic", "model"):
            losses = method.losses(Batch(**fields), stage, player)
            total = sum(weight * losses[name] for name, weight in weighed.items() if name in losses)
            for parameter, gradient in zip(own[player], torch.autograd.grad(total, own[player])):
                parameter.grad = gradient
            optimizers[player].step()
    assert moved(method.state_dict(), weights(run)) == set()


def test_seed_decides_weights_and_order(trained: Trained) -> None:
    one, same, other = trained("a"), trained("b"), trained("c", seed=1)
    assert moved(weights(one), weights(same)) == set() and moved(weights(one), weights(other)) >= CONV
    assert (one / "checkpoints/train/last.safetensors").read_bytes() == (same / "checkpoints/train/last.safetensors").read_bytes()


def test_randomness_of_a_method_is_seeded_step_by_step(trained: Trained) -> None:
    noisy = [trained(name, options={"noise": 0.1}) for name in ("a", "b")]
    assert moved(weights(noisy[0]), weights(noisy[1])) == set()
    assert moved(weights(noisy[0]), weights(trained("plain"))) >= CONV


@pytest.mark.parametrize(
    "change", [{"lr": 1e-3}, {"betas": [0.5, 0.9]}, {"weight_decay": 0.5}, {"name": "adamw"}, {"name": "sgd"}, {"fused": True}]
)
def test_optimizer_settings_reach_pytorch(trained: Trained, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    built = []
    real = stage_module.optimise.build_optimizer
    monkeypatch.setattr(stage_module.optimise, "build_optimizer", lambda *a: built.append(real(*a)) or built[-1])
    trained("run", [{"epochs": 1, "optimizer": {"lr": 1e-2, **change}}])
    (optimizer,) = built
    assert type(optimizer).__name__.lower() == change.get("name", "adam")
    group = optimizer.param_groups[0]
    for key, value in change.items():
        assert key == "name" or (list(group[key]) if key == "betas" else group[key]) == value


def test_momentum(trained: Trained) -> None:
    plain, heavy = ([{"optimizer": {"name": "sgd", "lr": 0.1, **more}}] for more in ({}, {"momentum": 0.9}))
    assert moved(weights(trained("a", plain)), weights(trained("b", heavy))) >= CONV


def test_schedules_are_pytorch_s(trained: Trained) -> None:
    """Rates at the ends of the epochs, against torch.optim.lr_scheduler stepped once a step."""
    theirs = torch.optim.lr_scheduler
    cases = {
        "milestones": ({"kind": "milestones", "at": [0.5, 0.75], "gamma": 0.1}, lambda o: theirs.MultiStepLR(o, [12, 18], 0.1)),
        "cosine": ({"kind": "cosine"}, lambda o: theirs.CosineAnnealingLR(o, 24)),
        "constant": ({"kind": "constant"}, lambda o: theirs.ConstantLR(o, 1.0)),
    }
    for name, (schedule, reference) in cases.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
        scheduler, expected = reference(optimizer), []
        for _ in range(24):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        run = trained(name, [{"epochs": 4, "schedule": schedule}])
        assert [float(row["lr"]) for row in rows(run)] == pytest.approx(expected[5::6], rel=1e-9)


def test_the_schedule_drives_the_steps(trained: Trained) -> None:
    """With the rate falling to next to nothing after half of the steps, the rest moves nothing."""
    schedule = {"kind": "milestones", "at": [0.5], "gamma": 1e-12}
    half, whole = trained("a", [{"steps": 6, "epochs": None}]), trained("b", [{"steps": 12, "epochs": None, "schedule": schedule}])
    assert all(torch.allclose(weights(half)[name], weights(whole)[name], atol=1e-9) for name in CONV)


def test_accumulated_batches_are_one_larger_batch(trained: Trained) -> None:
    large, parts = trained("a", [{"batch": 4}]), trained("b", [{"batch": 2, "accumulate": 2}])
    assert all(torch.allclose(weights(large)[n], weights(parts)[n], atol=1e-6) for n in CONV)
    assert read_facts(parts / "checkpoints/train")["step"] == read_facts(large / "checkpoints/train")["step"] == 6
    assert moved(weights(parts), weights(trained("c", [{"batch": 2}]))) >= CONV


def test_clip_bounds_the_step(trained: Trained) -> None:
    stage = {"steps": 1, "epochs": None, "optimizer": {"name": "sgd", "lr": 1.0}, "clip": 1e-3}
    after, before = weights(trained("run", [stage])), toy().state_dict()
    norm = torch.cat([(after[n] - before[n]).flatten() for n in CONV]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-3)


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


def spy(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Batch, Stage, str]]:
    """What the toy's losses are called with while it trains."""
    cls, seen = type(toy()), []
    real = cls.losses
    monkeypatch.setattr(cls, "losses", lambda self, *given: seen.append(given) or real(self, *given))
    return seen


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


def test_freeze_lasts_one_stage(trained: Trained) -> None:
    run = trained("run", [{}, {"name": "b", "start": "train.last", "freeze": ["first.*"]}, {"name": "c", "start": "b.last"}])
    assert moved(weights(run), weights(run, stage="b")) == {"last.weight", "last.bias"}
    assert moved(weights(run, stage="b"), weights(run, stage="c")) == CONV


def test_start_and_no_start(trained: Trained) -> None:
    stages = [{}, {"name": "b", "start": "train.best", "steps": 1, "epochs": None, "optimizer": {"lr": 1e-12}}, {"name": "c", "epochs": 1}]
    run = trained("run", stages)
    assert all(torch.allclose(weights(run, "best")[n], weights(run, stage="b")[n], atol=1e-9) for n in CONV)
    assert moved(weights(run, stage="c"), weights(run)) >= CONV, "without start, a stage begins with new weights"


def test_teacher_is_frozen_and_the_checkpoint_named(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    run = trained("run", [{}, {"name": "b", "start": "train.last", "teacher": "train.best", "losses": {"mse": 1.0, "teach": 0.5}}])
    teacher = seen[-1][1].teacher
    assert moved(teacher.state_dict(), weights(run, "best")) == set() and not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())
    assert float(rows(run)[-1]["teach"]) > 0 and rows(run)[0]["teach"] == ""
    elsewhere = trained("other", [{"teacher": f"{run}:train.best", "losses": {"teach": 1.0}}])
    assert moved(seen[-1][1].teacher.state_dict(), weights(run, "best")) == set() and elsewhere.is_dir()


def test_epochs_are_counted_for_the_method(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    trained("run", [{"epochs": 3}])
    assert [stage.epoch for _, stage, _ in seen] == [0] * 6 + [1] * 6 + [2] * 6


def test_players(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    critic = {"optimizer": {"lr": 1e-3}, "before": "model", "from_epoch": 2}
    run = trained("run", [{"losses": {"mse": 1.0, "adversarial": 0.1, "critic": 1.0}, "players": {"critic": critic}}])
    assert [player for _, _, player in seen] == ["model"] * 6 + ["critic", "model"] * 6
    start, end = toy().state_dict(), weights(run)
    assert moved(start, end) == set(start)
    moments = under("moments/critic/exp_avg", read_tensors(run / "checkpoints/train"))
    assert moments.keys() == {"critic.weight", "critic.bias"}, "its optimiser has its parameters alone"
    late = [{"losses": {"mse": 1.0, "adversarial": 0.1, "critic": 1.0}, "players": {"critic": {**critic, "from_epoch": 3}}}]
    still = trained("late", late)
    assert moved(start, weights(still)) == CONV, "a critic that does not move yet is not moved by the model's losses either"
    taken = trained("taken", [{"name": "b", "players": {"critic": {"start": f"{run}:train.last", "from_epoch": 9}}}])
    assert torch.equal(weights(taken, stage="b")["critic.weight"], end["critic.weight"])
    assert not torch.equal(weights(taken, stage="b")["first.weight"], end["first.weight"])


def test_regularise_holds_the_weights(trained: Trained) -> None:
    def tune(**more: Any) -> list[dict]:
        return [{}, {"name": "tune", "start": "train.best", "exposures": "worst", "optimizer": {"name": "sgd", "lr": 0.01}, **more}]

    def way(run: Path) -> float:
        return float(sum((weights(run, stage="tune")[n] - weights(run, "best")[n]).square().sum() for n in CONV).sqrt())

    free, light, heavy, other = (
        trained(name, tune(**more))
        for name, more in {
            "free": {},
            "light": {"regularise": {"weight": 0.7}},
            "heavy": {"regularise": {"weight": 5.0}},
            "other": {"regularise": {"weight": 0.7, "form": "diagonal"}},
        }.items()
    )
    assert way(heavy) < way(light) < way(free)
    assert moved(weights(light, stage="tune"), weights(other, stage="tune")), "the forms differ in their second order"
    assert float(rows(light)[-1]["regularise"]) > 0
    kept = under("importance", read_tensors(light / "checkpoints/tune"))
    assert {n.partition("/")[0] for n in kept} == {"anchor", "slope"}
    assert all(torch.equal(anchor, weights(light, "best")[n]) for n, anchor in under("anchor", kept).items())
    frozen = trained("frozen", tune(regularise={"weight": 0.7}, freeze=["first.*"]))
    assert {n for n in under("importance", read_tensors(frozen / "checkpoints/tune")) if "first" in n} == set()


def test_importance_is_measured_on_all_exposures(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy(monkeypatch)
    trained("run", [{}, {"name": "tune", "start": "train.best", "exposures": [1.5], "regularise": {}, "epochs": 1}])
    tune = [batch.samples for batch, stage, _ in seen if stage.name == "tune"]
    measuring, tuning = ([name for names in part for name in names] for part in (tune[:6], tune[6:]))
    assert len(measuring) == len(set(measuring)) == 12, "each sample once"
    assert {name.rpartition("_")[2] for name in tuning} == {"P1.5"}


def test_amp(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    types = []
    cls = type(toy())
    real = cls.losses

    def losses(self, batch, stage, player="model"):  # what a convolution gives inside of the engine's autocast
        types.append(self.first(batch.inputs[:, 0]).dtype)
        return real(self, batch, stage, player)

    monkeypatch.setattr(cls, "losses", losses)
    off, bf16 = trained("a"), trained("b", amp="bf16")
    assert set(types[: len(types) // 2]) == {torch.float32} and set(types[len(types) // 2 :]) == {torch.bfloat16}
    assert moved(weights(off), weights(bf16)) >= CONV and all(t.dtype == torch.float32 for t in weights(bf16).values())
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        trained("c", amp="fp16")


def test_channels_last(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, seen = type(toy()), []
    real = cls.losses

    def losses(self, batch, stage, player="model"):
        layouts = (batch.inputs[:, 0], batch.targets, self.last.weight)
        seen.append([t.is_contiguous(memory_format=torch.channels_last) and not t.is_contiguous() for t in layouts])
        return real(self, batch, stage, player)

    monkeypatch.setattr(cls, "losses", losses)
    plain = trained("a")
    assert not any(flag for flags in seen for flag in flags)
    seen.clear()
    last = trained("b", channels_last=True)
    assert all(flag for flags in seen for flag in flags)
    assert all(torch.allclose(weights(plain)[n], weights(last)[n], atol=1e-5) for n in CONV)
    assert all(t.is_contiguous() for t in weights(last).values())


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
