"""SID-ENC: SID with the ENC module as its first layer, distilled from its own first training.

Huang et al., "Exposure Normalization and Compensation for Multiple-Exposure Correction", CVPR 2022, Sec. 3.2.
A frozen copy of the network sees the target image; the features of ENC for the exposed image are drawn to its own.
"""

from __future__ import annotations

from pydantic import NonNegativeFloat
from torch import Tensor

from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses import mse
from benchtool.methods.base import Batch, Method, Stage
from benchtool.methods.blocks.enc import ENC, Features, Variant, Width, distilled
from benchtool.methods.sid import UNet

SPEC = MethodSpec(
    title="SID-ENC",
    citation="huang2022enc",
    parameters=7_816_883,
    published_parameters="7.45M (ENC Table 1, I-SID, in units of 2^20)",
    faithful="released",
    departures=(
        Departure("layer before the normalisation", paper="not in the equations", released="1 x 1 convolution, no bias", ours="released"),
        Departure(
            "attention in space (Eq. 3)",
            paper="two maps, no activation before the sigmoid",
            released="one map a and 1 - a, leaky ReLU before the sigmoid",
            ours="released",
        ),
        Departure("residuals (Eq. 4)", paper="features before their convolution", released="features after it", ours="released"),
        Departure(
            "channel attention (Eq. 5)",
            paper="two fully connected layers, ReLU",
            released="3 x 3 convolutions on a 1 x 1 map (8/9 of their weights never act), leaky ReLU 0.1",
            ours="released",
        ),
        Departure(
            "L_nd compares (Eq. 2)",
            paper="features after the convolution",
            released="the output of the instance normalisation",
            ours="released",
        ),
        Departure(
            "L_ed compares (Eq. 8)",
            paper="the 2C weighted features",
            released="ENC's output, after a last 1 x 1 convolution",
            ours="released",
        ),
        Departure(
            "standard deviation (Eq. 6)",
            paper="no epsilon",
            released="no epsilon: NaN gradients for a black crop",
            ours="1e-8 under the root",
        ),
        Departure(
            "teacher",
            paper="not described",
            released="frozen copy from a first training; random where the file is missing",
            ours="frozen copy; an error where missing",
        ),
        Departure("weight of the distillation", paper="not given", released="0.2 (ME, SICE)", ours="0.2"),
        Departure(
            "sizes that 16 does not divide",
            paper="not given",
            released="features resized bilinearly on the way up",
            ours="features padded by reflection, output cropped",
        ),
    ),
    tiling="approximate",
    check={"width": 8},
    dead=("enc.squeeze.weight", "enc.excite.weight"),  # 3 x 3 kernels on a 1 x 1 map: 8/9 of them
    taught=("normalisation", "exposure"),
)


class SIDENC(Method):
    """SID whose first layer is ENC (its parameters are `enc.*`).

    Args:
        width: channels of the first level, doubled at each further one.
        variant: `released` or `paper`, see `ENC`.
        normalise: instance normalisation (IN of Table 6).
        spatial: integration in space (IS of Table 6).
        channel: integration over channels (IC of Table 6).
        eps: under the square root of Eq. 6.
    """

    def __init__(
        self,
        width: Width = 32,
        variant: Variant = "released",
        normalise: bool = True,
        spatial: bool = True,
        channel: bool = True,
        eps: NonNegativeFloat = 1e-8,
    ) -> None:
        super().__init__()
        self.enc = ENC(3, width, variant, normalise, spatial, channel, eps)
        self.unet = UNet(width)

    def forward(self, image: Tensor) -> tuple[Tensor, Features]:
        """[B, 3, H, W] in [0, 1] -> the output [B, 3, H, W], not clamped, and ENC's features."""
        features = self.enc(image)
        return self.unet(features.output), features

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return self(inputs[:, 0])[0]

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """`mse`, and of `normalisation` and `exposure` those that the stage weighs.

        Raises:
            UserError: the stage weighs a distillation loss but has no teacher.
        """
        output, features = self(batch.inputs[:, 0])
        return {"mse": mse(output, batch.targets)} | distilled(features, batch.targets, stage, lambda teacher: teacher.enc)
