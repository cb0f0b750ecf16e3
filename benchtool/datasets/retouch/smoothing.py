"""Smoothing that keeps structure and removes texture: relative total variation (Xu et al., SIGGRAPH Asia 2012), NIID's S in Eq. 1.

It is solved on a reduced picture and brought back to full size by a guided filter (He et al., "Guided image filtering"; He and Sun,
"Fast guided filter"), or at full size.
"""

from __future__ import annotations

import cv2
import numpy as np

EPS_LOCAL = 1e-3  # of the windowed variation: Xu et al., Eq. 6
EPS_GRADIENT = 0.02  # of the gradient itself, which keeps the result from being blocky: their sharpness
ITERATIONS = 4
SMALLEST_SIGMA = 0.5  # sigma is halved each iteration, down to this
TOLERANCE = 1e-3  # of the residual: below a tenth of a grey level
MAX_STEPS = 400
SMALLEST_SIDE = 16  # pixels; a picture is not reduced below
GUIDE_RADIUS = 1  # pixels of the reduced picture
GUIDE_EPS = 1e-3  # variance in the guide below which the result is flat


def smooth(planes: np.ndarray, strength: float, sigma: float, *, reduce: int = 4, scale: float = 1.0) -> np.ndarray:
    """`planes` without texture, float32 and of the same shape.

    Args:
        planes: H x W or H x W x C in [0, 1]; channels share their weights.
        strength, sigma: lambda, and the size of texture in pixels of the original.
        reduce: solve at 1/reduce of the size; 1 solves at full size.
        scale: pixels of the original a pixel of `planes`, where it was reduced before.
    """
    planes = np.ascontiguousarray(planes, np.float32)
    height, width = planes.shape[:2]
    reduce = max(1, min(reduce, min(height, width) // SMALLEST_SIDE))
    if reduce == 1:
        return relative_total_variation(planes, strength, sigma, scale)
    size = (-(-width // reduce), -(-height // reduce))
    low = cv2.resize(planes, size, interpolation=cv2.INTER_AREA)
    return guided_upsample(planes, low, relative_total_variation(low, strength, sigma, scale * reduce))


def relative_total_variation(planes: np.ndarray, strength: float, sigma: float, scale: float = 1.0) -> np.ndarray:
    """The minimiser of Xu et al., Eq. 7, by their iteration: weights from the result so far, then one linear system a time.

    Where the picture is reduced, a step between neighbours is `scale` times as long: sigma shrinks and both epsilons grow by it,
    lambda stays, so that the energy of a smooth picture is the same at every size.
    """
    stacked = np.ascontiguousarray(np.atleast_3d(planes).transpose(2, 0, 1), np.float32)
    result = stacked
    for iteration in range(ITERATIONS):
        spread = max(sigma / 2**iteration, SMALLEST_SIGMA) / scale
        result = solve(stacked, *weights(result, strength, spread, scale), start=result)
    return result.transpose(1, 2, 0).reshape(planes.shape)


def weights(planes: np.ndarray, strength: float, sigma: float, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """What a difference to the right and one downwards cost: H x (W-1) and (H-1) x W, lambda times u w of Xu et al., Eq. 9 to 12.

    Args:
        planes: C x H x W; gradients are averaged over channels.
        sigma: of the window, in pixels of `planes`.
    """
    found = []
    for axis in (2, 1):
        change = np.abs(np.diff(planes, axis=axis)).mean(axis=0)
        blurred = np.stack([_gaussian(plane, sigma) for plane in np.diff(planes, axis=axis)])
        local = 1 / (np.abs(blurred).mean(axis=0) + np.float32(EPS_LOCAL * scale))
        found.append(np.float32(strength) * _gaussian(local, sigma) / (change + np.float32(EPS_GRADIENT * scale)))
    return found[0], found[1]


def _gaussian(plane: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * round(2.5 * sigma) + 1
    return cv2.GaussianBlur(np.ascontiguousarray(plane), (side, side), sigma, borderType=cv2.BORDER_REFLECT) if side > 1 else plane


def solve(right: np.ndarray, across: np.ndarray, down: np.ndarray, start: np.ndarray) -> np.ndarray:
    """x of (1 + L) x = right, where L is the Laplacian of the grid with these weights; conjugate gradients, channels side by side.

    Args:
        right, start: C x H x W float32.
        across, down: H x (W-1) and (H-1) x W, not negative.
    """
    diagonal = np.ones(right.shape[1:], np.float32)
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    x = start.copy()
    residual = right - _times(x, across, down)
    enough = TOLERANCE**2 * residual.size
    direction = preconditioned = residual / diagonal
    power = np.vdot(residual, preconditioned)
    for _ in range(MAX_STEPS):
        if np.vdot(residual, residual) <= enough:
            break
        image = _times(direction, across, down)
        step = power / np.vdot(direction, image)
        x += step * direction
        residual -= step * image
        preconditioned = residual / diagonal
        power, before = np.vdot(residual, preconditioned), power
        direction = preconditioned + (power / before) * direction
    return x


def _times(x: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(1 + L) x."""
    result = x.copy()
    flow = (x[:, :, 1:] - x[:, :, :-1]) * across
    result[:, :, :-1] -= flow
    result[:, :, 1:] += flow
    flow = (x[:, 1:] - x[:, :-1]) * down
    result[:, :-1] -= flow
    result[:, 1:] += flow
    return result


def guided_upsample(guide: np.ndarray, low_guide: np.ndarray, low: np.ndarray) -> np.ndarray:
    """`low` at the size of `guide`: locally a linear function of the guide, fitted where both are small; channel by channel.

    Args:
        guide: H x W or H x W x C, float32; low_guide, low: the same reduced, and its result there.
    """

    def mean(plane: np.ndarray) -> np.ndarray:
        side = 2 * GUIDE_RADIUS + 1
        return cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_REFLECT)

    guide_mean, low_mean = mean(low_guide), mean(low)
    covariance = mean(low_guide * low) - guide_mean * low_mean
    slope = covariance / (mean(low_guide * low_guide) - guide_mean * guide_mean + np.float32(GUIDE_EPS))
    size = guide.shape[1::-1]
    slope, offset = (cv2.resize(mean(plane), size, interpolation=cv2.INTER_LINEAR) for plane in (slope, low_mean - slope * guide_mean))
    return slope * guide + offset
