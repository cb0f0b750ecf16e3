"""How good a retouched picture is, without a reference and without learned weights: nine terms, compared among candidates.

None of them is NIID's, which had a person choose. Each is a known measure or a plain count; all see the picture at a reduced size.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from benchtool.datasets.retouch.histograms import LUMA, brightest

VERSION = 1  # raised when scores change
# Term -> whether more of it is better (1) or worse (-1).
TERMS = {
    "exposedness": 1,
    "contrast": 1,
    "colour": 1,
    "naturalness": 1,
    "structure": 1,
    "order": -1,
    "clipped": -1,
    "halo": -1,
    "noise": -1,
}
BLOCK = 32  # pixels of exposedness and contrast
FLAT = 16  # pixels of the blocks noise is looked for in
COLOURFUL = 60.0  # more is not better
EDGE, CHANGE = 0.3, 0.02  # of log luminance: a strong edge, and a gradient that counts
NEAR = 9  # pixels across which an edge has a halo
BRIGHTNESS, CONTRAST = (115.94, 27.99), (64.29, 4.4, 10.1)  # TMQI (Yeganeh and Wang, 2013), Eq. 9 and 10
MEF_WINDOW, MEF_C = 8, 0.03**2  # MEF-SSIM (Ma et al., 2015)


class Judge:
    """One picture, against which any number of retouched versions are measured."""

    def __init__(self, image: np.ndarray, stack: Sequence[np.ndarray]) -> None:
        """
        Args:
            image: H x W x 3 float32 in [0, 1].
            stack: pictures of the same scene whose structure should be kept, all of it.
        """
        self._image, self._luma = image, image @ LUMA
        self._lightness = _sampled(brightest(image))
        self._flat = _flattest(self._luma)
        self._fusion = _Fusion([picture @ LUMA for picture in stack])

    def measure(self, result: np.ndarray) -> list[float]:
        """The values of TERMS, in their order, of an H x W x 3 float32 picture in [0, 1]."""
        luma = result @ LUMA
        mean, spread = (_blocks(luma, BLOCK, of) for of in (np.mean, np.std))
        return [
            float(np.exp(-((mean - 0.5) ** 2) / (2 * 0.2**2)).mean()),
            float(np.tanh(spread / 0.12).mean()),
            min(colourfulness(result), COLOURFUL),
            naturalness(luma),
            self._fusion.similarity(luma),
            order_error(self._lightness, _sampled(brightest(result))),
            self._clipped(result),
            halo(self._luma, luma),
            max(self._noise_gain(luma) - 2, 0.0),
        ]

    def _clipped(self, result: np.ndarray) -> float:
        """Share of pixels with a channel below 2 or above 253 that was not there before."""
        now, before = ((picture * 255 < 2) | (picture * 255 > 253) for picture in (result, self._image))
        return float((now & ~before).any(axis=2).mean())

    def _noise_gain(self, luma: np.ndarray) -> float:
        """How much larger the finest detail is than before, as the median over the flattest blocks."""
        before, after = (_blocks(_fine(plane), FLAT, np.std).ravel()[self._flat] for plane in (self._luma, luma))
        return float(np.median((after + 0.5 / 255) / (before + 0.5 / 255)))  # half a grey level: what rounding hides


def standard_scores(terms: np.ndarray) -> np.ndarray:
    """One number a candidate: its terms in standard deviations from the mean candidate of the same picture, signed, averaged.

    Args:
        terms: pictures x candidates x terms.
    """
    off = terms - terms.mean(axis=1, keepdims=True)
    deviation = terms.std(axis=1, keepdims=True)
    z = np.divide(off, deviation, out=np.zeros_like(off), where=deviation > 1e-9)
    return (z * np.array(list(TERMS.values()))).mean(axis=(0, 2))


def colourfulness(image: np.ndarray) -> float:
    """Hasler and Suesstrunk, "Measuring colourfulness in natural images" (2003), on the scale of 0 to 255."""
    red, green, blue = (image[:, :, c] * 255 for c in range(3))
    a, b = red - green, (red + green) / 2 - blue
    return float(np.hypot(a.std(), b.std()) + 0.3 * np.hypot(a.mean(), b.mean()))


def naturalness(luma: np.ndarray) -> float:
    """TMQI's statistical naturalness (Yeganeh and Wang, 2013, Eq. 11), at most 1.

    Args:
        luma: H x W in [0, 1].
    """
    brightness = luma.mean() * 255
    contrast = _blocks(luma, 11, np.std).mean() * 255 / CONTRAST[0]
    a, b = CONTRAST[1] - 1, CONTRAST[2] - 1
    peak = a / (a + b)
    density = (contrast / peak) ** a * max((1 - contrast) / (1 - peak), 0) ** b
    return float(np.exp(-((brightness - BRIGHTNESS[0]) ** 2) / (2 * BRIGHTNESS[1] ** 2)) * density)


def order_error(before: np.ndarray, after: np.ndarray) -> float:
    """Share of pairs of pixels whose order in lightness changed (the lightness-order error of Wang et al., NPE, 2013)."""
    first, second = before.ravel(), after.ravel()
    return float(((first[:, None] >= first) != (second[:, None] >= second)).mean())


def halo(before: np.ndarray, after: np.ndarray) -> float:
    """Near strong edges, the share of gradients of log luminance that now point the other way."""
    flipped = total = 0
    for axis in (0, 1):
        first, second = (np.diff(np.log(plane + 0.02), axis=axis) for plane in (before, after))
        edge = (np.abs(first) > EDGE).astype(np.uint8)
        near = (cv2.dilate(edge, np.ones((NEAR, NEAR), np.uint8)) > edge) & (np.abs(first) > CHANGE)
        flipped += int((near & (np.abs(second) > CHANGE) & (first * second < 0)).sum())
        total += int(near.sum())
    return flipped / max(total, 1)


class _Fusion:
    """MEF-SSIM (Ma et al., "Perceptual quality assessment for multi-exposure image fusion", 2015) of luma, all windows at once.

    The wanted patch has the strongest contrast of the stack and a structure that is the weighted mean of all. It is a sum of the
    stack's patches, so that its covariance with a result is the same sum of theirs, and no patch is ever cut out.
    """

    def __init__(self, planes: Sequence[np.ndarray]) -> None:
        self._planes = planes = [plane.astype(np.float64) for plane in planes]
        self._means = [_window(plane) for plane in planes]
        covariance = np.array([[self._covariance(j, plane, mean) for j in range(len(planes))] for plane, mean in zip(planes, self._means)])
        variance = np.maximum(np.einsum("jjhw->jhw", covariance), 1e-10)
        length = np.sqrt(variance)
        consistency = np.sqrt(np.maximum(covariance.sum(axis=(0, 1)), 0)) / length.sum(axis=0)
        power = np.tan(np.pi / 2 * np.clip(consistency, 0, 0.97))  # 1 would be infinite; at 0.97 the strongest has it all
        strongest = length.max(axis=0)
        share = (length / strongest) ** power / length  # of unit structures, hence of the patches themselves
        size = np.sqrt(np.maximum(np.einsum("jhw,khw,jkhw->hw", share, share, covariance), 1e-4))  # structures that cancel are none
        self._shares = share * (strongest / size)
        self._variance = np.einsum("jhw,khw,jkhw->hw", self._shares, self._shares, covariance)

    def similarity(self, luma: np.ndarray) -> float:
        """Mean over windows, at most 1."""
        luma = luma.astype(np.float64)
        mean = _window(luma)
        variance = np.maximum(_window(luma * luma) - mean * mean, 0)
        covariance = sum(share * self._covariance(j, luma, mean) for j, share in enumerate(self._shares))
        return float(((2 * covariance + MEF_C) / (self._variance + variance + MEF_C)).mean())

    def _covariance(self, j: int, plane: np.ndarray, mean: np.ndarray) -> np.ndarray:
        return _window(self._planes[j] * plane) - self._means[j] * mean


def _window(plane: np.ndarray) -> np.ndarray:
    """Mean of each whole window."""
    edge = MEF_WINDOW // 2
    return cv2.boxFilter(plane, -1, (MEF_WINDOW, MEF_WINDOW))[edge : 1 - edge, edge : 1 - edge]


def _blocks(plane: np.ndarray, side: int, of) -> np.ndarray:
    """`of` every whole block of side x side pixels; of the picture where none fits."""
    rows, columns = (length // side for length in plane.shape)
    if not rows or not columns:
        return np.array([[of(plane)]])
    return of(plane[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2), axis=(2, 3))


def _flattest(luma: np.ndarray) -> np.ndarray:
    """Numbers of the fifth of the blocks with the smallest deviation, one at least."""
    spread = _blocks(luma, FLAT, np.std).ravel()
    return np.argsort(spread, kind="stable")[: max(1, len(spread) // 5)]


def _fine(plane: np.ndarray) -> np.ndarray:
    return plane - cv2.GaussianBlur(plane, (5, 5), 1)


def _sampled(plane: np.ndarray) -> np.ndarray:
    return cv2.resize(plane, (32, 32), interpolation=cv2.INTER_AREA)
