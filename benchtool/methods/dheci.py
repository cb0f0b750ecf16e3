"""DHECI: V is equalised by how much of the image's detail, in intensity and in saturation, lies at each level.

Nakai, Hoshi and Taguchi, "Color Image Contrast Enhancement Method Based on Differential Intensity/Saturation Gray-Levels Histograms",
ISPACS 2013. One of the few classical methods that darken what is over-exposed.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, round_half_up, saturation, with_value, within

SPEC = MethodSpec(
    title="DHECI",
    citation="nakai2013dheci",
    needs_target=False,
    players=(),
    parameters=0,
    departures=(
        Departure("correlation", paper="5 x 5 windows", released="a loop over pixels (42 s at 1280 x 720)", ours="the same by box sums"),
        Departure("image without detail", paper="not given", released="0 / 0", ours="stays as it is"),
    ),
)

WINDOW = 5  # pixels, of the correlation of V and S


class DHECI(Classical):
    """One non-decreasing map of V; hue and saturation are kept.

    Args:
        mix: weight of the saturation's histogram against the intensity's, 0 to 1.
    """

    def __init__(self, mix: float = 0.5) -> None:
        super().__init__()
        within("dheci", "mix", mix, 0, 1)
        self.mix = mix

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        levels = quantise(image.max(axis=-1))
        value, colour = levels.astype(np.float64), quantise(saturation(image)).astype(np.float64)
        detail = round_half_up(gradient(value))
        colour_detail = round_half_up(np.abs(correlation(value, colour)) * round_half_up(gradient(colour)))
        at_level = np.bincount(levels.ravel(), ((1 - self.mix) * detail + self.mix * colour_detail).ravel(), minlength=256)
        if not at_level.any():
            return image
        level_map = round_half_up(255 * np.cumsum(at_level) / at_level.sum())
        return with_value(image, level_map[levels] / 255)


def gradient(plane: np.ndarray) -> np.ndarray:
    """Magnitude of the 3 x 3 Sobel gradient of [H, W], borders continued."""
    across, down = (cv2.Sobel(plane, cv2.CV_64F, *d, ksize=3, borderType=cv2.BORDER_REPLICATE) for d in ((1, 0), (0, 1)))
    return np.hypot(across, down)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation coefficient of a and b over the window around each pixel; 0 where either is flat.

    Both hold whole numbers, so that the sums are exact and flatness is.
    """

    def total(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x, cv2.CV_64F, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_REPLICATE)

    def covariance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return WINDOW**2 * total(x * y) - total(x) * total(y)

    spread = np.sqrt(covariance(a, a) * covariance(b, b))
    return np.where(spread > 0, covariance(a, b), 0) / np.where(spread > 0, spread, 1)
