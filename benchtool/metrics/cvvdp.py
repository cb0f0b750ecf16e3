"""ColorVideoVDP: the difference a person would see on a given display, in JOD; 10 for equal images. Higher is better.

Mantiuk, Hanji, Ashraf, Asano and Chapiro, "ColorVideoVDP: A visual difference predictor for image, video and display distortions",
SIGGRAPH 2024, through its own package (MIT licence, installed by the extra `cvvdp`), for a still image. The display is part of the
definition. It is *not* HDR-VDP-2 or -3, nor the ColorVideoVDP of linear images (`cvvdp-hdr`: another display).
"""

from __future__ import annotations

import functools
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, optional, same_shape

SPEC = MetricSpec(
    title="ColorVideoVDP",
    variants={
        "standard-4k": "cvvdp's display standard_4k: 30 inches of 3840 x 2160 from 0.75 m, 200 cd/m2, contrast 1000, light of 250 lux",
        "standard-fhd": "cvvdp's display standard_fhd: 24 inches of 1920 x 1080 from 0.6 m, otherwise as standard-4k",
    },
    needs=("target",),
    higher_is_better=True,
    unit="JOD",
    version="1",
    source="Mantiuk et al. 2024, through cvvdp",
    decimals=3,
)

SMALLEST = 2  # pixels: its pyramid of contrasts has no level of one


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "standard-4k") -> Score:
    """JOD of two H x W x 3 RGB uint8 images of one size, computed on the processor.

    Facts: `display`, `pixels_per_degree`, `cvvdp` (the package's version).

    Raises:
        UserError: images not of 8 bits or too small, or cvvdp is absent or broken.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    return predict(output, target, variant.replace("-", "_"))


def predict(output: np.ndarray, target: np.ndarray, display: str) -> Score:
    """JOD on one of cvvdp's displays: H x W x 3, sRGB uint8 or linear float32 in cd/m2, as the display takes it; UserError as `score`."""
    at_least(output, SMALLEST, "cvvdp")
    model = _model(display)
    import torch

    with optional.quiet(), torch.inference_mode():
        quality, _ = model.predict(np.ascontiguousarray(output), np.ascontiguousarray(target), dim_order="HWC")
    return Score(float(quality), {"display": display, "pixels_per_degree": float(model.pix_per_deg), "cvvdp": version("cvvdp")})


@functools.lru_cache(2)
def _model(display: str) -> Any:
    """The metric for a display, with the package's own parameters, whatever $CVVDP_PATH names."""
    package = optional.module("pycvvdp")
    if isinstance(package, str):
        raise UserError(f"cvvdp cannot be imported ({package}); pip install 'benchtool[cvvdp]' and the torchvision of the installed torch")
    import torch

    parameters = [str(Path(package.__file__).parent / "vvdp_data")]
    with optional.quiet():
        return package.cvvdp(display_name=display, config_paths=parameters, quiet=True, device=torch.device("cpu"))
