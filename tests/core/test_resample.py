"""The resampler against Pillow, against a sum written out in float64, and against itself in other strips."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from benchtool.core.images import resize
from benchtool.core.resample import Resampler, keys

SIZES = [((101, 67), (31, 21)), ((64, 48), (20, 15)), ((40, 30), (40, 9)), ((33, 21), (50, 60)), ((9, 9), (1, 1)), ((3, 2), (7, 5))]


def noise(size: tuple[int, int], channels: int = 3, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, (size[1], size[0], channels), dtype=np.uint8)


def pillow(image: np.ndarray, target: tuple[int, int]) -> np.ndarray:
    """Pillow's bicubic with antialiasing, a channel at a time; float32 stays float32."""
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, c])) for c in range(image.shape[2])]
    return np.stack([np.asarray(plane.resize(target, Image.Resampling.BICUBIC)) for plane in planes], axis=2)


@pytest.mark.parametrize(("size", "target"), SIZES)
def test_whole_levels_agree_with_pillow_within_one(size: tuple[int, int], target: tuple[int, int]) -> None:
    image = noise(size, low=40, high=216)  # nothing to clip between the two directions, whose order is not Pillow's
    ours = resize(image, *target).astype(int)
    assert np.abs(ours - pillow(image, target)).max() <= 1


@pytest.mark.parametrize(("size", "target"), SIZES)
def test_floats_agree_with_pillow(size: tuple[int, int], target: tuple[int, int]) -> None:
    image = noise(size, channels=2).astype(np.float32) / 255
    np.testing.assert_allclose(resize(image, *target), pillow(image, target), atol=2e-6)


def test_floats_agree_with_the_sum_written_out() -> None:
    image = noise((23, 1), channels=1).astype(np.float32)
    scale = 23 / 7
    expected = []
    for i in range(7):
        weights = [keys(np.float64((x + 0.5 - (i + 0.5) * scale) / scale)) for x in range(23)]
        expected.append(sum(w * v for w, v in zip(weights, image[0, :, 0])) / sum(weights))
    np.testing.assert_allclose(resize(image, 7, 1).ravel(), expected, rtol=1e-5)


def test_the_kernel_is_keys_with_a_minus_half() -> None:
    assert [float(keys(np.float64(x))) for x in (0, 0.5, 1, 1.5, 2, 3)] == [1, 0.5625, 0, -0.0625, 0, 0]


@pytest.mark.parametrize("rows", [1, 5, 64, 1000])
def test_strips_do_not_matter(rows: int) -> None:
    image = noise((120, 90))
    resampler = Resampler((120, 90), (36, 27))
    for top in range(0, 90, rows):
        resampler.push(image[top : top + rows])
    np.testing.assert_array_equal(resampler.image(), resize(image, 36, 27))


def test_whole_levels_are_summed_exactly() -> None:
    """The sums of the rows' weights, done again with whole numbers only, give the same bytes."""
    from benchtool.core import resample

    image = noise((1, 500), channels=1)
    (result,) = resize(image, 1, 150).T
    for block in resample._blocks(500, 150, 4, True):
        units = np.rint(block.weights * 2.0**15).astype(np.int64)
        assert (units == block.weights * 2.0**15).all() and (units.sum(axis=1) == 2**15).all()
        exact = units @ image[block.low : block.high, 0, 0].astype(np.int64)
        for k, value in enumerate(exact):
            whole, rest = divmod(int(value), 2**15)
            nearest = whole + (rest > 2**14 or (rest == 2**14 and whole % 2 == 1))
            assert result[0, block.first + k] == min(255, max(0, nearest))


def test_flat_areas_stay() -> None:
    for level in (0, 1, 127, 254, 255):
        assert (resize(np.full((50, 70, 3), level, np.uint8), 21, 15) == level).all()


def test_same_size_in_one_go_or_strips() -> None:
    image = noise((20, 10))
    resampler = Resampler((20, 10), (20, 10))
    resampler.push(image[:7].astype(np.float32))
    with pytest.raises(ValueError, match="7 rows of 10"):
        resampler.image()
    resampler.push(image[7:])
    np.testing.assert_array_equal(resampler.image(), image)


def test_one_pixel_of_light_keeps_its_sum() -> None:
    image = np.zeros((30, 30, 1), np.float32)
    image[14, 17] = 9
    assert math.isclose(float(resize(image, 10, 10).sum()), 1.0, rel_tol=0.02)
