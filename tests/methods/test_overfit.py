"""SID, DRBN (with and without ENC) and MSEC learn four fixed pairs by heart: their own weighted loss falls most of the way to its optimum.

Zero-DCE's and RetinexNet's are in the tests of their names. Steps see one pair each, in turn; losses are those of all four.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatch
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
    """How a method is overfitted.

    Attributes:
        lr: the largest of a one-cycle schedule of `steps`.
        optimum: the least its loss can be.
        rates: `lr` of the parameters whose names match a pattern.
    """

    name: str
    steps: int
    lr: float
    optimum: float
    options: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)


SMALL_MSEC = {"widths": (4, 4, 8, 16), "critic_width": 2, "long_side": SIDE}
IN_GREY_LEVELS = {"*.bias": 0.3}  # MSEC works on 0..255, and so do its biases
QUICK = Preset("sid", 150, 3e-3, 0.0, {"width": 8})
CHECK = (  # options of the SPECs' `check`
    Preset("sid-enc", 300, 3e-3, 0.0, {"width": 8}),
    Preset("msec", 1200, 2e-3, 0.0, SMALL_MSEC, IN_GREY_LEVELS),
)
HALFWAY = (  # they begin nearly flat at mid-grey, for which SSIM gives half of its range, and in a small build stop at 0.23 to 0.24 of the rest
    Preset("drbn", 200, 5e-3, -3.0, {"width": 8, "growth": 8}),
    Preset("drbn-enc-4", 150, 5e-3, -3.0, {"width": 8, "growth": 8}),
)
BY_HEART = (  # to 30 dB
    Preset("sid", 1300, 5e-3, 0.0, {"width": 8}),
    Preset("msec", 2400, 3e-3, 0.0, SMALL_MSEC, IN_GREY_LEVELS),
)


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
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in net.trainable():
        lr = next((rate for pattern, rate in preset.rates.items() if fnmatch(name, pattern)), preset.lr)
        groups.setdefault(lr, []).append(parameter)
    optimizer = torch.optim.Adam([{"params": parameters} for parameters in groups.values()], fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(groups), total_steps=preset.steps, pct_start=0.1)
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


def test_sid_falls_below_a_fifth_of_its_way() -> None:
    """The quick one of them, which is always run."""
    assert overfit(QUICK)[0] < 0.2


SHORT_OF_IT = pytest.mark.xfail(strict=True, reason="a fifth is not reached yet: 0.23 to 0.24 is left, see HALFWAY")


@pytest.mark.slow
@pytest.mark.parametrize("preset", [*CHECK, *(pytest.param(p, marks=SHORT_OF_IT) for p in HALFWAY)], ids=lambda preset: preset.name)
def test_the_loss_falls_below_a_fifth_of_its_way(preset: Preset) -> None:
    left, _ = overfit(preset)
    assert left < 0.2, f"{left:.3f} of the way from the first loss to {preset.optimum} is left after {preset.steps} steps"


@pytest.mark.slow
@pytest.mark.parametrize("preset", BY_HEART, ids=lambda preset: preset.name)
def test_reaches_30_db(preset: Preset) -> None:
    left, psnr = overfit(preset)
    assert psnr >= 30 and left < {"sid": 0.05, "msec": 0.15}[preset.name], (left, psnr)
