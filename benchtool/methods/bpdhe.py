"""BPDHE: brightness preserving dynamic histogram equalisation of the value.

Ibrahim and Kong, "Brightness Preserving Dynamic Histogram Equalization for Image Contrast Enhancement", IEEE TCE 2007. The histogram is
cut at its peaks, each part gets a range by its span and population and is equalised in it; last, the mean brightness is restored.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, round_half_up, with_value

SPEC = MethodSpec(
    title="BPDHE",
    citation="ibrahim2007bpdhe",
    needs_target=False,
    players=(),
    parameters=0,
    departures=(
        Departure(
            "mean brightness",
            paper="restored at the end, so that exposure cannot be corrected",
            released="not restored (public MATLAB code)",
            ours="paper; `restore_mean: false`",
        ),
        Departure(
            "part without a range", paper="not given", released="may reverse the order of two levels", ours="keeps one level: monotone"
        ),
    ),
)

SIGMA, TAPS = 1.0762, 9  # of the Gaussian over the histogram
PEAK = np.array([1, 1, 1, -1, -1, -1, -1, -1])  # signs of the slope around a peak
CUT = 4  # levels of the pattern that still belong to the part before the cut


class BPDHE(Classical):
    """Equalises V part by part; hue and saturation are kept.

    Args:
        restore_mean: multiply V by its mean before over its mean after, as the paper does; the public code does not.
    """

    def __init__(self, restore_mean: bool = True) -> None:
        super().__init__()
        self.restore_mean = restore_mean

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        value = image.max(axis=-1)
        levels = quantise(value)
        result = level_map(levels)[levels] / 255
        if self.restore_mean and result.any():
            result = result * (value.mean() / result.mean())
        return with_value(image, result)


def level_map(levels: np.ndarray) -> np.ndarray:
    """The map [256] of uint8 levels, non-decreasing over the levels that occur."""
    low, high = int(levels.min()), int(levels.max())
    histogram = np.bincount(levels.ravel(), minlength=256)[low : high + 1]
    parts = np.split(histogram, cuts(histogram))
    weights = np.array([len(part) * np.log10(max(part.sum(), 1)) for part in parts])
    shares = weights / weights.sum() if weights.any() else np.full(len(parts), 1 / len(parts))
    ranges = round_half_up((256 - low) * shares)
    starts = low + np.cumsum(ranges) - ranges
    mapped = [start + (max(span - 1, 0)) * np.cumsum(part) / max(part.sum(), 1) for start, span, part in zip(starts, ranges, parts)]
    table = np.arange(256.0)
    table[low : high + 1] = np.minimum(round_half_up(np.concatenate(mapped)), 255)
    return table


def cuts(histogram: np.ndarray) -> np.ndarray:
    """Where parts begin: just past each peak of the smoothed histogram."""
    offsets = np.arange(TAPS) - TAPS // 2
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2))
    smooth = np.convolve(np.pad(histogram, TAPS // 2, mode="edge"), kernel / kernel.sum(), mode="valid")
    slope = np.sign(np.append(np.diff(smooth), 0)).astype(int)
    slope = np.sign(np.convolve(np.pad(slope, 1, mode="edge"), [1, 1, 1], mode="valid"))
    if len(slope) < len(PEAK):
        return np.array([], int)
    windows = np.lib.stride_tricks.sliding_window_view(slope, len(PEAK))
    return np.flatnonzero((windows == PEAK).all(axis=1)) + CUT
