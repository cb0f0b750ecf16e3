"""Pictures too large for the memory, a tile at a time: `SPEC.tiling`, `tile_margin` and `tile_step` (docs/adding-a-method.md).

Tiles overlap. An exact method's result is cut together where each tile is deepest, another's is blended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchtool.core.errors import UserError
from benchtool.core.images import quantise
from benchtool.core.spec import MethodSpec
from benchtool.evaluation.predict import predict
from benchtool.methods.base import Method

LEAST = 64  # pixels of a tile's side, whatever the method
BLENDED = 4  # tiles that are blended overlap by at least one part in so many


@dataclass(frozen=True)
class Tiling:
    """How a picture is divided; lengths in pixels of the input.

    Attributes:
        side: of a tile, overlap included, at most; a multiple of `step`.
        overlap: of neighbouring tiles, at least; a multiple of `step`.
        step: tiles begin at multiples of it.
        blend: whether tiles fade into each other; otherwise each pixel is that of the tile whose border is farthest.
        scale: output pixels an input pixel, along each side.
    """

    side: int
    overlap: int
    step: int = 1
    blend: bool = False
    scale: int = 1


@dataclass(frozen=True)
class Span:
    """A tile along one axis: input pixels `start` to `stop`, and the weight [stop - start] of each in the result."""

    start: int
    stop: int
    weight: np.ndarray


def exact_tiling(spec: MethodSpec, side: int) -> Tiling:
    """The tiling of `side` pixels at most whose result is the whole image's; it has no room where `side` is less than its overlap."""
    step = spec.tile_step
    return Tiling(side // step * step, 2 * -(-spec.tile_margin // step) * step, step, scale=spec.output_scale)


def choose_tiling(name: str, method: Method, spec: MethodSpec, side: int, force: bool = False) -> Tiling:
    """The tiling of `method`, called `name`, for tiles of `side` pixels at most.

    Args:
        force: tile also where the result is not the whole image's; tiles are blended then.

    Raises:
        UserError: tiles are smaller than LEAST or than the method's margins allow; not forced and the result would differ.
    """
    if side < LEAST:
        raise UserError(f"--tile {side}: tiles have at least {LEAST} pixels a side")
    if spec.tiling == "exact" and margin_holds(method, spec):
        tiling = exact_tiling(spec, side)
        if tiling.side < tiling.overlap + tiling.step:
            needed = f"{spec.tile_margin} pixels around each tile and begins tiles at multiples of {spec.tile_step}"
            raise UserError(f"--tile {side}: {name} needs {needed}; give --tile {tiling.overlap + tiling.step} or more")
        return tiling
    if not force:
        reason = "depends on the whole image, or on its size"
        if spec.tiling == "exact":
            reason = "with these options sees farther than its SPEC.tile_margin"
        raise UserError(f"--tile: {name} {reason}, so tiles give another result: leave --tile out, or add --force to tile all the same")
    step = spec.tile_step
    whole = max(side // step, 2) * step
    return Tiling(whole, -(-whole // BLENDED // step) * step, step, blend=True, scale=spec.output_scale)


def margin_holds(method: Method, spec: MethodSpec) -> bool:
    """Whether nothing farther than `tile_margin` from a pixel reaches it in this build: what lies there is made NaN, on the CPU."""
    step = spec.tile_step
    margin = -(-spec.tile_margin // step) * step
    strip = torch.full((1, spec.inputs, 4 if spec.input == "raw-rggb" else 3, step, 3 * step + 2 * margin), math.nan)
    strip[..., step:-step] = 0.5
    kept = slice((step + margin) * spec.output_scale, (2 * step + margin) * spec.output_scale)
    with torch.no_grad():
        across = method.cpu().enhance(strip, None)[..., kept]
        down = method.enhance(strip.mT.contiguous(), None)[..., kept, :]
    return bool(torch.isfinite(across).all() and torch.isfinite(down).all())


def spans(length: int, tiling: Tiling) -> list[Span]:
    """The tiles along an axis of `length` pixels, evenly spaced; their weights add up to 1 at each pixel."""
    excess = max(length - tiling.side, 0)
    gaps = -(-excess // (tiling.side - tiling.overlap))
    starts = [-(-excess * k // (gaps * tiling.step)) * tiling.step for k in range(gaps + 1)] if gaps else [0]
    depths = np.zeros((len(starts), length), np.float32)
    for depth, start in zip(depths, starts):
        stop = min(start + tiling.side, length)
        at = np.arange(start, stop)
        before = at - start + 1 if start else np.full(len(at), length)  # the image's own border is no border of a tile
        after = stop - at if stop < length else np.full(len(at), length)
        depth[start:stop] = np.minimum(before, after)
    weights = depths / depths.sum(0) if tiling.blend else (np.arange(len(starts))[:, None] == depths.argmax(0)).astype(np.float32)
    return [Span(a, min(a + tiling.side, length), weight[a : a + tiling.side]) for a, weight in zip(starts, weights)]


def predict_in_tiles(
    method: Method,
    inputs: list[np.ndarray],
    tiling: Tiling,
    exposures: Sequence[float | None] = (),
    device: str | torch.device = "cpu",
    levels: int | None = 255,
) -> np.ndarray:
    """`predict`, a tile at a time; besides input and output it holds a row of tiles.

    Raises:
        UserError: as `predict`; a tile's result holds infinity, or is not of the size that SPEC says.
    """
    height, width = inputs[0].shape[:2]
    if max(height, width) <= tiling.side:
        return predict(method, inputs, exposures, device, levels)
    scale, rows, columns = tiling.scale, spans(height, tiling), spans(width, tiling)
    result, carried = None, None  # the whole output; what a row of tiles adds to rows of the next
    for row, following in zip(rows, [*(r.start for r in rows[1:]), height]):
        band = None
        for column in columns:
            tile = [image[row.start : row.stop, column.start : column.stop] for image in inputs]
            output = _weighted(predict(method, tile, exposures, device, None), row, column, scale, method)
            if band is None:
                band = np.zeros((len(output), width * scale, output.shape[2]), np.float32)
            band[:, column.start * scale : column.stop * scale] += output
        if result is None:
            result = np.empty((height * scale, width * scale, band.shape[2]), _type(levels))
        else:
            band[: len(carried)] += carried
        done = (following - row.start) * scale
        result[row.start * scale : following * scale] = band[:done] if levels is None else quantise(band[:done], levels)
        carried = band[done:]
    return result


def _weighted(output: np.ndarray, row: Span, column: Span, scale: int, method: Method) -> np.ndarray:
    """A tile's result [sH, sW, C] times its weights."""
    down, across = np.repeat(row.weight, scale), np.repeat(column.weight, scale)
    if output.shape[:2] != (len(down), len(across)):
        got, expected = (f"{w} x {h}" for h, w in (output.shape[:2], (len(down), len(across))))
        raise UserError(f"{type(method).__name__}.enhance returned {got} pixels for a tile; its SPEC says {expected}")
    return output * down[:, None, None] * across[:, None]


def _type(levels: int | None) -> type:
    return {None: np.float32, 255: np.uint8, 65535: np.uint16}[levels]
