"""The points of a method's contract (docs/adding-a-method.md), each a function of the method under test.

A point gives a note on what it saw, or raises `Broken` where the contract is not kept, `Skip` where it does not apply.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.evaluation.predict import predict
from benchtool.evaluation.tiles import LEAST, choose_tiling, exact_tiling, margin_holds, predict_in_tiles
from benchtool.methods import create, load_weights
from benchtool.methods.base import Batch, Method, count_parameters
from benchtool.workflows.contract_subject import Skip, Subject, example_batch, require
from benchtool.workflows.contract_training import gradient_reaches_all, loss_falls, recipes_name_its_losses

SIZES = ((1, 1), (1, 19), (8, 8), (33, 47))  # rows, columns
MEGAPIXEL = (1000, 1000)
PATIENCE = 20.0  # seconds within which a megapixel is tried
OWN_STEPS = 7  # of a tile between its margins; a prime, so that a step that is too small shows
ACROSS = 33  # pixels of a tiled strip's other side
TOLERANCE = 1e-5  # of tiles against the whole image
DEVICE_TOLERANCE = 1e-4  # of the GPU against the CPU, of the largest value of the output and at least of 1: float32 without TF32
CHOICES = {
    "task": ("correct", "hdr", "isp"),
    "input": ("srgb8", "srgb16", "linear", "raw-rggb"),
    "output": ("srgb8", "srgb16", "linear"),
    "reference": ("middle", "shortest", "blind"),
    "faithful": ("paper", "released"),
    "tiling": ("exact", "approximate"),
}


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
    require(spec.tile_margin >= 0 and spec.tile_step >= 1, f"SPEC.tile_margin {spec.tile_margin}, tile_step {spec.tile_step}")
    require(spec.tiling == "exact" or spec.tile_margin == 0, "SPEC.tile_margin is given, but tiling is approximate")
    require(spec.tiling == "approximate" or spec.inference is None, "SPEC.inference reduces the image: tiling cannot be exact")
    return f"{spec.task}, {len(spec.departures)} departures"


def parameters_are_counted(subject: Subject) -> str:
    """SPEC.parameters is that of the default build, and SPEC.by_player, where there are several players, what each of them trains."""
    spec = subject.spec
    with torch.device("meta"):
        method = create(subject.name)
    built = count_parameters(method)
    require(built == spec.parameters, f"the default build has {built:,} parameters, SPEC says {spec.parameters:,}")
    if len(spec.players) < 2:
        require(not spec.by_player, "SPEC.by_player is for several players")
        return f"{built:,}"
    found = {player: sum(parameter.numel() for _, parameter in method.trainable(player)) for player in spec.players}
    require(found == spec.by_player, f"the players have {found} parameters, SPEC.by_player says {dict(spec.by_player)}")
    return f"{built:,}: {', '.join(f'{player} {count:,}' for player, count in found.items())}"


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


def devices_agree(subject: Subject) -> str:
    """The same weights on the same batch, in 8 bits where its input has these: on the GPU what the CPU gives."""
    if subject.device is None:
        raise Skip("no GPU here")
    method, batch = subject.build().eval(), example_batch(subject.spec)
    inputs = (batch.inputs * 255).round() / 255 if subject.spec.input == "srgb8" else batch.inputs
    here = _enhance(method, inputs, batch.exposures)
    with _full_precision():
        other = copy.deepcopy(method).to(subject.device)
        there = _enhance(other, inputs.to(subject.device), batch.exposures.to(subject.device))
    require(there.device.type == torch.device(subject.device).type, f"given {subject.device}, gives an image on {there.device}")
    worst = float((there.cpu() - here).abs().max()) / max(1.0, float(here.abs().max()))
    require(worst <= DEVICE_TOLERANCE, f"{subject.device} differs from the CPU by {worst:.2g}, more than {DEVICE_TOLERANCE:g}")
    return f"within {worst:.1g}"


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """Float32 as such on a GPU: no TF32, in convolutions and in products of matrices."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def tiles_as_it_says(subject: Subject) -> str:
    """Exact: tiles equal the whole image, up to its borders, and see no farther than SPEC says. Approximate: refused, unless forced."""
    method, spec = subject.build().eval(), subject.spec
    if spec.tiling != "exact":
        return _tiles_are_refused(subject, method)
    require(margin_holds(method, spec), f"pixels depend on others farther than SPEC.tile_margin, {spec.tile_margin}, or off the step")
    own = OWN_STEPS * spec.tile_step
    tiling = exact_tiling(spec, exact_tiling(spec, 0).overlap + own)
    length = tiling.side + 2 * own - spec.tile_step + 1  # three tiles, the last of an odd size
    worst = 0.0
    for height, width in ((length, ACROSS), (ACROSS, length)):
        inputs, exposures = _one_sample(subject, height, width)
        whole, tiled = predict(method, inputs, exposures, levels=None), predict_in_tiles(method, inputs, tiling, exposures, levels=None)
        worst = max(worst, float(abs(tiled - whole).max()))
    step = f"beginning at multiples of {spec.tile_step}, with {spec.tile_margin} px around them"
    require(worst <= TOLERANCE, f"tiles differ from the whole image by {worst:.2g}, {step}")
    return f"within {worst:.1g}, {step}"


def _tiles_are_refused(subject: Subject, method: Method) -> str:
    try:
        choose_tiling(subject.name, method, subject.spec, LEAST)
    except UserError as refusal:
        require("--force" in str(refusal), f"--tile says: {refusal}")
    else:
        require(False, "--tile is not refused")
    inputs, exposures = _one_sample(subject, LEAST + 9, LEAST + 27)
    tiled = predict_in_tiles(method, inputs, choose_tiling(subject.name, method, subject.spec, LEAST, force=True), exposures, levels=None)
    scale = subject.spec.output_scale
    require(tiled.shape[:2] == ((LEAST + 9) * scale, (LEAST + 27) * scale), f"forced: gives {tiled.shape[1]} x {tiled.shape[0]}")
    return "approximate: --tile is refused without --force"


def _one_sample(subject: Subject, height: int, width: int) -> tuple[list[np.ndarray], list[float]]:
    """A sample as files give it: N images [H, W, C] and their exposures."""
    batch = example_batch(subject.spec, height, width, size=1)
    return [image.permute(1, 2, 0).numpy() for image in batch.inputs[0]], batch.exposures[0].tolist()


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
    "CPU and GPU agree": devices_agree,
    "tiling as SPEC says": tiles_as_it_says,
}


def _enhance(method: Method, inputs: Tensor, exposures: Tensor | None) -> Tensor:
    with torch.no_grad():
        return method.enhance(inputs, exposures)


def _state(method: Method) -> dict[str, Tensor]:
    return {key: value.contiguous() for key, value in method.state_dict().items()}
