"""Crops of images that belong together, turned alike; also of raws as four planes R, G, G, B, whose colours keep their places.

A flip of a mosaic moves red to another corner of its 2 x 2 cells: planes that are merely flipped show every colour a pixel of the mosaic
off, against the target as well. So the window of a turned raw begins a pixel later where that puts red first again (Bayer preserving
augmentation: Liu et al., CVPRW 2019, Sec. 3.2), and it is cut and turned as a mosaic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from benchtool.core.images import floats
from benchtool.core.recipe_stage import Reject

AUGMENTATIONS = {  # in the order in which they are drawn and applied, to H x W x C; each with probability 1/2
    "hflip": lambda a: a[:, ::-1],
    "vflip": lambda a: a[::-1],
    "rot180": lambda a: a[::-1, ::-1],
    "rot90": lambda a: np.rot90(a),
}


DRAWS = 200  # of a window whose crops are rejected


class Pixels(Protocol):
    """H x W x C in memory or in a file: what a slice of rows and columns is taken of."""

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray: ...


@dataclass(frozen=True)
class Window:
    """A part of an image, in pixels, and how it is turned afterwards: names of AUGMENTATIONS."""

    top: int
    left: int
    height: int
    width: int
    turns: tuple[str, ...] = ()


def draw_window(draw: np.random.Generator, size: tuple[int, int], patch: int | None, augment: Collection[str]) -> Window:
    """A square window, the whole image where `patch` is None, of an image of `size` = (height, width)."""
    side = (patch or size[0], patch or size[1])
    corner = [int(draw.integers(0, whole - part + 1)) for whole, part in zip(size, side)]
    chances = draw.random(len(AUGMENTATIONS)) < 0.5  # all are drawn: one more in `augment` changes no other
    return Window(*corner, *side, tuple(name for name, chance in zip(AUGMENTATIONS, chances) if chance and name in augment))


def rejected(crop: np.ndarray, reject: Reject) -> bool:
    """Whether a crop, H x W x 3, is too dark, too bright or too flat: the means of its values and of its gradient's magnitude.

    As MSEC's released extraction of patches: Sobel's filter on grey, with borders repeated.
    """
    values = floats(np.ascontiguousarray(crop))
    if not reject.dark <= values.mean() <= reject.bright:
        return True
    grey = cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)
    slopes = [cv2.Sobel(grey, cv2.CV_32F, *axis, borderType=cv2.BORDER_REPLICATE) for axis in ((1, 0), (0, 1))]
    return bool(np.hypot(*slopes).mean() < reject.flat)


def turned(pixels: np.ndarray, turns: Sequence[str]) -> np.ndarray:
    """H x W (x C) with the named AUGMENTATIONS applied in turn."""
    for name in turns:
        pixels = AUGMENTATIONS[name](pixels)
    return pixels


def cut(pixels: Pixels, window: Window, scale: int = 1) -> np.ndarray:
    """The window of an image that is `scale` times as large as what the window is given for: a copy, turned."""
    top, left, height, width = (scale * n for n in (window.top, window.left, window.height, window.width))
    return np.ascontiguousarray(turned(pixels[top : top + height, left : left + width], window.turns))


def on_mosaic(window: Window, size: tuple[int, int]) -> Window:
    """A window of planes of `size` = (height, width) as one of their mosaic of twice the size, that is RGGB once it is turned.

    Where it is turned the window must be smaller than the planes: it may have to begin a pixel earlier or later.
    """
    moves = divmod(int(turned(np.arange(4).reshape(2, 2), window.turns)[0, 0]), 2)  # the place in a cell that comes to be the first
    begins = []
    for corner, part, whole, move in zip((window.top, window.left), (window.height, window.width), size, moves):
        begins.append(2 * corner + move - 2 * (corner + part == whole and move))
    return Window(*begins, 2 * window.height, 2 * window.width, window.turns)


def cut_planes(planes: Pixels, window: Window) -> np.ndarray:
    """The window of a mosaic that is stored as H x W x 4 planes: h x w x 4 planes again, turned as a mosaic."""
    row, column = window.top % 2, window.left % 2
    rows = slice(window.top // 2, (window.top + window.height + 1) // 2)
    cells = planes[rows, window.left // 2 : (window.left + window.width + 1) // 2]
    mosaic = np.empty((2 * cells.shape[0], 2 * cells.shape[1]), cells.dtype)
    for number, (y, x) in enumerate(np.ndindex(2, 2)):
        mosaic[y::2, x::2] = cells[:, :, number]
    whole = turned(mosaic[row : row + window.height, column : column + window.width], window.turns)
    return np.stack([whole[y::2, x::2] for y, x in np.ndindex(2, 2)], axis=2)
