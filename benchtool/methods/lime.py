"""LIME: the image over its illumination, the brightest channel smoothed with respect to structure.

Guo, Li and Ling, "LIME: Low-Light Image Enhancement via Illumination Map Estimation", IEEE TIP 2017. The authors' code is closed; its
constants are those that public comparisons call it with. It brightens: where T <= 1 the output is never below the input.
"""

from __future__ import annotations

import numpy as np

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, choose, positive
from benchtool.methods.blocks.illumination import EPS, enlarged, halvings, port_links, shrunk, smooth, smooth_exactly, sped_up_links

SPEC = MethodSpec(
    title="LIME",
    citation="guo2017lime",
    needs_target=False,
    players=(),
    parameters=0,
    check={"limit": 65_536},
    departures=(
        Departure("solver", paper="exact and sped-up", released="closed; called as sped-up", ours="sped-up; `solver: exact`, `port`"),
        Departure(
            "alpha, sigma, gamma",
            paper="0.15, 2, 0.8",
            released="0.15, 2, 0.8 (BIMEF) or 0.7 (STAR); port: 0.15, 3, 0.6",
            ours="paper; 0.08 for the exact solver",
        ),
        Departure(
            "penalty of the exact solver",
            paper="grows geometrically",
            released="closed; a public version tunes it for each image",
            ours="0.3, times 1.1 in each of 50 steps",
        ),
        Departure("window of strategy 3", paper="size not given", released="closed; port: 15 x 15", ours="cut at 3 sigma"),
        Departure("denoising", paper="BM3D of the luminance, optional", released="off in comparisons", ours="none"),
        Departure("large images", paper="full size", released="full size", ours="map solved at half size above `limit` pixels"),
    ),
)

DEFAULTS = {"sped-up": (0.15, 2.0, 0.8), "port": (0.15, 3.0, 0.6), "exact": (0.08, 2.0, 0.8)}  # alpha, sigma, gamma


class LIME(Classical):
    """Divides the image by a power of its smoothed illumination.

    Args:
        solver: `sped-up` (one symmetric linear system), `port` (that of the public Python version, which is another) or `exact` (ADMM).
        strategy: weights of the paper: 1 (constant), 2 (gradient) or 3 (Gaussian mean of the gradient); the port has 3 alone.
        alpha: strength of the smoothing; the solver's own where None.
        sigma: standard deviation of strategy 3 in pixels; the solver's own where None.
        gamma: power of the illumination; the solver's own where None.
        limit: pixels above which the illumination is solved at half the size (quarter, ...) and enlarged.
    """

    def __init__(
        self,
        solver: str = "sped-up",
        strategy: int = 3,
        alpha: float | None = None,
        sigma: float | None = None,
        gamma: float | None = None,
        limit: int = 1_000_000,
    ) -> None:
        super().__init__()
        choose("lime", "solver", solver, tuple(DEFAULTS))
        choose("lime", "strategy", strategy, (3,) if solver == "port" else (1, 2, 3))
        given = zip((alpha, sigma, gamma), DEFAULTS[solver])
        self.solver, self.strategy, self.limit = solver, strategy, limit
        self.alpha, self.sigma, self.gamma = (default if value is None else value for value, default in given)
        for option in ("alpha", "sigma", "gamma", "limit"):
            positive("lime", option, getattr(self, option))

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        return image / self.illumination(image)[..., None] ** self.gamma

    def illumination(self, image: np.ndarray) -> np.ndarray:
        """T [H, W] in [eps, 1] of an image [H, W, 3]."""
        start = image.max(axis=-1)
        times = halvings(start.shape, self.limit)
        smoothed = self._smoothed(shrunk(start, times) if times else start)
        return np.clip(enlarged(smoothed, start.shape), EPS, 1)

    def _smoothed(self, start: np.ndarray) -> np.ndarray:
        if self.solver == "exact":
            return np.abs(smooth_exactly(start, self.alpha, self.strategy, self.sigma))
        if self.solver == "port":
            return smooth(start, port_links(start, self.alpha, self.sigma))
        return smooth(start, sped_up_links(start, self.alpha, self.strategy, self.sigma))
