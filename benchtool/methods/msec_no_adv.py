"""MSEC without its discriminator: trained on the reconstruction and pyramid losses alone.

Afifi et al., "Learning Multi-Scale Photo Exposure Correction", CVPR 2021, which reports both.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.msec import MSEC

SPEC = MethodSpec(
    title="MSEC without adversarial loss",
    citation="afifi2021msec",
    parameters=7_015_449,
    published_parameters="7.04M (ENC Table 1, for MSEC)",
    faithful="paper",
    departures=(
        Departure(
            "pyramid filter in training",
            paper="not given",
            released="5 taps (.05 .25 .4) applied twice, in effect 9, with zeros around what is enlarged",
            ours="released; pyramid_filter: binom5 for the textbook's",
        ),
        Departure(
            "pyramid filter at inference",
            paper="not given",
            released="the demos' path shadows it with the textbook's 5 taps",
            ours="that of training; inference_filter: binom5 for the demos'",
        ),
        Departure(
            "patches",
            paper="random 128, 256, 512",
            released="about 10, 6, 4 fixed ones an image, written as JPEG again; dark, bright and flat ones rejected",
            ours="new random crops of each image, none rejected; epochs times 10, 6, 4",
        ),
        Departure("horizontal flip", paper="not given", released="of a whole batch at once", ours="of each pair by itself"),
        Departure(
            "initial weights", paper="not given", released="MATLAB's: He in the U-Nets, Glorot elsewhere, biases 0", ours="released"
        ),
        Departure(
            "sizes that 128 does not divide",
            paper="not given",
            released="not trained on",
            ours="each U-Net pads its input by reflection and crops its output",
        ),
    ),
    licence="own code; published weights CC BY-NC-SA 4.0, not included",
    tiling="approximate",
    inference=512,
    check={"widths": (4, 4, 4, 4), "long_side": 128},
)


class MSECNoAdv(MSEC):
    """MSEC's generator.

    Args:
        widths, pyramid_filter, inference_filter, long_side, scale, restore, fusion, stretch: see `MSEC`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 24, 24, 24),
        pyramid_filter: str = "src9",
        inference_filter: str | None = None,
        long_side: int = 512,
        scale: Sequence[float] = (1.5, 1.5, 1.5, 1.05),
        restore: str = "guided",
        fusion: bool = False,
        stretch: bool = False,
    ) -> None:
        super().__init__(widths, pyramid_filter, inference_filter, long_side, scale, restore, fusion, stretch, critic_width=0)
