"""What the site makes of pixels: error maps, their colours, histograms, and 8-bit copies."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image as Pillow
from skimage.color import rgb2gray

from benchtool.report.site import pictures


def test_error_maps_equal_the_formula() -> None:
    random = np.random.default_rng(2)
    output, target = (random.integers(0, 256, (9, 7, 3)).astype(np.uint8) for _ in range(2))
    absolute = np.abs(output.astype(float) - target.astype(float)).mean(axis=2)
    assert np.abs(pictures.absolute_error(output, target) - absolute).max() < 1e-4
    assert np.abs(pictures.luma(output) / 255 - rgb2gray(output)).max() < 2e-3  # scikit-image's weights have other last digits
    signed = (output.astype(float) - target) @ [0.2126, 0.7152, 0.0722]
    assert np.abs(pictures.luminance_error(output, target) - signed).max() < 1e-3
    expected = np.floor(np.clip(absolute / 64, 0, 1) * 255 + 0.5)
    assert np.abs(pictures.error_indices(pictures.absolute_error(output, target)).astype(int) - expected).max() <= 1
    assert list(pictures.signed_indices(np.float32([-255, -64, -32, 0, 32, 64, 255]))) == [1, 1, 64, 128, 192, 255, 255]


def test_palettes_are_monotone_in_lightness() -> None:
    from skimage.color import rgb2lab

    lightness = rgb2lab(pictures.error_palette()[None] / 255.0)[0, :, 0]
    assert np.all(np.diff(lightness) > -0.2) and lightness[0] < 1 and lightness[-1] > 95
    signed = rgb2lab(pictures.signed_palette()[None] / 255.0)[0, 1:, 0]
    assert np.all(np.diff(signed[:128]) > -0.2) and np.all(np.diff(signed[127:]) < 0.2) and signed[127] > 95
    assert (
        pictures.signed_palette()[1, 2] > 2 * pictures.signed_palette()[1, 0]
        and pictures.signed_palette()[255, 0] > 2 * pictures.signed_palette()[255, 2]
    )


def test_error_maps_are_palette_files_that_hold_the_indices() -> None:
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = Pillow.open(io.BytesIO(pictures.palette_png(indices, pictures.error_palette())))
    assert picture.mode == "P" and np.array_equal(np.asarray(picture), indices)
    assert np.array_equal(np.asarray(picture.convert("RGB")).reshape(256, 3), pictures.error_palette())


def test_histogram_counts() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (20, 31, 3)).astype(np.uint8)
    pixels[0, :5], pixels[1, :3, 1] = 0, 255
    found = pictures.histogram(pixels)
    for channel in range(3):
        assert np.array_equal(found.counts[channel], np.histogram(pixels[:, :, channel], 256, (-0.5, 255.5))[0])
    luma = np.rint(pixels @ np.array([0.2126, 0.7152, 0.0722]))
    assert np.abs(found.counts[3] - np.histogram(luma, 256, (-0.5, 255.5))[0]).sum() <= 2  # a luma between two levels
    assert found.black == np.mean((pixels == 0).any(axis=2)) and found.white == np.mean((pixels == 255).any(axis=2))
    assert found.shares.shape == (4, pictures.BINS) and np.allclose(found.shares.sum(axis=1), 1)


def test_curves_reach_up_to_the_common_top() -> None:
    dark = pictures.histogram(np.full((4, 4, 3), 100, np.uint8))
    path = pictures.curves(dark, top=2.0)["red"]
    heights = [float(point.split()[1]) for point in path.removesuffix(" Z").split("L")[1:-1]]
    assert min(heights) == 48 and heights.index(48) == 100 // 4 and sorted(heights)[1] == 96


def test_sixteen_bits_and_linear_images_are_shown_as_said() -> None:
    deep = np.uint16([[[0, 257, 65535]]])
    shown, note = pictures.for_display(deep, linear=False)
    assert shown.tolist() == [[[0, 1, 255]]] and "16 bit" in note
    light = np.float32([[[0, 0.01, 1.5]]])
    shown, note = pictures.for_display(light, linear=True)
    expected = [0, round(255 * math.log(1 + 5000 * 0.01) / math.log(5001)), 255]
    assert shown.tolist() == [[expected]] and "mu-law" in note
    assert np.array_equal(pictures.for_display(np.uint16([[[655, 655, 655]]]), linear=True)[0], np.full((1, 1, 3), expected[1]))
    plain = np.uint8([[[1, 2, 3]]])
    shown, note = pictures.for_display(plain, linear=False)
    assert np.array_equal(shown, plain) and note == ""
