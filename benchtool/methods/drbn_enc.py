"""DRBN-ENC: DRBN with the ENC module as the first layer of its first block, or of several.

Huang et al., "Exposure Normalization and Compensation for Multiple-Exposure Correction", CVPR 2022, Sec. 3.2 and 4.1 (I-DRBN).
The distillation is that of the first block's ENC, which a frozen copy of the network shows the target image.
"""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.base import Batch, Stage
from benchtool.methods.blocks.enc import ENC, Features, Variant, Width, distilled
from benchtool.methods.drbn import DRBN, Block, FirstWeights, banded_losses

SPEC = MethodSpec(
    title="DRBN-ENC",
    citation="huang2022enc",
    parameters=571_308,
    published_parameters="0.54M (ENC Table 1, I-DRBN, in units of 2^20)",
    faithful="released",
    departures=(
        Departure("ENC", paper="Eqs. 1-8", released="differs in six points: see `methods show sid-enc`", ours="released"),
        Departure("features added at a block's end", paper="not given", released="ENC's output before its ReLU", ours="released"),
        Departure("distilled blocks", paper="not given", released="the first alone", ours="released"),
        Departure(
            "distillation",
            paper="a weighted sum",
            released="source: weight times distance; the compiled module of the same days: weight to the power of the distance",
            ours="the product",
        ),
        Departure("weight of the distillation", paper="not given", released="0.1 on ME, 0.05 (switched off) on SICE", ours="0.1"),
        Departure(
            "importance is measured with (Eq. 9)",
            paper="the loss",
            released="the loss, but L1 in place of the SSIM at full size",
            ours="the loss; recipe i-drbn-4-released as the code",
        ),
        Departure("everything else", paper="as DRBN", released="as DRBN", ours="as DRBN: `methods show drbn`"),
    ),
    tiling="approximate",
    check={"width": 8, "growth": 8},
    dead=("blocks.*.enc.squeeze.weight", "blocks.*.enc.excite.weight"),  # 3 x 3 kernels on a 1 x 1 map: 8/9 of them
    taught=("normalisation", "exposure"),
)


class ENCBlock(Block):
    """A block whose first layer is ENC (its parameters are `enc.*`); what is added at its end is ENC's output before the ReLU."""

    def __init__(self, width: int, growth: int, variant: Variant, eps: float, first_weights: FirstWeights) -> None:
        super().__init__(width, growth, nn.Identity(), first_weights)
        self.enc = ENC(6, width, variant, eps=eps)

    def begin(self, pair: Tensor) -> tuple[Tensor, Tensor, Features]:
        features = self.enc(pair)
        return F.relu(features.output), features.output, features


class DRBNENC(DRBN):
    """DRBN with ENC in its first blocks.

    Args:
        width: G0, channels at full size.
        growth: G of the dense blocks.
        blocks: number of recursions.
        encs: how many of the blocks, from the first, begin with ENC (1 in I-DRBN; 1 to 4 in Figure 10 of the paper).
        variant: `released` or `paper`, see `ENC`.
        eps: under the square root of ENC's Eq. 6.
        first_weights: `library` or `grey`, see `DRBN`.

    Raises:
        UserError: more ENCs than blocks, or none.
    """

    name = "drbn-enc"  # as people type it, for errors

    def __init__(
        self,
        width: Width = 16,
        growth: PositiveInt = 8,
        blocks: PositiveInt = 4,
        encs: int = 1,
        variant: Variant = "released",
        eps: NonNegativeFloat = 1e-8,
        first_weights: FirstWeights = "library",
    ) -> None:
        if not 1 <= encs <= blocks:
            raise UserError(f"{self.name}: encs={encs} must be 1 to {blocks}, the number of blocks; without ENC it is the method drbn")
        super().__init__(width, growth, blocks, first_weights)
        for k in range(encs):
            self.blocks[k] = ENCBlock(width, growth, variant, eps, first_weights)

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """DRBN's, and of `normalisation` and `exposure` those that the stage weighs.

        Raises:
            UserError: the stage weighs a distillation loss but has no teacher.
        """
        given = self.recursions(batch.inputs[:, 0])
        losses = banded_losses(given[-1].images, batch.targets)
        return losses | distilled(given[0].first, batch.targets, stage, lambda teacher: teacher.blocks[0].enc)
