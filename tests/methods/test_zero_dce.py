"""Zero-DCE: its count, its curves, and each of its four losses against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters
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


def test_overfits_to_well_exposed_without_a_target() -> None:
    """Four dark images: the weighted loss falls below a fifth of its start (its optimum is not below 0), and the result brightens."""
    torch.manual_seed(0)
    net = create("zero-dce", width=8)
    dark = torch.nn.functional.interpolate(torch.rand(4, 3, 6, 6), (64, 64), mode="bilinear") * 0.25
    batch, stage = Batch(dark[:, None]), Stage("train", WEIGHTS)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    history = []
    for _ in range(150):
        optimizer.zero_grad()
        losses = net.losses(batch, stage)
        loss = sum(WEIGHTS[name] * value for name, value in losses.items())
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.2 * history[0]
    assert net.enhance(dark[:, None]).mean() > 2 * dark.mean()
