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
from benchtool.metrics import display_image

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
    """NIQE of an H x W x 3 RGB uint8 image of at least 96 x 192 or 192 x 96 pixels: two blocks, for there is no covariance of one.

    Facts: `flat_share` (share of pixels whose window is constant), `blocks`, `dropped_blocks` (those without features).

    Raises:
        UserError: an image too small or not 8 bit, or no model file.
    """
    display_image(output)
    height, width = (side // BLOCK * BLOCK for side in output.shape[:2])
    if height * width < 2 * BLOCK**2:
        raise UserError(f"niqe needs at least 192 x 96 or 96 x 192 pixels; the image is {output.shape[1]} x {output.shape[0]}")
    mean, covariance = _model()
    grey = _grey(output[:height, :width])
    fine, flat = _statistics(grey, BLOCK)
    coarse, _ = _statistics(_halve(grey), BLOCK // 2)
    features = np.hstack([fine, coarse])
    whole = features[~np.isnan(features).any(axis=1)]
    facts = {"flat_share": float(flat / grey.size), "blocks": len(features), "dropped_blocks": len(features) - len(whole)}
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


def _grey(rgb: np.ndarray) -> np.ndarray:
    """MATLAB's rgb2gray, H x W uint8."""
    grey = np.empty(rgb.shape[:2], np.uint8)
    for top in range(0, len(rgb), BLOCK):
        strip = cv2.transform(rgb[top : top + BLOCK].astype(np.float64), GREY[None])
        grey[top : top + BLOCK] = strip + 0.5  # cut off: none is negative
    return grey


def _statistics(grey: np.ndarray, side: int) -> tuple[np.ndarray, int]:
    """The features of each block, [blocks, 18], and how many pixels have a constant window.

    Taken a row of blocks at a time, with what their windows reach into: in double precision 12 megapixels would fill 100 MB each time.
    """
    reach = len(_WINDOW) // 2
    rows = np.pad(np.arange(len(grey)), reach, mode="edge")
    features, flat = [], 0
    for top in range(0, len(grey), side):
        strip = _normalised(grey[rows[top : top + side + 2 * reach]].astype(np.float64))
        normalised, deviation = (image[reach:-reach] for image in strip)
        features.append(_features(_blocks(normalised, side)))
        flat += np.count_nonzero(deviation < FLAT)
    return np.concatenate(features), flat


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
    rows = np.pad(np.arange(len(grey)), 3, mode="symmetric")
    strips = []
    for top in range(0, len(grey), BLOCK):
        low = _every_other(grey[rows[top : top + BLOCK + 6]], weights)
        strips.append(_every_other(np.pad(low, ((0, 0), (3, 3)), mode="symmetric").T, weights).T)
    return np.concatenate(strips)


def _every_other(lines: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[2 n + 6, ...] -> [n, ...]: weighted sums of 8 lines, two further each time."""
    return sum(weight * lines[i : len(lines) - 6 + i : 2] for i, weight in enumerate(weights))


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
    below, above, squares_below, squares_above, absolute = np.array([_moments(block.ravel()) for block in blocks]).T
    with np.errstate(invalid="ignore", divide="ignore"):  # a flat block has no coefficients on a side: NaN, counted above
        left, right = np.sqrt(squares_below / below), np.sqrt(squares_above / above)
        skew = left / right
        ratio = absolute**2 / (squares_below + squares_above) / blocks[0].size
        ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    alpha = np.where(np.isnan(ratio), np.nan, ALPHAS[np.searchsorted(MIDDLES, ratio).clip(max=len(ALPHAS) - 1)])
    with np.errstate(invalid="ignore"):
        scale = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
    return alpha, left * scale, right * scale


def _moments(values: np.ndarray) -> tuple[float, ...]:
    """Of a block's coefficients: how many are below and above 0, the sums of their squares, and the sum of all absolute values."""
    above = np.maximum(values, 0)
    below = values - above
    return np.count_nonzero(below), np.count_nonzero(above), below @ below, above @ above, above.sum() - below.sum()
