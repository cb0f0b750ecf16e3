"""RetinexNet: counts of both wirings, its losses against numpy, and its two phases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchtool.core.errors import UserError
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage, count_parameters
from benchtool.methods.retinexnet import DECOMPOSITION, RELIGHTING, smoothness


@pytest.mark.parametrize(("skip", "parameters"), [("add", 444_613), ("concat", 555_205)])
def test_parameters(skip: str, parameters: int) -> None:
    with torch.device("meta"):
        net = create("retinexnet", skip=skip)
        assert count_parameters(net) == parameters and count_parameters(net.decomposition) == 207_748


def test_unknown_wiring() -> None:
    with pytest.raises(UserError, match="add, concat"):
        create("retinexnet", skip="sum")


def test_smoothness_by_loops() -> None:
    random = np.random.default_rng(0)
    light, reflectance = random.random((1, 1, 4, 5)), random.random((1, 3, 4, 5))
    grey = np.tensordot([0.299, 0.587, 0.114], reflectance[0], 1)
    total = 0.0
    for axis in (0, 1):
        edges, slopes = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(light[0, 0], axis=axis))
        height, width = edges.shape
        values = [
            slopes[i, j] * np.exp(-10 * edges[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean())
            for i in range(height)
            for j in range(width)
        ]
        total += np.mean(values)
    assert smoothness(torch.from_numpy(light), torch.from_numpy(reflectance)).item() == pytest.approx(total)


def test_first_phase_by_hand() -> None:
    torch.manual_seed(0)
    net, low, high = create("retinexnet", width=8), torch.rand(2, 3, 12, 12), torch.rand(2, 3, 12, 12)
    losses = net.losses(Batch(low[:, None], high), Stage("decompose", dict.fromkeys(DECOMPOSITION, 1.0)))
    with torch.no_grad():
        rl, il = (x.numpy() for x in net.decomposition(low))
        rh, ih = (x.numpy() for x in net.decomposition(high))
    expected = {
        "reconstruction": np.abs(rl * il - low.numpy()).mean() + np.abs(rh * ih - high.numpy()).mean(),
        "crossed": np.abs(rh * il - low.numpy()).mean() + np.abs(rl * ih - high.numpy()).mean(),
        "reflectance": np.abs(rl - rh).mean(),
    }
    assert losses.keys() == set(DECOMPOSITION)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-5)


def test_second_phase_leaves_the_decomposition_alone() -> None:
    torch.manual_seed(0)
    net = create("retinexnet", width=8)
    batch = Batch(torch.rand(2, 1, 3, 17, 13), torch.rand(2, 3, 17, 13))
    losses = net.losses(batch, Stage("relight", dict.fromkeys(RELIGHTING, 1.0)))
    assert losses.keys() == set(RELIGHTING)
    sum(losses.values()).backward()
    assert all(p.grad is None for p in net.decomposition.parameters()) and all(p.grad is not None for p in net.relighting.parameters())


@pytest.mark.parametrize("skip", ["add", "concat"])
def test_output_is_reflectance_times_adjusted_light(skip: str) -> None:
    torch.manual_seed(0)
    net, image = create("retinexnet", width=8, skip=skip), torch.rand(1, 1, 3, 9, 11)
    with torch.no_grad():
        reflectance, light = net.decomposition(image[:, 0])
        assert light.shape == (1, 1, 9, 11) and ((reflectance > 0) & (reflectance < 1)).all()
        torch.testing.assert_close(net.enhance(image), reflectance * net.relighting(reflectance, light))


def test_overfits_four_crops() -> None:
    """The decomposition's weighted loss falls below a fifth of its start; one reflectance under two lights would make it nearly 0."""
    torch.manual_seed(0)
    net = create("retinexnet", width=16)
    high = torch.nn.functional.interpolate(torch.rand(4, 3, 6, 6), (32, 32), mode="bilinear")
    batch, weights = Batch((high * 0.3)[:, None], high), {"reconstruction": 1.0, "crossed": 0.001, "smooth": 0.1, "reflectance": 0.01}
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    history = []
    for _ in range(420):
        optimizer.zero_grad()
        losses = net.losses(batch, Stage("decompose", weights))
        loss = sum(weights[name] * value for name, value in losses.items())
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.2 * history[0]
