"""SSIM-mu: SSIM of HDR images after the mu-law, 1 for equal images. Higher is better.

As PSNR-mu (Kalantari and Ramamoorthi 2017), with the window of `ssim:rgb-gauss`. It is *not* SSIM of tone-mapped 8-bit files,
which adds their rounding, nor the toolbox's SSIM of an RGB array.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, hdr, ssim

SPEC = MetricSpec(
    title="SSIM-μ",
    variants={"mu5000": "linear RGB in 0..1, mu-law of 5000, range 1; mean of the channels, window and covariance of ssim:rgb-gauss"},
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Kalantari and Ramamoorthi 2017; Wang et al. 2004",
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "mu5000") -> Score:
    """SSIM-mu of two H x W x 3 linear float32 images of one size; the output is clamped to [0, 1] (fact `clamped_share`).

    Raises:
        UserError: not 32-bit float, not finite, a target beyond [0, 1], or images smaller than the window.
        ValueError: the images differ in size.
    """
    output, target, facts = hdr.pair(output, target, 1.0)
    at_least(output, len(ssim.GAUSS), f"ssim-mu:{variant}")
    return Score(ssim.gaussian(hdr.mu_law(output), hdr.mu_law(target), 1.0), facts)
