"""SID-L: SID with base width 40, the enlarged baseline of ENC (CVPR 2022, Sec. 4.1 and Table 1)."""

from __future__ import annotations

from pydantic import PositiveInt

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.sid import SID

SPEC = MethodSpec(
    title="SID-L",
    citation="chen2018sid",
    parameters=12_123_883,
    published_parameters="11.56M (ENC Table 1, in units of 2^20)",
    faithful="released",
    departures=(
        Departure("width", paper='"more channels"', released="not in the code", ours="40, the one base width that gives the printed count"),
    ),
    tiling="exact",
    tile_margin=96,
    tile_step=16,
    check={"width": 8},
)


class SIDL(SID):
    """SID of base width 40.

    Args:
        width: channels of the first level, doubled at each further one.
    """

    def __init__(self, width: PositiveInt = 40) -> None:
        super().__init__(width)
