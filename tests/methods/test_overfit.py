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
        betas: Adam's.
        textured: learn pictures full of detail, not smooth ones: where there is none, SSIM is that of noise.
        dim: what the photographs are multiplied by; by half, their overexposures are not clipped.
        psnr: in dB, what the results reach at least; of the methods whose loss holds the target at full size.
    """

    name: str
    steps: int
    lr: float
    optimum: float
    options: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    betas: tuple[float, float] = (0.9, 0.999)
    textured: bool = False
    dim: float = 1.0
    psnr: float = 0.0


SMALL = {"width": 8, "growth": 8}
OF_DRBN = {"betas": (0.9, 0.99), "textured": True}
SMALL_MSEC = {"widths": (4, 4, 8, 16), "critic_width": 2, "long_side": SIDE}
# The SPECs' check presets, of DRBN two of the four blocks, so that enough steps take less than a minute. MSEC works on 0..255, and so do
# its biases.
CHECK = (
    Preset("sid", 1100, 2e-3, 0.0, {"width": 8}, dim=0.5, psnr=30.0),
    Preset("sid-enc", 300, 3e-3, 0.0, {"width": 8}),
    Preset("drbn", 250, 5e-3, -3.0, {**SMALL, "blocks": 2}, **OF_DRBN),
    Preset("drbn-enc-4", 120, 5e-3, -3.0, SMALL, **OF_DRBN),
    Preset("msec", 760, 2e-3, 0.0, SMALL_MSEC, {"*.bias": 0.2}, dim=0.5, psnr=30.0),
)
FULL = (
    Preset("sid", 300, 5e-4, 0.0),
    Preset("sid-enc", 300, 5e-4, 0.0),
    Preset("drbn", 200, 2e-3, -3.0, **OF_DRBN),
    Preset("drbn-enc-4", 130, 2e-3, -3.0, **OF_DRBN),
    Preset("msec", 900, 1e-3, 0.0, {"long_side": SIDE}, {"*.bias": 0.3}, psnr=30.0),
)


def pairs(textured: bool = False, dim: float = 1.0) -> tuple[Tensor, Tensor]:
    """Four photographs [4, 3, 128, 128] in [0, 1], under- and overexposed, and as they were: smooth, or full of detail."""
    crops = [(data.astronaut(), 0, 180), (data.coffee(), 100, 200), (data.chelsea(), 44, 110), (data.rocket(), 0, 100)]
    if textured:
        tissue = data.immunohistochemistry()
        crops = [(tissue, 0, 0), (tissue, 250, 250), (data.chelsea(), 40, 150), (data.coffee(), 140, 250)]
    photos = torch.stack([torch.from_numpy(photo[y : y + 256, x : x + 256].copy()).permute(2, 0, 1) / 255 for photo, y, x in crops])
    targets = F.interpolate(F.avg_pool2d(photos, 2 if textured else 16), (SIDE, SIDE), mode="bicubic").clamp(0, 1) * dim
    gain = 2.0 ** torch.tensor(EVS).view(4, 1, 1, 1)
    return (targets**2.2 * gain).clamp(0, 1) ** (1 / 2.2), targets


def weighted(net: Method, stage: Stage, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss that the stage trains on."""
    losses = net.losses(Batch(inputs[:, None], targets), stage)
    return sum(weight * losses[name] for name, weight in stage.losses.items())


def overfit(preset: Preset) -> tuple[float, float]:
    """What is left of the way from the first loss to the optimum, and the mean PSNR in dB of the result at full size."""
    torch.manual_seed(0)
    recipe = load_recipe(preset.name)
    net = create(preset.name, **{**recipe.options, **preset.options})
    inputs, targets = pairs(preset.textured, preset.dim)
    stage = Stage(recipe.stages[0].name, recipe.stages[0].losses)
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in net.trainable():
        lr = next((rate for pattern, rate in preset.rates.items() if fnmatch(name, pattern)), preset.lr)
        groups.setdefault(lr, []).append(parameter)
    optimizer = torch.optim.Adam([{"params": parameters} for parameters in groups.values()], betas=preset.betas, fused=True)
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


def learned(preset: Preset) -> None:
    """Fail unless less than a fifth of the way is left, and the results are as close as they should be."""
    left, psnr = overfit(preset)
    assert left < 0.2, f"{left:.3f} of the way from the first loss to {preset.optimum} is left after {preset.steps} steps"
    assert psnr >= preset.psnr


@pytest.mark.parametrize("preset", CHECK, ids=lambda preset: preset.name)
def test_four_pairs_are_learned_by_a_check_preset(preset: Preset) -> None:
    learned(preset)


@pytest.mark.slow
@pytest.mark.parametrize("preset", FULL, ids=lambda preset: preset.name)
def test_four_pairs_are_learned_at_full_size(preset: Preset) -> None:
    learned(preset)
