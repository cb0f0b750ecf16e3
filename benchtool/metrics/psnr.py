"""PSNR: 10 log10(255^2 / MSE), in dB. Higher is better; infinite where the images are equal, never capped.

The default is what ENC's validation code and scikit-image compute: one MSE over all pixels and channels of 8-bit RGB.
The other variants are not the same scale: on photographs luma is about 2 dB higher, grey 0.7 dB. They are infinite where what they
compare is equal, which the images need not be: the luma, the rounded grey, or a single channel of `per-channel`, whose mean it makes
infinite. The fact `identical` says whether the images are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import luma, same_shape

SPEC = MetricSpec(
    title="PSNR",
    variants={
        "rgb-u8": "one mean squared error over the three channels of 8-bit RGB, peak 255",
        "y-16..235": "luma of BT.601 in 16..235, not rounded, peak 255 (BasicSR's test_y_channel)",
        "gray": "8-bit grey by OpenCV's RGB2GRAY, peak 255",
        "per-channel": "mean of the three channels' PSNR, infinite where one of them is",
    },
    needs=("target",),
    higher_is_better=True,
    unit="dB",
    version="1",
    source="checked against scikit-image",
    decimals=2,
)

STRIP = 256  # rows
CHANNELS = ("red", "green", "blue")


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "rgb-u8") -> Score:
    """PSNR of two H x W x 3 RGB uint8 images of one size.

    Facts: `mse` (a list for `per-channel`), and where the value is infinite `identical`, whether the images are equal; if they are not,
    `per-channel` names those of their channels that are (`equal_channels`).

    Raises:
        UserError: images not of 8 bits.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    if variant == "per-channel":
        errors = [_mse(output[:, :, c], target[:, :, c], np.asarray) for c in range(3)]
    else:
        convert = {"rgb-u8": np.ascontiguousarray, "y-16..235": luma, "gray": lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)}[variant]
        errors = [_mse(output, target, convert)]
    value = sum(10 * math.log10(255**2 / mse) if mse else math.inf for mse in errors) / len(errors)
    facts = {"mse": errors if variant == "per-channel" else errors[0]}
    if math.isinf(value):
        facts["identical"] = bool(np.array_equal(output, target))
        if variant == "per-channel" and not facts["identical"]:
            facts["equal_channels"] = [channel for channel, mse in zip(CHANNELS, errors) if not mse]
    return Score(value, facts)


def _mse(one: np.ndarray, other: np.ndarray, convert: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean squared difference of what `convert` makes of two images, in strips (luma is made in double precision); exact for uint8."""
    total, count = 0.0, 0
    for top in range(0, len(one), STRIP):
        pair = [convert(image[top : top + STRIP]) for image in (one, other)]
        total += cv2.norm(*pair, cv2.NORM_L2SQR)
        count += pair[0].size
    return total / count
