"""DRBN-L: DRBN with wider layers, the enlarged baseline of ENC (CVPR 2022, Sec. 4.1 and Table 1)."""

from __future__ import annotations

from pydantic import PositiveInt

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.drbn import DRBN, FirstWeights

SPEC = MethodSpec(
    title="DRBN-L",
    citation="yang2020drbn",
    parameters=704_268,
    published_parameters="0.67M (ENC Table 1, in units of 2^20)",
    faithful="released",
    departures=(
        Departure(
            "width",
            paper='"more channels"',
            released="not in the code",
            ours="18 channels, growth 9: both times 1.125; 20 channels and growth 8 would print the same count",
        ),
        Departure("everything else", paper="as DRBN", released="as DRBN", ours="as DRBN: `methods show drbn`"),
    ),
    tiling="exact",
    tile_margin=276,
    tile_step=4,
    check={"width": 8, "growth": 8},
)


class DRBNL(DRBN):
    """DRBN of 18 channels.

    Args:
        width: G0, channels at full size.
        growth: G of the dense blocks.
        first_weights: `library` or `grey`, see `DRBN`.
    """

    def __init__(self, width: PositiveInt = 18, growth: PositiveInt = 9, first_weights: FirstWeights = "library") -> None:
        super().__init__(width, growth, first_weights=first_weights)
