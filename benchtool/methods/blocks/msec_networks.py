"""The networks of MSEC: a U-Net for each level of a Laplacian pyramid, and a discriminator.

Afifi et al., "Learning Multi-Scale Photo Exposure Correction", CVPR 2021, Sec. 4; layers and activations as released.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.methods.base import pad_to_multiple

DEPTHS = (3, 3, 3, 4)  # poolings of the U-Nets, finest level first
LEVELS = len(DEPTHS)
SLOPE, CRITIC_SLOPE = 0.2, 0.01  # of the leaky ReLUs
CRITIC_SIDE = 256  # pixels the discriminator sees
CRITIC_WIDTHS = (1, 2, 4, 8, 16, 16, 32)  # times its width


def double(into: int, out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with its leaky ReLU."""
    first, second = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
    return nn.Sequential(first, nn.LeakyReLU(SLOPE), second, nn.LeakyReLU(SLOPE))


class UNet(nn.Module):
    """The sub-network of one level.

    Args:
        depth: how often it pools.
        width: channels before the first pooling, doubled by each.
    """

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(depth + 1)]
        self.down = nn.ModuleList(double(into, out) for into, out in pairwise([3, *widths]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in reversed(list(pairwise(widths))))
        self.merge = nn.ModuleList(double(2 * fine, fine) for fine in reversed(widths[:-1]))
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 3, H, W], any H and W."""
        x, (height, width) = pad_to_multiple(image, 2 ** len(self.up))
        skips = []
        for level, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([F.relu(up(x)), skips.pop()], dim=1))
        return self.out(x)[..., :height, :width]


class Generator(nn.Module):
    """The four U-Nets from the coarsest level to the finest, each adding its correction to what comes from below.

    Args:
        widths: first widths of the U-Nets, finest level first.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) != LEVELS:
            raise UserError(f"msec: widths has {len(widths)} numbers; give {LEVELS}, finest level first")
        self.nets = nn.ModuleList(UNet(depth, width) for depth, width in zip(DEPTHS, widths))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(3, 3, 2, stride=2) for _ in range(LEVELS - 1))
        for net in self.nets:
            net.apply(he)
        self.enlarge.apply(glorot)

    def forward(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """A Laplacian pyramid, finest first, of 0..255 -> Y_1 .. Y_4: Y_1 the output, Y_l of the size of level l - 1."""
        carried, outputs = None, []
        for level in reversed(range(LEVELS)):
            made = self.nets[level](pyramid[level] if carried is None else pyramid[level] + carried)
            made = made if carried is None else made + carried
            if level:
                height, width = pyramid[level - 1].shape[-2:]
                made = self.enlarge[level - 1](made)[..., :height, :width]
            carried = made
            outputs.insert(0, made)
        return outputs


class Discriminator(nn.Module):
    """Eight strided convolutions from 256 x 256 pixels to one logit.

    Args:
        width: channels after the first.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(pairwise([3, *(width * times for times in CRITIC_WIDTHS)])):
            norm = [nn.BatchNorm2d(out)] if number == 1 else []
            layers += [nn.Conv2d(into, out, 4, stride=2, padding=1), *norm, nn.LeakyReLU(CRITIC_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * CRITIC_WIDTHS[-1], 1, 2, stride=2))
        self.apply(glorot)

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, 256, 256] in [0, 1] -> logits [B] of being real."""
        return self.layers(image).flatten()


def he(layer: nn.Module) -> None:
    """He's normal initial weights of a convolution, biases 0 (MATLAB's unetLayers)."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, std=math.sqrt(2 / (layer.in_channels * math.prod(layer.kernel_size))))
        nn.init.zeros_(layer.bias)


def glorot(layer: nn.Module) -> None:
    """Glorot's uniform initial weights of a convolution, biases 0 (MATLAB's default)."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
