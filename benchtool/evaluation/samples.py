"""The images of a sample, read and checked to be those the manifest was written for. Imports no torch: scoring processes use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import quantise, read_image
from benchtool.core.manifest import Dataset, Image, Sample


def read_checked(path: Path, sha256: str) -> np.ndarray:
    """H x W x 3 RGB of an image file, uint8 or uint16.

    Raises:
        UserError: missing or unreadable, or its bytes are not those with this SHA-256.
    """
    pixels = read_image(path)
    if sha256_file(path) != sha256:
        raise UserError(f"{path}: has changed since its SHA-256 was recorded; make the dataset anew")
    return pixels


def eight_bit(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is, uint16 rounded to uint8: metrics of display images compare 8 bits.

    Raises:
        UserError: floating-point (linear) images, which `evaluate` cannot compare yet.
    """
    if pixels.dtype.kind == "f":
        raise UserError("floating-point images are not evaluated yet; `benchtool metrics measure` compares them")
    return pixels if pixels.dtype == np.uint8 else quantise(pixels / np.float32(65535))


def read_inputs(dataset: Dataset, sample: Sample) -> list[np.ndarray]:
    """The sample's input images, uint8 or uint16; UserError as `read_checked`."""
    return [read_checked(dataset.path(image), image.sha256) for image in sample.inputs]


def read_target(dataset: Dataset, sample: Sample, role: str) -> np.ndarray:
    """The sample's target of this role as uint8.

    Raises:
        UserError: it has none, or as `read_checked`.
    """
    image = required_target(sample, role)
    return eight_bit(read_checked(dataset.path(image), image.sha256))


def required_target(sample: Sample, role: str) -> Image:
    """The sample's target of this role; UserError where it has none."""
    image = sample.target(role)
    if image is None:
        raise UserError(f"sample '{sample.sample}' has no target '{role}'; it has {', '.join(t.role for t in sample.targets) or 'none'}")
    return image
