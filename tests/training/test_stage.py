"""How a stage moves the weights: each setting of a recipe does what it says, and a test fails where it is ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from made_training import CONV, Trained, moved, rows, spy, toy, weights

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.methods.base import Batch, Stage
from benchtool.training import stage as stage_module
from benchtool.training.checkpoints import read_facts, read_tensors, under


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


def test_importance_is_measured_with_losses_of_its_own(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """`regularise.losses` are the importance's alone: as measured by a stage that trains on them, while this one trains on its own."""
    base = trained("base")

    def tune(name: str, losses: dict[str, float], regularise: dict[str, Any]) -> Path:
        return trained(name, [{"name": "tune", "start": f"{base}:train.best", "losses": losses, "regularise": regularise}])

    def slopes(run: Path) -> dict[str, torch.Tensor]:
        return under("importance/slope", read_tensors(run / "checkpoints/tune"))

    wanted, own = slopes(tune("wanted", {"l1": 2.0}, {})), slopes(tune("own", {"mse": 1.0}, {}))
    seen = spy(monkeypatch)
    run = tune("apart", {"mse": 1.0}, {"losses": {"l1": 2.0}})
    assert wanted and moved(slopes(run), wanted) == set() and moved(slopes(run), own)
    assert [dict(stage.losses) for _, stage, _ in seen] == [{"l1": 2.0}] * 6 + [{"mse": 1.0}] * 12
    assert rows(run)[-1]["mse"] and "l1" not in rows(run)[-1]
    with pytest.raises(UserError, match="stage 'tune' weighs the loss 'l2', which the method does not give"):
        tune("unknown", {"mse": 1.0}, {"losses": {"l1": 1.0, "l2": 1.0}})
    assert not (run.parent / "unknown" / "checkpoints").exists(), "found before the first step"


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
