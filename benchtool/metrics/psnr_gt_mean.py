"""PSNR after the output was scaled to the target's mean brightness, in dB. Higher is better; infinite where the images are then equal.

Several low-light papers (KinD, LLFlow, and those that compare with them) print it as PSNR. It is *not* PSNR: the ground truth corrects
the very exposure that is measured, which adds several dB. It is no protocol's default, and stands in a column of its own name.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import same_shape

SPEC = MetricSpec(
    title="PSNR (scaled to GT mean)",
    variants={"gray": "8-bit RGB times the ratio of mean greys (OpenCV's RGB2GRAY), cut to 0..255, not rounded; then as psnr:rgb-u8"},
    needs=("target",),
    higher_is_better=True,
    unit="dB",
    version="1",
    source="evaluation scripts that follow KinD and LLFlow",
    decimals=2,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "gray") -> Score:
    """PSNR of two H x W x 3 RGB uint8 images of one size, the first scaled.

    Facts: `gain`, the scaling; `mse`, and where the value is infinite `identical`: whether the images were equal before the scaling.

    Raises:
        UserError: images not of 8 bits; the output is black: nothing scales it to the target.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    mean_output, mean_target = (float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean()) for image in (output, target))
    if not mean_output:
        raise UserError("psnr-gt-mean is undefined: the output is black")
    gain = mean_target / mean_output
    scaled = np.minimum(output * np.float32(gain), np.float32(255))
    mse = cv2.norm(scaled, target.astype(np.float32), cv2.NORM_L2SQR) / target.size
    facts = {"gain": gain, "mse": mse}
    if not mse:
        return Score(math.inf, facts | {"identical": bool(np.array_equal(output, target))})
    return Score(10 * math.log10(255**2 / mse), facts)
