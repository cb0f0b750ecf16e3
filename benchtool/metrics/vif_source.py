"""VIF between an output and the image it was made from, as papers without ground truth print it; see `vif`.

It is *not* the VIF of full-reference tables, and the two directions are two different quantities: with the input as reference good
enhancement is above 1, with the output as reference it is about 0.2 to 0.5.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import same_shape, vif

SPEC = MetricSpec(
    title="VIF (input)",
    variants={
        "output-reference": "wavelet VIF on luma; the output is the reference, the input is judged: the values of most low-light papers",
        "source-reference": "wavelet VIF on luma; the input is the reference, the output is judged",
    },
    needs=("source",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Sheikh and Bovik 2006, through pyiqa",
)


def score(output: np.ndarray, target: None, source: np.ndarray, variant: str = "output-reference") -> Score:
    """Wavelet VIF of two H x W x 3 RGB uint8 images of one size; errors as `vif.score`."""
    same_shape(output, source, "source")
    return Score(vif.vif(source, output) if variant == "output-reference" else vif.vif(output, source))
