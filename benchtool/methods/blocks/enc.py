"""ENC: exposure normalisation and compensation, a first layer for any network.

Huang et al., "Exposure Normalization and Compensation for Multiple-Exposure Correction", CVPR 2022, Sec. 3.2.
Instance normalisation aligns the exposures; what it removes is put back by attention in space, then over channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, get_args

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.losses import l1

if TYPE_CHECKING:
    from benchtool.methods.base import Method, Stage

Variant = Literal["released", "paper"]
REDUCTION = 4  # of the channel attention's 2C inputs
Width = Annotated[int, Field(ge=REDUCTION // 2)]  # C, so that some are left
SLOPE = 0.1  # leaky ReLU's of the released attentions


class Features(NamedTuple):
    """What ENC gives.

    Attributes:
        output: [B, C, H, W], before any activation.
        normalised: what L_nd (Eq. 2) compares; None where ENC is built without the normalisation.
        compensated: what L_ed (Eq. 8) compares.
    """

    output: Tensor
    normalised: Tensor | None
    compensated: Tensor


class ENC(nn.Module):
    """Exposure normalisation and compensation.

    The three parts can be left out, as in Table 6 of the paper; without any of them the layer is one 3 x 3 convolution.

    | | `released` | `paper` |
    |---|---|---|
    | maps of Eq. 3 | one map a of a leaky ReLU; the other is 1 - a | two maps |
    | residuals of Eq. 4 | the convolved features | the features before their convolution |
    | layers of Eq. 5 | 3 x 3 convolutions on the 1 x 1 map (8/9 of their weights never act), leaky ReLU | fully connected, ReLU |
    | L_nd compares | the output of the instance normalisation | that after its convolution |
    | L_ed compares | the output | the 2C features before the last 1 x 1 convolution |

    Args:
        in_channels: channels of the input (3 for an image).
        channels: C, channels of the output.
        variant: `released` (the code) or `paper` (Eqs. 1-8).
        normalise: instance normalisation (IN).
        spatial: integration in space (IS, Eqs. 3-4).
        channel: integration over channels (IC, Eqs. 5-7).
        eps: added to the variance under the square root of Eq. 6; 0 is the paper's and the code's, and gives NaN
            gradients for a crop that is black all over.

    Raises:
        UserError: no such variant.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        variant: Variant = "released",
        normalise: bool = True,
        spatial: bool = True,
        channel: bool = True,
        eps: float = 1e-8,
    ) -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise UserError(f"ENC: variant '{variant}' is not one of {', '.join(get_args(Variant))}")
        self.paper = variant == "paper"
        self.eps = eps
        self.plain = None if normalise or spatial or channel else conv(3, in_channels, channels, bias=True)
        if self.plain is not None:
            return
        both = 2 * channels if spatial or channel else channels
        self.embed = conv(1, in_channels, channels)
        self.norm = InstanceNorm(channels, affine=True) if normalise else None
        self.normalised_path = conv(3, channels, channels)
        self.identity_path = conv(3, channels, channels) if spatial or channel else None
        maps = 2 if self.paper else 1
        self.spatial_attention = conv(3, 2 * channels, maps * channels) if spatial else None
        side = 1 if self.paper else 3
        self.squeeze = conv(side, both, both // REDUCTION, bias=True) if channel else None
        self.excite = conv(side, both // REDUCTION, both, bias=True) if channel else None
        self.fuse = conv(1, both, channels, bias=True)

    def forward(self, image: Tensor) -> Features:
        """[B, in_channels, H, W], any H and W -> `Features`."""
        if self.plain is not None:
            output = self.plain(image)
            return Features(output, None, output)
        features = self.embed(image)  # F
        normalised = features if self.norm is None else self.norm(features)  # F_n, Eq. 1
        convolved = self.normalised_path(normalised)  # ^F_n
        both = convolved if self.identity_path is None else self._integrate_in_space(features, normalised, convolved)
        weighted = both if self.squeeze is None else both * self._channel_weights(both)  # F_f, Eq. 7
        output = self.fuse(weighted)
        distilled = (convolved, weighted) if self.paper else (normalised, output)
        return Features(output, None if self.norm is None else distilled[0], distilled[1])

    def of_image(self, image: Tensor) -> Tensor:
        """What this layer is shown for an image [B, 3, H, W]: the image, repeated where the layer takes several."""
        channels = (self.plain or self.embed).in_channels
        return image.repeat(1, channels // image.shape[1], 1, 1)

    def _integrate_in_space(self, features: Tensor, normalised: Tensor, convolved: Tensor) -> Tensor:
        """[F'_n, F'] of Eqs. 3-4, [B, 2C, H, W]; without attention the two paths side by side."""
        identity = self.identity_path(features)  # ^F
        if self.spatial_attention is None:
            return torch.cat([convolved, identity], dim=1)
        scores = self.spatial_attention(torch.cat([convolved, identity], dim=1))
        if self.paper:
            of_identity, of_normalised = torch.sigmoid(scores).chunk(2, dim=1)  # A_n, A
            return torch.cat([identity * of_identity + normalised, convolved * of_normalised + features], dim=1)
        a = torch.sigmoid(F.leaky_relu(scores, SLOPE))
        return torch.cat([a * identity + convolved, (1 - a) * convolved + identity], dim=1)

    def _channel_weights(self, both: Tensor) -> Tensor:
        """A_f of Eq. 5, [B, 2C, 1, 1]."""
        squeezed = self.squeeze(contrast_pool(both, self.eps))
        squeezed = F.relu(squeezed) if self.paper else F.leaky_relu(squeezed, SLOPE)
        return torch.sigmoid(self.excite(squeezed))


def conv(side: int, into: int, out: int, bias: bool = False) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(into, out, side, padding=side // 2, bias=bias)


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` that also takes one pixel (which becomes beta), where PyTorch's own raises."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.eps, torch.backends.cudnn.enabled)


def contrast_pool(features: Tensor, eps: float) -> Tensor:
    """Mean plus population standard deviation of each channel (Eq. 6): [B, C, H, W] -> [B, C, 1, 1]."""
    variance = features.var(dim=(2, 3), correction=0, keepdim=True)
    return features.mean(dim=(2, 3), keepdim=True) + torch.sqrt(variance + eps)


DISTILLED = ("normalisation", "exposure")


def distilled(features: Features, targets: Tensor, stage: Stage, layer: Callable[[Method], ENC]) -> dict[str, Tensor]:
    """Those of `distillation`'s losses that the stage weighs, against its teacher's ENC shown the target images.

    Args:
        features: of the exposed images.
        targets: [B, 3, H, W].
        layer: gives the ENC of the teacher that `features` came from in the student.

    Raises:
        UserError: the stage weighs one but has no teacher.
    """
    wanted = [name for name in DISTILLED if name in stage.losses]
    if not wanted:
        return {}
    if stage.teacher is None:
        raise UserError(f"stage '{stage.name}' weighs '{wanted[0]}' but has no teacher; name one (teacher: train.best)")
    with torch.no_grad():
        enc = layer(stage.teacher.eval())
        normal = enc(enc.of_image(targets))
    return distillation(features, normal, wanted)


def distillation(student: Features, teacher: Features, names: list[str]) -> dict[str, Tensor]:
    """The distances of L_nd (`normalisation`, Eq. 2) and L_ed (`exposure`, Eq. 8), mean absolute differences.

    Args:
        student: features of the exposed image.
        teacher: features of the target image; no gradient reaches them.
        names: which of the two to compute.

    Raises:
        UserError: `normalisation` is asked of an ENC built without it.
    """
    if "normalisation" in names and student.normalised is None:
        raise UserError("the loss 'normalisation' needs ENC's instance normalisation; set normalise: true or drop the loss")
    pairs = {"normalisation": (student.normalised, teacher.normalised), "exposure": (student.compensated, teacher.compensated)}
    return {name: l1(pairs[name][0], pairs[name][1].detach()) for name in names}
