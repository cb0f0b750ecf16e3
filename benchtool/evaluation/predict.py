"""One sample through a method: pixels in, 8-bit (or 16-bit) pixels out, as ENC's released code does it: clamp, scale, round."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from benchtool.core.errors import UserError
from benchtool.core.images import quantise
from benchtool.methods.base import Method


def predict(
    method: Method, inputs: list[np.ndarray], exposures: Sequence[float | None] = (), device: str | torch.device = "cpu", levels: int = 255
) -> np.ndarray:
    """Enhance one sample.

    Args:
        method: is moved to `device`; its training mode is left as it is.
        inputs: its N images, H x W x 3 uint8 or uint16, of one size.
        exposures: their EV relative to the reference, None where unknown; empty where none is known.
        levels: 255 for a uint8 result, 65535 for uint16.

    Returns:
        sH x sW x 3 (s as the method's SPEC says): the output clamped to [0, 1] and rounded.

    Raises:
        UserError: the inputs differ in size, or the output is not an image or holds NaN.
    """
    if len({image.shape for image in inputs}) != 1:
        raise UserError(f"the inputs of one sample differ in size: {', '.join(f'{i.shape[1]} x {i.shape[0]}' for i in inputs)}")
    images = torch.from_numpy(np.stack([_floats(image) for image in inputs])).permute(0, 3, 1, 2)[None]
    known = any(ev is not None for ev in exposures)
    evs = torch.tensor([[math.nan if ev is None else ev for ev in exposures]], dtype=torch.float32, device=device) if known else None
    with torch.no_grad():
        output = method.to(device).enhance(images.contiguous().to(device), evs)
    if output.ndim != 4 or len(output) != 1:
        raise UserError(f"{type(method).__name__}.enhance returned shape {tuple(output.shape)} for one sample; expected [1, C, H, W]")
    pixels = output[0].float().permute(1, 2, 0).cpu().numpy()
    if np.isnan(pixels).any():
        raise UserError(f"the output of {type(method).__name__} holds NaN")
    return quantise(pixels, levels)


def _floats(image: np.ndarray) -> np.ndarray:
    """uint8 or uint16 to float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; `auto` is a GPU where there is one.

    Raises:
        UserError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name}: not available here ({str(error).splitlines()[0]}); try cpu") from None
    return device
