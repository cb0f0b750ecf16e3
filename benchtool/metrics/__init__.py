"""One file a metric. `find` turns a name and variant, `ssim:gray-uniform7`, into something that measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown
from benchtool.core.spec import MetricSpec, Score


@dataclass(frozen=True)
class Metric:
    """A variant of a metric."""

    name: str
    variant: str
    spec: MetricSpec

    @property
    def key(self) -> str:
        """`ssim:gray-uniform7`."""
        return f"{self.name}:{self.variant}"

    def needs(self, what: str) -> bool:
        """Whether it compares the output with `what`: `target` or `source`."""
        return what in self.spec.needs

    def score(self, output: np.ndarray, target: np.ndarray | None = None, source: np.ndarray | None = None) -> Score:
        """Measure an H x W x 3 RGB image, uint8 (linear float32 for the HDR metrics), against what the metric needs.

        Raises:
            UserError: the metric is not defined for this image, such as one smaller than its window.
            ValueError: the arrays do not fit together.
        """
        return catalog.load("metrics", self.name).score(output, target, source, self.variant)


def find(key: str) -> Metric:
    """The metric variant called `key`; a name alone means its first variant.

    Raises:
        UserError: no such metric or variant; the nearest known name is in the message.
    """
    name, colon, variant = key.partition(":")
    spec = catalog.facts("metrics", name)
    if not colon:
        variant = next(iter(spec.variants))
    if variant not in spec.variants:
        raise unknown(f"variant of the metric {name}", variant, spec.variants)
    return Metric(name, variant, spec)


def display_image(image: np.ndarray, role: str = "output") -> None:
    """Check that an image is H x W x 3 RGB uint8, as metrics of display images take it.

    Raises:
        UserError: other pixels, which such a metric is not defined for.
        ValueError: another shape.
    """
    _check_channels(image, role, (3,))
    if image.dtype != np.uint8:
        raise UserError(f"this metric is defined for 8-bit images; the {role} is {image.dtype}")


def same_shape(output: np.ndarray, other: np.ndarray | None, role: str) -> None:
    """Check that two display images can be compared.

    Raises:
        UserError: they are not both uint8.
        ValueError: `other` is None, or they are not both H x W x 3 of one size.
    """
    same_size(output, other, role)
    display_image(output)
    display_image(other, role)


def same_size(output: np.ndarray, other: np.ndarray | None, role: str, channels: tuple[int, ...] = (3,)) -> None:
    """Check that two images have the same pixels, whatever their type.

    Args:
        channels: how many they may have: 4 for the planes of a raw image.

    Raises:
        ValueError: `other` is None, or they are not both H x W x C of one size.
    """
    if other is None:
        raise ValueError(f"this metric needs a {role} image")
    if output.shape != other.shape:
        raise ValueError(f"output and {role} must be H x W x 3 of one size, not {_size(output)} and {_size(other)}")
    _check_channels(output, "output", channels)


def _check_channels(image: np.ndarray, role: str, channels: tuple[int, ...]) -> None:
    if image.ndim != 3 or image.shape[2] not in channels or not image.size:
        raise ValueError(f"the {role} must be H x W x {' or '.join(map(str, channels))}, not {_size(image)}")


def _size(image: np.ndarray) -> str:
    return " x ".join(map(str, image.shape))


def at_least(output: np.ndarray, side: int, metric: str) -> None:
    """UserError where an image is smaller than a metric's window."""
    if min(output.shape[:2]) < side:
        raise UserError(f"{metric} needs at least {side} x {side} pixels; the image is {output.shape[1]} x {output.shape[0]}")


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y of BT.601 in 16..235, H x W float64, of an H x W x 3 RGB uint8 image; not rounded (as BasicSR and MATLAB on floats)."""
    return rgb @ (np.array([65.481, 128.553, 24.966]) / 255) + 16
