"""DRBN-ENC-4: DRBN with the ENC module at the head of all four blocks (ENC, CVPR 2022, Table 1, I-DRBN-4)."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveInt

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.enc import Variant, Width
from benchtool.methods.drbn import FirstWeights
from benchtool.methods.drbn_enc import DRBNENC

SPEC = MethodSpec(
    title="DRBN-ENC-4",
    citation="huang2022enc",
    parameters=612_228,
    published_parameters="0.58M (ENC Table 1, I-DRBN-4, in units of 2^20)",
    faithful="released",
    departures=(Departure("everything", paper="as DRBN-ENC", released="as DRBN-ENC", ours="as DRBN-ENC: `methods show drbn-enc`"),),
    tiling="approximate",
    check={"width": 8, "growth": 8},
    dead=("blocks.*.enc.squeeze.weight", "blocks.*.enc.excite.weight"),  # 3 x 3 kernels on a 1 x 1 map: 8/9 of them
    taught=("normalisation", "exposure"),
)


class DRBNENC4(DRBNENC):
    """DRBN with ENC in four blocks.

    Args:
        width: G0, channels at full size.
        growth: G of the dense blocks.
        encs: how many of the four blocks, from the first, begin with ENC.
        variant: `released` or `paper`, see `ENC`.
        eps: under the square root of ENC's Eq. 6.
        first_weights: `library` or `grey`, see `DRBN`.
    """

    name = "drbn-enc-4"

    def __init__(
        self,
        width: Width = 16,
        growth: PositiveInt = 8,
        encs: int = 4,
        variant: Variant = "released",
        eps: NonNegativeFloat = 1e-8,
        first_weights: FirstWeights = "library",
    ) -> None:
        super().__init__(width, growth, 4, encs, variant, eps, first_weights)
