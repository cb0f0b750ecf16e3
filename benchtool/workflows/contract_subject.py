"""What a point of a method's contract is given: the method under test, a fixed batch, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.core.spec import MethodSpec
from benchtool.methods import create
from benchtool.methods.base import Batch, Method


class Broken(Exception):
    """The contract is not kept; the message says where."""


class Skip(Exception):
    """The point does not apply; the message says why."""


@dataclass(frozen=True)
class Subject:
    """The method under test: its name, its facts and how to make a fresh small build.

    Attributes:
        device: what has to agree with the CPU; None where there is no GPU.
    """

    name: str
    spec: MethodSpec
    device: str | None = None

    def build(self, seed: int = 0) -> Method:
        """The small build, its weights the same each time."""
        torch.manual_seed(seed)
        return create(self.name, **self.spec.check)


def require(condition: bool, message: str) -> None:
    """Break the point at hand with `message` unless `condition` holds."""
    if not condition:
        raise Broken(message)


def example_batch(spec: MethodSpec, height: int = 32, width: int = 48, size: int = 2, seed: int = 1) -> Batch:
    """A fixed batch: smooth random scenes as targets, darkened by a power as inputs, exposures an EV apart."""
    generator = torch.Generator().manual_seed(seed)
    scale = spec.output_scale

    def scenes(channels: int, rows: int, columns: int) -> Tensor:
        coarse = torch.rand(size, channels, 5, 5, generator=generator)
        return F.interpolate(coarse, (rows, columns), mode="bilinear")

    targets = scenes(spec.output_channels, height * scale, width * scale)
    one = scenes(4, height, width) if spec.input == "raw-rggb" else F.interpolate(targets, (height, width))
    exposures = torch.arange(spec.inputs, dtype=torch.float32) - spec.inputs // 2
    inputs = torch.stack([one ** (1.5 - 0.2 * float(ev)) for ev in exposures], dim=1)
    names = tuple(f"example{i}" for i in range(size))
    return Batch(inputs, targets if spec.needs_target else None, exposures.expand(size, -1), names)
