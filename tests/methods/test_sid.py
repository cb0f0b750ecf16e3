"""SID against its layer table written out with functional calls, its counts, initial weights and loss."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters


def table(net: torch.nn.Module, image: Tensor) -> Tensor:
    """The layer table of ENC's SID (c1_1 ... c9_2, out), on the weights of `net` in the order they are used."""

    def lrelu(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, 0.2 * x)

    def conv(layer: torch.nn.Conv2d, x: Tensor) -> Tensor:
        return lrelu(F.conv2d(x, layer.weight, layer.bias, padding=1))

    unet = net.unet
    x = conv(unet.top[1], conv(net.first, image))
    skips = [x]
    for level in unet.down:
        x = F.max_pool2d(x, 2)
        x = conv(level[3], conv(level[1], x))
        skips.append(x)
    skips.pop()
    for up, merge in zip(unet.up, unet.merge, strict=True):
        x = F.conv_transpose2d(x, up.weight, up.bias, stride=2)
        x = torch.cat([x, skips.pop()], dim=1)
        x = conv(merge[2], conv(merge[0], x))
    return F.conv2d(x, unet.out.weight, unet.out.bias)


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("sid", {}, 7_760_163),
        ("sid-l", {}, 12_123_883),
        ("sid-enc", {}, 7_816_883),
        ("sid", {"width": 39}, 11_525_400),
        ("sid", {"width": 41}, 12_737_514),
        ("i-sid", {}, 7_816_883),
    ],
)
def test_parameters(name: str, options: dict, parameters: int) -> None:
    with torch.device("meta"):
        assert count_parameters(create(name, **options)) == parameters


@pytest.mark.parametrize("size", [(16, 16), (32, 48)])
def test_layer_table(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net = create("sid", width=6).double()
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(net.enhance(image[:, None]), table(net, image), rtol=1e-12, atol=1e-12)


def test_widths_double() -> None:
    net = create("sid-l")
    assert [level[1].out_channels for level in net.unet.down] == [80, 160, 320, 640]


@pytest.mark.parametrize("size", [(1, 1), (12, 12), (33, 47)])
def test_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    output = create("sid", width=4).enhance(torch.rand(2, 1, 3, *size))
    assert output.shape == (2, 3, *size) and torch.isfinite(output).all()


def test_padding_leaves_the_inside_alone() -> None:
    """An image cut to an odd size keeps its pixels beyond the reach of the new edge (92 px and the pooling's 16)."""
    torch.manual_seed(0)
    net = create("sid", width=4).double()
    image = torch.rand(1, 1, 3, 32, 288, dtype=torch.float64)
    whole, cut = net.enhance(image), net.enhance(image[..., :279])
    torch.testing.assert_close(whole[..., :170], cut[..., :170], rtol=0, atol=1e-12)
    assert not torch.allclose(whole[..., 270:279], cut[..., 270:279], rtol=0, atol=1e-6)


def test_initial_weights_are_pytorchs() -> None:
    """Uniform within 1/sqrt(fan in); the released N(0, 0.02) is never called."""
    torch.manual_seed(0)
    weight = create("sid").unet.down[0][3].weight
    bound = 1 / math.sqrt(64 * 9)
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)


def test_loss_is_on_the_raw_output() -> None:
    torch.manual_seed(0)
    net = create("sid", width=4)
    with torch.no_grad():
        net.unet.out.bias += 3.0  # far outside [0, 1]
    inputs, targets = torch.rand(2, 1, 3, 24, 16), torch.rand(2, 3, 24, 16)
    losses = net.losses(Batch(inputs, targets), Stage())
    assert list(losses) == ["mse"]
    expected = ((net.enhance(inputs) - targets) ** 2).mean()
    torch.testing.assert_close(losses["mse"], expected)
    assert losses["mse"] > 2


def test_light_to_import() -> None:
    heavy = ("rawpy", "pyiqa", "pandas", "pyarrow", "cv2", "skimage", "accelerate", "matplotlib", "h5py")
    code = f"import sys, benchtool.methods.sid, benchtool.methods.sid_enc; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
