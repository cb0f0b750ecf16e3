"""HE: global histogram equalisation, as MATLAB's `histeq` does it.

Gonzalez and Woods, "Digital Image Processing", section 3.3. MSEC's table prints a row of it without saying which colours or how many
bins; the public collections of classical methods call `histeq` on each of R, G and B.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, choose, with_value, within

SPEC = MethodSpec(
    title="HE",
    citation="gonzalez2001dip",
    needs_target=False,
    players=(),
    parameters=0,
    departures=(
        Departure("colour", paper="not given (MSEC Table 1)", released="not in the code", ours="R, G and B each by itself; `colour: v`"),
        Departure("bins", paper="not given (MSEC Table 1)", released="not in the code", ours="64 levels, MATLAB's default; `bins`"),
        Departure("flat channel", paper="not given", released="becomes mid-grey, black becomes white", ours="stays as it is"),
    ),
)

LEVELS = 256  # of the input


class HE(Classical):
    """Equalises the histogram of each channel, or of the value alone.

    Args:
        colour: `rgb` (each channel by itself) or `v` (V of HSV; hue and saturation are kept).
        bins: levels of the output, spaced evenly over [0, 1]; MATLAB's default is 64.
    """

    def __init__(self, colour: str = "rgb", bins: int = 64) -> None:
        super().__init__()
        choose("he", "colour", colour, ("rgb", "v"))
        within("he", "bins", bins, 2, LEVELS)
        self.colour, self.bins = colour, bins

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        if self.colour == "v":
            return with_value(image, equalise(image.max(axis=-1), self.bins))
        return np.stack([equalise(image[..., c], self.bins) for c in range(3)], axis=-1)


def equalise(channel: np.ndarray, bins: int) -> np.ndarray:
    """Equalise [H, W] in [0, 1], on 8 bits, to `bins` levels; a flat channel stays.

    A level goes to the first output level whose share of a flat histogram reaches the share of the pixels below the level and half of
    those at it (all of those at 0 and at 255, as in MATLAB).
    """
    levels = quantise(channel)
    count = np.bincount(levels.ravel(), minlength=LEVELS)
    if count.max() == levels.size:
        return channel
    half = count / 2
    half[[0, -1]] = 0
    reached = (np.cumsum(count) - half) / levels.size * bins
    tolerance = bins * np.sqrt(np.finfo(np.float64).eps)
    first = np.clip(np.ceil(reached - tolerance) - 1, 0, bins - 1)
    return (first / (bins - 1))[levels]
