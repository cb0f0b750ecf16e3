"""PI, the perceptual index of the PIRM challenge: ((10 - Ma) + NIQE) / 2. Lower is better.

Blau et al., "The 2018 PIRM Challenge on Perceptual Image Super-Resolution", ECCV Workshops 2018: Ma and NIQE of the luma of YCbCr with
4 pixels shaved. That NIQE is *not* our `niqe` (grey, not shaved: up to 3 apart), so that PI does not follow from the two columns.
"""

from __future__ import annotations

import numpy as np

from benchtool.core import models
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, display_image, ma, through_pyiqa

SPEC = MetricSpec(
    title="PI",
    variants={"pirm": "luma of YCbCr in 16..235, 4 pixels shaved; mean of 10 - ma:pirm and NIQE of the same luma (LIVE's model)"},
    needs=(),
    higher_is_better=False,
    unit="",
    version="1",
    source="Blau et al. 2018, through pyiqa",
    decimals=3,
)

SMALLEST = 96 + 2 * 4  # a block of NIQE inside the shaved border


def score(output: np.ndarray, target: None = None, source: None = None, variant: str = "pirm") -> Score:
    """PI of an H x W x 3 RGB uint8 image. Facts: its parts `ma` and `niqe`; `nrqm_sha256` as of `ma`.

    Raises:
        UserError: an image too small, flat or not 8 bit, a model file that is missing, or pyiqa is absent or broken.
    """
    display_image(output)
    at_least(output, SMALLEST, "pi")
    quality = ma.score(output, variant="pirm")
    naturalness = niqe_of_luma(output)
    return Score((10 - quality.value + naturalness) / 2, {"ma": quality.value, "niqe": naturalness, **quality.facts})


def niqe_of_luma(output: np.ndarray) -> float:
    """PI's own NIQE of an H x W x 3 RGB uint8 image; UserError as `score`."""
    options = {"pretrained_model_path": str(models.require("niqe")), **ma.LUMA["pirm"]}
    return through_pyiqa.run("niqe_arch", "NIQE", output, options=options)
