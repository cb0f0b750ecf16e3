"""Training losses as plain functions: tensors in, a scalar out, averaged over everything."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of two tensors of one shape.

    Raises:
        ValueError: the shapes differ (nothing is broadcast).
    """
    same_shape(output, target)
    return F.mse_loss(output, target)


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of two tensors of one shape.

    Raises:
        ValueError: the shapes differ (nothing is broadcast).
    """
    same_shape(output, target)
    return F.l1_loss(output, target)


def same_shape(output: Tensor, target: Tensor) -> None:
    """ValueError where two tensors differ in shape: nothing is broadcast."""
    if output.shape != target.shape:
        raise ValueError(f"output {tuple(output.shape)} and target {tuple(target.shape)} differ in shape")
