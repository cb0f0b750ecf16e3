"""MUSIQ: a quality learned from opinions on photographs of the web, without reference, about 0 to 100. Higher is better.

Ke, Wang, Wang, Milanfar and Yang, "MUSIQ: Multi-scale Image Quality Transformer", ICCV 2021, through pyiqa: trained on KonIQ-10k.
It is *not* comparable with the values of other training sets (SPAQ, PaQ-2-PiQ, AVA), and knows nothing of the input: a picture that was
made prettier than its ground truth scores higher.
"""

from __future__ import annotations

import numpy as np

from benchtool.core import models
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import display_image, through_pyiqa

SPEC = MetricSpec(
    title="MUSIQ",
    variants={"koniq": "trained on KonIQ-10k; RGB at its own size and at long sides of 384 and 224"},
    needs=(),
    higher_is_better=True,
    unit="",
    version="1",
    source="Ke et al. 2021, through pyiqa",
    decimals=2,
)


def score(output: np.ndarray, target: None = None, source: None = None, variant: str = "koniq") -> Score:
    """MUSIQ of an H x W x 3 RGB uint8 image.

    Raises:
        UserError: an image not of 8 bits, no model file, or pyiqa is absent or broken.
        ValueError: not RGB.
    """
    display_image(output)
    options = {"pretrained_model_path": str(models.require("musiq"))}
    return Score(through_pyiqa.run("musiq_arch", "MUSIQ", output, options=options))
