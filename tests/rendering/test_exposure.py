"""Exposure and tone curves: the DNG SDK's formulas, written out again."""

from __future__ import annotations

import numpy as np
import pytest

from benchtool.rendering.exposure import profile_tone, white_preserving

RAMP = np.linspace(0, 1, 1001)


@pytest.mark.parametrize("exposure", [-0.1, -1.0, -1.5, -3.0])
def test_negative_exposure_darkens_and_keeps_white(exposure: float) -> None:
    curve = white_preserving(RAMP, exposure)
    assert curve[0] == 0 and curve[-1] == pytest.approx(1, abs=1e-12)
    assert (np.diff(curve) > 0).all() and (curve[1:-1] < RAMP[1:-1]).all()
    np.testing.assert_allclose(curve[:251], RAMP[:251] * 2**exposure, rtol=1e-12)


@pytest.mark.parametrize("exposure", [-0.5, -1.5])
def test_negative_exposure_is_smooth_at_its_knee(exposure: float) -> None:
    step = 1e-7
    below, knee, above = white_preserving(np.array([0.25 - step, 0.25, 0.25 + step]), exposure)
    assert (above - knee) / step == pytest.approx((knee - below) / step, rel=1e-5)


def test_negative_exposure_by_hand() -> None:
    """EV -1: s = 1/2, a = 8/9, b = 1/18, c = 1/18, so 1/2 goes to 2/9 + 1/36 + 1/18."""
    assert white_preserving(np.float64(0.5), -1.0) == pytest.approx(11 / 36, abs=1e-12)


def test_profile_tone_is_a_natural_spline_through_its_points() -> None:
    points = ((0.0, 0.0), (0.25, 0.4), (0.5, 0.62), (1.0, 1.0))
    np.testing.assert_allclose(profile_tone(np.array([x for x, _ in points]), points), [y for _, y in points], atol=1e-12)
    np.testing.assert_allclose(profile_tone(RAMP, ((0.0, 0.0), (1.0, 1.0))), RAMP, atol=1e-12)
    np.testing.assert_allclose(profile_tone(RAMP, points), _dng_spline(RAMP, points), atol=1e-12)


def test_profile_tone_does_not_leave_the_range() -> None:
    curve = profile_tone(RAMP, ((0.0, 0.0), (0.1, 0.95), (0.2, 1.0), (1.0, 1.0)))
    assert curve.min() >= 0 and curve.max() <= 1


def _dng_spline(at: np.ndarray, points: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Slopes of a spline whose second derivative is continuous and zero at the ends, then Hermite pieces."""
    x, y = np.array(points).T
    n, h, d = len(x), np.diff(x), np.diff(y) / np.diff(x)
    system, right = np.zeros((n, n)), np.zeros(n)
    system[0, :2], right[0] = (2, 1), 3 * d[0]
    system[-1, -2:], right[-1] = (1, 2), 3 * d[-1]
    for j in range(1, n - 1):
        system[j, j - 1 : j + 2] = h[j], 2 * (h[j - 1] + h[j]), h[j - 1]
        right[j] = 3 * (h[j] * d[j - 1] + h[j - 1] * d[j])
    slopes = np.linalg.solve(system, right)
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, n - 2)
    t = (at - x[i]) / h[i]
    start = (1 + 2 * t) * (1 - t) ** 2 * y[i] + t * (1 - t) ** 2 * h[i] * slopes[i]
    return start + t**2 * (3 - 2 * t) * y[i + 1] + t**2 * (t - 1) * h[i] * slopes[i + 1]
