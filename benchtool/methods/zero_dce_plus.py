"""Zero-DCE++: Zero-DCE with depthwise-separable layers, one map for all eight curves, and a network that sees a smaller image.

Li, Guo, Loy, "Learning to Enhance Low-Light Image via Zero-Reference Deep Curve Estimation", TPAMI 2021. Losses are Zero-DCE's.
"""

from __future__ import annotations

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.base import pad_to_multiple
from benchtool.methods.zero_dce import ZeroDCE, apply_curves

SPEC = MethodSpec(
    title="Zero-DCE++",
    citation="li2021zerodceplus",
    needs_target=False,
    parameters=10_561,
    published_parameters="10K (abstract)",
    faithful="released",
    departures=(
        Departure("losses", paper="as Zero-DCE", released="as Zero-DCE", ours="as Zero-DCE: `methods show zero-dce`"),
        Departure("weight of the smoothness", paper="not established", released="1600", ours="1600, 8 times Zero-DCE's"),
        Departure("size that the network sees in training", paper="not established", released="full (its author says)", ours="full"),
        Departure("images in training", paper="not established", released="resized to 512 x 512, Lanczos", ours="512 x 512, bicubic"),
        Departure("batch, rate", paper="not established", released="Zero-DCE's", ours="Zero-DCE's"),
        Departure("epochs", paper="not established", released="100", ours="100"),
        Departure(
            "reducing and enlarging",
            paper="not established",
            released="bilinear; not smoothed, corners aligned when enlarging (its users say)",
            ours="released",
        ),
        Departure(
            "sizes that 12 does not divide",
            paper="not established",
            released="cut to a multiple (its users say)",
            ours="what the network sees is padded by reflection to a multiple",
        ),
        Departure("initial weights", paper="not established", released="PyTorch's defaults", ours="Zero-DCE's, in both halves of a layer"),
    ),
    licence="own code; published weights CC BY-NC 4.0, not included",
    tiling="approximate",
    check={"width": 8},
)


class Separable(nn.Module):
    """A 3 x 3 convolution of each channel by itself, then a 1 x 1 one over the channels, both with bias."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(into, into, 3, padding=1, groups=into)
        self.point = nn.Conv2d(into, out, 1)

    def forward(self, image: Tensor) -> Tensor:
        """[B, into, H, W] -> [B, out, H, W]."""
        return self.point(self.depth(image))


class ZeroDCEPlus(ZeroDCE):
    """Zero-DCE with separable layers and one map of three colours.

    Args:
        width: channels of the layers between.
        scale: how many times smaller, along each side, the image is that the network sees in `enhance`; its map is enlarged. Training
            is at full size whatever it is.
    """

    maps = 1

    def __init__(self, width: PositiveInt = 32, scale: PositiveInt = 12) -> None:
        super().__init__(width)
        self.scale = scale

    @staticmethod
    def layer(into: int, out: int) -> nn.Module:
        return Separable(into, out)

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        image = inputs[:, 0]
        return apply_curves(image, self.enlarged_curves(image))

    def enlarged_curves(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> the map [B, 3, H, W] in (-1, 1), estimated on the reduced image."""
        if self.scale == 1:
            return self.curves(image)
        padded, (height, width) = pad_to_multiple(image, self.scale)
        rows, columns = padded.shape[-2:]
        small = F.interpolate(padded, (rows // self.scale, columns // self.scale), mode="bilinear")
        whole = F.interpolate(self.curves(small), (rows, columns), mode="bilinear", align_corners=True)
        return whole[..., :height, :width]
