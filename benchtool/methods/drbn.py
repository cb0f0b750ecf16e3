"""DRBN's first stage, recursive band learning, as ENC uses it: four U-shaped blocks at three scales.

Yang et al., "From Fidelity to Perceptual Quality", CVPR 2020, Sec. 3.2, through ENC (CVPR 2022, Sec. 3.2 and 4.1). Its second stage
(recomposition, adversarial) is no part of it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses import l1
from benchtool.losses.ssim import ssim
from benchtool.methods.base import Batch, Method, Stage, pad_to_multiple

SPEC = MethodSpec(
    title="DRBN",
    citation="yang2020drbn",
    parameters=557_668,
    published_parameters="0.53M (ENC Table 1, in units of 2^20)",
    faithful="released",
    departures=(
        Departure("blocks", paper="four recursions", released="four blocks of weights of their own", ours="released"),
        Departure("loss", paper="the baseline's own", released="negated SSIM at three scales, no pixel loss", ours="released"),
        Departure(
            "first weights",
            paper="not given",
            released="as the library draws them; SSIM alone cannot tell an image from its negative: a draw of ours ended in that",
            ours="released; `first_weights: grey`, which our other recipes set, begins each block around mid-grey",
        ),
        Departure("smaller targets", paper="not given", released="every second and every fourth pixel, not filtered", ours="released"),
        Departure("learning rate on ME", paper="1e-4", released="5e-5 (1e-4 on SICE)", ours="1e-4; recipe drbn-released has 5e-5"),
        Departure(
            "sizes that 4 does not divide", paper="not given", released="an error", ours="padded by reflection, output cropped: any size"
        ),
    ),
    tiling="exact",
    tile_margin=276,
    tile_step=4,
    check={"width": 8, "growth": 8},
)

SCALES = 3  # full, half and quarter size
LAYERS = 4  # convolutions of a residual dense block
FirstWeights = Literal["library", "grey"]
# How a block's images begin with `grey`: SSIM(-x, y) is SSIM(x, y) but for its constants, and a start below 0 may stay there.
MID_GREY, FAINT = 0.5, 0.1


class RDB(nn.Module):
    """Residual dense block: four 3 x 3 convolutions, each seeing everything before it, then 1 x 1 back to `channels`."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels + k * growth, growth, 3, padding=1) for k in range(LAYERS))
        self.fuse = nn.Conv2d(channels + LAYERS * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> the same shape."""
        known = x
        for conv in self.convs:
            known = torch.cat([known, F.relu(conv(known))], dim=1)
        return self.fuse(known) + x


class Bands(NamedTuple):
    """What a block gives.

    Attributes:
        images: [B, 3, ...] at full, half and quarter size.
        features: what these were made of.
        first: what its first layer gave, where that is more than features (ENC).
    """

    images: tuple[Tensor, Tensor, Tensor]
    features: tuple[Tensor, Tensor, Tensor]
    first: Any = None


class Block(nn.Module):
    """One recursion.

    Args:
        width: G0, channels at full and half size; twice that at quarter size.
        growth: G of the dense blocks; twice that at quarter size.
        first: takes six channels to `width`; a 3 x 3 convolution where None.
        first_weights: see `DRBN`.
    """

    def __init__(self, width: int, growth: int, first: nn.Module | None = None, first_weights: FirstWeights = "library") -> None:
        super().__init__()
        self.first = first or nn.Conv2d(6, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.dense_full, self.dense_half = RDB(width, growth), RDB(width, growth)
        self.dense_quarter = nn.Sequential(RDB(2 * width, 2 * growth), RDB(2 * width, 2 * growth))
        self.dense_half_up, self.dense_full_up = RDB(width, growth), RDB(width, growth)
        self.down_half = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.down_quarter = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.up_half = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        self.up_full = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.heads = nn.ModuleList(_head(channels, width) for channels in (width, width, 2 * width))
        if first_weights == "grey":
            self._begin_grey()

    @torch.no_grad()
    def _begin_grey(self) -> None:
        """Let the first images be nearly flat, MID_GREY: the quarter image's level is in the two larger ones."""
        for head, level in zip(self.heads, (0.0, 0.0, MID_GREY)):
            head[1].weight.mul_(FAINT)
            head[1].bias.fill_(level)

    def begin(self, pair: Tensor) -> tuple[Tensor, Tensor, Any]:
        """First features [B, width, H, W]: those the next layer sees, those added at the end (here the same); and `Bands.first`."""
        features = F.relu(self.first(pair))
        return features, features, None

    def forward(self, pair: Tensor, previous: Bands | None = None) -> Bands:
        """[B, 6, H, W], sides multiples of 4: the previous block's image (the input itself for the first) beside the input."""
        shown, kept, first = self.begin(pair)
        full = F.relu(self.second(shown))
        half = self.down_half(self.dense_full(full))
        quarter = self.down_quarter(self.dense_half(half))
        before = previous.features if previous else (0, 0, 0)
        quarter = quarter + self.dense_quarter(quarter) + before[2]
        half = half + self.dense_half_up(self.up_half(quarter)) + before[1]
        full = full + self.dense_full_up(self.up_full(half)) + kept + before[0]
        at_quarter = self.heads[2](quarter)
        at_half = self.heads[1](half) + _double(at_quarter)
        return Bands((self.heads[0](full) + _double(at_half), at_half, at_quarter), (full, half, quarter), first)


def _head(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1))


def _double(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


class DRBN(Method):
    """Four blocks, each given the image of the one before it beside the input.

    Args:
        width: G0, channels at full size (16; 18 for DRBN-L).
        growth: G of the dense blocks (8; 9 for DRBN-L).
        blocks: number of recursions.
        first_weights: `library`, as PyTorch draws them, or `grey`: each block's first images are nearly flat, around mid-grey, so that
            training on SSIM alone does not end in their negative.
    """

    def __init__(
        self, width: PositiveInt = 16, growth: PositiveInt = 8, blocks: PositiveInt = 4, first_weights: FirstWeights = "library"
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, growth, first_weights=first_weights) for _ in range(blocks))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, H, W] in [0, 1], any size -> the last block's images at full, half and quarter size (rounded up), not clamped."""
        return self.recursions(image)[-1].images

    def recursions(self, image: Tensor) -> list[Bands]:
        """What every block gives; the images are cropped as in `forward`, the features are not."""
        padded, (height, width) = pad_to_multiple(image, 2 ** (SCALES - 1))
        shown, given = padded, []
        for block in self.blocks:
            given.append(block(torch.cat([shown, padded], dim=1), given[-1] if given else None))
            shown = given[-1].images[0]
        return [bands._replace(images=_crop(bands.images, height, width)) for bands in given]

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return self(inputs[:, 0])[0]

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """Those of `banded_losses`."""
        return banded_losses(self(batch.inputs[:, 0]), batch.targets)


def _crop(images: tuple[Tensor, ...], height: int, width: int) -> tuple[Tensor, ...]:
    return tuple(image[..., : -(-height // 2**k), : -(-width // 2**k)] for k, image in enumerate(images))


def banded_losses(outputs: tuple[Tensor, Tensor, Tensor], target: Tensor) -> dict[str, Tensor]:
    """`ssim`: minus the sum of the SSIM at full, half and quarter size, -3 at best; the smaller targets are every second and fourth pixel.

    Further `ssim_half` and `ssim_quarter`, minus one of them, and `l1` at full size: of these the released code makes the loss that it
    measures importance with.
    """
    full, half, quarter = (ssim(out, target[..., :: 2**k, :: 2**k]) for k, out in enumerate(outputs))
    return {"ssim": -(full + half + quarter), "ssim_half": -half, "ssim_quarter": -quarter, "l1": l1(outputs[0], target)}
