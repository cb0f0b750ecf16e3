"""One stage of training: its network and players, its steps, what is validated, logged and saved on the way.

A step is a function of the weights, the moments and (seed, stage, step): patches, learning rate and randomness are all
derived from these, so a stage continued from its state gives the bits of one that never stopped.
"""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.recipe_stage import StageRecipe
from benchtool.core.seeds import seed_of
from benchtool.methods.base import Batch, Method, Stage
from benchtool.training import checkpoints, optimise, players
from benchtool.training.context import Run
from benchtool.training.log import Means, first_bad
from benchtool.training.regularise import Importance, measure
from benchtool.training.trainee import Trainee, unknown_loss

LOG_EVERY = 50  # steps between rows of the log, besides those at the end of epochs


class StageTraining:
    """A stage under way, from its saved state where there is one.

    Raises:
        UserError: a checkpoint is missing or of another network, a pattern freezes nothing.
    """

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.recipe = run, run.recipe.stages[number]
        self.folder = checkpoints.stage_folder(run.folder, self.recipe.name)
        stage = self.recipe
        run.accelerator.gradient_accumulation_steps = stage.accumulate
        self.method = run.load(stage.start) if stage.start else run.build()
        for name, player in stage.players.items():
            if player.start:
                players.copy_player(run.load(player.start), self.method, name)
        teacher = run.load(stage.teacher).eval().requires_grad_(False) if stage.teacher else None
        self.stage = Stage(stage.name, stage.losses, teacher)
        self.data, self.pace = run.patches(stage, exposures(stage)), run.pace(stage)
        self.per_epoch = self.pace.steps(len(self.data))
        self.steps = stage.steps or stage.epochs * self.per_epoch
        players.freeze(self.method, stage.freeze, stage.name)
        self._restore()

    def _restore(self) -> None:
        facts = checkpoints.read_facts(self.folder) or {}
        tensors = checkpoints.read_tensors(self.folder) if facts else {}
        self.step, self.best = facts.get("step", 0), facts.get("best")
        self.means, self.seconds_before = Means(facts.get("means")), facts.get("seconds", 0.0)
        self.begun = self.saved = time.monotonic()
        self.names_checked = False
        self.average = optimise.Average(self.method, self.recipe.ema) if self.recipe.ema else None
        if tensors:
            self.method.load_state_dict(checkpoints.under("weights", tensors))
        if tensors and self.average:
            self.average.method.load_state_dict(checkpoints.under("average", tensors))
        self.importance = self._importance(tensors) if self.recipe.regularise else None
        self.movers = [self._mover(name, tensors) for name in players.moving_order(self.run.spec, self.recipe)]
        if facts.get("scaler"):
            self.run.accelerator.scaler.load_state_dict(facts["scaler"])

    def _importance(self, tensors: dict[str, Tensor]) -> Importance:
        """What ENC's regularisation holds the first player's parameters with: saved, or measured on all exposures.

        Raises:
            UserError: it is to be measured with a loss that the player does not give.
        """
        run, player, form, losses = self.run, self.run.spec.players[0], self.recipe.regularise.form, self.recipe.regularise.losses
        if tensors:
            device = run.accelerator.device
            return Importance.of_tensors(form, {n: t.to(device) for n, t in checkpoints.under("importance", tensors).items()})
        data = run.patches(self.recipe, None, f"{self.recipe.name}/importance")
        pace = dataclasses.replace(self.pace, accumulate=1, crops=1)
        steps = pace.steps(len(data))
        trainee, stage = Trainee(self.method), dataclasses.replace(self.stage, losses=losses or self.stage.losses)

        def loss(batch: Batch) -> Tensor:
            total, given = trainee(batch, stage, player)
            if missing := [name for name in losses or () if name not in given]:
                raise unknown_loss(stage, missing[0], set(given))
            return total

        parameters = players.trained(self.method, player, self.recipe.name)
        with run.progress(f"{self.recipe.name}: importance of the parameters", steps) as advance:

            def each() -> Iterator[Batch]:
                for (batch,) in run.batches(data, pace, 0, steps):
                    yield batch
                    advance()

            return measure(
                self.method,
                loss,
                parameters,
                each(),
                form,
                lambda gradient: run.accelerator.reduce(gradient, "mean"),
            )

    def _mover(self, name: str, tensors: dict[str, Tensor]) -> players.Mover:
        settings, stage, first = self.recipe.players.get(name), self.recipe, self.run.spec.players[0]
        options = settings.optimizer if settings else stage.optimizer
        parameters = players.trained(self.method, name, stage.name)
        optimizer = optimise.build_optimizer(options, parameters)
        moments = optimise.Moments(optimizer, parameters)
        moments.load(checkpoints.under(f"moments/{name}", tensors))
        held = self.importance is not None and name == first
        trainee = Trainee(self.method, self.importance, stage.regularise.weight) if held else Trainee(self.method)
        with players.only(self.method, parameters.values()):  # what is averaged over processes is settled by the wrapping
            trainee, prepared = self.run.accelerator.prepare(trainee, optimizer)
        from_epoch = settings.from_epoch if settings else 1
        return players.Mover(name, self.method, parameters, prepared, moments, trainee, options.lr, from_epoch, stage.clip)

    def train(self) -> None:
        """Run the steps that are left; returns with the last ones validated and saved."""
        if self.importance is not None and self.step == 0:
            self._save()
        left = self.steps - self.step
        with self.run.progress(self.recipe.name, left) as advance:
            for batches in self.run.batches(self.data, self.pace, self.step, self.steps):
                losses = self._step(batches)
                self.step += 1
                if self.average:
                    self.average.update(self.method)
                if self.run.log is not None:
                    self._after_step()
                advance(note=f"loss {losses['loss']:.4g}")
        self.run.accelerator.wait_for_everyone()
        self.run.accelerator.free_memory()

    def _step(self, batches: list[Batch]) -> dict[str, float]:
        """Move every player once; returns the losses of the last batch."""
        epoch, accelerator = self.step // self.per_epoch, self.run.accelerator
        seed_everything(seed_of(self.run.recipe.seed, self.recipe.name, "step", self.step, accelerator.process_index))
        self.method.train()
        losses: dict[str, float] = {}

        def seen(given: dict[str, Tensor], batch: Batch) -> None:
            values = self._watch(given, batch)
            self.means.add(values)
            losses.update(values)

        playing = [mover for mover in self.movers if epoch + 1 >= mover.from_epoch]
        rate = optimise.rate(self.recipe.schedule, self.step, self.steps)
        waiting = tuple(mover.name for mover in self.movers if epoch + 1 < mover.from_epoch)
        for mover in playing:
            mover.move(accelerator, batches, dataclasses.replace(self.stage, epoch=epoch, waiting=waiting), rate, seen)
        if not self.names_checked and len(playing) == len(self.movers):
            self.names_checked = True
            if missing := [name for name in self.recipe.losses if name not in losses]:
                raise unknown_loss(self.stage, missing[0], set(losses) - {"loss"})
        return losses

    def _watch(self, losses: dict[str, Tensor], batch: Batch) -> dict[str, float]:
        """The losses' means over the processes.

        Raises:
            UserError: one is NaN or infinite; nothing of this step is kept.
        """
        own = torch.stack([value.float() for value in losses.values()])
        values = dict(zip(losses, self.run.accelerator.reduce(own.clone(), "mean").tolist()))
        if bad := first_bad(values):
            mine = first_bad(dict(zip(losses, own.tolist())))
            where = f"samples {', '.join(batch.samples)}" if mine else "samples of another process"
            saved = any(checkpoints.read_facts(checkpoints.stage_folder(self.run.folder, s.name)) for s in self.run.recipe.stages)
            raise UserError(
                f"stage '{self.recipe.name}', step {self.step + 1}: the loss '{bad}' is {values[bad]} ({where}); stopped, "
                f"{'the last checkpoint stands' if saved else 'nothing was saved yet'}. "
                "Look at these samples, lower the learning rate, or clip; then begin anew"
            )
        return values

    def _after_step(self) -> None:
        """In the first process: validate, log and save what is due."""
        last, ends_epoch = self.step == self.steps, self.step % self.per_epoch == 0
        due = last or (self.step % self.recipe.validate_every == 0 if self.recipe.validate_every else ends_epoch)
        value = self._validate() if due and self.run.recipe.validation else None
        if due or ends_epoch or self.step % LOG_EVERY == 0:
            row = {"stage": self.recipe.name, "epoch": self.epoch, "step": self.step, "lr": self.movers[0].optimizer.param_groups[0]["lr"]}
            row |= self.means.take() | ({} if value is None else {"validation": round(value, 4)})
            self.run.log.row(row | {"seconds": round(self.seconds, 3)})
        if last or time.monotonic() - self.saved >= self.run.save_every:
            self._save()

    @property
    def epoch(self) -> int:
        """The epoch the last step was of, counted from 1."""
        return -(-self.step // self.per_epoch)

    @property
    def seconds(self) -> float:
        """Time spent in this stage, earlier starts included."""
        return self.seconds_before + time.monotonic() - self.begun

    @property
    def kept(self) -> Method:
        """The network that is validated and kept: the moving average where there is one."""
        return self.average.method if self.average else self.method

    def _validate(self) -> float:
        """Validate the weights and keep them if they are the best so far."""
        value = self.run.validate(self.kept, self.recipe.target).value
        sign = 1 if metrics.find(self.run.recipe.validation).spec.higher_is_better else -1
        before = self.best and self.best["value"]  # None where infinite: JSON has no infinity, and nothing beats it
        if self.best is None or (before is not None and sign * value > sign * before):
            self.best = {"epoch": self.epoch, "step": self.step, "value": value if math.isfinite(value) else None}
            checkpoints.save_tensors(self.folder / "best.safetensors", self.kept.state_dict())
        return value

    def _save(self) -> None:
        """Weights first, then the state: a kill in between leaves the state before, which leads to the same weights again."""
        if self.run.log is None:
            return
        done = self.step == self.steps
        checkpoints.save_tensors(self.folder / "last.safetensors", self.kept.state_dict())
        if done and self.run.recipe.validation is None:
            checkpoints.save_tensors(self.folder / "best.safetensors", self.kept.state_dict())
        tensors = checkpoints.named("weights", self.method.state_dict())
        if self.average:
            tensors |= checkpoints.named("average", self.average.method.state_dict())
        if self.importance:
            tensors |= checkpoints.named("importance", self.importance.tensors())
        for mover in self.movers:
            tensors |= checkpoints.named(f"moments/{mover.name}", mover.moments.tensors())
        scaler = self.run.accelerator.scaler
        facts = {"schema": 1, "stage": self.recipe.name, "step": self.step, "steps": self.steps, "epoch": self.epoch, "finished": done}
        facts |= {"best": self.best, "means": self.means.state, "seconds": self.seconds, "log_bytes": self.run.log.size}
        facts |= {"scaler": scaler.state_dict() if scaler else None}
        checkpoints.save_state(self.folder, tensors, facts)
        self.saved = time.monotonic()


def exposures(stage: StageRecipe) -> list[float | str] | None:
    """The EVs a stage trains on, None for all."""
    return {"all": None, "worst": stage.worst}[stage.exposures] if isinstance(stage.exposures, str) else stage.exposures


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
