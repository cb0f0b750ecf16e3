"""SSIM: similarity of local means, contrasts and structures, 1 for equal images. Higher is better.

Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 2004, with K1 = 0.01 and
K2 = 0.03 and peak 255. Its variants are different numbers: grey is about 0.02 (up to 0.07) above colour, so that a value
means nothing without its variant. Windows lie wholly inside the image, but for `matlab`.
None of them is MATLAB's `ssim` of an H x W x 3 array (it takes the channels for a third dimension: 0.23 lower to 0.08 higher), nor
Wang's script that first halves large images.

Computed in tiles from s = p + q and d = p - q, whose four filtered images hold all that the five usual ones do:
2 mu_p mu_q = (mu_s^2 - mu_d^2) / 2, mu_p^2 + mu_q^2 = (mu_s^2 + mu_d^2) / 2, and variances likewise.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import cv2
import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, luma, same_shape

SPEC = MetricSpec(
    title="SSIM",
    variants={
        "rgb-gauss": "8-bit RGB, mean of the channels; 11 x 11 Gaussian window of sigma 1.5, population covariance (ENC's script, BasicSR)",
        "gray-uniform7": "8-bit grey by OpenCV's RGB2GRAY; 7 x 7 uniform window, sample covariance (scikit-image's defaults; ENC's author)",
        "gray-gauss": "8-bit grey by OpenCV's RGB2GRAY; window and covariance of rgb-gauss",
        "y": "luma of BT.601 in 16..235, not rounded; window and covariance of rgb-gauss (BasicSR's test_y_channel)",
        "matlab": "rgb-gauss with a window about every pixel, borders replicated, as MATLAB's ssim of each channel",
    },
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="checked against scikit-image",
)

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
TILE = (128, 256)  # rows and columns of output at a time: what is in hand stays in the processor's cache
AVERAGING = 2**18  # values of an image in whose mean the rounding of float32 averages out (to 1e-6)
GAUSS = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
GAUSS /= GAUSS.sum()
UNIFORM = 7


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "rgb-gauss") -> Score:
    """Mean SSIM of two H x W x 3 RGB uint8 images of one size.

    Raises:
        UserError: images not of 8 bits, or smaller than the window (`matlab` takes any).
        ValueError: the images differ in size, or are not RGB.
    """
    same_shape(output, target, "target")
    side = UNIFORM if variant == "gray-uniform7" else len(GAUSS)
    if variant != "matlab":
        at_least(output, side, f"ssim:{variant}")
    convert = {"rgb-gauss": np.asarray, "y": np.asarray, "matlab": bordered}.get(variant, lambda rgb: cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    blur, correction = (_uniform, side**2 / (side**2 - 1)) if variant == "gray-uniform7" else (_gauss, 1.0)
    read = luma if variant == "y" else functools.partial(np.asarray, dtype=np.float32 if output.size >= AVERAGING else np.float64)
    return Score(_mean_similarity(convert(output), convert(target), read, blur, side // 2, correction))


def gaussian(p: np.ndarray, q: np.ndarray, peak: float) -> float:
    """Mean SSIM of two arrays H x W or H x W x C, in double precision, with the window of rgb-gauss; `peak` is their largest value.

    Both sides are at least 11.
    """
    return _mean_similarity(p * (255 / peak), q * (255 / peak), np.asarray, _gauss, len(GAUSS) // 2, 1.0)


def bordered(image: np.ndarray) -> np.ndarray:
    """The image with its edge replicated, so that the windows about its own pixels lie inside."""
    return cv2.copyMakeBorder(image, *[len(GAUSS) // 2] * 4, cv2.BORDER_REPLICATE)


def _mean_similarity(
    p: np.ndarray,
    q: np.ndarray,
    read: Callable[[np.ndarray], np.ndarray],
    blur: Callable[[np.ndarray], np.ndarray],
    margin: int,
    correction: float,
) -> float:
    """Mean of the local similarities, tile by tile, of which `read` makes floats; the peak is 255."""
    total, count = 0.0, 0
    height, width = (n - 2 * margin for n in p.shape[:2])
    for top, left in itertools.product(range(0, height, TILE[0]), range(0, width, TILE[1])):
        tile = slice(top, top + TILE[0] + 2 * margin), slice(left, left + TILE[1] + 2 * margin)
        similarity = _similarity(read(p[tile]), read(q[tile]), blur, margin, correction)
        total += float(similarity.sum(dtype=np.float64))
        count += similarity.size
    return total / count


def _similarity(p: np.ndarray, q: np.ndarray, blur: Callable[[np.ndarray], np.ndarray], margin: int, correction: float) -> np.ndarray:
    """The local similarities about the pixels (of the channels) whose window lies inside."""
    inside = (slice(margin, len(p) - margin), slice(margin, p.shape[1] - margin))
    moments = []
    for image in (p + q, p - q):
        centre = image.mean()
        image -= centre  # the variance does not change, and the squares lose less to rounding
        mean = blur(image)[inside]
        variance = correction * (blur(image * image)[inside] - mean * mean)
        moments.append(((mean + centre) ** 2, variance))
    (square_s, variance_s), (square_d, variance_d) = moments
    return _ratio(square_s, square_d, 2 * C1) * _ratio(variance_s, variance_d, 2 * C2)


def _ratio(s: np.ndarray, d: np.ndarray, twice_c: float) -> np.ndarray:
    return (s - d + twice_c) / (s + d + twice_c)


def _gauss(image: np.ndarray) -> np.ndarray:
    return cv2.sepFilter2D(image, -1, GAUSS, GAUSS)


def _uniform(image: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(image, -1, (UNIFORM, UNIFORM))
