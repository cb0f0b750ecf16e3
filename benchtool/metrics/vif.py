"""VIF: how much of the reference's visual information the other image holds, 1 for equal images; above 1 where contrast was gained.

Sheikh and Bovik, "Image Information and Visual Quality", IEEE TIP 2006: the wavelet (steerable pyramid) version, through pyiqa, which
agrees with the released vifvec to 0.0005. It is *not* the pixel-domain approximation of most packages (vifp: other values), and it is
not symmetric: say which image was the reference. Against the input instead of a target: `vif-source`.

Smooth references (enlarged photographs, blur): neighbours in the finest bands are nearly proportional, and the eigenvalues of their
covariance, which is inverted, fall below single precision's rounding. There pyiqa's own sums turn indefinite, and the logarithm of a
negative number nan. So the reference's statistics are computed here, in double precision as vifvec has them; the rest is pyiqa's. A
reference of one colour holds no information: n/a.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, same_shape, through_pyiqa

if TYPE_CHECKING:
    import torch

SPEC = MetricSpec(
    title="VIF",
    variants={
        "target-reference": "wavelet VIF on luma; the target is the reference, the output is judged",
        "output-reference": "wavelet VIF on luma, the other way round: the output is the reference, the target is judged",
    },
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="2",  # 1 had the reference's statistics in single precision: no value for smooth images, others within 0.0003
    source="Sheikh and Bovik 2006, through pyiqa",
)

SMALLEST = 33  # pixels: halved three times, 5 are left for the border of a 9 x 9 filter
BLOCK = 3  # coefficients a side that make a vector
STRIP = 90  # rows whose vectors are held at once: those of 12 megapixels would fill a gigabyte


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "target-reference") -> Score:
    """Wavelet VIF of two H x W x 3 RGB uint8 images of one size.

    Raises:
        UserError: images not of 8 bits or too small, a reference without structure, or pyiqa is absent or broken.
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    return Score(vif(output, target) if variant == "target-reference" else vif(target, output))


def vif(judged: np.ndarray, reference: np.ndarray) -> float:
    """VIF of one image with another for reference, both H x W x 3 RGB uint8; UserError as `score`."""
    at_least(reference, SMALLEST, "vif")
    if (reference == reference[0, 0]).all():
        raise UserError("vif is undefined: the reference is of one colour and holds no information")
    value = through_pyiqa.run("vif_arch", "VIF", judged, reference, prepare=_in_double)
    if not math.isfinite(value):
        raise UserError(f"vif has no value: pyiqa computed {value}")
    return value


def _in_double(network: Any) -> None:
    """Let pyiqa's network take the reference's statistics from `statistics`."""

    def refparams_vecgsm(pyramid: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor], None]:
        found = [statistics(pyramid[number - 1][0, 0]) for number in network.subbands]
        fields, eigenvalues = ([part[None, None].float() for part in parts] for parts in zip(*found))
        return fields, eigenvalues, None

    network.refparams_vecgsm = refparams_vecgsm


def statistics(band: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The Gaussian scale mixture that a subband of the reference is taken for; Sheikh and Bovik 2006, section III.

    Args:
        band: H x W coefficients; rows and columns beyond a multiple of 3 are left out.

    Returns:
        The squared multiplier of each 3 x 3 block, [H // 3, W // 3], none negative; and the 9 eigenvalues of the covariance of
        all (overlapping) 3 x 3 windows. Both float64.
    """
    import torch

    height, width = (side // BLOCK * BLOCK for side in band.shape)
    band = band[:height, :width].double()
    total, products, count = torch.zeros(BLOCK**2, dtype=band.dtype), torch.zeros(BLOCK**2, BLOCK**2, dtype=band.dtype), 0
    for top in range(0, height - BLOCK + 1, STRIP):
        windows = band[top : top + STRIP + BLOCK - 1].unfold(0, BLOCK, 1).unfold(1, BLOCK, 1).reshape(-1, BLOCK**2)
        total += windows.sum(dim=0)
        products += windows.T @ windows
        count += len(windows)
    mean = total / count
    eigenvalues, vectors = torch.linalg.eigh(products / count - mean[:, None] * mean)
    real = eigenvalues > eigenvalues[-1] * BLOCK**2 * torch.finfo(band.dtype).eps  # the rest is rounding: no direction to divide by
    whitening = vectors[:, real] / eigenvalues[real].sqrt()
    blocks = band.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).permute(0, 2, 1, 3).reshape(-1, BLOCK**2)
    multipliers = ((blocks @ whitening) ** 2).sum(dim=1) / BLOCK**2
    return multipliers.reshape(height // BLOCK, width // BLOCK), eigenvalues.clamp(min=0)
