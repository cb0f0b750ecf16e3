"""SID and DRBN, with and without ENC, learn four fixed pairs by heart: their own weighted loss falls most of the way to its optimum.

Zero-DCE's and RetinexNet's are in the tests of their names. Steps see one pair each, in turn; losses are those of all four.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from benchtool.core.recipe import load_recipe
from benchtool.methods import create
from benchtool.methods.base import Batch, Method, Stage

SIDE = 128
EVS = (-1.5, -1.0, 1.0, 1.5)


@dataclass(frozen=True)
class Preset:
    """How a method is overfitted: `optimum` is the least its loss can be, `lr` the largest of a one-cycle schedule of `steps`."""

    name: str
    steps: int
    lr: float
    optimum: float
    options: dict[str, Any] = field(default_factory=dict)


CHECK = (  # widths of the SPECs' `check`
    Preset("sid", 150, 3e-3, 0.0, {"width": 8}),
    Preset("sid-enc", 300, 3e-3, 0.0, {"width": 8}),
    Preset("drbn", 130, 5e-3, -3.0, {"width": 8, "growth": 8}),
    Preset("drbn-enc-4", 100, 5e-3, -3.0, {"width": 8, "growth": 8}),
)
BY_HEART = Preset("sid", 1300, 5e-3, 0.0, {"width": 8})


def pairs() -> tuple[Tensor, Tensor]:
    """Four smooth photographs [4, 3, 128, 128] in [0, 1], under- and overexposed, and as they were."""
    crops = [(data.astronaut(), 0, 180), (data.coffee(), 100, 200), (data.chelsea(), 44, 110), (data.rocket(), 0, 100)]
    photos = torch.stack([torch.from_numpy(photo[y : y + 256, x : x + 256].copy()).permute(2, 0, 1) / 255 for photo, y, x in crops])
    targets = F.interpolate(F.avg_pool2d(photos, 16), (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    gain = 2.0 ** torch.tensor(EVS).view(4, 1, 1, 1)
    return (targets**2.2 * gain).clamp(0, 1) ** (1 / 2.2), targets


def weighted(net: Method, stage: Stage, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss that the stage trains on."""
    losses = net.losses(Batch(inputs[:, None], targets), stage)
    return sum(weight * losses[name] for name, weight in stage.losses.items())


def overfit(preset: Preset) -> tuple[float, float]:
    """What is left of the way from the first loss to the optimum, and the mean PSNR in dB of the result at full size."""
    torch.manual_seed(0)
    net = create(preset.name, **preset.options)
    inputs, targets = pairs()
    recipe = load_recipe(preset.name).stages[0]
    stage = Stage(recipe.name, recipe.losses)
    optimizer = torch.optim.Adam((parameter for _, parameter in net.trainable()), lr=preset.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, preset.lr, total_steps=preset.steps, pct_start=0.1)
    with torch.no_grad():
        first = weighted(net, stage, inputs, targets).item()
    for step in range(preset.steps):
        one = slice(step % 4, step % 4 + 1)
        optimizer.zero_grad()
        weighted(net, stage, inputs[one], targets[one]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        last = weighted(net, stage, inputs, targets).item()
        outputs = net.enhance(inputs[:, None])
    errors = (outputs.clamp(0, 1) - targets).square().mean((1, 2, 3))
    return (last - preset.optimum) / (first - preset.optimum), (-10 * errors.log10()).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("preset", CHECK[1:], ids=lambda preset: preset.name)
def test_the_loss_falls_below_a_fifth_of_its_way(preset: Preset) -> None:
    left, _ = overfit(preset)
    assert left < 0.2, f"{left:.3f} of the way from the first loss to {preset.optimum} is left after {preset.steps} steps"


def test_sid_falls_below_a_fifth_of_its_way() -> None:
    """The quick one of them, which is always run."""
    assert overfit(CHECK[0])[0] < 0.2


@pytest.mark.slow
def test_sid_reaches_30_db() -> None:
    left, psnr = overfit(BY_HEART)
    assert psnr >= 30 and left < 0.05, (left, psnr)
