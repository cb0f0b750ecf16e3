"""Curves of exposure and tone as Adobe's DNG SDK 1.4 applies them (dng_render.cpp), on linear light in [0, 1].

A positive exposure is a gain that clips (`tone.py`); a negative one bends the straight line so that white stays white.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_KNEE = 0.25  # below it a negative exposure is a plain gain (dng_function_exposure_tone)


def white_preserving(linear: np.ndarray, exposure: float) -> np.ndarray:
    """A negative exposure in EV: gain 2^EV up to 0.25, then the parabola that goes on smoothly and takes 1 to 1.

    With s = 2^EV: y = s x for x <= 1/4, else (a x + b) x + c, a = 16/9 (1 - s), b = s - a/2, c = 1 - a - b.
    """
    slope = 2.0**exposure
    a = 16 / 9 * (1 - slope)
    b = slope - a / 2
    return np.where(linear <= _KNEE, slope * linear, (a * linear + b) * linear + (1 - a - b))


def profile_tone(linear: np.ndarray, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """The natural cubic spline through a ProfileToneCurve's points (dng_spline_solver), clipped to [0, 1]."""
    from scipy.interpolate import CubicSpline

    x, y = np.array(points, np.float64).T
    return np.clip(CubicSpline(x, y, bc_type="natural")(linear), 0.0, 1.0)
