"""Arrays of images on their way to a network: integers as they are stored, floats in [0, 1] on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchtool.core import images


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Integers as they are, where all are of one kind; otherwise floats (8 and 16 bits may come together)."""
    return np.stack(arrays if len({a.dtype for a in arrays}) == 1 else [images.floats(a) for a in arrays])


def floats(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """[..., H, W, C] integers -> [..., C, H, W] float32 in [0, 1] on the device, floats as they are: the same bits on every device."""
    white, stored = float(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1), torch.from_numpy(pixels)
    if torch.device(device).type == "cuda":
        stored = stored.pin_memory().to(device, non_blocking=True)
    scaled = stored.movedim(-1, -3).to(torch.float32, memory_format=torch.contiguous_format).contiguous()
    # by a tensor: a GPU multiplies by the reciprocal of a plain number, which rounds otherwise
    return scaled if white == 1 else scaled.div_(torch.full((), white, device=device))
