"""Enhancing at a fixed size, and bringing the result back to the image's own: the path of MSEC's released demo.

Afifi et al., "Learning Multi-Scale Photo Exposure Correction", CVPR 2021: the long side becomes 512 pixels, and bilateral guided
upsampling restores the size (Chen et al., "Bilateral Guided Upsampling", SIGGRAPH Asia 2016).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.core.images import resize
from benchtool.methods.base import Method
from benchtool.methods.blocks.bilateral_guided import upsample

SIDE = 512  # of MSEC


def reduced_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """(height, width) with the long side `side`, the other rounded up, as MATLAB's imresize by a factor does."""
    longest = max(height, width)
    return -(-height * side // longest), -(-width * side // longest)


def enhance_reduced(method: Method, images: Tensor, exposures: Tensor | None = None, side: int = SIDE) -> Tensor:
    """Enhance [1, 1, 3, H, W] display images in [0, 1] at `side` pixels on the long side -> [1, 3, H, W], not clamped.

    Bicubic with antialiasing on the way down. Smaller images are enlarged, and their results brought back bicubically, not guided.

    Raises:
        UserError: the method does not keep the size.
    """
    image = images[:, 0]
    height, width = image.shape[-2:]
    size = reduced_size(height, width, side)
    small = _resized(image, size).clamp(0, 1)  # bicubic overshoots; methods are promised [0, 1]
    output = method.enhance(small[:, None], exposures)
    if output.shape != small.shape:
        raise UserError(f"{type(method).__name__}.enhance returned shape {tuple(output.shape)} for {tuple(small.shape)}; it must keep it")
    return upsample(small, output, image) if max(height, width) > side else _resized(output, (height, width))


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """[1, 3, H, W] -> [1, 3, *size]."""
    pixels = np.ascontiguousarray(image[0].float().permute(1, 2, 0).cpu().numpy())
    resized = np.ascontiguousarray(resize(pixels, size[1], size[0]))
    return torch.from_numpy(resized).permute(2, 0, 1)[None].to(image.device)
