"""Zero-DCE++: its count, its one map by hand, its layers against loops, and the smaller image that its network sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchtool.core.errors import UserError
from benchtool.core.recipe import load_recipe
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters
from benchtool.methods.zero_dce import smoothness
from benchtool.methods.zero_dce_plus import Separable, ZeroDCEPlus


def made(scale: int, width: int = 4) -> ZeroDCEPlus:
    """A network whose map differs from place to place (the initial weights give a nearly flat one)."""
    torch.manual_seed(3)
    net = create("zero-dce-plus", width=width, scale=scale).double()
    for name, parameter in net.named_parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.1 if name.endswith("bias") else 0.5)
    return net.eval()


def test_parameters() -> None:
    """Of each layer as the paper's structure gives them: in x 9 + in, and in x out + out."""
    with torch.device("meta"):
        net = create("zero-dce-plus")
        assert [count_parameters(layer) for layer in net.convs] == [158, 1_376, 1_376, 1_376, 2_720, 2_720, 835]
        assert count_parameters(net) == 10_561


@pytest.mark.parametrize("scale", [1, 12])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (24, 12), (25, 37)])
def test_a_constant_map_is_eight_curves_by_hand(scale: int, size: tuple[int, int]) -> None:
    """Whatever the size: x + a (x^2 - x) eight times with the same a, of which a negative one brightens."""
    net, wanted = made(scale), np.array([-0.6, 0.3, 0.0])
    torch.nn.init.zeros_(net.convs[6].point.weight)
    with torch.no_grad():
        net.convs[6].point.bias.copy_(torch.from_numpy(np.arctanh(wanted)))
        image = np.random.default_rng(0).random((3, *size))
        output = net.enhance(torch.from_numpy(image)[None, None])[0].numpy()
    x = image.copy()
    for _ in range(8):
        x = x + wanted[:, None, None] * (x**2 - x)
    np.testing.assert_allclose(output, x, atol=1e-12)
    assert (x[0] > image[0]).all() and (x[1] < image[1]).all()


def separable_loops(layer: Separable, image: np.ndarray) -> np.ndarray:
    """[C, H, W] -> [out, H, W], pixel by pixel: zeros beyond the border, each channel its own 3 x 3 filter, then a mix of channels."""
    depth, point = (layer.depth.weight.detach().numpy()[:, 0], layer.point.weight.detach().numpy()[:, :, 0, 0])
    around = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    filtered = np.zeros_like(image)
    for c, y, x in np.ndindex(image.shape):
        filtered[c, y, x] = (around[c, y : y + 3, x : x + 3] * depth[c]).sum() + layer.depth.bias[c].item()
    return np.einsum("oc,chw->ohw", point, filtered) + layer.point.bias.detach().numpy()[:, None, None]


def map_by_loops(net: ZeroDCEPlus, image: np.ndarray) -> np.ndarray:
    """[3, H, W] -> [3, H, W], with the skips of Zero-DCE: the fifth layer takes 3 and 4, the sixth 2 and 5, the last 1 and 6."""
    levels = [image]
    for k, layer in enumerate(net.convs):
        source = levels[-1] if k < 4 else np.concatenate([levels[7 - k], levels[-1]])
        x = separable_loops(layer, source)
        levels.append(np.maximum(x, 0) if k < 6 else np.tanh(x))
    return levels[-1]


def test_the_network_by_loops() -> None:
    net, image = made(1), np.random.default_rng(1).random((3, 6, 7))
    with torch.no_grad():
        ours = net.curves(torch.from_numpy(image)[None])[0].numpy()
    assert ours.std() > 0.05
    np.testing.assert_allclose(ours, map_by_loops(net, image), atol=1e-10)


@pytest.mark.parametrize(("scale", "middle"), [(2, (0, 2)), (4, (1, 3)), (12, (5, 7))])
def test_the_map_is_estimated_on_a_smaller_image_and_enlarged(scale: int, middle: tuple[int, int]) -> None:
    """Each block gives the mean of its four middle pixels; the corners of the small map lie on the corners of the large one."""
    net, (rows, columns) = made(scale), (3, 4)
    image = np.random.default_rng(2).random((3, rows * scale, columns * scale))
    at = slice(*middle)
    small = image.reshape(3, rows, scale, columns, scale)[:, :, at, :, at].mean((2, 4))
    found = map_by_loops(net, small)
    down, across = np.linspace(0, rows - 1, rows * scale), np.linspace(0, columns - 1, columns * scale)
    found = np.apply_along_axis(lambda line: np.interp(down, np.arange(rows), line), 1, found)
    found = np.apply_along_axis(lambda line: np.interp(across, np.arange(columns), line), 2, found)
    with torch.no_grad():
        ours = net.enlarged_curves(torch.from_numpy(image)[None])[0].numpy()
    np.testing.assert_allclose(ours, found, atol=1e-10)


def test_other_sizes_see_a_reflected_border() -> None:
    net, image = made(4), torch.rand(1, 1, 3, 10, 13, dtype=torch.float64)
    reflected = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (0, 0), (0, 2), (0, 3)), mode="reflect"))
    with torch.no_grad():
        torch.testing.assert_close(net.enhance(image), net.enhance(reflected)[..., :10, :13])


def test_the_scale_matters_to_results_and_not_to_training() -> None:
    image = torch.rand(2, 1, 3, 24, 36, dtype=torch.float64)
    full, reduced = made(1), made(12)
    with torch.no_grad():
        assert (full.enhance(image) - reduced.enhance(image)).abs().max() > 1e-3
        assert full.losses(Batch(image), Stage()) == reduced.losses(Batch(image), Stage())


@pytest.mark.parametrize("scale", [0, -12, 1.5])
def test_no_such_scale(scale: float) -> None:
    with pytest.raises(UserError, match=f"zero-dce-plus: option scale={scale}: should be"):
        create("zero-dce-plus", scale=scale)


def test_smoothness_weighs_as_eight_equal_maps_of_zero_dce() -> None:
    maps = torch.rand(2, 3, 9, 8)
    [stage], [of_zero_dce] = load_recipe("zero-dce-plus").stages, load_recipe("zero-dce").stages
    eight = of_zero_dce.losses["smooth"] * smoothness(maps.repeat(1, 8, 1, 1))
    torch.testing.assert_close(stage.losses["smooth"] * smoothness(maps), eight)
    assert {**stage.losses, "smooth": None} == {**of_zero_dce.losses, "smooth": None}
