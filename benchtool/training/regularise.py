"""Parameter regularisation while a network is tuned on its worst exposure (ENC, CVPR 2022, Sec. 3.3, Eq. 9-11).

The importance M_k of a parameter is the mean over batches of |dL/dtheta_k| at the weights tuning starts from, with all
exposures, by the stage's own losses or by those that `regularise` names. Moving by delta costs its expansion to second order,
which the released code and the paper read differently:

    tensor    sum over tensors of S + S^2 / 2, S = sum_k M_k |delta_k|   (released code)
    diagonal  sum_k M_k |delta_k| + H_k delta_k^2 / 2                    (Eq. 11; H_k the mean of squared batch gradients)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchtool.methods.base import Batch


@dataclass
class Importance:
    """Importance of parameters, by name.

    Attributes:
        form: `tensor` or `diagonal`.
        anchor: the parameters' values where tuning starts.
        slope: M_k.
        curvature: H_k; empty for the form `tensor`.
    """

    form: str
    anchor: dict[str, Tensor]
    slope: dict[str, Tensor]
    curvature: dict[str, Tensor]

    def penalty(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The cost of the way from the anchor to `parameters`, not weighted; its gradient is zero at the anchor."""
        costs = []
        for name in (name for name in parameters if name in self.anchor):  # in the network's order, not a checkpoint's
            moved = parameters[name] - self.anchor[name]
            first = (self.slope[name] * moved.abs()).sum()
            second = (self.curvature[name] * moved.square()).sum() if self.form == "diagonal" else first.square()
            costs.append(first + second / 2)
        return torch.stack(costs).sum()

    def tensors(self) -> dict[str, Tensor]:
        """Everything under flat names, for a checkpoint."""
        return {f"{part}/{name}": t for part in ("anchor", "slope", "curvature") for name, t in getattr(self, part).items()}

    @classmethod
    def of_tensors(cls, form: str, tensors: Mapping[str, Tensor]) -> Importance:
        """The inverse of `tensors`."""
        parts: dict[str, dict[str, Tensor]] = {"anchor": {}, "slope": {}, "curvature": {}}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor
        return cls(form, **parts)


def measure(
    model: nn.Module,
    loss: Callable[[Batch], Tensor],
    parameters: Mapping[str, Tensor],
    batches: Iterable[Batch],
    form: str,
    average: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> Importance:
    """Importance of `parameters` from one pass over `batches`, the network as in evaluation and its weights left alone.

    Args:
        model: put into evaluation mode meanwhile.
        loss: the base loss of a batch.
        parameters: those that are tuned; frozen ones stay out.
        average: mean of a gradient over the processes, where there are several.
    """
    first = {name: torch.zeros_like(p) for name, p in parameters.items()}
    second = {name: torch.zeros_like(p) for name, p in parameters.items()} if form == "diagonal" else {}
    training, count = model.training, 0
    model.eval()
    try:
        for batch in batches:
            gradients = torch.autograd.grad(loss(batch), list(parameters.values()), allow_unused=True)
            count += 1
            for name, gradient in zip(parameters, gradients):
                if gradient is None:  # a parameter the loss does not see
                    continue
                gradient = average(gradient)
                first[name] += gradient.abs()
                if second:
                    second[name] += gradient.square()
    finally:
        model.train(training)
    anchor = {name: p.detach().clone() for name, p in parameters.items()}
    return Importance(form, anchor, {n: t / count for n, t in first.items()}, {n: t / count for n, t in second.items()})
