"""VIF: how much of the reference's visual information the other image holds, 1 for equal images; above 1 where contrast was gained.

Sheikh and Bovik, "Image Information and Visual Quality", IEEE TIP 2006: the wavelet (steerable pyramid) version, through pyiqa, which
agrees with the released vifvec to 0.0005. It is *not* the pixel-domain approximation of most packages (vifp: other values), and it is
not symmetric: say which image was the reference. Against the input instead of a target: `vif-source`. pyiqa computes in single
precision and may find no number on very smooth images (enlarged ones): n/a. 12 megapixels take 3 GB and most of a minute.
"""

from __future__ import annotations

import math

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, same_shape, through_pyiqa

SPEC = MetricSpec(
    title="VIF",
    variants={
        "target-reference": "wavelet VIF on luma; the target is the reference, the output is judged",
        "output-reference": "wavelet VIF on luma, the other way round: the output is the reference, the target is judged",
    },
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Sheikh and Bovik 2006, through pyiqa",
)

SMALLEST = 33  # pixels: halved three times, 5 are left for the border of a 9 x 9 filter


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "target-reference") -> Score:
    """Wavelet VIF of two H x W x 3 RGB uint8 images of one size.

    Raises:
        UserError: images not of 8 bits or too small, a reference without structure or too smooth, or pyiqa is absent or broken.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    return Score(vif(output, target) if variant == "target-reference" else vif(target, output))


def vif(judged: np.ndarray, reference: np.ndarray) -> float:
    """VIF of one image with another for reference, both H x W x 3 RGB uint8; UserError as `score`."""
    at_least(reference, SMALLEST, "vif")
    if (reference == reference[0, 0]).all():
        raise UserError("vif is undefined: the reference is of one colour and holds no information")
    value = through_pyiqa.run("vif_arch", "VIF", judged, reference)
    if math.isnan(value):
        raise UserError("vif has no value: pyiqa's single precision breaks down on a reference as smooth as this one")
    return value
