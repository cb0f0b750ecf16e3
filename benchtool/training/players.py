"""The players of a stage: who moves in what order, which parameters are whose, and one player's part of a step."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchtool.core.errors import UserError, unknown
from benchtool.core.recipe_stage import StageRecipe
from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Batch, Method, Stage
from benchtool.training.optimise import Moments


def moving_order(spec: MethodSpec, stage: StageRecipe) -> list[str]:
    """The players of a stage in the order they move: the method's first, and those the stage names."""
    order = [name for name in spec.players if name == spec.players[0] or name in stage.players]
    for name in list(order):
        before = stage.players[name].before if name in stage.players else None
        if before in order:
            order.remove(name)
            order.insert(order.index(before), name)
    return order


def freeze(method: Method, patterns: Iterable[str], stage: str) -> None:
    """Take the parameters that a pattern (`enc.*`) matches out of training.

    Raises:
        UserError: a pattern that matches none.
    """
    parameters = dict(method.named_parameters())
    for pattern in patterns:
        found = fnmatch.filter(parameters, pattern)
        if not found:
            known = {name for full in parameters for name in (full, f"{full.partition('.')[0]}.*")}
            raise UserError(f"stage '{stage}': freeze: {unknown('parameter pattern', pattern, known)}")
        for name in found:
            parameters[name].requires_grad_(False)


def trained(method: Method, player: str, stage: str) -> dict[str, nn.Parameter]:
    """The parameters a player's optimiser gets: its own, less the frozen ones; UserError where none is left."""
    parameters = {name: p for name, p in method.trainable(player) if p.requires_grad}
    if not parameters:
        raise UserError(f"stage '{stage}': nothing is left to train of the player '{player}'; freeze less")
    return parameters


def copy_player(source: Method, method: Method, player: str) -> None:
    """Give `method` the parameters of one player of `source`, a method of the same build, and the buffers of its layers.

    A buffer (a normalisation's running statistics) is the player's where the innermost part around it that has any parameters has
    none but the player's.
    """
    theirs = {**dict(source.named_buffers()), **dict(source.trainable(player))}
    own = {name for name, _ in method.trainable(player)}
    everything = [name for name, _ in method.named_parameters()]
    with torch.no_grad():
        for name, parameter in method.trainable(player):
            parameter.copy_(theirs[name])
        for name, buffer in method.named_buffers():
            place, around = name, []
            while "." in place and not around:
                place = place.rpartition(".")[0]
                around = [other for other in everything if other.startswith(f"{place}.")]
            if around and own.issuperset(around):
                buffer.copy_(theirs[name])


@contextlib.contextmanager
def only(method: Method, parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Let gradients reach these parameters alone; afterwards as before."""
    before = {p: p.requires_grad for p in method.parameters()}
    chosen = set(parameters)
    for p in before:
        p.requires_grad_(p in chosen)
    try:
        yield
    finally:
        for p, required in before.items():
            p.requires_grad_(required)


@dataclass
class Mover:
    """A player at work.

    Attributes:
        optimizer: Accelerate's, around PyTorch's.
        trainee: the wrapped network it moves through.
        lr: learning rate before the schedule.
        from_epoch: the first epoch it moves in, counted from 1.
        clip: largest norm of its gradient.
    """

    name: str
    method: Method
    parameters: dict[str, nn.Parameter]
    optimizer: Any
    moments: Moments
    trainee: nn.Module
    lr: float
    from_epoch: int
    clip: float | None

    def move(
        self,
        accelerator: Accelerator,
        batches: Sequence[Batch],
        stage: Stage,
        rate: float,
        seen: Callable[[dict[str, Tensor], Batch], None],
    ) -> None:
        """One optimiser step on the gradient averaged over `batches`.

        Args:
            rate: what the learning rate is multiplied with.
            seen: called with the losses of each batch, `loss` their weighted sum, before anything is changed by them.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * rate
        with only(self.method, self.parameters.values()):
            for batch in batches:
                with accelerator.accumulate(self.trainee):
                    total, losses = self.trainee(batch, stage, self.name)
                    seen({**losses, "loss": total.detach()}, batch)
                    accelerator.backward(total)
                    if self.clip and accelerator.sync_gradients:
                        accelerator.unscale_gradients(self.optimizer)
                        nn.utils.clip_grad_norm_(self.parameters.values(), self.clip)
                    self.optimizer.step()
                    self.optimizer.zero_grad()
