"""Tiles: an exact method's result is the whole image's, another's has no seams, and neither needs the memory of the whole."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.spec import MethodSpec
from benchtool.evaluation.predict import predict
from benchtool.evaluation.tiles import Tiling, choose_tiling, exact_tiling, margin_holds, predict_in_tiles, spans
from benchtool.methods import create
from benchtool.methods.base import Method

EXACT = [name for name in catalog.names("methods") if catalog.facts("methods", name).tiling == "exact"]
PHOTO = data.chelsea()[:241, :257]


class Watched(Method):
    """Applies a function to the first image and keeps the sizes it was shown."""

    def __init__(self, function=lambda image: image) -> None:
        super().__init__()
        self.function, self.seen = function, []

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        self.seen.append(tuple(inputs.shape[-2:]))
        return self.function(inputs[:, 0])


def small(name: str) -> tuple[Method, MethodSpec]:
    """A small build, its weights so large that what is far away shows."""
    torch.manual_seed(0)
    spec = catalog.facts("methods", name)
    method = create(name, **spec.check).eval()
    for parameter in method.parameters():
        torch.nn.init.kaiming_normal_(parameter) if parameter.ndim > 1 else torch.nn.init.normal_(parameter, std=0.1)
    return method, spec


@settings(max_examples=150)
@given(st.integers(1, 600), st.integers(1, 9), st.integers(0, 5), st.integers(1, 8), st.booleans())
def test_spans_cover_with_their_margins(length: int, own: int, margin: int, step: int, blend: bool) -> None:
    tiling = Tiling((2 * margin + own) * step, 2 * margin * step, step, blend)
    found, total = spans(length, tiling), np.zeros(length)
    assert found[0].start == 0 and found[-1].stop == length
    for span in found:
        assert span.start % step == 0 and (span.stop % step == 0 or span.stop == length)
        assert span.stop - span.start == len(span.weight) <= tiling.side
        total[span.start : span.stop] += span.weight
        kept = np.flatnonzero(span.weight)
        if not blend and len(kept):
            assert span.start == 0 or kept[0] >= margin * step
            assert span.stop == length or kept[-1] + 1 <= span.stop - span.start - margin * step
    assert np.allclose(total, 1, atol=1e-6)
    assert length > tiling.side or len(found) == 1


@pytest.mark.parametrize(("name", "side"), [("sid", 224), ("zero-dce", 67), ("identity", 100)])
def test_exact_tiles_are_the_whole_image(name: str, side: int) -> None:
    method, spec = small(name)
    whole = predict(method, [PHOTO], levels=None)
    tiling = choose_tiling(name, method, spec, side)
    assert np.abs(predict_in_tiles(method, [PHOTO], tiling, levels=None) - whole).max() <= 1e-5
    narrow = dataclasses.replace(tiling, overlap=0)
    assert name == "identity" or np.abs(predict_in_tiles(method, [PHOTO], narrow, levels=None) - whole).max() > 1e-4


@pytest.mark.parametrize("name", EXACT)
def test_margins_are_what_is_needed(name: str) -> None:
    """As SPEC says, and no less."""
    method, spec = small(name)
    assert margin_holds(method, spec)
    if spec.tile_margin:
        assert not margin_holds(method, dataclasses.replace(spec, tile_margin=spec.tile_margin - spec.tile_step))


def test_a_build_that_sees_farther_is_refused() -> None:
    spec = catalog.facts("methods", "drbn")
    deeper = create("drbn", **spec.check, blocks=5)
    with pytest.raises(UserError, match="--tile: drbn with these options sees farther than its SPEC.tile_margin"):
        choose_tiling("drbn", deeper, spec, 1024)
    assert choose_tiling("drbn", deeper, spec, 1024, force=True).blend


def test_sides_that_are_too_small() -> None:
    method, spec = small("sid")
    with pytest.raises(UserError, match="--tile 207: sid needs 96 pixels around .* multiples of 16; give --tile 208 or more"):
        choose_tiling("sid", method, spec, 207)
    assert choose_tiling("sid", method, spec, 208) == Tiling(208, 192, 16)
    assert choose_tiling("sid", method, spec, 239).side == 224, "a multiple of the step, and not more than was asked for"
    with pytest.raises(UserError, match="--tile 63: tiles have at least 64"):
        choose_tiling("identity", *small("identity"), 63)


def test_forced_tiles_show_no_seams() -> None:
    """A method that takes the image's own mean away: tiles differ by their means, and fade into each other."""
    method = Watched(lambda image: image - image.mean())
    ramp = np.broadcast_to(np.linspace(0, 1, 300, dtype=np.float32)[:, None, None], (300, 200, 3)).copy()
    tiling = choose_tiling("toy", method, MethodSpec("Toy", ""), 96, force=True)
    tiled = predict_in_tiles(method, [ramp], tiling, levels=None)
    cut = predict_in_tiles(method, [ramp], dataclasses.replace(tiling, blend=False), levels=None)
    jumps, of_cut = (np.abs(np.diff(x, axis=0)).max() for x in (tiled, cut))
    assert of_cut > 0.1 and jumps < 0.02, (jumps, of_cut)
    plain = predict_in_tiles(Watched(), [PHOTO], tiling, levels=None)
    assert np.abs(plain - PHOTO / np.float32(255)).max() < 1e-6, "weights add up to 1"


@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, None)])
@pytest.mark.parametrize("blend", [False, True])
def test_types_scales_and_several_images(dtype: type, levels: int | None, blend: bool) -> None:
    """Two images a sample, an output twice the size: as of the whole, in its type."""
    method = Watched(lambda image: F.interpolate(image, scale_factor=2))
    pixels = (PHOTO * ((levels or 1) / 255)).astype(dtype)
    whole = predict(method, [pixels, pixels // 2], (0.0, 1.0), levels=levels)
    tiled = predict_in_tiles(method, [pixels, pixels // 2], Tiling(80, 20, 2, blend, 2), (0.0, 1.0), levels=levels)
    assert tiled.dtype == whole.dtype == dtype and np.abs(tiled - whole).max() <= (0 if levels else 1e-6)
    assert max(max(size) for size in method.seen[1:]) == 80


def test_a_picture_that_fits_is_not_tiled() -> None:
    method = Watched()
    predict_in_tiles(method, [PHOTO], Tiling(257, 32, 1, blend=True))
    assert method.seen == [(241, 257)]


def test_results_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match="returned 99 x 100 pixels for a tile; its SPEC says 100 x 100"):
        predict_in_tiles(Watched(lambda image: image[..., 1:]), [PHOTO], Tiling(100, 0))


def test_memory_is_that_of_a_row_of_tiles() -> None:
    """Besides its 8-bit output; the whole image in floats alone would be four times that."""
    tall = np.zeros((8000, 256, 3), np.uint8)

    def peak(work) -> int:
        tracemalloc.start()
        work()
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peaked

    assert peak(lambda: predict_in_tiles(Watched(), [tall], exact_tiling(catalog.facts("methods", "identity"), 256))) < 2 * tall.size
    assert peak(lambda: predict(Watched(), [tall])) > 4 * tall.size
