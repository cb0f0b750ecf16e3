"""Dong: the inverted image is dehazed, and inverted back.

Dong et al., "Fast Efficient Algorithm for Enhancement of Low Lighting Video", ICME 2011, as the public MATLAB collection OpenCE has it,
with which NIID's table was probably made. It brightens; over-exposed images become brighter still.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchtool.core.spec import Departure, MethodSpec
from benchtool.methods.blocks.classical import Classical, within

SPEC = MethodSpec(
    title="Dong",
    citation="dong2011lowlight",
    needs_target=False,
    players=(),
    parameters=0,
    faithful="released",
    departures=(
        Departure("transmission", paper="not at hand", released="7 x 7 minima, not refined; another copy: per pixel", ours="7 x 7 minima"),
        Departure("video", paper="follows motion from frame to frame", released="single images", ours="single images"),
        Departure("white image", paper="not given", released="0 / 0", ours="stays white"),
    ),
)

PAD = 10  # pixels by which the released code continues the image, where haze light may be found too
WINDOW = 7  # pixels
HAZIEST = 0.002  # share of the pixels among which the haze light is looked for
LEAST = 1e-7  # transmission


class Dong(Classical):
    """Dehazes the inverted image.

    Args:
        strength: share of the haze that is taken away.
    """

    def __init__(self, strength: float = 0.8) -> None:
        super().__init__()
        within("dong", "strength", strength, 0, 1)
        self.strength = strength

    def enhance_image(self, image: np.ndarray) -> np.ndarray:
        inverted = np.pad(1 - image, ((PAD, PAD), (PAD, PAD), (0, 0)), mode="edge")
        minima = cv2.erode(inverted, np.ones((WINDOW, WINDOW)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        light = haze_light(inverted, minima.min(axis=-1))
        shares = np.where(light > 0, minima / np.where(light > 0, light, 1), np.inf).min(axis=-1)
        transmission = np.maximum(1 - self.strength * np.where(np.isinf(shares), 0, shares), LEAST)
        transmission = np.where(transmission < 0.5, 2 * transmission**2, transmission)  # dark regions: kept from over-stretching
        clear = (inverted - light) / transmission[..., None] + light
        return 1 - clear[PAD:-PAD, PAD:-PAD]


def haze_light(inverted: np.ndarray, dark_channel: np.ndarray) -> np.ndarray:
    """The colour [3] of the brightest of the haziest pixels; of equal ones the first, down the columns as MATLAB counts."""
    number = max(int(dark_channel.size * HAZIEST), 1)
    haziest = np.argsort(-dark_channel.T.ravel(), kind="stable")[:number]
    colours = inverted.transpose(1, 0, 2).reshape(-1, 3)[haziest]
    return colours[np.argmax(colours.sum(axis=1))]
