"""ColorVideoVDP of linear HDR images on an HDR display, in JOD; 10 for equal images. Higher is better.

Mantiuk et al., SIGGRAPH 2024; see `cvvdp`. It depends on how bright the display is: cd/m2 are part of the input, and what exceeds
1500 cd/m2 is cut. It is *not* HDR-VDP-2 or -3, nor the ColorVideoVDP of 8-bit images (another display, other light in the room).
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import cvvdp, hdr

SPEC = MetricSpec(
    title="ColorVideoVDP (HDR)",
    variants={
        "absolute": "linear RGB of BT.709 in cd/m2 on cvvdp's display standard_hdr_linear: 30 inches of 3840 x 2160 from 0.75 m, 10 lux",
        "peak1000": "linear RGB of BT.709 in 0..1 times 1000 cd/m2 on the same display",
    },
    needs=("target",),
    higher_is_better=True,
    unit="JOD",
    version="1",
    source="Mantiuk et al. 2024, through cvvdp",
    decimals=3,
    linear=True,
)


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "absolute") -> Score:
    """JOD of two H x W x 3 linear float32 images of one size, computed on the processor.

    Facts: those of `hdr.absolute` and `cvvdp.score`.

    Raises:
        UserError: as `hdr.absolute`; images too small, or cvvdp is absent or broken.
        ValueError: the images differ in size.
    """
    output, target, facts = hdr.absolute(output, target, variant)
    predicted = cvvdp.predict(output, target, "standard_hdr_linear")
    return Score(predicted.value, facts | predicted.facts)
