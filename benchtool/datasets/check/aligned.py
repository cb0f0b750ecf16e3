"""How far a picture is shifted against another of the same scene at another exposure: phase correlation of equalised luminance.

Equalisation takes the exposure away. Phase correlation: Kuglin and Hines, "The phase correlation image alignment method", 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LOOKED_AT = 512  # pixels of the longer side that are looked at
CLEAR = 0.08  # response of a shift that can be told, 0..1


@dataclass(frozen=True)
class Shift:
    """A shift in pixels of the picture, right and down, and how clear it is (`response`, 0..1)."""

    right: float
    down: float
    response: float

    @property
    def pixels(self) -> float:
        """Its length."""
        return float(np.hypot(self.right, self.down))

    @property
    def clear(self) -> bool:
        """Whether it can be told at all."""
        return self.response >= CLEAR


def reduced(luminance: np.ndarray) -> np.ndarray:
    """An H x W luminance with its longer side reduced to LOOKED_AT, float32."""
    scale = LOOKED_AT / max(luminance.shape)
    if scale >= 1:
        return luminance.astype(np.float32)
    size = (max(1, round(luminance.shape[1] * scale)), max(1, round(luminance.shape[0] * scale)))
    return cv2.resize(luminance.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def shift(picture: np.ndarray, other: np.ndarray, scale: float = 1.0) -> Shift:
    """How far `other` lies to the right of and below `picture`; both H x W luminance of one size, multiplied by `scale`."""
    height, width = picture.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (right, down), response = cv2.phaseCorrelate(_equalised(picture), _equalised(other), window)
    return Shift(right * scale, down * scale, float(response))


def _equalised(luminance: np.ndarray) -> np.ndarray:
    """Share of the pixels that are darker, 0..1, less the mean; equal pixels get the same value."""
    levels = np.round(np.clip(luminance, 0, 1) * 4095).astype(np.int32)
    counts = np.bincount(levels.ravel(), minlength=4096)
    below = (np.cumsum(counts) - 0.5 * counts) / levels.size
    return (below[levels] - 0.5).astype(np.float32)
