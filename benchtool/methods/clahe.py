"""CLAHE: contrast-limited adaptive histogram equalisation, of the lightness (L of CIELAB) unless told otherwise.

Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994. The papers that print
a CLAHE row give none of its parameters; these are the usual ones, on two libraries' scales.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
from skimage import color, exposure

from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, choose, positive, with_value, within

SPEC = MethodSpec(
    title="CLAHE",
    citation="zuiderveld1994clahe",
    needs_target=False,
    players=(),
    parameters=0,
    departures=(
        Departure(
            "parameters", paper="not given (ENC Tables 1-2)", released="not in the code", ours="L of Lab, 8 x 8 tiles, limit 0.01; `colour`"
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


class CLAHE(Classical):
    """Equalises tile by tile.

    Args:
        colour: what is equalised: `lab` (L; a and b are kept), `v` (V of HSV, as scikit-image does with colour images) or `rgb` (each
            channel by itself, as MATLAB's `adapthisteq` is often called).
        backend: `skimage` (256 bins of 16-bit lightness) or `opencv` (8-bit lightness).
        clip_limit: on the backend's own scale; its usual value where None (0.01, 2.0).
        tiles: tiles along each side.
    """

    def __init__(self, backend: str = "skimage", clip_limit: float | None = None, tiles: int = 8, colour: str = "lab") -> None:
        super().__init__()
        choose("clahe", "backend", backend, tuple(CLIP_LIMITS))
        choose("clahe", "colour", colour, ("lab", "v", "rgb"))
        self.backend = {"skimage": equalise_skimage, "opencv": equalise_opencv}[backend]
        self.clip_limit = CLIP_LIMITS[backend] if clip_limit is None else clip_limit
        positive("clahe", "clip_limit", self.clip_limit)
        within("clahe", "tiles", tiles, 1, 256)
        self.tiles, self.colour = tiles, colour

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        if self.colour == "v":
            return with_value(image, self._equalised(image.max(axis=-1)))
        if self.colour == "rgb":
            return np.stack([self._equalised(image[..., c]) for c in range(3)], axis=-1)
        lab = color.rgb2lab(image)
        lab[..., 0] = 100 * self._equalised(lab[..., 0] / 100)
        with warnings.catch_warnings():  # a colour moved out of the gamut is clipped; that is expected here
            warnings.filterwarnings("ignore", message="Conversion from CIE-LAB")
            return color.lab2rgb(lab)

    def _equalised(self, plane: np.ndarray) -> np.ndarray:
        return self.backend(plane, self.clip_limit, self.tiles)


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
