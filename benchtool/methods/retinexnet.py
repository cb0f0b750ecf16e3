"""RetinexNet: an image taken apart into reflectance and illumination, and a second network that adjusts the illumination.

Wei et al., "Deep Retinex Decomposition for Low-Light Enhancement", BMVC 2018, Sec. 3. Trained in two phases; made for dark images.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses import l1
from benchtool.methods.base import Batch, Method, Stage

SPEC = MethodSpec(
    title="RetinexNet",
    citation="wei2018retinexnet",
    parameters=444_613,
    published_parameters="ENC Table 1 prints 1.70M (444,613 x 4 bytes are 1.70 MiB)",
    faithful="released",
    departures=(
        Departure(
            "way up of the second network",
            paper="skip connections",
            released="added; a PyTorch port concatenates",
            ours="added; skip: concat for the port",
        ),
        Departure("denoising", paper="BM3D of the reflectance", released="not in the code's path", ours="released"),
        Departure(
            "beyond the border",
            paper="not given",
            released="zeros; a PyTorch port repeats the last pixels",
            ours="zeros; border: replicate for the port",
        ),
        Departure(
            "halving",
            paper="not given",
            released="TensorFlow's SAME: an even size is padded at its end alone; a PyTorch port pads both sides",
            ours="released; skip: concat as the port",
        ),
        Departure(
            "gradients at the border", paper="not given", released="TensorFlow's zero padding", ours="neighbours inside the image only"
        ),
    ),
    licence="own code; published weights MIT, not included",
    tiling="approximate",
    check={"width": 8},
)

Skip = Literal["add", "concat"]
Border = Literal["zeros", "replicate"]
SHARPNESS = 10.0  # of edges that illumination may have
SCALES = 3  # of the second network
DECOMPOSITION = ("reconstruction", "crossed", "smooth", "reflectance")
RELIGHTING = ("relight", "relight_smooth")


class Decomposition(nn.Module):
    """An image -> reflectance [B, 3, H, W] and illumination [B, 1, H, W], both in (0, 1)."""

    def __init__(self, width: int, border: Border) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, width, 9, padding=4, padding_mode=border)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, padding_mode=border) for _ in range(5))
        self.last = nn.Conv2d(width, 4, 3, padding=1, padding_mode=border)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] in [0, 1]."""
        x = self.first(torch.cat([image.amax(1, keepdim=True), image], 1))
        for conv in self.middle:
            x = F.relu(conv(x))
        return torch.sigmoid(self.last(x)).split((3, 1), dim=1)


class Relighting(nn.Module):
    """Reflectance and illumination -> the adjusted illumination [B, 1, H, W], not bounded."""

    def __init__(self, width: int, concatenate: bool, border: Border) -> None:
        super().__init__()
        self.concatenate = concatenate
        around = {"padding": 1, "padding_mode": border}
        self.beyond = "constant" if border == "zeros" else border
        self.first = nn.Conv2d(4, width, 3, **around)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 3, stride=2) for _ in range(SCALES))  # padded by `_padded`
        self.up = nn.ModuleList(nn.Conv2d(width * (1 + concatenate), width, 3, **around) for _ in range(SCALES))
        self.fuse = nn.Conv2d(SCALES * width, width, 1)
        self.last = nn.Conv2d(width, 1, 3, **around)

    def forward(self, reflectance: Tensor, illumination: Tensor) -> Tensor:
        """[B, 3, H, W] and [B, 1, H, W], any size."""
        x = self.first(torch.cat([reflectance, illumination], 1))
        skips = []
        for down in self.down:
            skips.append(x)
            x = F.relu(down(self._padded(x)))
        decoded = []
        for up in self.up:
            skip = skips.pop()
            x = F.interpolate(x, skip.shape[-2:], mode="nearest")
            x = F.relu(up(torch.cat([x, skip], 1))) if self.concatenate else F.relu(up(x)) + skip
            decoded.append(x)
        size = decoded[-1].shape[-2:]
        return self.last(self.fuse(torch.cat([F.interpolate(d, size, mode="nearest") for d in decoded], 1)))

    def _padded(self, x: Tensor) -> Tensor:
        """What a layer that halves sees: a pixel more on each side, but where sides are added (TensorFlow) not before an even size."""
        before = [int(self.concatenate or size % 2) for size in x.shape[-2:]]
        return F.pad(x, (before[1], 1, before[0], 1), self.beyond)


class RetinexNet(Method):
    """Both networks.

    Args:
        width: channels of all layers.
        skip: `add`, as the authors' code, or `concat`, as a PyTorch port whose weights are around; each pads where it halves as its
            library does.
        border: what convolutions see beyond it, `zeros`, or `replicate`, as that port.
    """

    def __init__(self, width: PositiveInt = 64, skip: Skip = "add", border: Border = "zeros") -> None:
        super().__init__()
        self.decomposition = Decomposition(width, border)
        self.relighting = Relighting(width, skip == "concat", border)

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        reflectance, illumination = self.decomposition(inputs[:, 0])
        return reflectance * self.relighting(reflectance, illumination)

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """Those of the first phase, those of the second, or both, as the stage weighs them; all where it names none.

        `reconstruction`, `crossed`, `smooth`, `reflectance` train the decomposition (Sec. 3.1); `relight`, `relight_smooth`
        the second network, given a decomposition that they do not change (Sec. 3.2).
        """
        low, high = batch.inputs[:, 0], batch.targets
        wanted = stage.losses or dict.fromkeys((*DECOMPOSITION, *RELIGHTING))
        losses = {}
        if any(name in wanted for name in DECOMPOSITION):
            losses |= self._decomposition_losses(low, high)
        if any(name in wanted for name in RELIGHTING):
            with torch.no_grad():
                reflectance, illumination = self.decomposition(low)
            adjusted = self.relighting(reflectance, illumination)
            losses |= {"relight": l1(reflectance * adjusted, high), "relight_smooth": smoothness(adjusted, reflectance)}
        return losses

    def _decomposition_losses(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        (r_low, i_low), (r_high, i_high) = self.decomposition(low), self.decomposition(high)
        return {
            "reconstruction": l1(r_low * i_low, low) + l1(r_high * i_high, high),
            "crossed": l1(r_high * i_low, low) + l1(r_low * i_high, high),
            "smooth": smoothness(i_low, r_low) + smoothness(i_high, r_high),
            "reflectance": l1(r_low, r_high),
        }


def smoothness(illumination: Tensor, reflectance: Tensor) -> Tensor:
    """Mean gradient of the illumination, in both directions, forgiven where the reflectance has edges (Eq. 4)."""
    grey = (reflectance * reflectance.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(1, keepdim=True)
    total = 0.0
    for dim in (-2, -1):
        if illumination.shape[dim] > 1:
            edges = F.avg_pool2d(grey.diff(dim=dim).abs(), 3, stride=1, padding=1, count_include_pad=False)
            total = total + (illumination.diff(dim=dim).abs() * torch.exp(-SHARPNESS * edges)).mean()
    return total
