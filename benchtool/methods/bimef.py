"""BIMEF: the image fused with itself at one longer exposure, chosen for the entropy of its dark part.

Ying, Li and Gao, "A Bio-Inspired Multi-Exposure Fusion Framework for Low-light Image Enhancement", arXiv 1711.00591, and the same
authors' CAIP 2017 paper, with the constants of their MATLAB code. It brightens; an image without dark pixels stays as it is.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d
from scipy.optimize import minimize_scalar

from benchtool.core.images import quantise, resize
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, positive
from benchtool.methods.blocks.illumination import Links, enlarged, halvings, periodic_gradients, shrunk, smooth

SPEC = MethodSpec(
    title="BIMEF",
    citation="ying2017bimef",
    needs_target=False,
    players=(),
    parameters=0,
    faithful="released",
    departures=(
        Departure("solver of the map", paper="exact", released="conjugate gradients, stopped at a residual of 0.1", ours="exact"),
        Departure("camera response while searching k", paper="that given", released="always the default", ours="released"),
        Departure("large images", paper="half size", released="half size", ours="the map is solved at a quarter, ... above `limit` pixels"),
        Departure("offset", paper="none", released="0.01 off where k is searched", ours="released"),
    ),
)

SMOOTHING, WINDOW, SHARPNESS = 0.5, 5, 1e-3  # lambda; pixels; floor of the product of gradients
CAMERA = (-0.3293, 1.1258)  # a, b of the response g(I, k) = I^(k^a) exp(b (1 - k^a))
DARK, SIDE = 0.5, 50  # illumination below which a pixel counts as dark; side of the image that k is searched on
EXPOSURES = (1, 7)  # of k
OFFSET = 0.01


class BIMEF(Classical):
    """Weighs the image by a power of its illumination, and its longer exposure by the rest.

    Args:
        mu: power of the illumination.
        k: exposure ratio of the second image; searched where None.
        a, b: camera response of the second image; the search for k keeps the default ones, as the released code does.
        limit: pixels of the half-size illumination above which it is solved at a quarter of the size (an eighth, ...).
    """

    def __init__(self, mu: float = 0.5, k: float | None = None, a: float = CAMERA[0], b: float = CAMERA[1], limit: int = 1_000_000) -> None:
        super().__init__()
        positive("bimef", "mu", mu)
        positive("bimef", "limit", limit)
        if k is not None:
            positive("bimef", "k", k)
        self.mu, self.k, self.a, self.b, self.limit = mu, k, a, b, limit

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        illumination = illumination_map(image, self.limit)
        weight = (illumination**self.mu)[..., None]
        return image * weight + self._exposed(image, illumination) * (1 - weight)

    def _exposed(self, image: np.ndarray, illumination: np.ndarray) -> np.ndarray:
        if self.k is not None:
            return np.minimum(exposed(image, self.k, self.a, self.b), 1)
        dark = dark_pixels(image, illumination)
        return exposed(image, best_exposure(dark), self.a, self.b) - OFFSET if dark.size else image


def illumination_map(image: np.ndarray, limit: int = 1_000_000) -> np.ndarray:
    """The brightest channel of [H, W, 3], smoothed at half size (smaller while that has over `limit` pixels): [H, W], from 0."""
    small = shrunk(image.max(axis=-1), max(halvings(image.shape[:2], limit), 1))
    links = []
    for gradient, axis in zip(periodic_gradients(small), (1, 0)):
        window = correlate1d(gradient, np.ones(WINDOW), axis=axis, mode="constant")
        links.append(SMOOTHING / (np.abs(window) * np.abs(gradient) + SHARPNESS))
    return np.maximum(enlarged(smooth(small, Links(*links)), image.shape[:2]), 0)  # bicubic reduction may undershoot


def exposed(values: np.ndarray, k: float, a: float = CAMERA[0], b: float = CAMERA[1]) -> np.ndarray:
    """g(values, k): what the camera would give at k times the exposure; not clamped."""
    return values ** (k**a) * np.exp(b * (1 - k**a))


def dark_pixels(image: np.ndarray, illumination: np.ndarray) -> np.ndarray:
    """Geometric means of R, G and B at the dark pixels of the image reduced to 50 x 50: [n]."""
    small = np.maximum(resize(image.astype(np.float32), SIDE, SIDE), 0).astype(np.float64)
    dark = resize((illumination < DARK).astype(np.float32)[..., None], SIDE, SIDE)[..., 0] > 0.5
    return np.cbrt(small.prod(axis=-1))[dark]


def best_exposure(values: np.ndarray) -> float:
    """The k of greatest entropy of g(values, k), by bounded search as MATLAB's `fminbnd`."""
    found = minimize_scalar(lambda k: -entropy(exposed(values, k)), bounds=EXPOSURES, method="bounded", options={"xatol": 1e-4})
    return float(found.x)


def entropy(values: np.ndarray) -> float:
    """Entropy in bits of the 8-bit histogram of values in [0, 1], clamped."""
    share = np.bincount(quantise(values).ravel(), minlength=256) / values.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())
