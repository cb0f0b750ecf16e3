"""ENC plugged into a network of one's own: its first layer, and the distillation that ENC is trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchtool.core.spec import MethodSpec
from benchtool.losses import mse
from benchtool.methods.base import Batch, Method, Stage
from benchtool.methods.blocks.enc import ENC, Features, distilled

SPEC = MethodSpec(
    title="ENC plugin",
    citation="",
    parameters=14_795,
    tiling="approximate",  # ENC looks at the whole image
    check={"width": 8},
    dead=("enc.squeeze.weight", "enc.excite.weight"),  # 3 x 3 kernels on a 1 x 1 map: 8/9 of them
    taught=("normalisation", "exposure"),
)


class EncPlugin(Method):
    """A gain for each pixel and colour, estimated from ENC's features.

    Args:
        width: channels of ENC and of the layer behind it.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.enc = ENC(3, width)
        self.gain = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, 3, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Features]:
        """[B, 3, H, W] in [0, 1] -> the result, not clamped, and ENC's features."""
        features = self.enc(image)
        return image * torch.exp(self.gain(features.output)), features

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return self(inputs[:, 0])[0]

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """`mse`, and where the stage weighs them `normalisation` and `exposure`, against the teacher's ENC shown the target."""
        output, features = self(batch.inputs[:, 0])
        return {"mse": mse(output, batch.targets)} | distilled(features, batch.targets, stage, lambda teacher: teacher.enc)
