"""MSEC without its discriminator: trained on the reconstruction and pyramid losses alone.

Afifi et al., "Learning Multi-Scale Photo Exposure Correction", CVPR 2021, which reports both.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import PositiveInt

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.msec import MSEC

SPEC = MethodSpec(
    title="MSEC without adversarial loss",
    citation="afifi2021msec",
    parameters=7_015_449,
    published_parameters="7.04M (ENC Table 1, for MSEC)",
    faithful="paper",
    departures=(
        Departure("everything but the adversarial loss", paper="as MSEC", released="as MSEC", ours="as MSEC: `methods show msec`"),
    ),
    licence="own code; published weights CC BY-NC-SA 4.0, not included",
    tiling="approximate",
    inference=512,
    check={"widths": (4, 4, 8, 16), "long_side": 128},
)


class MSECNoAdv(MSEC):
    """MSEC's generator.

    Args:
        widths, pyramid_filter, inference_filter, long_side, scale, restore, fusion, stretch: see `MSEC`.
    """

    def __init__(
        self,
        widths: Sequence[PositiveInt] = (16, 24, 24, 24),
        pyramid_filter: str = "src9",
        inference_filter: str | None = None,
        long_side: PositiveInt = 512,
        scale: Sequence[float] = (1.5, 1.5, 1.5, 1.05),
        restore: str = "guided",
        fusion: bool = False,
        stretch: bool = False,
    ) -> None:
        super().__init__(widths, pyramid_filter, inference_filter, long_side, scale, restore, fusion, stretch, critic_width=0)
