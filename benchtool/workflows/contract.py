"""The points of a method's contract (docs/adding-a-method.md), each a function of the method under test.

A point gives a note on what it saw, or raises `Broken` where the contract is not kept, `Skip` where it does not apply.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.core import catalog
from benchtool.core.recipe import StageRecipe, load_recipe
from benchtool.core.spec import MethodSpec
from benchtool.methods import create, load_weights
from benchtool.methods.base import Batch, Method, Stage, count_parameters
from benchtool.workflows.method_facts import recipes_of

SIZES = ((1, 1), (1, 19), (8, 8), (33, 47))  # rows, columns
MEGAPIXEL = (1000, 1000)
PATIENCE = 20.0  # seconds within which a megapixel is tried
STEPS, RATE = 10, 1e-4  # a fixed batch's loss has to fall within these
TILE, SURROUNDINGS = 64, 128  # pixels
TOLERANCE = 1e-5  # of a tile against the whole image
CHOICES = {
    "task": ("correct", "hdr", "isp"),
    "input": ("srgb8", "srgb16", "linear", "raw-rggb"),
    "output": ("srgb8", "srgb16", "linear"),
    "reference": ("middle", "shortest", "blind"),
    "faithful": ("paper", "released"),
    "tiling": ("exact", "approximate"),
}


class Broken(Exception):
    """The contract is not kept; the message says where."""


class Skip(Exception):
    """The point does not apply; the message says why."""


@dataclass(frozen=True)
class Subject:
    """The method under test: its name, its facts and how to make a fresh small build."""

    name: str
    spec: MethodSpec

    def build(self) -> Method:
        """The small build, its weights the same each time."""
        torch.manual_seed(0)
        return create(self.name, **self.spec.check)


def require(condition: bool, message: str) -> None:
    """Break the point at hand with `message` unless `condition` holds."""
    if not condition:
        raise Broken(message)


def example_batch(spec: MethodSpec, height: int = 32, width: int = 48, size: int = 2) -> Batch:
    """A fixed batch: smooth random scenes as targets, darkened by a power as inputs, exposures an EV apart."""
    generator = torch.Generator().manual_seed(1)
    scale = spec.output_scale

    def scenes(channels: int, rows: int, columns: int) -> Tensor:
        coarse = torch.rand(size, channels, 5, 5, generator=generator)
        return F.interpolate(coarse, (rows, columns), mode="bilinear")

    targets = scenes(spec.output_channels, height * scale, width * scale)
    one = scenes(4, height, width) if spec.input == "raw-rggb" else F.interpolate(targets, (height, width))
    exposures = torch.arange(spec.inputs, dtype=torch.float32) - spec.inputs // 2
    inputs = torch.stack([one ** (1.5 - 0.2 * float(ev)) for ev in exposures], dim=1)
    names = tuple(f"example{i}" for i in range(size))
    return Batch(inputs, targets if spec.needs_target else None, exposures.expand(size, -1), names)


def spec_is_complete(subject: Subject) -> str:
    """Every fact is of its kind; every departure names all three columns."""
    spec = subject.spec
    require(bool(spec.title and spec.licence), "SPEC needs a title and a licence")
    for field, choices in CHOICES.items():
        value = getattr(spec, field)
        require(value in choices, f"SPEC.{field} is '{value}', not one of {', '.join(choices)}")
    for departure in spec.departures:
        require(
            all((departure.name, departure.paper, departure.released, departure.ours)),
            f"departure '{departure.name}' leaves a column empty",
        )
    takes = catalog.options("methods", subject.name)
    for option in spec.check:
        require(option in takes, f"SPEC.check sets '{option}', which the method does not take")
    return f"{spec.task}, {len(spec.departures)} departures"


def parameters_are_counted(subject: Subject) -> str:
    """SPEC.parameters is that of the default build."""
    with torch.device("meta"):
        built = count_parameters(create(subject.name))
    require(built == subject.spec.parameters, f"the default build has {built:,} parameters, SPEC says {subject.spec.parameters:,}")
    return f"{built:,}"


def shapes_are_kept(subject: Subject) -> str:
    """Any height and width, with and without exposures, also black and white: the right shape, finite, the input untouched."""
    method, spec = subject.build().eval(), subject.spec
    for height, width in SIZES:
        batch = example_batch(spec, height, width)
        before = batch.inputs.clone()
        for exposures in (None, batch.exposures, torch.full_like(batch.exposures, float("nan"))):
            output = _enhance(method, batch.inputs, exposures)
            expected = (2, spec.output_channels, height * spec.output_scale, width * spec.output_scale)
            require(tuple(output.shape) == expected, f"{height} x {width}: gives {tuple(output.shape)}, not {expected}")
            require(bool(torch.isfinite(output).all()), f"{height} x {width}: gives NaN or infinity")
        require(torch.equal(before, batch.inputs), f"{height} x {width}: writes into its input")
    for level, name in ((0.0, "black"), (1.0, "white")):
        flat = torch.full_like(example_batch(spec, 8, 8).inputs, level)
        require(bool(torch.isfinite(_enhance(method, flat, None)).all()), f"a {name} image: gives NaN or infinity")
    return ", ".join(f"{height} x {width}" for height, width in SIZES)


def megapixel_works(subject: Subject) -> str:
    """A megapixel, where a small image says that it takes no longer than PATIENCE."""
    method = subject.build().eval()
    small = example_batch(subject.spec, 125, 125, size=1)
    seconds = min(_seconds(method, small) for _ in range(2)) * 64
    if seconds > PATIENCE:
        raise Skip(f"would take about {seconds:.0f} s on this machine")
    return f"{_seconds(method, example_batch(subject.spec, *MEGAPIXEL, size=1)):.1f} s"


def _seconds(method: Method, batch: Batch) -> float:
    begun = time.perf_counter()
    output = _enhance(method, batch.inputs, batch.exposures)
    require(bool(torch.isfinite(output).all()), f"{batch.inputs.shape[-2]} x {batch.inputs.shape[-1]}: gives NaN or infinity")
    return time.perf_counter() - begun


def results_repeat(subject: Subject) -> str:
    """The same build, twice, on the same input: the same bits."""
    batch = example_batch(subject.spec)
    first, second = subject.build().eval(), subject.build().eval()
    reference = _enhance(first, batch.inputs, batch.exposures)
    require(torch.equal(reference, _enhance(first, batch.inputs, batch.exposures)), "two calls differ")
    require(torch.equal(reference, _enhance(second, batch.inputs, batch.exposures)), "two builds of one seed differ")
    return "bitwise"


def weights_survive(subject: Subject) -> str:
    """Saved, loaded into a fresh build and saved again: the same bytes and the same results."""
    from safetensors.torch import save

    if not subject.spec.players:
        raise Skip("has no weights")
    first = subject.build().eval()
    other = create(subject.name, **subject.spec.check).eval()  # the random state went on: other weights
    data = save(_state(first))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        path.write_bytes(data)
        load_weights(other, path)
    require(save(_state(other)) == data, "saving what was loaded gives other bytes")
    batch = example_batch(subject.spec)
    same = torch.equal(_enhance(first, batch.inputs, batch.exposures), _enhance(other, batch.inputs, batch.exposures))
    require(same, "the loaded weights give another result: something is not in the state")
    return f"{len(data):,} bytes"


def gradient_reaches_all(subject: Subject) -> str:
    """The losses of each player reach every parameter that its optimiser gets, in one stage or another."""
    seen = 0
    for player in _players(subject):
        method = subject.build().train()
        for weights in _weights(subject):
            _total(method, subject, player, weights).backward()
        for name, parameter in method.trainable(player):
            require(parameter.grad is not None and bool(parameter.grad.any()), f"{player}: no gradient reaches {name}")
            seen += 1
    return f"{seen} tensors"


def loss_falls(subject: Subject) -> str:
    """For each player, its losses on one fixed batch fall within a few steps of Adam."""
    notes = []
    for player in _players(subject):
        method = subject.build().train()
        optimizer = torch.optim.Adam([parameter for _, parameter in method.trainable(player)], lr=RATE)
        weights = _weights(subject)[0]
        start = _total(method, subject, player, weights)
        loss = start
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss = _total(method, subject, player, weights)
        first, last = float(start.detach()), float(loss.detach())
        require(last < first, f"{player}: {first:.6g} before, {last:.6g} after {STEPS} steps of Adam at {RATE}")
        notes.append(f"{player} {first:.4g} → {last:.4g}")
    return ", ".join(notes)


def recipes_name_its_losses(subject: Subject) -> str:
    """Each loss that a stage of its recipes weighs is one that the method gives there, a scalar and finite."""
    stages = _recipe_stages(subject)
    if not stages:
        raise Skip("no recipe trains it")
    method = subject.build()
    teacher = copy.deepcopy(method).requires_grad_(False)
    for recipe, stage in stages:
        context = Stage(stage.name, stage.losses, teacher if stage.teacher else None)
        given = {}
        for player in subject.spec.players:
            given |= method.losses(example_batch(subject.spec), context, player)
        for name in context.losses:
            require(name in given, f"recipe {recipe}, stage {context.name}: weighs '{name}', the method gives {', '.join(given)}")
            require(given[name].shape == () and bool(torch.isfinite(given[name])), f"loss '{name}' is not a finite scalar")
    return ", ".join(dict.fromkeys(recipe for recipe, _ in stages))


def _recipe_stages(subject: Subject) -> list[tuple[str, StageRecipe]]:
    """(recipe, stage) of every recipe that trains the method."""
    return [(name, stage) for name in recipes_of(subject.name) for stage in load_recipe(name).stages]


def tiles_as_it_says(subject: Subject) -> str:
    """Where SPEC says that tiling is exact: tiles with their surroundings equal the whole image, on an odd size."""
    if subject.spec.tiling != "exact":
        raise Skip("approximate: it looks at the whole image")
    method, scale = subject.build().eval(), subject.spec.output_scale
    batch = example_batch(subject.spec, 301, 413, size=1)
    whole = _enhance(method, batch.inputs, batch.exposures)
    worst = 0.0
    for top, left in ((0, 0), (128, 192), (256, 384)):
        rows, columns = (slice(max(at - SURROUNDINGS, 0), at + TILE + SURROUNDINGS) for at in (top, left))
        tile = _enhance(method, batch.inputs[..., rows, columns], batch.exposures)
        tile = tile[..., (top - rows.start) * scale :, (left - columns.start) * scale :][..., : TILE * scale, : TILE * scale]
        same = whole[..., top * scale : (top + TILE) * scale, left * scale : (left + TILE) * scale]
        worst = max(worst, float((tile - same).abs().max()))
    require(worst <= TOLERANCE, f"a tile differs from the whole image by {worst:.2g} with {SURROUNDINGS} px around it")
    return f"within {worst:.1g}"


POINTS: dict[str, Callable[[Subject], str]] = {
    "SPEC is complete": spec_is_complete,
    "parameters as SPEC says": parameters_are_counted,
    "any size": shapes_are_kept,
    "a megapixel": megapixel_works,
    "deterministic": results_repeat,
    "weights saved and loaded": weights_survive,
    "gradient reaches all": gradient_reaches_all,
    "loss falls": loss_falls,
    "losses of its recipes": recipes_name_its_losses,
    "tiling as SPEC says": tiles_as_it_says,
}


def _enhance(method: Method, inputs: Tensor, exposures: Tensor | None) -> Tensor:
    with torch.no_grad():
        return method.enhance(inputs, exposures)


def _state(method: Method) -> dict[str, Tensor]:
    return {key: value.contiguous() for key, value in method.state_dict().items()}


def _players(subject: Subject) -> tuple[str, ...]:
    if not subject.spec.players:
        raise Skip("not trained")
    return subject.spec.players


def _weights(subject: Subject) -> list[Mapping[str, float]]:
    """What the stages without a teacher of its first recipe weigh; one that names no loss where it has no recipe."""
    stages = _recipe_stages(subject)
    return [stage.losses for name, stage in stages if name == stages[0][0] and not stage.teacher] or [{}]


def _total(method: Method, subject: Subject, player: str, weights: Mapping[str, float]) -> Tensor:
    """All losses of a player on the fixed batch, each of weight 1, in a stage that weighs these."""
    torch.manual_seed(2)
    losses = method.losses(example_batch(subject.spec), Stage("check", weights), player)
    require(bool(losses), f"{player}: `losses` gives nothing")
    return torch.stack(list(losses.values())).sum()
