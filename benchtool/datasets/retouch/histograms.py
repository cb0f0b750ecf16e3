"""How bright a photograph is, as features to cluster: histograms of HSV's value (NIID, Sec. 4) or of luma.

Distances of cumulative histograms respect how far apart grey levels are; those of plain ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.images import read_image

SIDE = 256  # pixels of the longer side that are counted
SMALLEST = 32  # pixels of the shorter side of a photograph
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def read_photograph(path: Path) -> np.ndarray:
    """A photograph as displayed: H x W x 3 float32 in [0, 1].

    Raises:
        UserError: unreadable, smaller than SMALLEST, or of linear values.
    """
    pixels = read_image(path)
    if pixels.dtype == np.float32:
        raise UserError(f"{path}: floating-point pixels; photographs of 8 or 16 bits are retouched")
    if min(pixels.shape[:2]) < SMALLEST:
        raise UserError(f"{path}: {pixels.shape[1]} x {pixels.shape[0]} pixels; at least {SMALLEST} each way are needed")
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def stamp(path: Path) -> list[int] | None:
    """Size and time of a file, None where it is gone: whether a journal's entry is about the file as it is now."""
    return [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None


@dataclass(frozen=True)
class CountTask:
    """A photograph to be counted."""

    path: Path
    bins: int
    channel: str


def count_file(task: CountTask) -> list[int]:
    """A photograph's histogram. Runs in a worker."""
    return histogram(read_photograph(task.path), task.bins, task.channel)


def histogram(image: np.ndarray, bins: int = 64, channel: str = "v") -> list[int]:
    """Number of pixels in each bin of [0, 1], of the picture reduced to SIDE.

    Args:
        image: H x W x 3 float32 in [0, 1].
        channel: `v`, the largest of R, G and B, or `y`, luma of BT.601.
    """
    small = reduced(image, SIDE)
    plane = brightest(small) if channel == "v" else small @ LUMA
    level = np.clip((plane * bins).astype(np.int64), 0, bins - 1)
    return np.bincount(level.ravel(), minlength=bins).tolist()


def brightest(image: np.ndarray) -> np.ndarray:
    """The bright channel, the largest of R, G and B: H x W."""
    return np.maximum(np.maximum(image[:, :, 0], image[:, :, 1]), image[:, :, 2])  # several times as fast as a maximum along the axis


def reduced(image: np.ndarray, side: int) -> np.ndarray:
    """The picture with a longer side of at most `side`, by averaging."""
    scale = side / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def features(histograms: np.ndarray, kind: str = "cdf") -> np.ndarray:
    """N x bins float32 of N x bins counts, each row a distribution: `cdf` its running sum, `sqrt` its root, `raw` itself."""
    share = histograms / histograms.sum(axis=1, keepdims=True)
    found = {"cdf": lambda: np.cumsum(share, axis=1), "sqrt": lambda: np.sqrt(share), "raw": lambda: share}[kind]()
    return found.astype(np.float32)
