"""One sample through a method: pixels in, 8-bit (or 16-bit) pixels out, as ENC's released code does it: clamp, scale, round.

Linear images come out as they are, in 32-bit floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from benchtool.core.errors import UserError
from benchtool.core.images import floats, quantise
from benchtool.evaluation.reduced import enhance_reduced
from benchtool.methods.base import Method


def predict(
    method: Method,
    inputs: list[np.ndarray],
    exposures: Sequence[float | None] = (),
    device: str | torch.device = "cpu",
    levels: int | None = 255,
    side: int | None = None,
) -> np.ndarray:
    """Enhance one sample.

    Args:
        method: is moved to `device`; its training mode is left as it is.
        inputs: its N images, H x W x C uint8, uint16 or float32, of one size.
        exposures: their EV relative to the reference, None where unknown; empty where none is known.
        levels: 255 for a uint8 result, 65535 for uint16, None for float32.
        side: long side of what the method sees, where it is not the image itself (`reduced.enhance_reduced`).

    Returns:
        sH x sW x C_out (s and C_out as the method's SPEC says): the output clamped to [0, 1] and rounded; as it is for float32.

    Raises:
        UserError: the inputs differ in size, or the output is not an image or holds NaN (or infinity, for float32).
    """
    if len({image.shape for image in inputs}) != 1:
        raise UserError(f"the inputs of one sample differ in size: {', '.join(f'{i.shape[1]} x {i.shape[0]}' for i in inputs)}")
    images = torch.from_numpy(np.stack([floats(image) for image in inputs])).permute(0, 3, 1, 2)[None].contiguous().to(device)
    known = any(ev is not None for ev in exposures)
    evs = torch.tensor([[math.nan if ev is None else ev for ev in exposures]], dtype=torch.float32, device=device) if known else None
    method = method.to(device)
    with torch.no_grad():
        output = method.enhance(images, evs) if side is None else enhance_reduced(method, images, evs, side)
    if output.ndim != 4 or len(output) != 1:
        raise UserError(f"{type(method).__name__}.enhance returned shape {tuple(output.shape)} for one sample; expected [1, C, H, W]")
    pixels = output[0].float().permute(1, 2, 0).cpu().numpy()
    if np.isnan(pixels).any():
        raise UserError(f"the output of {type(method).__name__} holds NaN")
    if levels is not None:
        return quantise(pixels, levels)
    if not np.isfinite(pixels).all():
        raise UserError(f"the output of {type(method).__name__} holds infinity")
    return np.ascontiguousarray(pixels)


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
