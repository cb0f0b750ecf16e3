"""What goes through DistributedDataParallel: `Trainee(method)`, whose `forward` calls the method's losses and adds them up.

Calling `losses` beside a wrapped `forward` would silently lose the averaging of gradients.
"""

from __future__ import annotations

from torch import Tensor, nn

from benchtool.core.errors import UserError
from benchtool.methods.base import Batch, Method, Stage
from benchtool.training.regularise import Importance

PENALTY = "regularise"  # the penalty's name in the log


class Trainee(nn.Module):
    """A method with the weighing of its losses.

    Args:
        importance: adds ENC's parameter regularisation to the losses of `player`.
    """

    def __init__(self, method: Method, importance: Importance | None = None, weight: float = 0.0) -> None:
        super().__init__()
        self.method = method
        self.importance = importance
        self.weight = weight

    def forward(self, batch: Batch, stage: Stage, player: str = "model") -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the player's losses, and each of them unweighted and detached.

        Raises:
            UserError: the player gives none of the losses the stage weighs.
        """
        losses = self.method.losses(batch, stage, player)
        weighed = {name: losses[name] for name in stage.losses if name in losses}
        if not weighed:
            raise unknown_loss(stage, next(iter(stage.losses)), losses)
        total = sum(stage.losses[name] * loss for name, loss in weighed.items())
        if self.importance is not None:
            weighed[PENALTY] = self.importance.penalty(dict(self.method.named_parameters()))
            total = total + self.weight * weighed[PENALTY]
        return total, {name: loss.detach() for name, loss in weighed.items()}


def unknown_loss(stage: Stage, name: str, given: dict[str, Tensor] | set[str]) -> UserError:
    """The error for a weighted loss that the method does not give."""
    gives = ", ".join(sorted(given)) or "none"
    return UserError(f"stage '{stage.name}' weighs the loss '{name}', which the method does not give; it gives {gives}")
