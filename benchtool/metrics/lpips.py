"""LPIPS: distance of two images' features in a network, 0 for equal images. Lower is better.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, through pyiqa: version 0.1 on AlexNet.
It is *not* comparable with the values of other networks (VGG's are larger), nor of version 0.0.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchtool.core import models
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, same_shape, through_pyiqa

SPEC = MetricSpec(
    title="LPIPS",
    variants={"alex": "AlexNet, version 0.1, RGB at its own size, mean over positions"},
    needs=("target",),
    higher_is_better=False,
    unit="",
    version="1",
    source="Zhang et al. 2018, through pyiqa",
)

SMALLEST = 32  # pixels: below, AlexNet's pooling leaves nothing


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "alex") -> Score:
    """LPIPS of two H x W x 3 RGB uint8 images of one size.

    Raises:
        UserError: images not of 8 bits or too small, a model file that is missing, or pyiqa is absent or broken.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    at_least(output, SMALLEST, "lpips")
    backbone = models.require("alexnet")
    options = {"net": variant, "version": "0.1", "pretrained_model_path": str(models.require("lpips"))}
    with _torch_finds(backbone):
        return Score(through_pyiqa.run("lpips_arch", "LPIPS", output, target, options=options))


@contextlib.contextmanager
def _torch_finds(backbone: Path) -> Iterator[None]:
    """Let torch find AlexNet's weights: torchvision has it look in its own folder alone, and download what is not there."""
    import torch

    name = models.MODEL_FILES["alexnet"].home.rpartition("/")[2]  # torch calls a file as its address does
    before = torch.hub.get_dir()
    with tempfile.TemporaryDirectory(prefix="benchtool-lpips-") as folder:
        link = Path(folder, "checkpoints", name)
        link.parent.mkdir()
        link.symlink_to(backbone.resolve())
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(before)
