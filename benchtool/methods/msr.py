"""MSR: multi-scale Retinex, and MSRCR with its colour restoration.

Jobson, Rahman and Woodell, "A Multiscale Retinex for Bridging the Gap Between Color Images and the Human Observation of Scenes",
IEEE TIP 1997; constants of the public MATLAB collection OpenCE, which NIID's table probably used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.images import quantise
from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, positive, within

SPEC = MethodSpec(
    title="MSR",
    citation="jobson1997msr",
    needs_target=False,
    players=(),
    parameters=0,
    faithful="released",
    departures=(
        Departure("scales", paper="15, 80, 250", released="25, 100, 240 (MSR), 15, 80, 250 (MSRCR)", ours="released; `scales`"),
        Departure("display", paper="gain and offset", released="MSR: a log image; MSRCR: stretched", ours="MSR: all channels to [0, 1]"),
        Departure("offsets of 1", paper="none", released="255 x + 1 at each of three nested calls", ours="once: 0.1 dB of difference"),
        Departure("flat image", paper="not given", released="0 / 0", ours="stays as it is"),
    ),
)

SCALES = {False: (25.0, 100.0, 240.0), True: (15.0, 80.0, 250.0)}  # by `restore`
RESTORATION = 125.0  # alpha of the colour restoration


class MSR(Classical):
    """The mean over three scales of the logarithm of each channel over its surroundings.

    Args:
        restore: MSRCR: times the logarithm of each channel's share of the pixel, each channel stretched for itself.
        scales: standard deviations of the surroundings in pixels; those of the variant where None.
        cut: share of the pixels cut off at each end of a channel's histogram, of MSRCR alone.
    """

    def __init__(self, restore: bool = False, scales: Sequence[float] | float | None = None, cut: float = 0.01) -> None:
        super().__init__()
        self.restore, self.cut = restore, cut
        self.scales = SCALES[bool(restore)] if scales is None else tuple(np.atleast_1d(scales).tolist())
        if not self.scales:
            raise UserError("msr: scales is empty; give at least one, such as 80")
        for scale in self.scales:
            positive("msr", "scales", scale)
        within("msr", "cut", cut, 0, 0.49)

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        intensity = 255 * image + 1
        retinex = np.mean([single_scale(intensity, scale) for scale in self.scales], axis=0)
        if not self.restore:
            return to_unit(retinex, image)
        retinex *= np.log(RESTORATION * intensity) - np.log(intensity.sum(axis=-1, keepdims=True))
        channels = [stretched(to_unit(retinex[..., c], image[..., c]), self.cut) for c in range(3)]
        return np.stack(channels, axis=-1)


def single_scale(intensity: np.ndarray, scale: float) -> np.ndarray:
    """ln I - ln(G * I + 1) + 1/2 for I [H, W, 3] in [1, 256]."""
    return np.log(intensity) - np.log(blurred(intensity, scale) + 1) + 0.5


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """[H, W, C] blurred by a Gaussian that ends at 2 sigma, borders continued.

    Two products with banded matrices, which at these widths is several times faster than filtering.
    """
    down, across = blur_matrix(image.shape[0], sigma), blur_matrix(image.shape[1], sigma)
    return np.stack([down @ image[..., c] @ across.T for c in range(image.shape[-1])], axis=-1)


def blur_matrix(size: int, sigma: float) -> np.ndarray:
    """[size, size]: row i holds the weights of the pixels in the blurred pixel i; what lies outside is the border's."""
    radius = int(np.ceil(2 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    cumulative = np.concatenate([[0], np.cumsum(kernel / kernel.sum())])

    def below(edge: np.ndarray) -> np.ndarray:  # weight of all offsets < edge
        return cumulative[np.clip(edge + radius, 0, len(offsets))]

    edges = np.arange(size + 1)[None] - np.arange(size)[:, None]
    limits = below(edges)
    limits[:, 0], limits[:, -1] = 0, 1
    return np.diff(limits, axis=1)


def to_unit(retinex: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Brought to [0, 1] from its least and greatest value; `image` itself where those are the same."""
    low, high = retinex.min(), retinex.max()
    if np.isclose(low, high, rtol=1e-12, atol=1e-12):
        return image
    return (retinex - low) / (high - low)


def stretched(channel: np.ndarray, cut: float) -> np.ndarray:
    """[H, W] in [0, 1] clipped and stretched between the levels (of 256) that a share `cut` of the pixels lies below or above."""
    share = np.cumsum(np.bincount(quantise(channel).ravel(), minlength=256)) / channel.size
    low, high = np.argmax(share > cut) / 255, np.argmax(share >= 1 - cut) / 255
    return channel if low == high else np.clip((channel - low) / (high - low), 0, 1)
