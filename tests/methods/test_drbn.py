"""DRBN against its layer table written out with functional calls; its counts, its loss, and where ENC sits in it."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.losses.ssim import ssim
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters
from benchtool.methods.drbn import Block, banded_losses

FAMILY = ["drbn", "drbn-l", "drbn-enc", "drbn-enc-4"]


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("drbn", {}, 557_668),
        ("drbn", {"blocks": 1}, 139_417),
        ("drbn-l", {}, 704_268),
        ("drbn", {"width": 20}, 697_588),
        ("drbn-enc", {}, 571_308),
        ("drbn-enc-4", {}, 612_228),
        ("drbn-enc", {"encs": 4}, 612_228),
        ("drbn-enc-4", {"encs": 1}, 571_308),
        ("drbn-enc-4", {"encs": 2}, 557_668 + 2 * 13_640),
    ],
)
def test_parameters(name: str, options: dict, parameters: int) -> None:
    with torch.device("meta"):
        assert count_parameters(create(name, **options)) == parameters


def test_shares_of_a_block() -> None:
    block = Block(16, 8)
    shares = {name: count_parameters(part) for name, part in block.named_children()}
    dense = sum(shares[f"dense_{name}"] for name in ("full", "half", "quarter", "half_up", "full_up"))
    assert (shares["first"], shares["second"], dense) == (880, 2_320, 106_368)
    assert (shares["down_half"], shares["down_quarter"], shares["up_full"], shares["up_half"]) == (2_320, 4_640, 4_112, 8_208)
    assert [count_parameters(head) for head in block.heads] == [2_755, 2_755, 5_059]


def table(block: Block, pair: Tensor, before: tuple[Tensor, ...] | None) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """The layer table of DRBN's block, on the weights of `block`."""

    def conv(layer: torch.nn.Conv2d, x: Tensor, stride: int = 1) -> Tensor:
        return F.conv2d(x, layer.weight, layer.bias, stride=stride, padding=layer.weight.shape[-1] // 2)

    def dense(rdb: torch.nn.Module, x: Tensor) -> Tensor:
        grown = [x]
        for layer in rdb.convs:
            grown.append(conv(layer, torch.cat(grown, 1)).clamp(min=0))
        return conv(rdb.fuse, torch.cat(grown, 1)) + x

    def up(layer: torch.nn.ConvTranspose2d, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)

    def double(x: Tensor) -> Tensor:
        return torch.nn.Upsample(scale_factor=2, mode="bilinear")(x)

    f0 = conv(block.first, pair).clamp(min=0)
    f1 = conv(block.second, f0).clamp(min=0)
    f2 = conv(block.down_half, dense(block.dense_full, f1), 2)
    f4 = conv(block.down_quarter, dense(block.dense_half, f2), 2)
    f4 = f4 + dense(block.dense_quarter[1], dense(block.dense_quarter[0], f4)) + (before[2] if before else 0)
    f2 = f2 + dense(block.dense_half_up, up(block.up_half, f4)) + (before[1] if before else 0)
    f1 = f1 + dense(block.dense_full_up, up(block.up_full, f2)) + f0 + (before[0] if before else 0)
    out4 = conv(block.heads[2][1], conv(block.heads[2][0], f4))
    out2 = conv(block.heads[1][1], conv(block.heads[1][0], f2)) + double(out4)
    out1 = conv(block.heads[0][1], conv(block.heads[0][0], f1)) + double(out2)
    return [out1, out2, out4], (f1, f2, f4)


def test_layer_table() -> None:
    torch.manual_seed(0)
    net, image = create("drbn"), torch.rand(2, 3, 36, 44)
    shown, before = image, None
    with torch.no_grad():
        for block in net.blocks:
            images, before = table(block, torch.cat([shown, image], 1), before)
            shown = images[0]
        for ours, theirs in zip(net(image), images, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(34, 45), (5, 4), (1, 1), (3, 2)])
@pytest.mark.parametrize("name", ["drbn", "drbn-enc-4"])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    height, width = size
    outputs = create(name, width=4, growth=2)(torch.rand(1, 3, height, width))
    assert [tuple(out.shape[-2:]) for out in outputs] == [(-(-height // n), -(-width // n)) for n in (1, 2, 4)]
    target = torch.rand(1, 3, height, width)
    assert torch.isfinite(torch.stack(list(banded_losses(outputs, target).values()))).all()


def test_targets_are_strided_and_the_loss_is_negated() -> None:
    target = torch.rand(1, 3, 16, 24)
    half, quarter = target[..., ::2, ::2], target[..., ::4, ::4]
    assert banded_losses((target, half, quarter), target)["ssim"].item() == pytest.approx(-3, abs=1e-5)
    averaged = F.avg_pool2d(target, 2)
    assert banded_losses((target, averaged, quarter), target)["ssim"].item() > -2.9


def test_losses_by_scale() -> None:
    """Each of its own scale: L1 at full size and SSIM at the two others are what the released code measures importance with."""
    target = torch.rand(1, 3, 16, 24)
    outputs = tuple(torch.rand(1, 3, 16 // n, 24 // n) for n in (1, 2, 4))
    losses = {name: loss.item() for name, loss in banded_losses(outputs, target).items()}
    assert losses["l1"] == pytest.approx((outputs[0] - target).abs().mean().item())
    assert losses["ssim_half"] == -ssim(outputs[1], target[..., ::2, ::2]).item()
    assert losses["ssim_quarter"] == -ssim(outputs[2], target[..., ::4, ::4]).item()
    full = -ssim(outputs[0], target).item()
    assert losses["ssim"] == pytest.approx(full + losses["ssim_half"] + losses["ssim_quarter"])


def test_training_ssim_is_the_textbook_formula() -> None:
    """Against a two-dimensional window laid over zero-padded images, pixel by pixel."""
    torch.manual_seed(1)
    a, b = torch.rand(1, 2, 9, 8, dtype=torch.float64), torch.rand(1, 2, 9, 8, dtype=torch.float64)
    x = torch.arange(11, dtype=torch.float64) - 5
    window = torch.exp(-(x[:, None] ** 2 + x[None] ** 2) / (2 * 1.5**2))
    window = window / window.sum()
    values = []
    pad_a, pad_b = F.pad(a, (5, 5, 5, 5)), F.pad(b, (5, 5, 5, 5))
    for c in range(2):
        for i in range(9):
            for j in range(8):
                p, q = pad_a[0, c, i : i + 11, j : j + 11], pad_b[0, c, i : i + 11, j : j + 11]
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq, cov = (window * p * p).sum() - mp**2, (window * q * q).sum() - mq**2, (window * p * q).sum() - mp * mq
                values.append((2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert ssim(a, b).item() == pytest.approx(torch.stack(values).mean().item(), abs=1e-12)
    with pytest.raises(ValueError, match="differ in shape"):
        ssim(a, b[..., :-1])


def test_enc_is_first_in_its_blocks_and_is_added_before_the_relu() -> None:
    torch.manual_seed(0)
    net = create("drbn-enc", width=4, growth=2, encs=2)
    assert [type(block).__name__ for block in net.blocks] == ["ENCBlock", "ENCBlock", "Block", "Block"]
    pair = torch.rand(1, 6, 8, 8)
    shown, kept, features = net.blocks[0].begin(pair)
    assert torch.equal(kept, features.output) and torch.equal(shown, features.output.clamp(min=0)) and (kept < 0).any()


def test_distillation_vanishes_for_the_teachers_own_target() -> None:
    torch.manual_seed(0)
    net, teacher = create("drbn-enc", width=4, growth=2), create("drbn-enc", width=4, growth=2)
    teacher.load_state_dict(net.state_dict())
    target = torch.rand(2, 3, 16, 16)
    stage = Stage("distil", {"ssim": 1.0, "normalisation": 0.1, "exposure": 0.1}, teacher)
    same = net.losses(Batch(target[:, None], target), stage)
    assert same["normalisation"].item() == same["exposure"].item() == 0
    other = net.losses(Batch(target[:, None] / 3, target), stage)
    assert other["exposure"].item() > 0 and {"ssim", "normalisation", "exposure"} <= other.keys()
    with pytest.raises(UserError, match="has no teacher"):
        net.losses(Batch(target[:, None], target), Stage("distil", {"ssim": 1.0, "exposure": 0.1}))


@pytest.mark.parametrize("name", ["drbn-enc", "drbn-enc-4"])
@pytest.mark.parametrize("encs", [0, 5])
def test_number_of_encs(name: str, encs: int) -> None:
    with pytest.raises(UserError, match=f"^{name}: encs={encs} must be 1 to 4"):
        create(name, encs=encs)


def test_ssim_cannot_tell_a_negative() -> None:
    """Why the first weights matter: an image times -1 scores nearly as the image itself."""
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float(ssim(-image, image)) > 0.95


@pytest.mark.parametrize("name", FAMILY)
def test_begins_around_mid_grey(name: str) -> None:
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    for seed in range(3):
        torch.manual_seed(seed)
        with torch.no_grad():
            outputs = create(name, first_weights="grey")(image)
        assert all(0.3 < float(output.min()) and float(output.max()) < 0.7 for output in outputs)


@pytest.mark.parametrize("name", FAMILY)
def test_the_librarys_first_weights_are_the_default(name: str) -> None:
    """Every convolution as PyTorch draws it: that is what the released code begins with."""
    torch.manual_seed(0)
    default = create(name).state_dict()
    torch.manual_seed(0)
    net = create(name, first_weights="library")
    assert all(torch.equal(default[key], tensor) for key, tensor in net.state_dict().items())
    torch.manual_seed(0)
    grey = create(name, first_weights="grey").state_dict()
    assert {key for key in default if not torch.equal(default[key], grey[key])} == {
        f"blocks.{block}.heads.{head}.1.{part}" for block in range(4) for head in range(3) for part in ("weight", "bias")
    }
    for block in net.blocks:
        for _, last in block.heads:
            bound = last.weight[0].numel() ** -0.5  # of the uniform draw, weights and biases alike
            assert 0.9 * bound < float(last.weight.detach().abs().max()) <= bound and 0 < float(last.bias.detach().abs().max()) <= bound


def test_first_weights_are_told(benchtool) -> None:
    shown = json.loads(benchtool("methods", "show", "drbn", "--json").out)
    assert shown["options"]["first_weights"] == "'library'" and shown["faithful"] == "released"
    [departure] = [one for one in shown["departures"] if one["name"] == "first weights"]
    assert "negative" in departure["released"] and "first_weights: grey" in departure["ours"]
    assert shown["released_recipes"]["drbn-released"]["options.first_weights"] == ["grey", "library"]
