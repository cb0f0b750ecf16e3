"""Ma, or NRQM: a score learned from what people said of super-resolved images, without reference, about 0 to 10. Higher is better.

Ma, Yang, Yang and Yang, "Learning a No-Reference Quality Metric for Single-Image Super-Resolution", CVIU 2017, through pyiqa, within
0.01 of the released MATLAB code on photographs (by pyiqa's calibration). It is *not* PI, though tables have confused them.
"""

from __future__ import annotations

import numpy as np

from benchtool.core import models
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, display_image, through_pyiqa

SPEC = MetricSpec(
    title="Ma",
    variants={
        "nrqm": "luma of YIQ, whole image (pyiqa's default)",
        "pirm": "luma of YCbCr in 16..235, 4 pixels shaved: the part of PI",
    },
    needs=(),
    higher_is_better=True,
    unit="",
    version="1",
    source="Ma et al. 2017, through pyiqa",
    decimals=3,
)

LUMA = {"nrqm": {"color_space": "yiq", "crop_border": 0}, "pirm": {"color_space": "ycbcr", "crop_border": 4}}
SMALLEST = 64  # pixels: the features take three scales


def score(output: np.ndarray, target: None = None, source: None = None, variant: str = "nrqm") -> Score:
    """Ma's score of an H x W x 3 RGB uint8 image.

    Raises:
        UserError: an image too small, flat or not 8 bit, no model file, or pyiqa is absent or broken.
    """
    display_image(output)
    at_least(output, SMALLEST, "ma")
    options = {"pretrained_model_path": str(models.require("nrqm")), **LUMA[variant]}
    return Score(through_pyiqa.run("nrqm_arch", "NRQM", output, options=options))
