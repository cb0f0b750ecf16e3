"""ENC's parameter regularisation against its formulas written out, and against autograd's own second derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchtool.methods.base import Batch
from benchtool.training.regularise import Importance, measure


class Affine(nn.Module):
    """y = a x + b on scalars, with a batch norm that must not move while importance is measured."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([2.0, -1.0]))
        self.b = nn.Parameter(torch.tensor(0.5))
        self.unused = nn.Parameter(torch.tensor(3.0))
        self.norm = nn.BatchNorm1d(2)

    def loss(self, batch: Batch) -> torch.Tensor:
        self.norm(batch.inputs)
        return ((batch.inputs * self.a).sum(1) + self.b).square().mean()


@pytest.fixture
def batches() -> list[Batch]:
    torch.manual_seed(0)
    return [Batch(torch.randn(4, 2)) for _ in range(3)]


def parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if not name.startswith("norm")}


def by_hand(model: Affine, batches: list[Batch]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Gradients of mean((a.x + b)^2): 2 mean((a.x + b) x) and 2 mean(a.x + b), batch by batch."""
    with torch.no_grad():
        pairs = [(batch.inputs, (batch.inputs * model.a).sum(1) + model.b) for batch in batches]
        a = torch.stack([2 * (y[:, None] * x).mean(0) for x, y in pairs])
        b = torch.stack([2 * y.mean() for _, y in pairs])
    zero = torch.tensor(0.0)
    return {"a": a.abs().mean(0), "b": b.abs().mean(), "unused": zero}, {"a": a.square().mean(0), "b": b.square().mean(), "unused": zero}


@pytest.mark.parametrize("form", ["tensor", "diagonal"])
def test_importance_is_the_mean_over_batches(batches: list[Batch], form: str) -> None:
    model = Affine().train()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    found = measure(model, model.loss, parameters(model), batches, form)
    slope, curvature = by_hand(model, batches)
    assert found.slope.keys() == {"a", "b", "unused"}
    for name in slope:
        assert torch.allclose(found.slope[name], slope[name])
        assert torch.equal(found.anchor[name], before[name])
    assert (found.curvature == {}) == (form == "tensor")
    assert all(torch.allclose(found.curvature[name], curvature[name]) for name in found.curvature)
    assert model.training and all(torch.equal(t, before[name]) for name, t in model.state_dict().items()), "measuring leaves no trace"
    assert all(p.grad is None for p in model.parameters())


def test_frozen_parameters_stay_out(batches: list[Batch]) -> None:
    model = Affine()
    found = measure(model, model.loss, {"b": model.b}, batches, "tensor")
    moved = {"a": model.a + 1, "b": model.b}
    assert set(found.slope) == {"b"} and found.penalty(moved) == 0


def test_both_forms_by_hand(batches: list[Batch]) -> None:
    model = Affine()
    slope, curvature = by_hand(model, batches)
    delta = {"a": torch.tensor([0.3, -0.2]), "b": torch.tensor(-0.7), "unused": torch.tensor(1.0)}
    there = {name: p.detach() + delta[name] for name, p in parameters(model).items()}
    sums = {name: float((slope[name] * delta[name].abs()).sum()) for name in slope}
    expected = {
        "tensor": sum(s + s * s / 2 for s in sums.values()),
        "diagonal": sum(sums.values()) + sum(float((curvature[n] * delta[n] ** 2).sum()) for n in delta) / 2,
    }
    for form, value in expected.items():
        assert float(measure(model, model.loss, parameters(model), batches, form).penalty(there)) == pytest.approx(value, rel=1e-6)
    assert expected["tensor"] != pytest.approx(expected["diagonal"], rel=1e-3)


@pytest.mark.parametrize("form", ["tensor", "diagonal"])
def test_the_gradient_is_the_code_s_and_zero_at_the_start(batches: list[Batch], form: str) -> None:
    """specs: lambda M_k sign(delta_k) (1 + S_i), and exactly 0 at the anchor."""
    model = Affine()
    found = measure(model, model.loss, parameters(model), batches, form)
    found.penalty(parameters(model)).backward()
    assert all(p.grad.abs().max() == 0 for p in parameters(model).values())
    delta = torch.tensor([0.3, -0.2])
    with torch.no_grad():
        model.a += delta
    model.zero_grad()
    found.penalty(parameters(model)).backward()
    slope, curvature = found.slope["a"], found.curvature.get("a")
    expected = slope * delta.sign() * (1 + (slope * delta.abs()).sum()) if form == "tensor" else slope * delta.sign() + curvature * delta
    assert torch.allclose(model.a.grad, expected, rtol=1e-5)


def test_for_one_sample_at_a_time_the_diagonal_bounds_the_true_expansion() -> None:
    """With a residual r per sample, the true Hessian's diagonal is 2 x^2 and the Fisher's 4 r^2 x^2: equal where r^2 = 1/2."""
    model = Affine()
    with torch.no_grad():
        model.a.zero_()
        model.b.fill_(0.5**0.5)
    x = torch.tensor([[1.5, -0.4]])
    found = measure(model, model.loss, {"a": model.a}, [Batch(x)], "diagonal")
    hessian = torch.autograd.functional.hessian(lambda a: ((x * a).sum(1) + model.b.detach()).square().mean(), model.a.detach())
    assert torch.allclose(found.curvature["a"], hessian.diagonal(), rtol=1e-5)


def test_gradients_are_averaged_over_processes_before_their_absolute_value(batches: list[Batch]) -> None:
    model, other = Affine(), torch.tensor([-1.0, 1.0])
    found = measure(model, model.loss, {"a": model.a}, batches, "tensor", lambda gradient: (gradient + other) / 2)
    own = [torch.autograd.grad(model.loss(b), model.a)[0] for b in batches]
    assert torch.allclose(found.slope["a"], torch.stack([((g + other) / 2).abs() for g in own]).mean(0))


def test_it_comes_back_from_a_checkpoint(batches: list[Batch]) -> None:
    model = Affine()
    found = measure(model, model.loss, parameters(model), batches, "diagonal")
    back = Importance.of_tensors("diagonal", found.tensors())
    for part in ("anchor", "slope", "curvature"):
        one, two = getattr(found, part), getattr(back, part)
        assert one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)
