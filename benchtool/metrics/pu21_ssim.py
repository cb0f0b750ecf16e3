"""PU21-SSIM: SSIM of absolute luminance in perceptually uniform units, 1 for equal images. Higher is better.

Mantiuk and Azimi, PCS 2021, parameters `banding_glare`; of luminance alone, with MATLAB's borders, as the authors' script.
It depends on how bright the display is: cd/m2 are part of the input. It is *not* HDR-VDP.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import hdr, ssim

SPEC = MetricSpec(
    title="PU21-SSIM",
    variants={
        "absolute": "linear RGB in cd/m2, BT.709 luminance encoded, range 256; Gaussian window of ssim:matlab",
        "peak1000": "linear RGB in 0..1 on a display of 1000 cd/m2, BT.709 luminance encoded, range 256; Gaussian window of ssim:matlab",
    },
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Mantiuk and Azimi 2021; gfxdisp/pu21",
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "absolute") -> Score:
    """PU21-SSIM of two H x W x 3 linear float32 images of one size; luminance is cut to 0.005..10,000 cd/m2.

    Facts: `clamped_share` of the output's values, `target_peak` in cd/m2.

    Raises:
        UserError: not 32-bit float, not finite, or a target that is not on the variant's scale.
        ValueError: the images differ in size.
    """
    output, target, facts = hdr.absolute(output, target, variant)
    encoded = (ssim.bordered(hdr.pu21(image @ hdr.LUMINANCE)) for image in (output, target))
    return Score(ssim.gaussian(*encoded, hdr.PU21_PEAK), facts)
