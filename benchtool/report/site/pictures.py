"""From a benchmark's images to what a browser shows: 8-bit copies, error maps, histograms. Everything here is plain pixels.

The mu-law is that of Kalantari and Ramamoorthi (SIGGRAPH 2017, Eq. 6); differences have perceptually uniform colours: inferno,
and for signed ones a ramp that is straight in Oklab (Ottosson, 2020).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np

from benchtool.core.images import quantise

MU = 5000.0
ERROR_LIMIT = 64  # of 255 levels: where the scale of error maps ends
LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709, on gamma-coded values
BINS = 64
CURVES = ("red", "green", "blue", "luma")
BLUE, PAPER, RED = (0.42, -0.035, -0.17), (0.97, 0.0, 0.0), (0.45, 0.16, 0.08)  # Oklab L, a, b of the signed ramp's ends and middle


def for_display(pixels: np.ndarray, linear: bool) -> tuple[np.ndarray, str]:
    """H x W x 3 uint8, and what was done to make it so ("" for nothing).

    Args:
        pixels: H x W x 3 uint8, uint16 or float32; floats in [0, 1], what lies outside is clipped.
        linear: whether they are linear light; floats always are.
    """
    if linear or pixels.dtype.kind == "f":
        light = pixels if pixels.dtype.kind == "f" else pixels / np.float32(np.iinfo(pixels.dtype).max)
        light = np.nan_to_num(np.clip(light, 0, 1).astype(np.float32))
        return quantise(np.log1p(MU * light) / np.log1p(np.float32(MU))), f"linear, tone mapped here by the mu-law (mu = {MU:.0f})"
    if pixels.dtype == np.uint16:
        return quantise(pixels / np.float32(65535)), "16 bit, shown here as 8-bit sRGB"
    return pixels, ""


def absolute_error(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[H, W] float32 in [0, 255]: mean over the channels of |output - target|, both H x W x 3 uint8 of one size."""
    return cv2.transform(cv2.absdiff(output, target).astype(np.float32), np.full((1, 3), 1 / 3, np.float32))


def luminance_error(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """[H, W] float32 in [-255, 255]: luma of output minus that of target; positive where the output is too bright."""
    return luma(output) - luma(target)


def luma(pixels: np.ndarray) -> np.ndarray:
    """[H, W] float32 in [0, 255]: Rec. 709 luma of H x W x 3 uint8."""
    return cv2.transform(pixels.astype(np.float32), np.float32([LUMA]))


def error_indices(error: np.ndarray, limit: float = ERROR_LIMIT) -> np.ndarray:
    """[H, W] uint8, places in the palette: 0 for no error, 255 for `limit` and more."""
    return quantise(error / np.float32(limit))


def signed_indices(error: np.ndarray, limit: float = ERROR_LIMIT) -> np.ndarray:
    """[H, W] uint8, places in the palette: 128 for no error, 1 for `-limit` and less, 255 for `limit` and more."""
    return (np.rint(np.clip(error / np.float32(limit), -1, 1) * 127) + 128).astype(np.uint8)


def error_palette() -> np.ndarray:
    """256 x 3 uint8 RGB, from black over red to pale yellow: inferno."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1]


def signed_palette() -> np.ndarray:
    """256 x 3 uint8 RGB, from blue (too dark) over near-white to red (too bright)."""
    places = np.clip((np.arange(256) - 128) / 127, -1, 1)[:, None]
    ends = np.where(places < 0, BLUE, RED)
    return quantise(_oklab_to_srgb(np.asarray(PAPER) + np.abs(places) * (ends - np.asarray(PAPER))))


def _oklab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """[n, 3] Oklab to gamma-coded sRGB in [0, 1], by the matrices of Ottosson's definition."""
    to_cones = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cones.T) ** 3 @ to_linear.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def palette_png(indices: np.ndarray, palette: np.ndarray) -> bytes:
    """An 8-bit palette PNG of H x W uint8 indices into 256 x 3 colours."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(indices)  # 8-bit grey, which a palette turns into a palette image
    picture.putpalette(palette.tobytes())
    stream = io.BytesIO()
    picture.save(stream, "png")
    return stream.getvalue()


def gradient(palette: np.ndarray, stops: int = 17) -> str:
    """The palette as a CSS gradient, for a legend."""
    chosen = palette[np.linspace(0, len(palette) - 1, stops).round().astype(int)]
    return f"linear-gradient(90deg, {', '.join('#%02x%02x%02x' % tuple(colour) for colour in chosen)})"


@dataclass(frozen=True)
class Histogram:
    """How often the levels occur.

    Attributes:
        counts: [4, 256] pixels a level, of red, green, blue and luma (rounded).
        black, white: share of the pixels with a channel at 0, and at 255.
    """

    counts: np.ndarray
    black: float
    white: float

    @property
    def shares(self) -> np.ndarray:
        """[4, BINS] share of the pixels in each of BINS equal ranges of levels."""
        return self.counts.reshape(4, BINS, -1).sum(axis=2) / max(1, int(self.counts[0].sum()))


def histogram(pixels: np.ndarray) -> Histogram:
    """Of H x W x 3 uint8."""
    red, green, blue = cv2.split(pixels)
    planes = (red, green, blue, np.rint(luma(pixels)).astype(np.uint8))
    counts = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes])
    darkest, brightest = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return Histogram(counts, float((darkest == 0).mean()), float((brightest == 255).mean()))


def common_top(histograms: list[Histogram]) -> float:
    """The share that histograms drawn side by side reach up to: what all but a few of their ranges stay below.

    Clipped shadows and highlights, which would flatten everything else, are cut off: their shares are said in words.
    """
    shares = np.concatenate([h.shares[:, 1:-1].ravel() for h in histograms])
    return float(max(np.quantile(shares, 0.99), 2 / BINS))


def curves(found: Histogram, top: float, width: int = 256, height: int = 96) -> dict[str, str]:
    """SVG paths of `red`, `green`, `blue` and `luma`, in a box of width x height whose upper edge is the share `top`."""
    across = (np.arange(BINS) + 0.5) * width / BINS
    up = height * (1 - np.clip(found.shares / top, 0, 1))
    outlines = [" ".join(f"L{x:.0f} {y:.1f}" for x, y in zip(across, line)) for line in up]
    return {name: f"M0 {height} {outline} L{width} {height} Z" for name, outline in zip(CURVES, outlines)}
