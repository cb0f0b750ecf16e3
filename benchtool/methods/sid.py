"""SID: the U-Net of "Learning to See in the Dark", here from sRGB to sRGB.

Chen et al., CVPR 2018, as ENC (CVPR 2022, Sec. 3.2 and 4.1) uses it: three channels in and out, full resolution,
no residual and no output activation, trained with the mean squared error.
"""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses import mse
from benchtool.methods.base import Batch, Method, Stage, pad_to_multiple

SPEC = MethodSpec(
    title="SID",
    citation="chen2018sid",
    parameters=7_760_163,
    published_parameters="7.40M (ENC Table 1, in units of 2^20)",
    faithful="released",
    departures=(
        Departure("loss", paper="that of SID (L1)", released="mean squared error", ours="released"),
        Departure("initial weights", paper="not given", released="PyTorch's defaults (its N(0, 0.02) is never called)", ours="released"),
        Departure(
            "sizes that 16 does not divide",
            paper="not given",
            released="features resized bilinearly on the way up; under 16 pixels an error",
            ours="first features padded by reflection, output cropped: any size",
        ),
        Departure(
            "images",
            paper="not given",
            released="resized to a multiple of 4 each side, targets too",
            ours="as stored; the recipes -released and the protocol enc-released resize",
        ),
    ),
    tiling="exact",
    tile_margin=96,
    tile_step=16,
    check={"width": 8},
)

LEVELS = 5
SLOPE = 0.2  # leaky ReLU's, everywhere


def activation() -> nn.Module:
    """SID's leaky ReLU."""
    return nn.LeakyReLU(SLOPE)


def conv3(into: int, out: int) -> list[nn.Module]:
    """A 3 x 3 convolution and its activation."""
    return [nn.Conv2d(into, out, 3, padding=1), activation()]


class UNet(nn.Module):
    """All of SID behind its first layer, so that another first layer (ENC) can stand there.

    Args:
        width: channels of the first level, which the first layer has to give.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        pairs = list(zip(widths, widths[1:]))
        self.top = nn.Sequential(activation(), *conv3(width, width))
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), *conv3(fine, coarse), *conv3(coarse, coarse)) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in reversed(pairs))
        self.merge = nn.ModuleList(nn.Sequential(*conv3(2 * fine, fine), *conv3(fine, fine)) for fine, _ in reversed(pairs))
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, features: Tensor) -> Tensor:
        """The first layer's features, before their activation, [B, width, H, W] -> [B, 3, H, W]."""
        features, (height, width) = pad_to_multiple(features, 2 ** (LEVELS - 1))
        x = self.top(features)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        return self.out(x)[..., :height, :width]


class SID(Method):
    """U-Net of five levels.

    Args:
        width: channels of the first level, doubled at each further one (32 in the paper, 40 for SID-L).
    """

    def __init__(self, width: PositiveInt = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.unet = UNet(width)

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> [B, 3, H, W], any H and W, not clamped."""
        return self.unet(self.first(image))

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return self(inputs[:, 0])

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        return {"mse": mse(self(batch.inputs[:, 0]), batch.targets)}
