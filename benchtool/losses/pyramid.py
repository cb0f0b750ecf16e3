"""Gaussian and Laplacian pyramids of Burt and Adelson, with two low-pass filters: the textbook's and the one MSEC trains with.

Burt, Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE Trans. Communications 31(4), 1983; borders, centring and the
zeros around what is enlarged as in Mertens's exposure fusion code, which MSEC (Afifi et al., CVPR 2021) took its pyramid from.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.core.errors import UserError


class LowPass(NamedTuple):
    """Taps of five pixels, and how often they are applied along each axis."""

    taps: tuple[float, ...]
    passes: int


REACH = 2  # pixels on either side that the taps cover
FILTERS = {
    "src9": LowPass((0.05, 0.25, 0.4, 0.25, 0.05), 2),  # MSEC's training: in effect nine taps
    "binom5": LowPass((0.0625, 0.25, 0.375, 0.25, 0.0625), 1),  # the textbook's, and MSEC's demos'
}


def low_pass(name: str) -> LowPass:
    """The filter of that name; UserError where there is none."""
    if name not in FILTERS:
        raise UserError(f"pyramid filter '{name}' is not one of {', '.join(FILTERS)}")
    return FILTERS[name]


def reduce(image: Tensor, name: str) -> Tensor:
    """Filter, its border mirrored, and keep every other pixel, from the first: [B, C, H, W] -> [B, C, ceil(H/2), ceil(W/2)]."""
    for _ in range(low_pass(name).passes):
        image = _filter(_mirror(_mirror(image, 2), 3), name)
    return image[..., ::2, ::2]


def expand(image: Tensor, size: tuple[int, int], name: str) -> Tensor:
    """Put zeros between the pixels and filter: [B, C, h, w] -> [B, C, H, W] with (H, W) = `size`, each twice h or w, or one less.

    Outside the image repeated by a pixel there are zeros: with `src9` the outermost one or two rows and columns lose up to 5 %.
    """
    around = F.pad(image, (1, 1, 1, 1), mode="replicate")
    spread = around.new_zeros(*around.shape[:2], 2 * around.shape[2], 2 * around.shape[3])
    spread[..., ::2, ::2] = 4 * around
    for _ in range(low_pass(name).passes):
        spread = _filter(F.pad(spread, (REACH,) * 4), name)
    return spread[..., 2 : 2 + size[0], 2 : 2 + size[1]]


def gaussian_pyramid(image: Tensor, levels: int, name: str) -> list[Tensor]:
    """`levels` images [B, C, H, W], [B, C, ceil(H/2), ceil(W/2)] ... from the image itself down."""
    pyramid = [image]
    while len(pyramid) < levels:
        pyramid.append(reduce(pyramid[-1], name))
    return pyramid


def laplacian_pyramid(image: Tensor, levels: int, name: str) -> list[Tensor]:
    """Band-pass images, finest first, of the sizes of `gaussian_pyramid`; the last is what is left of low frequencies."""
    gaussian = gaussian_pyramid(image, levels, name)
    bands = [fine - expand(coarse, fine.shape[-2:], name) for fine, coarse in zip(gaussian, gaussian[1:])]
    return [*bands, gaussian[-1]]


def reconstruct(pyramid: list[Tensor], name: str) -> Tensor:
    """The image of a Laplacian pyramid that was made with the same filter."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = band + expand(image, band.shape[-2:], name)
    return image


def _filter(image: Tensor, name: str) -> Tensor:
    """The taps once along each axis, no border: [B, C, H + 4, W + 4] -> [B, C, H, W]."""
    taps = image.new_tensor(low_pass(name).taps)
    single = image.flatten(0, 1)[:, None]
    filtered = F.conv2d(F.conv2d(single, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return filtered[:, 0].unflatten(0, image.shape[:2])


def _mirror(image: Tensor, axis: int) -> Tensor:
    """`REACH` pixels more on both sides, mirrored at the edge of the outermost pixel, again and again where the image is smaller."""
    size = image.shape[axis]
    places = torch.arange(-REACH, size + REACH, device=image.device) % (2 * size)
    return image.index_select(axis, torch.minimum(places, 2 * size - 1 - places))
