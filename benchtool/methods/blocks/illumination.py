"""The illumination map of LIME, BIMEF and DUAL: the brightest channel, smoothed where its gradients are weak.

Links between neighbouring pixels carry weights; the smoothed map solves one sparse linear system, (1 + sum of links) T = T0. Guo, Li and
Ling, "LIME", IEEE TIP 2017 (weights, sped-up and exact solver); the variant of github.com/pvnieo/Low-light-Image-Enhancement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import correlate1d
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from benchtool.core.images import resize

EPS = 1e-3
PORT_RADIUS = 7  # pixels, of the port's Gaussian window


@dataclass(frozen=True)
class Links:
    """Weights between neighbours of a map [H, W], one per direction.

    Attributes:
        right, down: of the pixel's equation for its neighbour to the right [H, W - 1] and below [H - 1, W]; where the map is periodic
            [H, W] and [H, W], the last ones linking to the first pixels.
        left, up: of the neighbour's equation for the pixel; None where they are the same.
    """

    right: np.ndarray
    down: np.ndarray
    left: np.ndarray | None = None
    up: np.ndarray | None = None


def smooth(start: np.ndarray, links: Links) -> np.ndarray:
    """Solve (1 + sum of the links) T(p) - sum of link * T(neighbour) = start(p), directly.

    The system is diagonally dominant, so that it needs no pivoting, and an ordering for symmetric patterns fills it least; iterative
    solvers do not converge on weights from 1 to 1e6 in a useful time.

    Args:
        start: [H, W].

    Returns:
        T [H, W], between the least and greatest of `start`; of the same mean where the links are symmetric.
    """
    number = np.arange(start.size, dtype=np.int32).reshape(start.shape)
    ends = []
    for axis, there, back in ((1, links.right, links.left), (0, links.down, links.up)):
        near = number[tuple(slice(length) for length in there.shape)].ravel()
        far = np.roll(number, -1, axis)[tuple(slice(length) for length in there.shape)].ravel()
        ends += [(near, far, there.ravel()), (far, near, (there if back is None else back).ravel())]
    rows, columns, weights = (np.concatenate(parts) for parts in zip(*ends))
    diagonal = 1 + np.bincount(rows, weights, minlength=start.size)
    every = number.ravel()
    system = coo_array(
        (np.concatenate([diagonal, -weights]), (np.concatenate([every, rows]), np.concatenate([every, columns]))), (start.size, start.size)
    )
    factors = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})
    return factors.solve(start.ravel()).reshape(start.shape)


def lime_weights(gradient: np.ndarray, strategy: int, sigma: float) -> np.ndarray:
    """LIME's weights W of a signed gradient [H, W]: strategy 1 (1), 2 (over its magnitude) or 3 (over that of its Gaussian mean).

    In strategy 3 the signs of a texture cancel within the window, an edge's do not. The window is cut at 3 sigma and at the border.
    """
    if strategy == 1:
        return np.ones_like(gradient)
    if strategy == 2:
        return 1 / (np.abs(gradient) + EPS)
    window = gaussian(sigma, int(np.ceil(3 * sigma)))
    weight = windowed(np.ones_like(gradient), window)
    return weight / (np.abs(windowed(gradient, window)) + EPS)


def gaussian(sigma: float, radius: int) -> np.ndarray:
    """Samples of exp(-x^2 / (2 sigma^2)), x from -radius to radius, not normalised."""
    return np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))


def windowed(plane: np.ndarray, window: np.ndarray) -> np.ndarray:
    """[H, W] summed under a separable window, zeros outside."""
    return correlate1d(correlate1d(plane, window, axis=0, mode="constant"), window, axis=1, mode="constant")


def sped_up_links(start: np.ndarray, strength: float, strategy: int, sigma: float) -> Links:
    """LIME's sped-up system on a map [H, W]: links strength * W / (|gradient| + eps), forward differences, none across the border."""
    across, down = np.diff(start, axis=1), np.diff(start, axis=0)
    return Links(*(strength * lime_weights(d, strategy, sigma) / (np.abs(d) + EPS) if d.size else d for d in (across, down)))


def port_links(start: np.ndarray, strength: float, sigma: float) -> Links:
    """The Python port's system: central differences, a wider window whose sum is not normalised, each link weighed at the *other* pixel.

    The matrix is therefore not symmetric, and the mean of the map is not kept.
    """
    window = gaussian(sigma, PORT_RADIUS)
    weights = []
    for axis in (1, 0):
        gradient = correlate1d(start, [-1, 0, 1], axis=axis, mode="mirror")
        weight = windowed(np.ones_like(start), window) / (np.abs(windowed(gradient, window)) + EPS)
        weights.append(strength * weight / (np.abs(gradient) + EPS))
    across, down = weights
    return Links(across[:, 1:], down[1:], across[:, :-1], down[:-1])


def smooth_exactly(
    start: np.ndarray, strength: float, strategy: int, sigma: float, penalty: float = 0.3, growth: float = 1.1, steps: int = 50
) -> np.ndarray:
    """LIME's exact solver: min |T - start|^2 + strength * |W * grad T|_1 by alternating directions, borders periodic.

    Args:
        penalty, growth: of the constraint G = grad T and its factor per step; the public code tunes them for each image, these are ours.

    Returns:
        T [H, W].
    """
    gradients = periodic_gradients(start)
    limits = [strength * lime_weights(g, strategy, sigma) for g in gradients]
    split, multipliers = np.zeros_like(gradients), np.zeros_like(gradients)
    spectrum = laplacian_spectrum(start.shape)
    for _ in range(steps):
        right_side = 2 * start + divergence(penalty * split - multipliers)
        smoothed = fft.irfft2(fft.rfft2(right_side) / (2 + penalty * spectrum), s=start.shape)
        gradients = periodic_gradients(smoothed)
        moved = gradients + multipliers / penalty
        split = np.sign(moved) * np.maximum(np.abs(moved) - np.array(limits) / penalty, 0)
        multipliers = multipliers + penalty * (gradients - split)
        penalty *= growth
    return smoothed


def periodic_gradients(plane: np.ndarray) -> np.ndarray:
    """Forward differences of [H, W] across and down, [2, H, W], wrapping around."""
    return np.stack([np.roll(plane, -1, axis) - plane for axis in (1, 0)])


def divergence(field: np.ndarray) -> np.ndarray:
    """The adjoint of `periodic_gradients`: [2, H, W] -> [H, W]."""
    return sum(np.roll(part, 1, axis) - part for part, axis in zip(field, (1, 0)))


def laplacian_spectrum(shape: tuple[int, int]) -> np.ndarray:
    """|F dx|^2 + |F dy|^2 of the periodic differences, laid out as `rfft2` does."""
    down, across = 2 - 2 * np.cos(2 * np.pi * np.fft.fftfreq(shape[0])), 2 - 2 * np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))
    return down[:, None] + across[None]


def halvings(shape: tuple[int, int], limit: int) -> int:
    """How often a map [H, W] is halved until it has at most `limit` pixels."""
    pixels, times = shape[0] * shape[1], 0
    while pixels / 4**times > limit:
        times += 1
    return times


def shrunk(plane: np.ndarray, times: int) -> np.ndarray:
    """[H, W] halved `times` times at once, bicubically with antialiasing."""
    height, width = (-(-length // 2**times) for length in plane.shape)
    return resize(plane.astype(np.float32)[..., None], width, height)[..., 0].astype(np.float64)


def enlarged(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[h, w] -> [H, W], bicubically; overshoots are cut to the range of `plane`."""
    if plane.shape == shape:
        return plane
    large = resize(plane.astype(np.float32)[..., None], shape[1], shape[0])[..., 0].astype(np.float64)
    return np.clip(large, plane.min(), plane.max())
