"""PU21-PSNR: PSNR of absolute luminance in perceptually uniform units, in dB. Higher is better; infinite where the images are equal.

Mantiuk and Azimi, "PU21: A novel perceptually uniform encoding for adapting existing quality metrics for HDR", PCS 2021, with the
parameters `banding_glare`. It depends on how bright the display is: cd/m2 are part of the input. It is *not* HDR-VDP.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import hdr

SPEC = MetricSpec(
    title="PU21-PSNR",
    variants={
        "absolute": "linear RGB in cd/m2, each channel encoded, peak 256",
        "peak1000": "linear RGB in 0..1 on a display of 1000 cd/m2, each channel encoded, peak 256",
    },
    needs=("target",),
    higher_is_better=True,
    unit="dB",
    version="1",
    source="Mantiuk and Azimi 2021; gfxdisp/pu21",
    decimals=2,
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "absolute") -> Score:
    """PU21-PSNR of two H x W x 3 linear float32 images of one size; values are cut to 0.005..10,000 cd/m2.

    Facts: `clamped_share` of the output's values, `target_peak` in cd/m2, `mse`, and where the value is infinite `identical`: whether the
    images are, as given.

    Raises:
        UserError: not 32-bit float, not finite, or a target that is not on the variant's scale.
        ValueError: the images differ in size.
    """
    images = output, target
    output, target, facts = hdr.absolute(*images, variant)
    return hdr.psnr(hdr.pu21(output), hdr.pu21(target), hdr.PU21_PEAK, facts, images)
