"""Ma, or NRQM: a score learned from what people said of super-resolved images, without reference, about 0 to 10. Higher is better.

Ma, Yang, Yang and Yang, "Learning a No-Reference Quality Metric for Single-Image Super-Resolution", CVIU 2017, through pyiqa, within
0.01 of the released MATLAB code on photographs (by pyiqa's calibration). It is *not* PI, though tables have confused them.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from benchtool.core import models
from benchtool.core.errors import UserError
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
FORESTS = 3
FIELDS = 7  # of a forest
USED = (0, 1, 4, 5, 6)  # those that pyiqa reads: left and right child (from 1, 0 for none), threshold, value, feature


def score(output: np.ndarray, target: None = None, source: None = None, variant: str = "nrqm") -> Score:
    """Ma's score of an H x W x 3 RGB uint8 image.

    Facts: `nrqm_sha256`, of the model file: the published one is not established, and only scores of one file can be compared.

    Raises:
        UserError: an image too small, flat or not 8 bit, no model file or another one, or pyiqa is absent or broken.
    """
    display_image(output)
    at_least(output, SMALLEST, "ma")
    path = models.require("nrqm")
    sha256 = models.sha256(path)
    if fault := _fault(path, sha256):
        source = models.MODEL_FILES["nrqm"].home
        raise UserError(f"{path}: not a model of the metric ma ({fault}); replace it by the NRQM_model.mat of {source}")
    options = {"pretrained_model_path": str(path), **LUMA[variant]}
    return Score(through_pyiqa.run("nrqm_arch", "NRQM", output, options=options), {"nrqm_sha256": sha256})


@functools.cache
def _fault(path: Path, sha256: str) -> str:
    """Why the file of this SHA-256 is not three forests and the linear regression of what they say, as pyiqa reads them; empty if it is."""
    try:
        model = loadmat(path, variable_names=["model"])["model"][0, 0]
        forests = [model["rf"][0, number][0, 0] for number in range(FORESTS)]
        parts = [[forest[field] for field in range(FIELDS)] for forest in forests]
        return _misshapen(model["linear"], parts)
    except Exception as error:  # SciPy's reader, and what another structure lets be indexed, raise anything
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _misshapen(linear: np.ndarray, forests: list[list[np.ndarray]]) -> str:
    """What is wrong with a regression and forests; empty where nothing is. A tree is a column of each array, a node a row."""
    if linear.shape != (1 + FORESTS, 1) or linear.dtype.kind not in "iuf" or not np.isfinite(linear).all():
        return f"linear is {linear.dtype} {linear.shape}, not {1 + FORESTS} finite numbers"
    for number, forest in enumerate(forests, 1):
        used = [forest[field] for field in USED]
        if any(part.ndim != 2 or part.shape != used[0].shape or part.dtype.kind not in "iuf" or not part.size for part in used):
            return f"the arrays of forest {number} are {', '.join(f'{part.dtype} {part.shape}' for part in used)}, not numbers of one shape"
        if any(part.min() < 0 or part.max() > len(part) for part in used[:2]):
            return f"forest {number} has children beyond its {len(used[0])} nodes"
        if not all(np.isfinite(part).all() for part in used):
            return f"forest {number} has values that are not finite"
    return ""
