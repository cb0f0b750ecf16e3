"""PSNR-l: PSNR of linear HDR images, in dB. Higher is better; infinite where the images are equal.

Highlights decide it: an error in the shadows hardly counts. It is *not* PSNR of sRGB images, nor PSNR-mu.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import hdr

SPEC = MetricSpec(
    title="PSNR-l",
    variants={"linear": "linear RGB in 0..1, peak 1"},
    needs=("target",),
    higher_is_better=True,
    unit="dB",
    version="1",
    source="Kalantari and Ramamoorthi 2017",
    decimals=2,
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "linear") -> Score:
    """PSNR of two H x W x 3 linear float32 images of one size; the output is clamped to [0, 1].

    Facts: `clamped_share` of the output's values, `mse`, and where the value is infinite `identical`: whether the images are, as given.

    Raises:
        UserError: not 32-bit float, not finite, or a target beyond [0, 1].
        ValueError: the images differ in size.
    """
    images = output, target
    output, target, facts = hdr.pair(*images, 1.0)
    return hdr.psnr(output, target, 1.0, facts, images)
