"""NIID's retouching module (Eq. 1): a picture under many illuminations, of itself and of its inverse, fused, then its detail amplified.

Fusion is Mertens et al., "Exposure fusion" (Pacific Graphics 2007), with its exponents as the coefficient theta3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchtool.core.errors import UserError
from benchtool.datasets.retouch.histograms import brightest
from benchtool.datasets.retouch.smoothing import smooth

EPS = 1e-3  # of Eq. 1
DARKEST = 1e-3  # an illumination is at least this
NOTHING = 1e-6  # contrast and saturation below are rounding, and count as none
EXPOSEDNESS = 0.2  # sigma around 0.5 (Mertens et al., Sec. 3.1)
Theta = tuple[float, float]  # lambda and sigma of a smoothing


@dataclass(frozen=True)
class Coefficients:
    """What a person, or a score, chooses for a cluster; the names are Eq. 1's.

    Attributes:
        theta1, theta2: (lambda, sigma) of each smoothing of the bright channel, and of the inverse's.
        gamma1, gamma2: powers of each of these illuminations; 1 removes it, 0 leaves the picture alone.
        theta3: exponents of contrast, saturation and exposedness in the fusion.
        theta4: (lambda, sigma) of the smoothing that detail is what remains of.
        alpha: how much of the detail is added.
    """

    theta1: tuple[Theta, ...] = ((0.01, 3.0),)
    theta2: tuple[Theta, ...] = ((0.01, 3.0),)
    theta3: tuple[float, float, float] = (1.0, 1.0, 1.0)
    theta4: Theta = (0.005, 2.0)
    gamma1: tuple[float, ...] = (0.4, 0.7)
    gamma2: tuple[float, ...] = (0.4, 0.7)
    alpha: float = 0.25

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: _lists(value) for name, value in asdict(self).items()}


def _lists(value: Any) -> Any:
    return [_lists(part) for part in value] if isinstance(value, tuple) else value


IDENTITY = Coefficients(theta1=(), theta2=(), gamma1=(), gamma2=(), alpha=0.0)  # the picture itself


def read_coefficients(values: dict[str, Any], where: str) -> Coefficients:
    """`Coefficients` from JSON.

    Raises:
        UserError: an unknown name, or a value out of its range; `where` says whose.
    """
    unknown = sorted(set(values) - {f.name for f in fields(Coefficients)})
    if unknown:
        raise UserError(f"{where}: no coefficient is called {unknown[0]}; they are {', '.join(f.name for f in fields(Coefficients))}")
    try:
        found = TypeAdapter(Coefficients).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    smoothings = (*found.theta1, *found.theta2, found.theta4)
    ranges = {
        "lambda (0 to 1)": [0 < theta[0] <= 1 for theta in smoothings],
        "sigma (0 to 20)": [0 < theta[1] <= 20 for theta in smoothings],
        "gamma (0 to 1)": [0 <= gamma <= 1 for gamma in (*found.gamma1, *found.gamma2)],
        "theta3 (0 to 10)": [0 <= power <= 10 for power in found.theta3],
        "alpha (0 to 5)": [0 <= found.alpha <= 5],
        "at most 8 smoothings and gammas in each vector": [len(v) <= 8 for v in (found.theta1, found.theta2, found.gamma1, found.gamma2)],
    }
    for name, kept in ranges.items():
        if not all(kept):
            raise UserError(f"{where}: out of range: {name}")
    return found


class Retoucher:
    """One picture, retouched with any number of coefficients; each smoothing of its illumination is solved once."""

    def __init__(self, image: np.ndarray, reduce: int = 4, scale: float = 1.0) -> None:
        """
        Args:
            image: H x W x 3 in [0, 1], sRGB-encoded.
            reduce, scale: as `smoothing.smooth`.
        """
        self.image = np.ascontiguousarray(image, np.float32)
        self._reduce, self._scale = reduce, scale
        self._found: dict[tuple[bool, Theta], np.ndarray] = {}

    def illumination(self, theta: Theta, inverse: bool = False) -> np.ndarray:
        """S(max I, theta), or S(max (1 - I), theta): H x W, in [DARKEST, 1]."""
        key = (inverse, tuple(theta))
        if key not in self._found:
            bright = brightest(1 - self.image if inverse else self.image)
            self._found[key] = np.clip(smooth(bright, *theta, reduce=self._reduce, scale=self._scale), DARKEST, 1)
        return self._found[key]

    def stack(self, coefficients: Coefficients) -> list[np.ndarray]:
        """What is fused: the picture, each of its relit versions, each of its inverse's; clipped to [0, 1]."""
        image, inverse = self.image, 1 - self.image
        stack = [image]
        for theta in coefficients.theta1:
            lit = self.illumination(theta)
            stack += [np.minimum(image / (lit**gamma + EPS)[:, :, None], 1) for gamma in map(np.float32, coefficients.gamma1)]
        for theta in coefficients.theta2:
            lit = self.illumination(theta, inverse=True)
            stack += [1 - np.minimum(inverse / (lit**gamma + EPS)[:, :, None], 1) for gamma in map(np.float32, coefficients.gamma2)]
        return stack

    def retouch(self, coefficients: Coefficients) -> np.ndarray:
        """R of Eq. 1: H x W x 3 float32 in [0, 1]."""
        return self.finish(fuse(self.stack(coefficients), coefficients.theta3), coefficients)

    def finish(self, fused: np.ndarray, coefficients: Coefficients) -> np.ndarray:
        """R of R1: `alpha` of its detail added."""
        if coefficients.alpha:
            detail = fused - smooth(fused, *coefficients.theta4, reduce=self._reduce, scale=self._scale)
            fused = fused + np.float32(coefficients.alpha) * detail
        return np.clip(fused, 0, 1)


def fuse(stack: Sequence[np.ndarray], exponents: Sequence[float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """Exposure fusion of H x W x 3 pictures in [0, 1]: a Laplacian pyramid blended by each picture's quality; not clipped.

    Args:
        exponents: of contrast, saturation and exposedness; 0 ignores a measure.
    """
    if len(stack) == 1:
        return stack[0]
    if (
        max(np.abs(stack[0][:, :, c] - stack[0][:, :, 0]).max() for c in (1, 2)) < NOTHING
    ):  # a grey photograph: its saturation, zero, would leave no other measure
        exponents = (exponents[0], 0.0, exponents[2])
    qualities = [quality(image, exponents) for image in stack]
    total = sum(qualities)
    levels = int(math.log2(min(stack[0].shape[:2])))
    blended: list[np.ndarray] = []
    for image, weight in zip(stack, qualities):
        weight = weight / total
        for level in range(levels + 1):
            smaller = cv2.pyrDown(image) if level < levels else None
            band = image if smaller is None else image - cv2.pyrUp(smaller, dstsize=image.shape[1::-1])
            if len(blended) <= level:
                blended.append(np.zeros_like(image))
            blended[level] += band * weight[:, :, None]
            if smaller is not None:
                image, weight = smaller, cv2.pyrDown(weight)
    result = blended.pop()
    while blended:
        band = blended.pop()
        result = band + cv2.pyrUp(result, dstsize=band.shape[1::-1])
    return result


def quality(image: np.ndarray, exponents: Sequence[float]) -> np.ndarray:
    """Mertens et al.'s weight of each pixel, before it is shared among the pictures: H x W float32, above 0."""
    contrast, saturation, exposed = map(np.float32, exponents)
    red, green, blue = cv2.split(image)
    weight = np.ones(image.shape[:2], np.float32)
    if contrast:
        weight *= _power(np.abs(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)), contrast)
    if saturation:  # the deviation of the three channels, by their differences
        weight *= _power(np.sqrt(((red - green) ** 2 + (green - blue) ** 2 + (blue - red) ** 2) / 9), saturation)
    if exposed:
        off = sum((plane - np.float32(0.5)) ** 2 for plane in (red, green, blue))
        weight *= np.exp(off * (-exposed / np.float32(2 * EXPOSEDNESS**2)))
    return weight + np.float32(1e-12)


def _power(measure: np.ndarray, exponent: np.float32) -> np.ndarray:
    measure[measure < NOTHING] = 0
    return measure if exponent == 1 else measure**exponent
