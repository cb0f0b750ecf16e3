"""The images of a sample, read and checked to be those the manifest was written for. Imports no torch: scoring processes use it.

Display images (encodings srgb8, srgb16) are compared in 8 bits. Linear ones (linear, raw-rggb) are float32: floats as they are stored,
16-bit values by their range, so that 65535 is 1.0. A raw-rggb file has four planes, those of the mosaic at half its size.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import MULTIPLE, enlarge, floats, orient, quantise, read_picture, up_to_multiple
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.spec import MethodSpec

LINEAR = ("linear", "raw-rggb")  # encodings; the others are of display images
MULTIPLES = f"multiple-of-{MULTIPLE}"  # what protocols call images `enlarged`


def check_inputs(name: str, spec: MethodSpec, samples: Iterable[Sample]) -> None:
    """UserError unless the method `name` takes the inputs of these samples: their number, and display, linear or raw as its SPEC says."""
    for sample in samples:
        if len(sample.inputs) != spec.inputs or _kind(sample.encoding_in) != _kind(spec.input):
            has = f"sample '{sample.sample}' has {len(sample.inputs)} of {sample.encoding_in}"
            raise UserError(f"{name} takes {spec.inputs} image(s) of {spec.input}; {has}")


def _kind(encoding: str) -> str:
    return "display" if encoding.startswith("srgb") else encoding


def read_checked(path: Path, sha256: str, encoding: str = "srgb8") -> np.ndarray:
    """H x W x 3 RGB of an image file, or H x W x 4 of a raw-rggb one: uint8, uint16 or float32. Alpha is dropped.

    Raises:
        UserError: missing or unreadable, or its bytes are not those with this SHA-256; not the planes of the encoding.
    """
    picture = read_picture(path)
    if sha256_file(path) != sha256:
        raise UserError(f"{path}: has changed since its SHA-256 was recorded; make the dataset anew")
    planes = 4 if encoding == "raw-rggb" else 3
    if picture.pixels.shape[2] < planes:
        raise UserError(f"{path}: has {picture.pixels.shape[2]} channels; a raw-rggb image has four planes")
    return orient(picture.pixels[:, :, :planes], picture.orientation)


def eight_bit(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is, uint16 rounded to uint8: metrics of display images compare 8 bits.

    Raises:
        UserError: floating-point images, which are linear.
    """
    if pixels.dtype.kind == "f":
        raise UserError("floating-point images are linear; this compares display images of 8 bits")
    return pixels if pixels.dtype == np.uint8 else quantise(pixels / np.float32(65535))


def read_reference(path: Path, sha256: str, encoding: str, linear: bool) -> np.ndarray:
    """What an output is compared with: uint8, float32 where `linear`.

    Raises:
        UserError: a display image where linear ones are compared, or the other way round; or as `read_checked`.
    """
    if (encoding in LINEAR) != linear:
        raise UserError(f"{path}: is {encoding}; {'linear images' if linear else 'display images of 8 bits'} are compared")
    pixels = read_checked(path, sha256, encoding)
    return floats(pixels) if linear else eight_bit(pixels)


def enlarged(pixels: np.ndarray) -> np.ndarray:
    """An image at the next multiple of 4 along each side: as it is where it has such a size, else float32."""
    height, width = up_to_multiple(pixels.shape[:2])
    return enlarge(pixels, width, height)


def read_inputs(dataset: Dataset, sample: Sample) -> list[np.ndarray]:
    """The sample's input images, uint8, uint16 or float32; UserError as `read_checked`."""
    return [read_checked(dataset.path(image), image.sha256, sample.encoding_in) for image in sample.inputs]


def read_target(dataset: Dataset, sample: Sample, role: str, linear: bool = False) -> np.ndarray:
    """The sample's target of this role as uint8, float32 where `linear`.

    Raises:
        UserError: it has none, or as `read_reference`.
    """
    image = required_target(sample, role)
    return read_reference(dataset.path(image), image.sha256, sample.encoding_target, linear)


def required_target(sample: Sample, role: str) -> Image:
    """The sample's target of this role; UserError where it has none."""
    image = sample.target(role)
    if image is None:
        raise UserError(f"sample '{sample.sample}' has no target '{role}'; it has {', '.join(t.role for t in sample.targets) or 'none'}")
    return image
