"""Bilateral guided upsampling: what a small pair of images says about colours, applied to the image at full size.

Chen, Adams, Wadhwa, Hasinoff, "Bilateral Guided Upsampling", ACM Trans. Graph. 35(6), 2016, Sec. 3 (the global fit). A grid over
rows, columns and luminance holds affine colour maps, fitted by least squares; constants and borders as in the code MSEC releases.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from scipy import linalg, sparse
from torch import Tensor
from torch.nn import functional as F

GRID = (22, 22, 8)  # rows, columns, luminances
FIT_SIDE = 200  # pixels; the small pair is brought to FIT_SIDE x FIT_SIDE
LUMINANCE = (0.25, 0.5, 0.25)
SPATIAL = 1.0  # lambda of the first differences along rows and columns
INTENSITY = 4e-7  # lambda of the second differences along luminance
RIDGE = 1e-10  # on departures from one map for the whole image: settles what a grey or flat pair leaves open
INPUTS = 4  # of an affine map: red, green, blue and 1
SLICE_PIXELS = 1 << 18  # sliced together, which bounds the memory


def upsample(low_input: Tensor, low_output: Tensor, full_input: Tensor) -> Tensor:
    """Do to a full-size image what was done to a small one.

    The fit is made in double precision on the CPU, the slicing in `full_input`'s type on its device. The same bits every time.

    Args:
        low_input: [B, 3, h, w] in [0, 1], `full_input` made small; any size.
        low_output: [B, 3, h, w], what it became; any range.
        full_input: [B, 3, H, W] in [0, 1].

    Returns:
        [B, 3, H, W], not clamped.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if low_input.shape != low_output.shape or low_input.shape[:2] != full_input.shape[:2] or full_input.shape[1] != 3:
        shapes = " ".join(str(tuple(t.shape)) for t in (low_input, low_output, full_input))
        raise ValueError(f"shapes {shapes}: must be [B, 3, h, w] twice and [B, 3, H, W]")
    pairs = zip(low_input, low_output, full_input)
    return torch.stack([slice_grid(fit(small, made), full) for small, made, full in pairs])


@torch.no_grad()
def fit(low_input: Tensor, low_output: Tensor) -> Tensor:
    """The grid of affine maps [3, 4, 8, 22, 22] (output, input, luminance, row, column), float64 on the CPU, of a pair [3, h, w].

    One affine map for the whole image, the nearest to the identity where several fit, comes first and the grid holds departures
    from it: the smoothness terms do not see such a map, so the minimum is the same, and a change by one map gives that map exactly.
    """
    source, target = (_small(image) for image in (low_input, low_output))
    colours = np.column_stack([source, np.ones(len(source))])
    whole = np.eye(INPUTS, 3) + np.linalg.lstsq(colours, target - source, rcond=1e-9)[0]
    weights, cells = _corners(source @ np.array(LUMINANCE))
    rows = np.repeat(np.arange(len(source)), 8 * INPUTS)
    columns = cells[:, :, None] * INPUTS + np.arange(INPUTS)
    values = weights[:, :, None] * colours[:, None, :]
    unknowns = int(np.prod(GRID)) * INPUTS
    data = sparse.csr_matrix((values.ravel(), (rows, columns.ravel())), (len(source), unknowns))
    departures = _solve((data.T @ data + _smoothness()).tocoo(), data.T @ (target - colours @ whole))
    grid = departures.reshape(*GRID, INPUTS, 3) + whole
    return torch.from_numpy(np.ascontiguousarray(grid.transpose(4, 3, 2, 0, 1)))


def _small(image: Tensor) -> np.ndarray:
    """[3, h, w] -> the colours [FIT_SIDE^2, 3] of the image at FIT_SIDE x FIT_SIDE, bicubic with antialiasing."""
    whole = image.detach().to("cpu", torch.float64)[None]
    small = F.interpolate(whole, (FIT_SIDE, FIT_SIDE), mode="bicubic", antialias=True)[0]
    return small.flatten(1).T.numpy()


def _corners(luminance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel the trilinear weights [N, 8] of the cells [N, 8] around it; luminances outside [0, 1] are taken to its ends."""
    y, x = np.divmod(np.arange(FIT_SIDE**2), FIT_SIDE)
    places = ((y + 0.5) * (GRID[0] - 1) / FIT_SIDE, (x + 0.5) * (GRID[1] - 1) / FIT_SIDE, np.clip(luminance, 0, 1) * (GRID[2] - 1))
    weights, cells = np.ones((FIT_SIDE**2, 1)), np.zeros((FIT_SIDE**2, 1), np.int64)
    for place, size in zip(places, GRID):
        low = np.minimum(place.astype(np.int64), size - 2)[:, None]
        part = place[:, None] - low
        weights = np.concatenate([weights * (1 - part), weights * part], axis=1)
        cells = np.concatenate([cells * size + low, cells * size + low + 1], axis=1)
    return weights, cells


@functools.lru_cache(1)
def _smoothness() -> sparse.csr_matrix:
    """The quadratic form of the smoothness terms and the ridge, over the unknowns of one output channel.

    Differences are weighted by the sizes of a bin (pixels, pixels, luminance) as in the released code, before they are squared; at
    the two ends of the luminance the second difference becomes a first one.
    """
    rows, columns, depth = GRID
    bin_y, bin_x, bin_z = FIT_SIDE / rows, FIT_SIDE / columns, 1 / depth
    second = sparse.diags([1.0, -2.0, 1.0], [-1, 0, 1], (depth, depth)).tolil()
    second[0, 0] = second[-1, -1] = -1.0
    eye = sparse.identity
    terms = (
        (SPATIAL * bin_x * bin_z / bin_y, [_difference(rows), eye(columns), eye(depth)]),
        (SPATIAL * bin_y * bin_z / bin_x, [eye(rows), _difference(columns), eye(depth)]),
        (INTENSITY * bin_x * bin_y / bin_z**2, [eye(rows), eye(columns), second]),
    )
    total = RIDGE * eye(rows * columns * depth * INPUTS)
    for weight, factors in terms:
        term = weight * functools.reduce(sparse.kron, [*factors, eye(INPUTS)])
        total = total + term.T @ term
    return total.tocsr()


def _difference(size: int) -> sparse.dia_matrix:
    """First differences [size - 1, size]."""
    return sparse.diags([-1.0, 1.0], [0, 1], (size - 1, size))


def _solve(matrix: sparse.coo_matrix, right: np.ndarray) -> np.ndarray:
    """Solve a sparse positive definite system [N, N] by a Cholesky factorisation of its band; right sides [N, 3]."""
    upper = matrix.col >= matrix.row
    row, column, value = matrix.row[upper], matrix.col[upper], matrix.data[upper]
    width = int((column - row).max())
    band = np.zeros((width + 1, matrix.shape[0]))
    band[width + row - column, column] = value
    return linalg.solveh_banded(band, right, overwrite_ab=True, check_finite=False)


def slice_grid(grid: Tensor, image: Tensor) -> Tensor:
    """Apply to each pixel of an image [3, H, W] in [0, 1] the affine map that `grid` (of `fit`) has at its place and luminance."""
    maps = grid.to(image).flatten(0, 1)[None]
    height, width = image.shape[1:]
    luminance = torch.tensordot(image.new_tensor(LUMINANCE), image, dims=1)
    across = (2 * torch.arange(width, device=image.device, dtype=image.dtype) + 1) / width - 1  # -1 and 1: the outermost cells' centres
    down = (2 * torch.arange(height, device=image.device, dtype=image.dtype) + 1) / height - 1
    output = torch.empty_like(image)
    strip = max(1, SLICE_PIXELS // width)
    for top in range(0, height, strip):
        part = slice(top, min(top + strip, height))
        z = 2 * luminance[part] - 1
        places = torch.stack([across.expand_as(z), down[part, None].expand_as(z), z], dim=-1)
        found = F.grid_sample(maps, places[None, None], mode="bilinear", padding_mode="border", align_corners=True)
        affine = found[0, :, 0].unflatten(0, (3, INPUTS))
        output[:, part] = (affine[:, :3] * image[None, :, part]).sum(1) + affine[:, 3]
    return output
