"""NIQE: distance of an image's local statistics from those of pristine photographs. Lower is better.

Mittal, Soundararajan and Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 2013, with the model
LIVE released. Agrees with the released MATLAB code to four decimals where no region is flat.
It is *not* the `niqe` of MATLAB's toolbox (another model), nor the NIQE inside PI (luma of YCbCr, 4 pixels shaved).
Where a window is constant (saturated regions) the statistics are rounding noise: the share of such pixels is reported
with every score, and two correct programs differ by up to 0.7 on strongly over-exposed images.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from scipy.io import loadmat
from scipy.special import gamma

from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least

SPEC = MetricSpec(
    title="NIQE",
    variants={"live": "grey by MATLAB's weights, rounded; LIVE's 2013 model; blocks of 96; float64; no sharpness selection"},
    needs=(),
    higher_is_better=False,
    unit="",
    version="1",
    source="Mittal et al. 2013; LIVE release, checked against its published MATLAB values",
)

BLOCK = 96
GREY = np.linalg.inv([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.106, 1.703]])[0]  # rgb2gray: inverse of NTSC's matrix
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
FLAT = 1e-3  # grey levels: above the rounding noise (3e-6), below the least a window that is not constant can have (0.02)
ALPHAS = np.arange(200, 10001) / 1000  # the released code's search grid
RATIOS = gamma(2 / ALPHAS) ** 2 / (gamma(1 / ALPHAS) * gamma(3 / ALPHAS))  # increasing in alpha
MIDDLES = (RATIOS[1:] + RATIOS[:-1]) / 2


def score(output: np.ndarray, target: None = None, source: None = None, variant: str = "live") -> Score:
    """NIQE of an H x W x 3 RGB uint8 image of at least 96 x 96 pixels.

    Facts: `flat_share` (share of pixels whose window is constant), `blocks`, `dropped_blocks` (those without features).

    Raises:
        UserError: an image too small or not 8 bit, or no model file.
    """
    if output.dtype != np.uint8:
        raise UserError(f"niqe is defined for 8-bit images, not {output.dtype}")
    at_least(output, BLOCK, "niqe")
    height, width = (side // BLOCK * BLOCK for side in output.shape[:2])
    mean, covariance = _model()
    grey = np.floor(output[:height, :width] @ GREY + 0.5)
    fine, deviation = _normalised(grey)
    coarse, _ = _normalised(_halve(grey))
    features = np.hstack([_features(_blocks(fine, BLOCK)), _features(_blocks(coarse, BLOCK // 2))])
    whole = features[~np.isnan(features).any(axis=1)]
    facts = {"flat_share": float((deviation < FLAT).mean()), "blocks": len(features), "dropped_blocks": len(features) - len(whole)}
    if len(whole) < 2:
        raise UserError(f"niqe is undefined: {facts['dropped_blocks']} of {facts['blocks']} blocks are flat")
    difference = mean - np.nanmean(features, axis=0)
    spread = np.linalg.pinv((covariance + np.cov(whole, rowvar=False)) / 2)
    return Score(float(np.sqrt(difference @ spread @ difference)), facts)


@functools.cache
def _model() -> tuple[np.ndarray, np.ndarray]:
    """Mean [36] and covariance [36, 36] of pristine photographs' features."""
    held = loadmat(models.require("niqe"))
    return held["mu_prisparam"].ravel(), held["cov_prisparam"]


def _normalised(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean-subtracted, contrast-normalised coefficients (7 x 7 Gaussian window, replicated border), and the local deviation."""

    def blur(image: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(image, cv2.CV_64F, _WINDOW, _WINDOW, borderType=cv2.BORDER_REPLICATE)

    mean = blur(grey)
    deviation = np.sqrt(np.abs(blur(grey * grey) - mean * mean))
    return (grey - mean) / (deviation + 1), deviation


_WINDOW = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
_WINDOW /= _WINDOW.sum()


def _halve(grey: np.ndarray) -> np.ndarray:
    """MATLAB's imresize(grey, 0.5): bicubic stretched to twice its width, borders mirrored, not clipped."""
    offsets = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * offsets**3 - 2.5 * offsets**2 + 1
    far = -0.5 * offsets**3 + 2.5 * offsets**2 - 4 * offsets + 2
    weights = np.where(offsets <= 1, near, np.where(offsets <= 2, far, 0))
    weights /= weights.sum()
    for _ in range(2):
        padded = np.pad(grey, ((3, 3), (0, 0)), mode="symmetric")
        half = grey.shape[0] // 2
        grey = sum(w * padded[i : i + 2 * half : 2] for i, w in enumerate(weights)).T
    return grey


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    """H x W -> N x side x side."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return image.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _features(blocks: np.ndarray) -> np.ndarray:
    """The 18 features of each block: fits to the coefficients and to their products with four (circular) neighbours."""
    alpha, left, right = _fit(blocks)
    columns = [alpha, (left + right) / 2]
    for shift in SHIFTS:
        alpha, left, right = _fit(blocks * np.roll(blocks, shift, axis=(1, 2)))
        columns += [alpha, (right - left) * gamma(2 / alpha) / gamma(1 / alpha), left, right]
    return np.stack(columns, axis=1)


def _fit(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Asymmetric generalised Gaussian fitted to each block by moments: shape, left and right scale; NaN where one side is empty."""
    flat = blocks.reshape(len(blocks), -1)
    squares = flat * flat
    negative, positive = flat < 0, flat > 0
    with np.errstate(invalid="ignore", divide="ignore"):  # a flat block has no coefficients on a side: NaN, counted above
        left = np.sqrt((squares * negative).sum(1) / negative.sum(1))
        right = np.sqrt((squares * positive).sum(1) / positive.sum(1))
        skew = left / right
        ratio = np.abs(flat).mean(1) ** 2 / squares.mean(1)
        ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    alpha = np.where(np.isnan(ratio), np.nan, ALPHAS[np.searchsorted(MIDDLES, ratio).clip(max=len(ALPHAS) - 1)])
    with np.errstate(invalid="ignore"):
        scale = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
    return alpha, left * scale, right * scale
