"""SSIM-l: SSIM of linear HDR images, 1 for equal images. Higher is better.

Its constants stand for a range of 1, beside which most of a linear photograph is dark: it says little about shadows.
It is *not* SSIM of sRGB images, nor SSIM-mu.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, hdr, ssim

SPEC = MetricSpec(
    title="SSIM-l",
    variants={"linear": "linear RGB in 0..1, range 1; mean of the channels, window and covariance of ssim:rgb-gauss"},
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Wang et al. 2004",
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "linear") -> Score:
    """SSIM of two H x W x 3 linear float32 images of one size; the output is clamped to [0, 1] (fact `clamped_share`).

    Raises:
        UserError: not 32-bit float, not finite, a target beyond [0, 1], or images smaller than the window.
        ValueError: the images differ in size.
    """
    output, target, facts = hdr.pair(output, target, 1.0)
    at_least(output, len(ssim.GAUSS), f"ssim-l:{variant}")
    return Score(ssim.gaussian(output, target, 1.0), facts)
