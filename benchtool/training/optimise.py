"""How far a player moves, and what is kept of it: optimisers and their state, schedules, the moving average."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchtool.core.recipe_stage import Optimizer, Schedule
from benchtool.methods.base import Method

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def build_optimizer(settings: Optimizer, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
    """PyTorch's optimiser of these settings."""
    own = {"momentum": settings.momentum} if settings.name == "sgd" else {"betas": settings.betas}
    kind = OPTIMIZERS[settings.name]
    return kind(parameters.values(), lr=settings.lr, weight_decay=settings.weight_decay, fused=settings.fused or None, **own)


def rate(schedule: Schedule, step: int, steps: int) -> float:
    """What the learning rate is multiplied with in step `step` (from 0) of `steps`: a function, so nothing of it is saved."""
    if schedule.kind == "milestones":
        return schedule.gamma ** sum(step >= at * steps for at in schedule.at)
    if schedule.kind == "cosine":
        return (1 + math.cos(math.pi * step / steps)) / 2
    return 1.0


@dataclass
class Moments:
    """An optimiser's state as tensors of a checkpoint.

    They are stored contiguous and get their parameter's strides back: fused Adam walks moments and weights in memory
    order, and with channels-last weights would pair the wrong elements without a word.
    """

    optimizer: torch.optim.Optimizer
    parameters: Mapping[str, nn.Parameter]

    def tensors(self) -> dict[str, Tensor]:
        """`KEY/PARAMETER` -> tensor; empty before the first step."""
        state = self.optimizer.state
        kept = {name: state.get(p, {}) for name, p in self.parameters.items()}
        return {f"{key}/{name}": t for name, values in kept.items() for key, t in values.items() if isinstance(t, Tensor)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        numbers = {name: number for number, name in enumerate(self.parameters)}
        for full, tensor in tensors.items():
            key, _, name = full.partition("/")
            if key != "step":
                tensor = torch.empty_like(self.parameters[name]).copy_(tensor)
            state.setdefault(numbers[name], {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})


class Average:
    """Exponential moving average of a method's weights and buffers, itself a method."""

    def __init__(self, method: Method, decay: float) -> None:
        self.method = copy.deepcopy(method).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, method: Method) -> None:
        """Move towards `method`; what is not floating point is copied."""
        for kept, new in zip(self.method.state_dict().values(), method.state_dict().values()):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - self.decay)
            else:
                kept.copy_(new)
