"""Colour spaces of the renderer, derived in float64 from primaries and white points: sRGB (IEC 61966-2-1) and ProPhoto (ISO 22028-2).

Matrices act on column vectors of linear light: `image @ MATRIX.T`.
"""

from __future__ import annotations

import numpy as np

D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])  # XYZ of sRGB's white
D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the ICC profile connection space (ICC.1:2022, 7.2.16)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_PROPHOTO_PRIMARIES = ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105))


def rgb_to_xyz(primaries: tuple[tuple[float, float], ...], white: np.ndarray) -> np.ndarray:
    """The 3 x 3 matrix of linear RGB to XYZ from the primaries' (x, y) and the XYZ of white (SMPTE RP 177)."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    return columns * np.linalg.solve(columns, white)


def adaptation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The 3 x 3 Bradford matrix that takes XYZ seen under the white `source` to the white `target` (ICC.1:2022, annex E)."""
    gains = (_BRADFORD @ target) / (_BRADFORD @ source)
    return np.linalg.inv(_BRADFORD) @ (gains[:, None] * _BRADFORD)


SRGB_TO_XYZ = rgb_to_xyz(_SRGB_PRIMARIES, D65)
PROPHOTO_TO_XYZ = rgb_to_xyz(_PROPHOTO_PRIMARIES, D50)
XYZ_D50_TO_SRGB = np.linalg.inv(SRGB_TO_XYZ) @ adaptation(D50, D65)
PROPHOTO_TO_SRGB = XYZ_D50_TO_SRGB @ PROPHOTO_TO_XYZ
SRGB_TO_PROPHOTO = np.linalg.inv(PROPHOTO_TO_SRGB)


def srgb_encode(linear: np.ndarray) -> np.ndarray:
    """Linear light in [0, 1] to sRGB-encoded values in [0, 1], in the array's own float type."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: np.ndarray) -> np.ndarray:
    """sRGB-encoded values in [0, 1] to linear light in [0, 1], in the array's own float type."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4)
