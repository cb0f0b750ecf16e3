"""Zero-DCE: its count, its curves, each of its four losses against loops over pixels, and overfitting (Zero-DCE++ too)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_overfit import pairs, weighted

from benchtool.core import catalog
from benchtool.core.recipe import load_recipe
from benchtool.methods import create
from benchtool.methods.base import Stage, count_parameters
from benchtool.methods.zero_dce import apply_curves, colour_constancy, exposure_control, smoothness, spatial_consistency

WEIGHTS = {"smooth": 200.0, "spatial": 1.0, "colour": 5.0, "exposure": 10.0}


def test_parameters() -> None:
    with torch.device("meta"):
        assert count_parameters(create("zero-dce")) == 79_416


def test_curves_are_applied_eight_times() -> None:
    random = np.random.default_rng(0)
    image, curves = random.random((3, 4, 5)), random.uniform(-1, 1, (24, 4, 5))
    x = image.copy()
    for k in range(8):
        x = x + curves[3 * k : 3 * k + 3] * (x**2 - x)
    ours = apply_curves(torch.from_numpy(image)[None], torch.from_numpy(curves)[None])
    np.testing.assert_allclose(ours[0].numpy(), x, atol=1e-12)


def test_strong_curves_brighten_and_darken_and_keep_the_ends() -> None:
    ramp = torch.linspace(0, 1, 11).expand(1, 3, 1, 11)
    for sign, compare in ((-1.0, torch.gt), (1.0, torch.lt)):
        result = apply_curves(ramp, torch.full((1, 24, 1, 11), sign * 0.5))
        assert compare(result[..., 1:-1], ramp[..., 1:-1]).all() and torch.equal(result[..., [0, -1]], ramp[..., [0, -1]])


def test_recipes_see_whole_images_at_the_size_of_paper_and_code() -> None:
    paper, released = load_recipe("zero-dce"), load_recipe("zero-dce-released")
    (one,), (other,) = paper.stages, released.stages
    assert (one.resize, one.patch, one.batch, one.losses) == (512, None, 8, WEIGHTS)
    assert (other.resize, released.seed) == (256, 1143)
    assert other.model_copy(update={"resize": 512}) == one and released.model_copy(update={"stages": [], "seed": 0, "name": ""}) == (
        paper.model_copy(update={"stages": [], "name": ""})
    )


def test_smoothness_by_loops() -> None:
    maps = np.random.default_rng(1).normal(size=(2, 24, 5, 4))
    down = sum((maps[b, m, i + 1, j] - maps[b, m, i, j]) ** 2 for b in range(2) for m in range(24) for i in range(4) for j in range(4))
    across = sum((maps[b, m, i, j + 1] - maps[b, m, i, j]) ** 2 for b in range(2) for m in range(24) for i in range(5) for j in range(3))
    assert smoothness(torch.from_numpy(maps)).item() == pytest.approx(2 * (down / (4 * 4) + across / (5 * 3)) / 2)


def test_spatial_consistency_by_loops() -> None:
    random = np.random.default_rng(2)
    images = random.random((2, 3, 12, 8)), random.random((2, 3, 12, 8))
    pooled = [x.mean(1).reshape(2, 3, 4, 2, 4).mean((2, 4)) for x in images]
    total = 0.0
    for b in range(2):
        for i in range(3):
            for j in range(2):
                for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    inside = 0 <= i + di < 3 and 0 <= j + dj < 2
                    o, e = (p[b, i, j] - (p[b, i + di, j + dj] if inside else 0.0) for p in pooled)
                    total += (o - e) ** 2
    assert spatial_consistency(*map(torch.from_numpy, images)).item() == pytest.approx(total / 12)


def test_colour_and_exposure() -> None:
    image = np.random.default_rng(3).random((2, 3, 32, 16))
    means = image.mean((2, 3))
    expected = [np.sqrt((r - g) ** 4 + (r - b) ** 4 + (g - b) ** 4) for r, g, b in means]
    assert colour_constancy(torch.from_numpy(image)).item() == pytest.approx(np.mean(expected), abs=1e-6)
    regions = image.mean(1).reshape(2, 2, 16, 16).mean((2, 3))
    assert exposure_control(torch.from_numpy(image)).item() == pytest.approx(((regions - 0.6) ** 2).mean())


def test_a_grey_image_has_a_gradient() -> None:
    image = torch.full((1, 3, 16, 16), 0.3, requires_grad=True)
    colour_constancy(image).backward()
    assert torch.isfinite(image.grad).all()


def least_known(inputs: torch.Tensor, weights: dict[str, float]) -> float:
    """The weighted loss that one map of three colours an image reaches where no network makes it, each of its pixels being free.

    There is no target, so no loss of 0 to go to: the four losses pull against each other. Any network's result is one of such maps.
    """
    free = torch.zeros_like(inputs, requires_grad=True)
    optimizer = torch.optim.Adam([free], fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=150, pct_start=0.1)
    for _ in range(150):
        one = torch.tanh(free)
        output = apply_curves(inputs, one)
        losses = 8 * smoothness(one), spatial_consistency(output, inputs), colour_constancy(output), exposure_control(output)
        loss = sum(weights[name] * value for name, value in zip(WEIGHTS, losses))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return loss.item()


@pytest.mark.parametrize("name", ["zero-dce", "zero-dce-plus"])
def test_overfits_four_photographs_without_targets(name: str) -> None:
    """200 steps on crops of 64 px bring its weighted loss below a fifth of the way to the least known."""
    torch.manual_seed(0)
    net, [stage] = create(name, **catalog.facts("methods", name).check), load_recipe(name).stages
    inputs, _ = pairs()
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=200, pct_start=0.1)
    context = Stage(stage.name, stage.losses)
    with torch.no_grad():
        first = weighted(net, context, inputs, None).item()
    for _ in range(200):
        top, left = torch.randint(65, (2,)).tolist()
        optimizer.zero_grad()
        weighted(net, context, inputs[..., top : top + 64, left : left + 64], None).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        last = weighted(net, context, inputs, None).item()
        output = net.enhance(inputs[:, None])
    least = least_known(inputs, WEIGHTS)
    left_over = (last - least) / (first - least)
    assert 0 <= left_over < 0.2, f"{left_over:.3f} of the way from {first:.3f} to {least:.3f} is left"
    assert exposure_control(output) < 0.75 * exposure_control(inputs)
