"""PSNR-mu: PSNR of HDR images after the mu-law, in dB. Higher is better; infinite where the images are equal.

Kalantari and Ramamoorthi, "Deep High Dynamic Range Imaging of Dynamic Scenes", SIGGRAPH 2017. It weighs errors roughly as a
tone-mapped picture shows them; it is *not* PSNR of sRGB images, and its two variants are two different scales.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import hdr

SPEC = MetricSpec(
    title="PSNR-μ",
    variants={
        "mu5000": "linear RGB in 0..1, mu-law of 5000, peak 1",
        "ntire": "gamma-encoded RGB from 0: gamma 2.24 undone, target's 99th percentile for 1, tanh, mu-law of 5000, peak 1 (NTIRE HDR)",
    },
    needs=("target",),
    higher_is_better=True,
    unit="dB",
    version="1",
    source="Kalantari and Ramamoorthi 2017; NTIRE HDR challenges",
    decimals=2,
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "mu5000") -> Score:
    """PSNR-mu of two H x W x 3 float32 images of one size; the output is clamped to the variant's range.

    Facts: `clamped_share` of the output's values, `mse`, and where the value is infinite `identical`: whether the images are, as given.

    Raises:
        UserError: not 32-bit float, not finite, or a target beyond the variant's range.
        ValueError: the images differ in size.
    """
    images = output, target
    if variant == "ntire":
        output, target, facts = hdr.pair(*images)
        return hdr.psnr(*hdr.ntire(output, target), 1.0, facts, images)
    output, target, facts = hdr.pair(*images, 1.0)
    return hdr.psnr(hdr.mu_law(output), hdr.mu_law(target), 1.0, facts, images)
