"""Whole images brought to another size before crops are cut: a stage's `resize`. Input and target alike.

To a square by antialiased bicubic, as networks that are trained on whole images want them (Zero-DCE), or bilinearly to the next multiple
of 4 along each side (ENC's released code, `core.images.enlarge`).
"""

from __future__ import annotations

import numpy as np

from benchtool.core.images import enlarge, floats, resize, up_to_multiple

DEPTHS = {"srgb8": 1, "srgb16": 2, "linear": 4, "raw-rggb": 4}  # bytes a value, at most
Resize = int | str | None  # side of a square, `multiple-of-4`, or None


def size_after(size: tuple[int, int], how: Resize) -> tuple[int, int]:
    """(height, width) of an image of `size` once it is resized."""
    if how is None:
        return size
    return (how, how) if isinstance(how, int) else up_to_multiple(size)


def depth_after(encoding: str, how: Resize) -> int:
    """Bytes a value of an image that is resized, at most."""
    return DEPTHS[encoding] if how is None or (isinstance(how, int) and encoding == "srgb8") else 4


def resized(pixels: np.ndarray, size: tuple[int, int], how: Resize) -> np.ndarray:
    """H x W x C at `size` = (height, width): uint8 where a square is made of uint8, else float32 within the image's range."""
    if pixels.shape[:2] == size:
        return pixels
    if not isinstance(how, int):
        return enlarge(pixels, size[1], size[0])
    if pixels.dtype == np.uint8:
        return resize(pixels, size[1], size[0])
    exact = floats(pixels)
    return resize(exact, size[1], size[0]).clip(exact.min(), exact.max())  # bicubic overshoots
