"""Zero-DCE: eight quadratic curves a pixel and colour, estimated by a small network that is trained without targets.

Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", CVPR 2020, Sec. 3.
"""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.base import Batch, Method, Stage

SPEC = MethodSpec(
    title="Zero-DCE",
    citation="guo2020zerodce",
    needs_target=False,
    parameters=79_416,
    published_parameters="79,416; ENC Table 1 prints 0.33M",
    faithful="released",
    departures=(
        Departure("exposure loss", paper="absolute distance to 0.6", released="squared distance", ours="released"),
        Departure("colour loss", paper="sum of squared differences", released="root of the sum of fourth powers", ours="released"),
        Departure("size in training", paper="512 x 512", released="256 x 256", ours="paper; recipe zero-dce-released for the other"),
        Departure("resizing in training", paper="not given", released="Lanczos", ours="bicubic, antialiased"),
        Departure(
            "smoothness loss",
            paper="mean over curves, colours and pixels",
            released="squares summed over the 24 maps, divided by pixels alone",
            ours="released",
        ),
    ),
    licence="own code; published weights CC BY-NC 4.0, not included",
    tiling="exact",
    tile_margin=7,
    check={"width": 8},
)

CURVES = 8
WELL_EXPOSED = 0.6
EXPOSURE_POOL, SPATIAL_POOL = 16, 4
FLOOR = 1e-12  # under the colour loss's root, whose gradient is infinite for a grey image


class ZeroDCE(Method):
    """Seven convolutions at full size, then the curves.

    Args:
        width: channels of the layers between.
    """

    maps = CURVES  # of three colours each, that the network estimates

    def __init__(self, width: PositiveInt = 32) -> None:
        super().__init__()
        into = [3, width, width, width, 2 * width, 2 * width, 2 * width]
        out = [width] * 6 + [3 * self.maps]
        self.convs = nn.ModuleList(self.layer(a, b) for a, b in zip(into, out))
        for name, parameter in self.convs.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, 0.0, 0.02)

    @staticmethod
    def layer(into: int, out: int) -> nn.Module:
        """One of the seven, from `into` channels to `out`, of the same size."""
        return nn.Conv2d(into, out, 3, padding=1)

    def curves(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> the curves' parameters [B, 3 maps, H, W] in (-1, 1): `maps` times three colours."""
        c1, c2, c3, c4, c5, c6, c7 = self.convs
        x1 = F.relu(c1(image))
        x2 = F.relu(c2(x1))
        x3 = F.relu(c3(x2))
        x4 = F.relu(c4(x3))
        x5 = F.relu(c5(torch.cat([x3, x4], 1)))
        x6 = F.relu(c6(torch.cat([x2, x5], 1)))
        return torch.tanh(c7(torch.cat([x1, x6], 1)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] in [0, 1] -> the result and the curves' parameters."""
        curves = self.curves(image)
        return apply_curves(image, curves), curves

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return self(inputs[:, 0])[0]

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """`smooth`, `spatial`, `colour` and `exposure`, none of which looks at a target."""
        image = batch.inputs[:, 0]
        output, curves = self(image)
        return {
            "smooth": smoothness(curves), "spatial": spatial_consistency(output, image), "colour": colour_constancy(output),
            "exposure": exposure_control(output),
        }  # fmt: skip


def apply_curves(image: Tensor, curves: Tensor) -> Tensor:
    """x + a (x^2 - x), eight times: with each three of the maps [B, 24, H, W] in turn, or always with [B, 3, H, W].

    The paper's Eq. 4 with alpha = -a.
    """
    maps = curves.split(3, dim=1)
    for a in maps * (CURVES // len(maps)):
        image = image + a * (image * image - image)
    return image


def smoothness(maps: Tensor) -> Tensor:
    """Squared differences of neighbours in the curves' maps [B, M, H, W], summed over maps, a pixel (Eq. 8, twice)."""
    count, (height, width) = len(maps), maps.shape[-2:]
    down = maps.diff(dim=-2).square().sum() / max((height - 1) * width, 1)
    across = maps.diff(dim=-1).square().sum() / max(height * (width - 1), 1)
    return 2 * (down + across) / count


def spatial_consistency(output: Tensor, image: Tensor) -> Tensor:
    """How differently neighbouring 4 x 4 regions differ in the output and in the image (Eq. 5); beyond the border is black."""
    pooled = [F.pad(F.avg_pool2d(x.mean(1, keepdim=True), SPATIAL_POOL), (1, 1, 1, 1)) for x in (output, image)]
    centres = [x[..., 1:-1, 1:-1] for x in pooled]
    total = 0.0
    for rows, columns in (((0, -2), (1, -1)), ((2, None), (1, -1)), ((1, -1), (0, -2)), ((1, -1), (2, None))):
        of_output, of_image = (c - x[..., slice(*rows), slice(*columns)] for x, c in zip(pooled, centres))
        total = total + (of_output - of_image).square()
    return total.mean()


def colour_constancy(output: Tensor) -> Tensor:
    """How far an image's mean colour is from grey (Eq. 7, as released: the root of the sum of fourth powers)."""
    red, green, blue = output.mean(dim=(2, 3)).unbind(1)
    fourth = (red - green) ** 4 + (red - blue) ** 4 + (green - blue) ** 4
    return torch.sqrt(fourth + FLOOR).mean()


def exposure_control(output: Tensor) -> Tensor:
    """Squared distance of 16 x 16 regions' means from 0.6 (Eq. 6, as released); a smaller image is one region."""
    side = min(EXPOSURE_POOL, *output.shape[-2:])
    return (F.avg_pool2d(output.mean(1, keepdim=True), side) - WELL_EXPOSED).square().mean()
