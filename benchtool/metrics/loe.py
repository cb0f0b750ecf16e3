"""LOE: lightness order error, how many pairs of pixels an enhancement puts into another order. Lower is better; 0 for equal images.

Wang et al., "Naturalness Preserved Enhancement Algorithm for Non-Uniform Illumination Images", IEEE TIP 2013, Eqs. 12-14:
lightness L = max(R, G, B), U(p, q) = [p >= q], RD(x) = sum over y of U(L(x), L(y)) xor U(L'(x), L'(y)), LOE = mean of RD.
Papers sample few pixels in several ways, which differ by factors: never compare across variants. Here every pair counts,
through the joint histogram of the 256 levels: the exact sum costs one pass over the image.
It is *not* a quality measure of a photograph: it is 0 for the input itself, however dark.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchtool.core.resample import keys
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import at_least, same_shape

SPEC = MetricSpec(
    title="LOE",
    variants={
        "full": "every pair of pixels: share of pairs in another order, per 10,000",
        "bimef100": "100 x 100 pixels on a rounded grid, as BIMEF's loe100x100.m",
        "npe50": "maximum over 15 x 15, a pixel in every floor(short side / 50); pairs per sample count, not per 10,000 (NPE's script)",
        "imresize50": "levels resized to a short side of 50 (bicubic, rounded); pairs per sample count, not per 10,000",
    },
    needs=("source",),
    higher_is_better=False,
    unit="pairs",
    version="1",
    source="Wang et al. 2013; exact, checked against comparing all pairs",
    decimals=1,
)

GRID = 100
SHORT = 50  # samples along the short side
WINDOW = 15
SCALE = 10_000
STRIP = 64  # rows
COUNTED = 2**24  # pixels a float32 histogram counts exactly


def score(output: np.ndarray, target: None, source: np.ndarray, variant: str = "full") -> Score:
    """LOE of an enhanced image against the image it was made from, both H x W x 3 RGB uint8 of one size.

    All but `full` are the mean RD over the samples, from 0 to their number (the fact `samples`). `bimef100` has 10,000 of them, so
    that `full` stands beside it; the two of short side 50 have 2,500 and more, depending on the image's shape.

    Raises:
        UserError: images not of 8 bits, or too small for `npe50`.
        ValueError: the images differ in size, or are not RGB.
    """
    before, after = _lightness(output, source)
    if variant == "full":
        return Score(SCALE * _total_disorder(before, after) / before.size**2)
    if variant == "npe50":
        at_least(output, SHORT, "loe:npe50")
    sample = {"bimef100": _on_grid, "npe50": _local_maxima, "imresize50": _resized}[variant]
    before, after = sample(before), sample(after)
    return Score(_total_disorder(before, after) / before.size, {"samples": before.size})


def map(output: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Each pixel's share of the pairs it is in that are in another order, per 10,000: H x W float32; its mean is LOE `full`.

    Raises:
        ValueError: as `score`.
    """
    before, after = _lightness(output, source)
    shares = _disorder(_joint_histogram(before, after)) * (SCALE / before.size)
    return shares.astype(np.float32)[before, after]


def _lightness(output: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max(R, G, B) of source and output."""
    same_shape(output, source, "source")
    return _largest_channel(source), _largest_channel(output)


def _largest_channel(rgb: np.ndarray) -> np.ndarray:
    """max(R, G, B), in strips: their planes stay in the processor's cache."""
    largest = np.empty(rgb.shape[:2], np.uint8)
    for top in range(0, len(rgb), STRIP):
        red, green, blue = cv2.split(rgb[top : top + STRIP])
        cv2.max(cv2.max(red, green), blue, dst=largest[top : top + STRIP])
    return largest


def _on_grid(levels: np.ndarray) -> np.ndarray:
    """The 100 x 100 pixels at MATLAB's round(linspace(1, n, 100))."""
    rows, columns = (np.floor(np.linspace(1, n, GRID) + 0.5).astype(int) - 1 for n in levels.shape)
    return levels[np.ix_(rows, columns)]


def _local_maxima(levels: np.ndarray) -> np.ndarray:
    """Maximum over 15 x 15, then every k-th pixel beginning with the k-th, k = floor(short side / 50).

    The script mirrors the borders: what that adds to a window is in it already, so that windows are just cut off here.
    """
    step = min(levels.shape) // SHORT
    return np.ascontiguousarray(cv2.dilate(levels, np.ones((WINDOW, WINDOW), np.uint8))[step - 1 :: step, step - 1 :: step])


def _resized(levels: np.ndarray) -> np.ndarray:
    """MATLAB's imresize(levels, round(size * 50 / short side)), in 8 bits after each direction.

    It invents errors even for a monotone curve, because it averages before the curve on one side and after it on the other.
    """
    sides = [int(n * SHORT / min(levels.shape) + 0.5) for n in levels.shape]
    for axis in sorted((0, 1), key=lambda axis: sides[axis] / levels.shape[axis]):  # MATLAB shrinks most first
        weights = _imresize_weights(levels.shape[axis], sides[axis])
        sums = np.moveaxis(np.tensordot(weights, levels, (1, axis)), 0, axis)
        levels = (sums.clip(0, 255) + 0.5).astype(np.uint8)
    return levels


def _imresize_weights(length: int, target: int) -> np.ndarray:
    """[target, length]: Keys' cubic, widened when shrinking, with mirrored borders (those of `core.resample` are cut off instead)."""
    width = max(length / target, 1.0)
    centres = (np.arange(target)[:, None] + 0.5) * length / target - 0.5
    reach = int(np.ceil(2 * width)) + 1
    pixels = np.floor(centres).astype(int) + np.arange(-reach, reach + 1)
    weights = keys((pixels - centres) / width)
    mirrored = pixels % (2 * length)
    mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    matrix = np.zeros((target, length))
    np.add.at(matrix, (np.arange(target)[:, None], mirrored), weights / weights.sum(axis=1, keepdims=True))
    return matrix


def _total_disorder(before: np.ndarray, after: np.ndarray) -> int:
    """Sum of RD over all pixels; of 24 megapixels up to 6e14."""
    joint = _joint_histogram(before, after)
    return sum(int(n) for n in (joint * _disorder(joint)).sum(axis=1))


def _joint_histogram(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """[256, 256] int64: how many pixels have which level before (row) and after (column)."""
    counts = np.zeros((256, 256), np.int64)
    rows = max(1, COUNTED // before.shape[1])
    for top in range(0, len(before), rows):
        strips = [np.ascontiguousarray(image[top : top + rows]) for image in (before, after)]
        counts += cv2.calcHist(strips, [0, 1], None, [256, 256], [0, 256, 0, 256]).astype(np.int64)
    return counts


def _disorder(joint: np.ndarray) -> np.ndarray:
    """RD of a pixel of levels (a, b): pixels <= a before, plus those <= b after, less twice those that are both."""
    both = joint.cumsum(axis=0).cumsum(axis=1)
    return both[:, -1:] + both[-1:, :] - 2 * both
