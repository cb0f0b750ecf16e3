"""ENC against its equations written out, its counts in every ablation, its traps, and SID-ENC's distillation."""

from __future__ import annotations

import copy
import fnmatch

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters
from benchtool.methods.blocks.enc import ENC, Features

TABLE_6 = [  # normalise (IN), spatial (IS), channel (IC), parameters for 3 -> 32 channels
    (False, False, False, 896),
    (True, False, False, 10_432),
    (True, False, True, 39_184),
    (True, True, False, 39_104),
    (False, True, True, 57_552),
    (True, True, True, 57_616),
]
BOTH = {"mse": 1.0, "normalisation": 0.2, "exposure": 0.2}


def shaken(module: nn.Module) -> nn.Module:
    """Random parameters everywhere, so that gamma, beta and biases are not 1 and 0."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.3)
    return module.double()


def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.1 * x)


def equations(enc: ENC, image: Tensor, variant: str) -> Features:
    """Sec. 3.2 step by step, on the weights of `enc`."""
    f = conv(enc.embed, image)
    centred = f - f.mean((2, 3), keepdim=True)
    sigma = ((centred**2).mean((2, 3), keepdim=True) + 1e-5).sqrt()
    fn = enc.norm.weight[None, :, None, None] * centred / sigma + enc.norm.bias[None, :, None, None]
    fn_hat, f_hat = conv(enc.normalised_path, fn), conv(enc.identity_path, f)
    score = conv(enc.spatial_attention, torch.cat([fn_hat, f_hat], 1))
    if variant == "released":
        a = 1 / (1 + torch.exp(-lrelu(score)))
        x = torch.cat([a * f_hat + fn_hat, (1 - a) * fn_hat + f_hat], 1)
    else:
        a_n, a = (1 / (1 + torch.exp(-score))).split(f.shape[1], 1)
        x = torch.cat([f_hat * a_n + fn, fn_hat * a + f], 1)
    mean = x.mean((2, 3), keepdim=True)
    pooled = mean + (((x - mean) ** 2).mean((2, 3), keepdim=True) + enc.eps).sqrt()
    squeezed = conv(enc.squeeze, pooled)
    weights = 1 / (1 + torch.exp(-conv(enc.excite, lrelu(squeezed) if variant == "released" else squeezed.clamp(min=0))))
    ff = weights * x
    out = conv(enc.fuse, ff)
    return Features(out, fn, out) if variant == "released" else Features(out, fn_hat, ff)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_equations(variant: str) -> None:
    enc = shaken(ENC(3, 8, variant))
    image = torch.rand(2, 3, 7, 9, dtype=torch.float64)
    for got, expected in zip(enc(image), equations(enc, image, variant), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_squeeze_is_a_quarter_and_paper_layers_are_pointwise() -> None:
    assert ENC(3, 32).squeeze.weight.shape == (16, 64, 3, 3)
    assert ENC(3, 32, "paper").squeeze.weight.shape == (16, 64, 1, 1)


@pytest.mark.parametrize(("normalise", "spatial", "channel", "parameters"), TABLE_6)
def test_ablations(normalise: bool, spatial: bool, channel: bool, parameters: int) -> None:
    enc = ENC(3, 32, normalise=normalise, spatial=spatial, channel=channel)
    assert count_parameters(enc) == parameters
    features = enc(torch.rand(2, 3, 6, 5))
    assert features.output.shape == (2, 32, 6, 5)
    assert (features.normalised is None) == (not normalise)
    features.output.sum().backward()
    assert all(p.grad is not None for p in enc.parameters())


def test_formula_of_parameters() -> None:
    for into, out in ((3, 32), (6, 16), (6, 24)):
        assert count_parameters(ENC(into, out)) == into * out + 56 * out**2 + 5.5 * out
    assert count_parameters(ENC(6, 16)) == 14_520


def test_plain_is_one_convolution() -> None:
    enc = ENC(3, 8, normalise=False, spatial=False, channel=False)
    image = torch.rand(1, 3, 5, 5)
    torch.testing.assert_close(enc(image).output, conv(enc.plain, image))


def test_normalised_features_do_not_know_the_gain() -> None:
    """What instance normalisation is there for: an image and its darker copy have the same features."""
    torch.manual_seed(0)
    enc = ENC(3, 8).double()
    image = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    bright, dark = enc(image), enc(0.5 * image)
    assert (bright.normalised - dark.normalised).abs().max() < 1e-2 * bright.normalised.abs().max()
    without = ENC(3, 8, normalise=False).double()
    assert (without(image).output - without(0.5 * image).output).abs().max() > 1e-2


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_black_crop_has_finite_gradients(variant: str) -> None:
    torch.manual_seed(0)
    for eps, finite in ((1e-8, True), (0.0, False)):
        enc = ENC(3, 8, variant, eps=eps)
        enc(torch.zeros(1, 3, 16, 16)).output.sum().backward()
        assert all(bool(p.grad.isfinite().all()) for p in enc.parameters()) == finite, f"eps {eps}"


def test_only_the_centre_tap_of_the_channel_attention_acts() -> None:
    torch.manual_seed(0)
    enc = ENC(3, 8)
    enc(torch.rand(2, 3, 9, 9)).output.square().sum().backward()
    for layer in (enc.squeeze, enc.excite):
        alive = layer.weight.grad != 0
        assert alive[:, :, 1, 1].all() and alive.sum() == alive[:, :, 1, 1].numel()


def test_one_pixel() -> None:
    enc = shaken(ENC(3, 8))
    features = enc(torch.rand(1, 3, 1, 1, dtype=torch.float64, requires_grad=True))
    torch.testing.assert_close(features.normalised[0, :, 0, 0], enc.norm.bias)
    features.output.sum().backward()
    assert all(p.grad.isfinite().all() for p in enc.parameters())


def test_unknown_variant() -> None:
    with pytest.raises(UserError, match="sid-enc: option variant='papr': should be 'released' or 'paper'"):
        create("sid-enc", variant="papr")


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(1)
    targets = torch.rand(2, 3, 32, 32)
    return Batch(targets[:, None] ** 2, targets)


def student_and_teacher(**options: object) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    student = create("sid-enc", width=8, **options)
    return student, copy.deepcopy(student)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_the_target_as_input_has_no_distance(batch: Batch, variant: str) -> None:
    student, teacher = student_and_teacher(variant=variant)
    same = Batch(batch.targets[:, None], batch.targets)
    losses = student.losses(same, Stage("distil", BOTH, teacher))
    assert losses["normalisation"].item() == 0 and losses["exposure"].item() == 0
    assert losses["mse"] > 0


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_distances_to_the_teachers_view_of_the_target(batch: Batch, variant: str) -> None:
    student, teacher = student_and_teacher(variant=variant)
    shaken(teacher).float().train()
    losses = student.losses(batch, Stage("distil", BOTH, teacher))
    own, normal = student.enc(batch.inputs[:, 0]), teacher.enc(batch.targets)
    assert losses["normalisation"].item() == pytest.approx((own.normalised - normal.normalised).abs().mean().item(), rel=1e-5)
    assert losses["exposure"].item() == pytest.approx((own.compensated - normal.compensated).abs().mean().item(), rel=1e-5)
    sum(losses.values()).backward()
    assert all(p.grad is None for p in teacher.parameters()), "a gradient reached the teacher"
    assert all(p.grad is not None for p in student.parameters())
    assert not teacher.training


def test_a_stage_gets_the_losses_it_weighs(batch: Batch) -> None:
    student, teacher = student_and_teacher()
    assert list(student.losses(batch, Stage("train", {"mse": 1.0}))) == ["mse"]
    assert list(student.losses(batch, Stage("train"))) == ["mse"]
    assert list(student.losses(batch, Stage("distil", {"exposure": 0.2}, teacher))) == ["mse", "exposure"]


def test_no_teacher_is_an_error(batch: Batch) -> None:
    student, _ = student_and_teacher()
    with pytest.raises(UserError, match="stage 'distil' weighs 'normalisation' but has no teacher"):
        student.losses(batch, Stage("distil", BOTH))


def test_exposure_loss_alone(batch: Batch) -> None:
    """Row seven of Table 6: the plain convolution with L_ed; L_nd has nothing to compare there."""
    student, teacher = student_and_teacher(normalise=False, spatial=False, channel=False)
    losses = student.losses(batch, Stage("distil", {"mse": 1.0, "exposure": 0.2}, teacher))
    assert losses["exposure"] > 0
    with pytest.raises(UserError, match="needs ENC's instance normalisation"):
        student.losses(batch, Stage("distil", BOTH, teacher))


def test_enc_can_be_frozen_by_pattern() -> None:
    with torch.device("meta"):
        parameters = dict(create("sid-enc").named_parameters())
    frozen = [name for name in parameters if fnmatch.fnmatchcase(name, "enc.*")]
    assert sum(parameters[name].numel() for name in frozen) == 57_616


@pytest.mark.parametrize("option", [{"variant": "paper"}, {"normalise": False}, {"spatial": False}, {"channel": False}, {"eps": 1e-2}])
def test_options_reach_enc(option: dict) -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, 3, 16, 16)
    plain = create("sid-enc", width=8)
    other = create("sid-enc", width=8, **option)
    shared = {k: v for k, v in plain.state_dict().items() if k in other.state_dict() and v.shape == other.state_dict()[k].shape}
    other.load_state_dict(shared, strict=False)
    assert not torch.equal(plain.enhance(image), other.enhance(image))
