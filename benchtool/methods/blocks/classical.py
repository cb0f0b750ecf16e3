"""What algorithms on a single image share: the way from tensors to an array and back, and the value (V of HSV) they work on.

The images are handled on the CPU in double precision, wherever the tensors are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.methods.base import Method


class Classical(Method):
    """A method that works on one image at a time, as an array."""

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        """[B, 1, 3, H, W] in [0, 1] -> [B, 3, H, W], each image by itself."""
        images = inputs[:, 0].permute(0, 2, 3, 1).cpu().double().numpy()
        outputs = np.stack([self.enhance_image(image) for image in images])
        return torch.from_numpy(outputs).permute(0, 3, 1, 2).to(inputs)

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        """H x W x 3 float64 RGB in [0, 1] -> the same shape, not clamped."""
        raise NotImplementedError(f"{type(self).__name__} does not implement enhance_image")


def choose(method: str, option: str, value: object, choices: tuple) -> None:
    """UserError where an option's value is none of its choices."""
    if value not in choices:
        raise UserError(f"{method}: {option} '{value}' is not one of {', '.join(map(str, choices))}")


def positive(method: str, option: str, value: float) -> None:
    """UserError unless a number is finite and over 0."""
    if not 0 < value < float("inf"):
        raise UserError(f"{method}: {option} {value} has to be over 0")


def within(method: str, option: str, value: float, low: float, high: float) -> None:
    """UserError unless a number is from `low` to `high`."""
    if not low <= value <= high:
        raise UserError(f"{method}: {option} {value} has to be from {low} to {high}")


def saturation(image: np.ndarray) -> np.ndarray:
    """S of HSV, [H, W] in [0, 1]; 0 where the pixel is black."""
    value = image.max(axis=-1)
    return (value - image.min(axis=-1)) / np.where(value > 0, value, 1)


def with_value(image: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The image with its V of HSV replaced by `value` [H, W], hue and saturation kept: each pixel times a gain; black becomes grey."""
    old = image.max(axis=-1)
    lit = old > 0
    scaled = image * (value / np.where(lit, old, 1))[..., None]
    return np.where(lit[..., None], scaled, value[..., None])


def round_half_up(x: np.ndarray | float) -> np.ndarray:
    """The rounding of MATLAB for x >= 0: halves go up."""
    return np.floor(np.asarray(x) + 0.5)
