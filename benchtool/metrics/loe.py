"""LOE: lightness order error, how many pairs of pixels an enhancement puts into another order. Lower is better; 0 for equal images.

Wang et al., "Naturalness Preserved Enhancement Algorithm for Non-Uniform Illumination Images", IEEE TIP 2013, Eqs. 12-14:
lightness L = max(R, G, B), U(p, q) = [p >= q], RD(x) = sum over y of U(L(x), L(y)) xor U(L'(x), L'(y)), LOE = mean of RD.
Papers sample few pixels in several ways, which differ by factors: never compare across variants. Here every pair counts,
through the joint histogram of the 256 levels: the exact sum costs one pass over the image.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import same_shape

SPEC = MetricSpec(
    title="LOE",
    variants={
        "full": "every pair of pixels: share of pairs in another order, per 10,000",
        "bimef100": "100 x 100 pixels on a rounded grid, as BIMEF's loe100x100.m",
    },
    needs=("source",),
    higher_is_better=False,
    unit="pairs per 10,000",
    version="1",
    source="Wang et al. 2013; exact, checked against comparing all pairs",
    decimals=1,
)

GRID = 100
SCALE = 10_000
COUNTED = 2**24  # pixels a float32 histogram counts exactly


def score(output: np.ndarray, target: None, source: np.ndarray, variant: str = "full") -> Score:
    """LOE of an enhanced image against the image it was made from, both H x W x 3 RGB uint8 of one size.

    `bimef100` is mean RD over its 10,000 samples, which is per 10,000 as well.

    Raises:
        ValueError: the images differ in size, or are not 8-bit RGB.
    """
    before, after = _lightness(output, source)
    if variant == "bimef100":
        rows, columns = (_grid(n) for n in before.shape)
        before, after = before[np.ix_(rows, columns)], after[np.ix_(rows, columns)]
    joint = _joint_histogram(before, after)
    disorder = sum(int(n) for n in (joint * _disorder(joint)).sum(axis=1))  # 24 megapixels: up to 6e14
    return Score(SCALE * disorder / before.size**2)


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
    return tuple(cv2.max(cv2.max(*planes[:2]), planes[2]) for planes in (cv2.split(source), cv2.split(output)))


def _grid(n: int) -> np.ndarray:
    """Indices of MATLAB's round(linspace(1, n, 100)), from 0."""
    return np.floor(np.linspace(1, n, GRID) + 0.5).astype(int) - 1


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
