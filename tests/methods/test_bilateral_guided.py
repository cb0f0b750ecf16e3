"""Bilateral guided upsampling: exact for affine maps, the stated least squares, better than enlarging, sound at the edges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from benchtool.methods.blocks import bilateral_guided as bgu

MATRIX = torch.tensor([[0.8, 0.1, 0.05], [0.0, 1.2, -0.1], [0.1, 0.1, 0.7]], dtype=torch.float64)
SHIFT = torch.tensor([0.1, -0.05, 0.2], dtype=torch.float64)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fit small enough to be checked by brute force, and for tests that ask nothing of its quality."""
    for name, value in {"GRID": (3, 4, 3), "FIT_SIDE": 24, "SPATIAL": 0.7, "INTENSITY": 0.01}.items():
        monkeypatch.setattr(bgu, name, value)
    bgu._smoothness.cache_clear()
    yield
    bgu._smoothness.cache_clear()


def photograph() -> Tensor:
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].double() / 255


def small(image: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image, size, mode="area")


def affine(image: Tensor) -> Tensor:
    return torch.einsum("oc,bchw->bohw", MATRIX, image) + SHIFT[None, :, None, None]


def psnr(one: Tensor, two: Tensor) -> float:
    return float(-10 * torch.log10((one - two).square().mean()))


@pytest.mark.parametrize("low", [(171, 93), (5, 9)])
def test_an_affine_colour_map_is_recovered(low: tuple[int, int]) -> None:
    image = photograph()[..., :301, :215]
    pair = small(image, low)
    torch.testing.assert_close(bgu.upsample(pair, affine(pair), image), affine(image), rtol=0, atol=1e-9)


def test_a_gamma_change_keeps_its_detail() -> None:
    """At full size: far nearer to the change made there than the small result enlarged."""
    image = photograph()
    pair = small(image, (256, 256))
    changed = image**0.5
    guided = bgu.upsample(pair, pair**0.5, image)
    bilinear = F.interpolate(pair**0.5, image.shape[2:], mode="bilinear")
    assert psnr(guided, changed) > 40 > 30 > psnr(bilinear, changed)


def test_a_change_in_space_is_followed() -> None:
    """A map that is another at the left than at the right: no single affine map does it."""
    image = photograph()
    light = torch.linspace(0.4, 1.0, 512, dtype=torch.float64)
    pair, made = small(image, (256, 256)), small(image * light, (256, 256))
    assert psnr(bgu.upsample(pair, made, image), image * light) > 45


def reference_grid(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least squares of the released code, row by row into a dense matrix: [rows, columns, luminances, 4, 3]."""
    side, grid = bgu.FIT_SIDE, bgu.GRID
    height, width, depth = grid
    bin_y, bin_x, bin_z = side / height, side / width, 1 / depth
    along_y, along_x = bgu.SPATIAL * bin_x * bin_z / bin_y, bgu.SPATIAL * bin_y * bin_z / bin_x
    along_z = bgu.INTENSITY * bin_x * bin_y / bin_z**2
    rows, right = [], []

    def row(entries: dict[tuple[int, int, int, int], float], value: np.ndarray) -> None:
        dense = np.zeros((*grid, 4))
        for at, entry in entries.items():
            dense[at] = entry
        rows.append(dense.ravel())
        right.append(value)

    for i, j in np.ndindex(side, side):
        red, green, blue = source[i, j]
        centre = ((i + 0.5) * (height - 1) / side, (j + 0.5) * (width - 1) / side, (red / 4 + green / 2 + blue / 4) * (depth - 1))
        weights = {at: np.prod([max(0.0, 1 - abs(c - n)) for c, n in zip(centre, at)]) for at in np.ndindex(grid)}
        row({(*at, k): w * value for at, w in weights.items() for k, value in enumerate((red, green, blue, 1))}, target[i, j])
    for y, x, z, k in np.ndindex(*grid, 4):
        if y:
            row({(y, x, z, k): along_y, (y - 1, x, z, k): -along_y}, np.zeros(3))
        if x:
            row({(y, x, z, k): along_x, (y, x - 1, z, k): -along_x}, np.zeros(3))
        near = [n for n in (z - 1, z + 1) if 0 <= n < depth]
        row({(y, x, n, k): along_z for n in near} | {(y, x, z, k): -along_z * len(near)}, np.zeros(3))
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0].reshape(*grid, 4, 3)


@pytest.mark.usefixtures("coarse")
def test_the_least_squares_are_those_of_the_released_code() -> None:
    source, target = np.random.default_rng(0).random((2, bgu.FIT_SIDE, bgu.FIT_SIDE, 3))
    found = bgu.fit(*(torch.from_numpy(a).permute(2, 0, 1) for a in (source, target)))
    np.testing.assert_allclose(found.numpy(), reference_grid(source, target).transpose(4, 3, 2, 0, 1), rtol=0, atol=1e-5)


def test_constants_are_those_of_the_released_code() -> None:
    assert (bgu.GRID, bgu.FIT_SIDE, bgu.SPATIAL, bgu.INTENSITY) == ((22, 22, 8), 200, 1.0, 4e-7)


def test_slicing_is_trilinear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixel by pixel from the definition, in strips of a few rows."""
    monkeypatch.setattr(bgu, "SLICE_PIXELS", 30)
    generator = torch.Generator().manual_seed(0)
    grid = torch.rand(3, 4, 8, 22, 22, generator=generator, dtype=torch.float64)
    image = torch.rand(3, 7, 11, generator=generator, dtype=torch.float64)
    output = bgu.slice_grid(grid, image)
    for i, j in np.ndindex(7, 11):
        r, g, b = image[:, i, j].tolist()
        centre = ((r / 4 + g / 2 + b / 4) * 7, (i + 0.5) * 21 / 7, (j + 0.5) * 21 / 11)
        near = ([max(0.0, 1 - abs(c - n)) for n in range(size)] for c, size in zip(centre, (8, 22, 22)))
        weights = [torch.tensor(w, dtype=torch.float64) for w in near]
        maps = torch.einsum("okzyx,z,y,x->ok", grid, *weights)
        torch.testing.assert_close(output[:, i, j], maps @ torch.tensor([r, g, b, 1.0], dtype=torch.float64))


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_flat_images(level: float) -> None:
    flat = torch.full((2, 3, 7, 5), level)
    output = bgu.upsample(flat, flat * 0.5 + 0.1, torch.full((2, 3, 31, 17), level))
    torch.testing.assert_close(output, torch.full((2, 3, 31, 17), level * 0.5 + 0.1), rtol=0, atol=1e-5)


def test_what_a_flat_pair_leaves_open_stays_as_it_is() -> None:
    """Nothing was changed: nothing is, whatever the full-size image shows besides."""
    flat, full = torch.full((1, 3, 6, 6), 0.4), torch.rand(1, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(bgu.upsample(flat, flat, full), full, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(("low", "full"), [((1, 1), (1, 1)), ((1, 3), (3, 8)), ((33, 47), (65, 93)), ((64, 64), (8, 1025))])
def test_any_size_each_of_a_batch_for_itself_the_same_bits(low: tuple[int, int], full: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    pair, image = torch.rand(2, 3, *low, generator=generator), torch.rand(2, 3, *full, generator=generator)
    output = bgu.upsample(pair, 1 - pair, image)
    assert output.shape == image.shape and output.dtype == image.dtype and torch.isfinite(output).all()
    assert torch.equal(output, bgu.upsample(pair, 1 - pair, image))
    assert torch.equal(output[1:], bgu.upsample(pair[1:], 1 - pair[1:], image[1:]))


def test_shapes_that_do_not_fit() -> None:
    image = torch.rand(1, 3, 4, 4)
    with pytest.raises(ValueError, match="shapes"):
        bgu.upsample(image, image[..., :3], image)
    with pytest.raises(ValueError, match="shapes"):
        bgu.upsample(image, image, image.expand(2, -1, -1, -1))
