"""CLAHE: contrast-limited adaptive histogram equalisation of the lightness (L of CIELAB).

Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994. The papers that print
a CLAHE row give none of its parameters; these are the usual ones, on two libraries' scales.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import torch
from skimage import color, exposure
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.base import Method

SPEC = MethodSpec(
    title="CLAHE",
    citation="zuiderveld1994clahe",
    needs_target=False,
    players=(),
    parameters=0,
    departures=(
        Departure(
            "parameters", paper="not given (ENC Tables 1-2)", released="not in the code", ours="L of CIELAB, 8 x 8 tiles, clip limit 0.01"
        ),
        Departure(
            "contrast stretch",
            paper="not given",
            released="not in the code",
            ours="skimage's: L is stretched to its full range before and after; `backend: opencv` does not",
        ),
    ),
    tiling="approximate",
)

CLIP_LIMITS = {"skimage": 0.01, "opencv": 2.0}  # skimage: share of a tile's pixels; OpenCV: multiple of the mean bin


class CLAHE(Method):
    """Equalises lightness tile by tile and keeps a and b.

    Args:
        backend: `skimage` (256 bins of 16-bit lightness) or `opencv` (8-bit lightness).
        clip_limit: on the backend's own scale; its usual value where None (0.01, 2.0).
        tiles: tiles along each side.
    """

    def __init__(self, backend: str = "skimage", clip_limit: float | None = None, tiles: int = 8) -> None:
        super().__init__()
        if backend not in CLIP_LIMITS:
            raise UserError(f"clahe: backend '{backend}' is not one of {', '.join(CLIP_LIMITS)}")
        self.equalise = {"skimage": equalise_skimage, "opencv": equalise_opencv}[backend]
        self.clip_limit = CLIP_LIMITS[backend] if clip_limit is None else clip_limit
        self.tiles = tiles

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        images = inputs[:, 0].permute(0, 2, 3, 1).cpu().numpy()
        outputs = np.stack([self._enhance(image) for image in images])
        return torch.from_numpy(outputs).permute(0, 3, 1, 2).to(inputs)

    def _enhance(self, image: np.ndarray) -> np.ndarray:
        lab = color.rgb2lab(image)
        lab[..., 0] = 100 * self.equalise(lab[..., 0] / 100, self.clip_limit, self.tiles)
        with warnings.catch_warnings():  # a colour moved out of the gamut is clipped; that is expected here
            warnings.filterwarnings("ignore", message="Conversion from CIE-LAB")
            return color.lab2rgb(lab)


def equalise_skimage(lightness: np.ndarray, clip_limit: float, tiles: int) -> np.ndarray:
    """CLAHE by scikit-image: H x W in [0, 1] -> H x W in [0, 1]; a flat image, which it cannot stretch, stays as it is."""
    levels = quantise(lightness, 65535)
    if levels.min() == levels.max():
        return lightness
    kernel = [max(side // tiles, 1) for side in levels.shape]
    return exposure.equalize_adapthist(levels, kernel, clip_limit, nbins=256)


def equalise_opencv(lightness: np.ndarray, clip_limit: float, tiles: int) -> np.ndarray:
    """CLAHE by OpenCV, on 8-bit lightness as its users do: H x W in [0, 1] -> H x W in [0, 1]."""
    return cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(quantise(lightness)) / 255
