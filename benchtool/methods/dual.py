"""DUAL: what LIME makes of the image and of its negative, fused with the image; corrects both under- and over-exposure.

Zhang, Nie and Zheng, "Dual Illumination Estimation for Robust Exposure Correction", Computer Graphics Forum 2019, as the public Python
version (github.com/pvnieo/Low-light-Image-Enhancement, MIT) has it, with the exposure fusion of Mertens et al. 2007.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, choose, positive
from benchtool.methods.blocks.exposure_fusion import GREY, fuse
from benchtool.methods.blocks.illumination import EPS, enlarged, halvings, port_links, shrunk, smooth, sped_up_links

SPEC = MethodSpec(
    title="DUAL",
    citation="zhang2019dual",
    needs_target=False,
    players=(),
    parameters=0,
    faithful="released",
    check={"limit": 65_536},
    departures=(
        Departure("system", paper="symmetric", released="not symmetric: links weighed at the other pixel", ours="released; `system`"),
        Departure("alpha, sigma, gamma", paper="0.15, 3, 0.6", released="0.15, 3, 0.6", ours="0.15, 3, 0.6"),
        Departure("grey of the fusion", paper="not given", released="weights of R and B exchanged", ours="released"),
        Departure("large images", paper="full size", released="full size", ours="map solved at half size above `limit` pixels"),
    ),
)

ROUNDING = 1e-4  # of 8-bit levels that came as float32


class DUAL(Classical):
    """Fuses the image, its under-exposure corrected and its over-exposure corrected.

    Args:
        system: `port` (that of the public Python version) or `symmetric` (LIME's sped-up one).
        alpha: strength of the smoothing.
        sigma: standard deviation of the weights' window in pixels.
        gamma: power of the illumination.
        limit: pixels above which the illumination is solved at half the size (quarter, ...) and enlarged.
    """

    def __init__(self, system: str = "port", alpha: float = 0.15, sigma: float = 3.0, gamma: float = 0.6, limit: int = 1_000_000) -> None:
        super().__init__()
        choose("dual", "system", system, ("port", "symmetric"))
        self.system, self.alpha, self.sigma, self.gamma, self.limit = system, alpha, sigma, gamma, limit
        for option in ("alpha", "sigma", "gamma", "limit"):
            positive("dual", option, getattr(self, option))

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        images = [image, self.brightened(image), 1 - self.brightened(1 - image)]
        return fuse([eight_bit(one) for one in images], GREY[::-1])

    def brightened(self, image: np.ndarray) -> np.ndarray:
        """[H, W, 3] over the power of its illumination, not clamped."""
        start = image.max(axis=-1)
        times = halvings(start.shape, self.limit)
        small = shrunk(start, times) if times else start
        if self.system == "port":
            links = port_links(small, self.alpha, self.sigma)
        else:
            links = sped_up_links(small, self.alpha, 3, self.sigma)
        illumination = np.clip(enlarged(smooth(small, links), start.shape), EPS, 1)
        return image / illumination[..., None] ** self.gamma


def eight_bit(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] clamped and cut (not rounded) to 8 bits, still in [0, 1]: the public version fuses such images."""
    return np.floor(255 * np.clip(image, 0, 1) + ROUNDING) / 255
