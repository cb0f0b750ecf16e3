"""What a camera does to a picture: noise that depends on the signal, in linear light, under a Bayer mosaic or not; then JPEG.

`cbdnet` follows Guo et al., "Toward convolutional blind denoising of real photographs" (CVPR 2019, Sec. 3.1), NIID's reference;
`unprocess` Brooks et al., "Unprocessing images for learned raw denoising" (CVPR 2019, Sec. 3). CBDNet draws its response from 201
measured curves, which cannot be passed on: here it is a power of 1.8 to 2.6 with an S-curve of random strength.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from benchtool.core.images import encode_image, quantise
from benchtool.rendering.colour import SRGB_TO_XYZ, srgb_decode, srgb_encode

SHOT, FIXED = 0.16, 0.06  # CBDNet's largest sigma_s and sigma_c
GAMMA = (1.8, 2.6)
S_CURVE = 0.5  # at most this much of a smoothstep
PATTERNS = ("RGGB", "GRBG", "GBRG", "BGGR")
XYZ_TO_CAMERA = np.array(  # Brooks et al.'s four cameras
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
_CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
_SQUARE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
# Malvar, He and Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color images" (ICASSP 2004), Fig. 2
_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]], np.float32) / 8
_SAME_ROW = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]], np.float32) / 8
_OPPOSITE = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]], np.float32) / 8


@dataclass(frozen=True)
class Degradation:
    """How inputs are spoilt.

    Attributes:
        noise: `gauss-poisson` is CBDNet's noise with the sRGB curve for a response and no mosaic.
        mosaic: how a mosaic is filled in; `none`: noise of its own in each channel.
        std_form: CBDNet's variance is sigma_s^2 L + sigma_c^2, or, as in its later code, (sigma_s L)^2 + sigma_c^2.
        jpeg: the range of the quality, 4:2:0; None: the inputs are PNG.
    """

    noise: Literal["cbdnet", "unprocess", "gauss-poisson", "off"] = "cbdnet"
    mosaic: Literal["bilinear", "malvar", "none"] = "bilinear"
    std_form: Literal["var-linear", "std-linear"] = "var-linear"
    jpeg: tuple[int, int] | None = (60, 100)


def degrade(image: np.ndarray, how: Degradation, chance: np.random.Generator) -> tuple[bytes, dict[str, Any]]:
    """A spoilt picture as a file's bytes (JPEG, or PNG without `how.jpeg`), and what was drawn for it.

    Args:
        image: H x W x 3 float32 in [0, 1], sRGB-encoded.
    """
    noisy, drawn = add_noise(image, how, chance)
    pixels = quantise(noisy)
    if how.jpeg is None:
        return encode_image(pixels, ".png"), drawn
    best = int(chance.integers(how.jpeg[0], how.jpeg[1], endpoint=True))
    return encode_image(pixels, ".jpg", quality=best, subsampling="4:2:0"), {**drawn, "quality": best}


def add_noise(image: np.ndarray, how: Degradation, chance: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """The noisy picture, sRGB-encoded and not clipped, and what was drawn."""
    if how.noise == "off":
        return image, {}
    if how.noise == "unprocess":
        return _unprocess(image, how, chance)
    shot, fixed = (float(chance.uniform(0, most)) for most in (SHOT, FIXED))
    drawn: dict[str, Any] = {"sigma_s": shot, "sigma_c": fixed}
    if how.noise == "gauss-poisson":
        linear = srgb_decode(image)
        noisy = linear + _normal(chance, linear.shape) * deviation(linear, shot, fixed, how.std_form)
        return srgb_encode(np.clip(noisy, 0, 1)), drawn
    response = Response(float(chance.uniform(*GAMMA)), float(chance.uniform(0, S_CURVE)))
    linear = response.decode(image)
    noisy, pattern = sensed(linear, lambda x: deviation(x, shot, fixed, how.std_form), how.mosaic, chance)
    return response.encode(np.clip(noisy, 0, 1)), {**drawn, "gamma": response.gamma, "s_curve": response.strength, **pattern}


def deviation(linear: np.ndarray, shot: float, fixed: float, form: str) -> np.ndarray:
    """Standard deviation of CBDNet's noise at this linear signal."""
    signal = linear if form == "var-linear" else linear * linear
    return np.sqrt(np.float32(shot**2) * signal + np.float32(fixed**2))


@dataclass(frozen=True)
class Response:
    """A camera's response: light ** (1 / gamma), mixed with a smoothstep of itself."""

    gamma: float
    strength: float

    def encode(self, linear: np.ndarray) -> np.ndarray:
        """Linear light in [0, 1] to encoded values in [0, 1]."""
        power = linear ** np.float32(1 / self.gamma)
        return power + np.float32(self.strength) * (power * power * (3 - 2 * power) - power)

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """The inverse, by a table."""
        powers = np.linspace(0, 1, 4097)
        values = powers + self.strength * (powers * powers * (3 - 2 * powers) - powers)
        return np.interp(encoded, values, powers**self.gamma).astype(np.float32)


def sensed(linear: np.ndarray, sigma: Any, mosaic: str, chance: np.random.Generator) -> tuple[np.ndarray, dict[str, str]]:
    """`linear` with noise of standard deviation `sigma(linear)`: H x W x 3, not clipped; and the Bayer pattern drawn.

    With a mosaic, one colour of each pixel is kept, noise added, and the picture filled in again.
    """
    if mosaic == "none":
        return linear + _normal(chance, linear.shape) * sigma(linear), {}
    pattern = PATTERNS[int(chance.integers(4))]
    masks = bayer_masks(linear.shape[:2], pattern)
    raw = np.einsum("ijk,ijk->ij", linear, masks)
    return demosaic(raw + _normal(chance, raw.shape) * sigma(raw), masks, mosaic), {"pattern": pattern}


def bayer_masks(shape: tuple[int, int], pattern: str) -> np.ndarray:
    """H x W x 3 float32: 1 where a pixel has the colour."""
    masks = np.zeros((*shape, 3), np.float32)
    for place, colour in enumerate(pattern):
        masks[place // 2 :: 2, place % 2 :: 2, "RGB".index(colour)] = 1
    return masks


def demosaic(raw: np.ndarray, masks: np.ndarray, how: str) -> np.ndarray:
    """H x W x 3 from the H x W mosaic, bilinear or by Malvar et al.; borders are mirrored, which keeps the pattern."""

    def spread(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_REFLECT_101)

    if how == "bilinear":
        return np.dstack([spread(raw * masks[:, :, c], _CROSS if c == 1 else _SQUARE) for c in range(3)])
    red, green, blue = (masks[:, :, c] for c in range(3))
    red_row, blue_row = (np.broadcast_to(mask.max(axis=1, keepdims=True), raw.shape) for mask in (red, blue))
    row, column, opposite = spread(raw, _SAME_ROW), spread(raw, _SAME_ROW.T.copy()), spread(raw, _OPPOSITE)
    return np.dstack(
        [
            red * raw + green * (red_row * row + blue_row * column) + blue * opposite,
            green * raw + (red + blue) * spread(raw, _GREEN),
            blue * raw + green * (blue_row * row + red_row * column) + red * opposite,
        ]
    )


def _unprocess(image: np.ndarray, how: Degradation, chance: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
    """To the camera's raw colours, noise of variance shot x + read, and back."""
    shares = chance.uniform(0, 1, 4)
    to_camera = np.tensordot(shares / shares.sum(), XYZ_TO_CAMERA, 1) @ SRGB_TO_XYZ
    to_camera = (to_camera / to_camera.sum(axis=1, keepdims=True)).astype(np.float32)  # white stays white
    gain = 1 / chance.normal(0.8, 0.1)
    gains = np.array([gain * chance.uniform(1.9, 2.4), gain, gain * chance.uniform(1.5, 1.9)], np.float32)
    log_shot = chance.uniform(np.log(1e-4), np.log(0.012))
    shot, read = np.exp(log_shot), np.exp(2.18 * log_shot + 1.20 + chance.normal(0, 0.26))
    camera = (_less_contrast(image) ** np.float32(2.2)) @ to_camera.T
    raw = np.clip(_highlights_kept(camera, gains), 0, 1)
    noisy, pattern = sensed(raw, lambda x: np.sqrt(np.float32(shot) * x + np.float32(read)), how.mosaic, chance)
    light = np.clip(np.clip(noisy, 0, 1) * gains, 0, 1) @ np.linalg.inv(to_camera).T
    display = np.clip(light, 0, 1) ** np.float32(1 / 2.2)
    return display * display * (3 - 2 * display), {"shot": float(shot), "read": float(read), "gains": gains.tolist(), **pattern}


def _less_contrast(image: np.ndarray) -> np.ndarray:
    """The inverse of the smoothstep 3 x^2 - 2 x^3, in closed form."""
    return np.float32(0.5) - np.sin(np.arcsin(np.clip(1 - 2 * image, -1, 1)) / 3)


def _highlights_kept(camera: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """camera / gains, but what is bright in all channels goes to 1 instead of 1 / gain, so that it saturates again (Sec. 3.4)."""
    mask = np.maximum((camera.mean(axis=2, keepdims=True) - np.float32(0.9)) / np.float32(0.1), 0) ** 2
    inverse = 1 / gains
    return camera * np.maximum(mask + (1 - mask) * inverse, inverse)


def _normal(chance: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return chance.standard_normal(shape, np.float32)
