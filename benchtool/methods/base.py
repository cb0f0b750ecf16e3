"""The contract of a method: one class, one file (design.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class Batch:
    """What `losses` gets.

    Attributes:
        inputs: [B, N, C, H, W] in [0, 1].
        targets: [B, C, H, W] in [0, 1], None for methods and stages without targets.
        exposures: [B, N] EV relative to the reference, NaN where unknown; None where the dataset has none.
        samples: names of the B samples.
    """

    inputs: Tensor
    targets: Tensor | None = None
    exposures: Tensor | None = None
    samples: tuple[str, ...] = ()

    def to(self, device: torch.device | str, memory_format: torch.memory_format | None = None) -> Batch:
        """The same batch on `device`; `memory_format` applies to the targets (inputs are five-dimensional)."""

        def moved(x: Tensor | None, form: torch.memory_format | None = None) -> Tensor | None:
            return None if x is None else x.to(device, non_blocking=True, **({"memory_format": form} if form else {}))

        return replace(self, inputs=moved(self.inputs), targets=moved(self.targets, memory_format), exposures=moved(self.exposures))


@dataclass
class Stage:
    """What a method may know of the stage of training it is in.

    Attributes:
        name: the recipe's name for it.
        losses: loss name -> weight; a method may skip computing a loss that is not named.
        teacher: a frozen network of the same architecture, where the stage has one.
        epoch: epochs finished in this stage.
        waiting: players of the stage that do not move yet in this epoch; a loss that needs one may be left out.
    """

    name: str = "train"
    losses: Mapping[str, float] = field(default_factory=dict)
    teacher: Method | None = None
    epoch: int = 0
    waiting: tuple[str, ...] = ()


class Method(nn.Module):
    """Maps a sample's inputs to an image.

    A classical algorithm implements `enhance` alone; a learned one adds `losses`, and `trainable` where it has
    several players.
    """

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        """[B, N, C, H, W] in [0, 1] -> [B, C_out, sH, sW], for any H and W, not clamped.

        `exposures` [B, N] are EV relative to the reference, NaN where unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement enhance")

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """Named scalar losses, unweighted; the engine weighs them by the stage and adds them up."""
        raise NotImplementedError(f"{type(self).__name__} is not trained")

    def trainable(self, player: str = "model") -> Iterator[tuple[str, nn.Parameter]]:
        """The (name, parameter) pairs a player's optimiser gets."""
        yield from self.named_parameters()


def count_parameters(method: nn.Module) -> int:
    """Number of parameters, trainable and frozen."""
    return sum(p.numel() for p in method.parameters())


def pad_to_multiple(image: Tensor, multiple: int) -> tuple[Tensor, tuple[int, int]]:
    """Pad [..., H, W] on the right and bottom by reflection (replication where the image is too small) to a multiple.

    Returns the padded image and the original (H, W), for cropping back.
    """
    height, width = image.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if not (down or right):
        return image, (height, width)
    mode = "reflect" if down < height and right < width else "replicate"
    return nn.functional.pad(image, (0, right, 0, down), mode=mode), (height, width)
