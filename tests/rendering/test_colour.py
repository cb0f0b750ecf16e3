"""Colour spaces against published matrices and curves."""

from __future__ import annotations

import numpy as np
import pytest

from benchtool.rendering import colour


def test_srgb_matrix_is_the_published_one() -> None:
    """IEC 61966-2-1, four decimals."""
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(colour.SRGB_TO_XYZ, published, atol=6e-5)


def test_prophoto_matrix_is_the_published_one() -> None:
    """ROMM RGB to XYZ of D50: ISO 22028-2, four decimals."""
    published = [[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]]
    np.testing.assert_allclose(colour.PROPHOTO_TO_XYZ, published, atol=6e-5)


def test_bradford_adaptation_is_the_published_one() -> None:
    """D65 to D50 as Lindbloom tabulates it, for the white points of ASTM E308."""
    d65, d50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.96422, 1.0, 0.82521])
    published = [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
    np.testing.assert_allclose(colour.adaptation(d65, d50), published, atol=1e-6)


def test_white_stays_white_and_back_is_back() -> None:
    np.testing.assert_allclose(colour.PROPHOTO_TO_SRGB.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(colour.PROPHOTO_TO_SRGB @ colour.SRGB_TO_PROPHOTO, np.eye(3), atol=1e-12)


def test_srgb_lies_inside_prophoto() -> None:
    assert colour.SRGB_TO_PROPHOTO.min() > 0


@pytest.mark.parametrize(("linear", "encoded"), [(0, 0), (0.0031308, 0.04045), (0.18, 0.461356), (0.5, 0.735357), (1, 1)])
def test_srgb_curve(linear: float, encoded: float) -> None:
    assert colour.srgb_encode(np.float64(linear)) == pytest.approx(encoded, abs=2e-6)
    assert colour.srgb_decode(np.float64(encoded)) == pytest.approx(linear, abs=2e-6)


def test_srgb_curve_keeps_the_type() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    assert colour.srgb_encode(ramp).dtype == colour.srgb_decode(ramp).dtype == np.float32
    np.testing.assert_allclose(colour.srgb_decode(colour.srgb_encode(ramp)), ramp, atol=1e-6)
