"""Bicubic resampling with antialiasing, in strips of rows: Keys' kernel (a = -0.5), widened when shrinking, as in MATLAB and Pillow.

8-bit pixels are summed exactly: a weight is a multiple of 2^-15, so that every sum is a whole number of 2^-15 below 2^9, which
float32 holds. The order of summation cannot matter, hence neither the machine nor its linear algebra library.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

_BITS = 15
_SUPPORT = 2.0  # of the kernel, in pixels of the larger image
_ROWS, _COLUMNS = 4, 8  # results of one matrix product; larger blocks multiply with more zeros, smaller ones call more often
_CHUNK = 64  # rows taken together from side to side


@dataclass(frozen=True)
class Block:
    """Weights of neighbouring results: `weights @ source[low:high]` are the results `first` and following."""

    first: int
    low: int
    high: int
    weights: np.ndarray


class Resampler:
    """Resizes an image that is given in strips, from top to bottom, so that it need never exist whole.

    >>> resampler = Resampler((4, 4), (2, 2), channels=1)
    >>> resampler.push(np.full((3, 4, 1), 7, np.uint8)), resampler.push(np.full((1, 4, 1), 7, np.uint8))
    (None, None)
    >>> resampler.image().ravel().tolist()
    [7, 7, 7, 7]
    """

    def __init__(self, size: tuple[int, int], target: tuple[int, int], channels: int = 3, whole: bool = True) -> None:
        """
        Args:
            size, target: (width, height) of what comes in and goes out.
            whole: the pixels are whole numbers 0..255 and so are the results (uint8); otherwise they are float32, unclipped.
        """
        self._channels, self._target, self._whole = channels, target, whole
        self._row = self._next = 0  # rows taken so far; first block not finished
        self._height, self._same = size[1], tuple(size) == tuple(target)
        self._down = () if self._same else _blocks(size[1], target[1], _ROWS, whole)
        self._across = () if self._same else _spread(size[0], target[0], channels, whole)
        self._sums: dict[int, np.ndarray] = {}
        self._middle = np.empty((target[1], size[0] * channels), np.uint8 if whole else np.float32)

    def push(self, strip: np.ndarray) -> None:
        """Take the next rows: n x width x channels; float32 saves a conversion, also for whole numbers."""
        top, bottom = self._row, self._row + len(strip)
        self._row = bottom
        if self._same:
            self._middle[top:bottom] = strip.reshape(len(strip), -1)
            return
        rows = np.ascontiguousarray(strip, np.float32).reshape(len(strip), -1)
        for block in self._down[self._next :]:
            if block.low >= bottom:
                break
            low, high = max(block.low, top), min(block.high, bottom)
            part = block.weights[:, low - block.low : high - block.low] @ rows[low - top : high - top]
            if block.first in self._sums:
                part += self._sums.pop(block.first)
            if block.high <= bottom:
                self._middle[block.first : block.first + len(part)] = _rounded(part) if self._whole else part
                self._next += 1
            else:
                self._sums[block.first] = part

    def image(self) -> np.ndarray:
        """The result once every row was given: height x width x channels."""
        if self._row != self._height:
            raise ValueError(f"{self._row} rows of {self._height} were given")
        width, height = self._target
        if self._same:
            return self._middle.reshape(height, width, self._channels)
        result = np.empty((height, width * self._channels), self._middle.dtype)
        for top in range(0, height, _CHUNK):
            rows = self._middle[top : top + _CHUNK].astype(np.float32, copy=False)
            sums = np.empty((len(rows), result.shape[1]), np.float32)
            for block in self._across:
                np.matmul(rows[:, block.low : block.high], block.weights, out=sums[:, block.first : block.first + block.weights.shape[1]])
            result[top : top + _CHUNK] = _rounded(sums) if self._whole else sums
        return result.reshape(height, width, self._channels)


def _rounded(sums: np.ndarray) -> np.ndarray:
    """The nearest of 0..255 (to even where two are near)."""
    return cv2.addWeighted(sums, 1, sums, 0, 0, dtype=cv2.CV_8U)  # OpenCV's fastest conversion that saturates on both sides


@functools.lru_cache(32)
def _blocks(length: int, target: int, block: int, whole: bool) -> tuple[Block, ...]:
    """The weights of `target` results over `length` pixels, `block` results at a time."""
    scale = length / target
    width = max(scale, 1.0)
    found = []
    for first in range(0, target, block):
        centres = (np.arange(first, min(first + block, target)) + 0.5) * scale
        low = max(0, int(centres[0] - _SUPPORT * width))
        high = min(length, int(np.ceil(centres[-1] + _SUPPORT * width)))
        weights = keys((np.arange(low, high) + 0.5 - centres[:, None]) / width)
        weights /= weights.sum(axis=1, keepdims=True)
        found.append(Block(first, low, high, (_whole_weights(weights) if whole else weights).astype(np.float32)))
    return tuple(found)


@functools.lru_cache(32)
def _spread(length: int, target: int, channels: int, whole: bool) -> tuple[Block, ...]:
    """`_blocks` for rows of interleaved channels: transposed, and each weight spread over a diagonal of channels."""
    diagonal = np.eye(channels, dtype=np.float32)
    blocks = _blocks(length, target, _COLUMNS, whole)
    return tuple(Block(b.first * channels, b.low * channels, b.high * channels, np.kron(b.weights.T, diagonal)) for b in blocks)


def _whole_weights(weights: np.ndarray) -> np.ndarray:
    """Weights as multiples of 2^-15 that sum to 1: what rounding leaves goes to the largest."""
    units = np.rint(weights * 2**_BITS)
    units[np.arange(len(units)), units.argmax(axis=1)] += 2**_BITS - units.sum(axis=1)
    assert 255 * np.abs(units).sum(axis=1).max() < 2**24  # exact in float32
    return units / 2**_BITS


def keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29(6), 1981, equation 15)."""
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0.0))
