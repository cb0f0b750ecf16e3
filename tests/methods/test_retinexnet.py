"""RetinexNet: counts of both wirings, its losses against numpy, and its two phases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from test_overfit import pairs, weighted

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.recipe import load_recipe
from benchtool.core.recipe_stage import StageRecipe
from benchtool.losses import l1
from benchtool.methods import create
from benchtool.methods.base import Batch, Method, Stage, count_parameters
from benchtool.methods.retinexnet import DECOMPOSITION, RELIGHTING, smoothness
from benchtool.training import players


@pytest.mark.parametrize(("skip", "parameters"), [("add", 444_613), ("concat", 555_205)])
def test_parameters(skip: str, parameters: int) -> None:
    with torch.device("meta"):
        net = create("retinexnet", skip=skip)
        assert count_parameters(net) == parameters and count_parameters(net.decomposition) == 207_748


def test_unknown_wiring() -> None:
    with pytest.raises(UserError, match="retinexnet: option skip='sum': should be 'add' or 'concat'"):
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


@pytest.mark.parametrize(("skip", "before"), [("add", 0), ("concat", 1)])
@pytest.mark.parametrize("border", ["zeros", "replicate"])
def test_where_halving_samples(skip: str, before: int, border: str) -> None:
    """An impulse response: the middle of the kernel lies on every second pixel, from 1 - `before` of an even side, from 0 of an odd one."""
    net = create("retinexnet", width=1, skip=skip, border=border).double().relighting
    [halving, *_] = net.down
    with torch.no_grad():
        halving.weight.zero_()
        halving.weight[..., 1, 1] = 1
        halving.bias.zero_()
        image = torch.arange(6 * 9, dtype=torch.float64).view(1, 1, 6, 9)
        torch.testing.assert_close(halving(net._padded(image)), image[..., 1 - before :: 2, ::2], rtol=0, atol=0)
        halving.weight.fill_(1)
        padded = np.pad(image[0, 0].numpy(), ((before, 1), (1, 1)), "edge" if border == "replicate" else "constant")
        sums = [[padded[i : i + 3, j : j + 3].sum() for j in range(0, 9, 2)] for i in range(0, 6, 2)]
        np.testing.assert_allclose(halving(net._padded(image))[0, 0].numpy(), sums)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 16), (5, 4)])
@pytest.mark.parametrize("options", [{}, {"skip": "concat", "border": "replicate"}])
def test_any_size(size: tuple[int, int], options: dict) -> None:
    image = torch.rand(1, 1, 3, *size)
    assert create("retinexnet", width=4, **options).enhance(image).shape == (1, 3, *size)


def test_the_port_is_what_it_was() -> None:
    """Its halving layers pad one pixel on each side, as `Conv2d` does by itself."""
    torch.manual_seed(0)
    net = create("retinexnet", width=4, skip="concat", border="replicate").relighting
    x = torch.rand(1, 4, 10, 13)
    for halving in net.down:
        plain = torch.nn.Conv2d(4, 4, 3, stride=2, padding=1, padding_mode="replicate")
        plain.load_state_dict(halving.state_dict())
        torch.testing.assert_close(halving(net._padded(x)), plain(x))


def least_known(reflectance: torch.Tensor, targets: torch.Tensor, weights: Mapping[str, float]) -> float:
    """The second phase's weighted loss of an illumination that is found for these very images, pixel by pixel."""
    free = targets.mean(1, keepdim=True).clone().requires_grad_(True)
    optimizer = torch.optim.Adam([free])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=600, pct_start=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        loss = weights["relight"] * l1(reflectance * free, targets) + weights["relight_smooth"] * smoothness(free, reflectance)
        loss.backward()
        optimizer.step()
        schedule.step()
    return loss.item()


def descend(net: Method, stage: StageRecipe, inputs: torch.Tensor, targets: torch.Tensor, steps: int) -> tuple[float, float]:
    """The stage's weighted loss on whole images before and after `steps`, each on a crop of 24 px of all of them."""
    players.freeze(net.requires_grad_(True), stage.freeze, stage.name)
    context = Stage(stage.name, stage.losses)
    optimizer = torch.optim.Adam(players.trained(net, "model", stage.name).values(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    with torch.no_grad():
        first = weighted(net, context, inputs, targets).item()
    for _ in range(steps):
        top, left = torch.randint(105, (2,)).tolist()
        crop = (..., slice(top, top + 24), slice(left, left + 24))
        optimizer.zero_grad()
        weighted(net, context, inputs[crop], targets[crop]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return first, weighted(net, context, inputs, targets).item()


def test_overfits_four_photographs_in_both_phases() -> None:
    """Less than a fifth of the way is left: of the first phase to 0, a reflectance under two lights; of the second to the least known."""
    torch.manual_seed(0)
    net = create("retinexnet", **catalog.facts("methods", "retinexnet").check)
    decompose, relight = load_recipe("retinexnet").stages
    inputs, targets = pairs(dim=0.5)  # none is clipped, so that one reflectance explains both images
    first, last = descend(net, decompose, inputs, targets, 1000)
    assert last / first < 0.2, (first, last)
    kept = {name: parameter.clone() for name, parameter in net.decomposition.state_dict().items()}
    first, last = descend(net, relight, inputs, targets, 600)
    with torch.no_grad():
        reflectance = net.decomposition(inputs)[0]
    least = least_known(reflectance, targets, relight.losses)
    assert 0 <= (last - least) / (first - least) < 0.2, (first, last, least)
    assert all(torch.equal(kept[name], parameter) for name, parameter in net.decomposition.state_dict().items())
