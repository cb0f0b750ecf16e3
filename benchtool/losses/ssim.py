"""The SSIM that networks are trained with: 11 x 11 Gaussian window, colour by colour, zeros beyond the border (not `metrics.ssim`)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.losses import same_shape

SIDE, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2  # for values in [0, 1]


def ssim(output: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity of two [B, C, H, W] tensors in [0, 1], over all pixels and channels; 1 where they are equal.

    Raises:
        ValueError: the shapes differ (nothing is broadcast).
    """
    same_shape(output, target)

    def blur(x: Tensor) -> Tensor:
        channels = x.shape[1]
        window = gaussian(x.device, x.dtype).expand(channels, 1, SIDE)
        across = F.conv2d(x, window[:, :, None, :], padding=(0, SIDE // 2), groups=channels)
        return F.conv2d(across, window[:, :, :, None], padding=(SIDE // 2, 0), groups=channels)

    mean_o, mean_t = blur(output), blur(target)
    var_o, var_t = blur(output * output) - mean_o * mean_o, blur(target * target) - mean_t * mean_t
    covariance = blur(output * target) - mean_o * mean_t
    alike = (2 * mean_o * mean_t + C1) * (2 * covariance + C2)
    return (alike / ((mean_o * mean_o + mean_t * mean_t + C1) * (var_o + var_t + C2))).mean()


def gaussian(device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """The window's one-dimensional factor [SIDE], of sum 1."""
    x = torch.arange(SIDE, device=device, dtype=dtype) - SIDE // 2
    weights = torch.exp(-x * x / (2 * SIGMA**2))
    return weights / weights.sum()
