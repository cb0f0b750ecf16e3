"""A whole training: everything that can be checked is, then its stages one after the other, then the summary."""

from __future__ import annotations

import contextlib
import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.console import duration, say
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.core.provenance import now, provenance
from benchtool.core.recipe import Recipe, reference
from benchtool.datasets.loading import Patches
from benchtool.evaluation.predict import pick_device
from benchtool.evaluation.samples import LINEAR, check_inputs
from benchtool.methods.base import count_parameters
from benchtool.training import checkpoints, folder, players, reuse, smoke
from benchtool.training.altered import altered
from benchtool.training.context import Run
from benchtool.training.log import Log, loss_names
from benchtool.training.splits import check_splits
from benchtool.training.stage import StageTraining, exposures

PATIENCE = datetime.timedelta(days=1)  # processes wait while the first one validates


@dataclass(frozen=True)
class Settings:
    """How a training runs; none of it changes its result.

    Attributes:
        device: `auto`, `cpu`, `cuda`.
        workers: processes reading images.
        cache: bytes of decoded images kept in memory, shared with the workers.
        save_every: seconds between saves.
        tensorboard: write TensorBoard events.
        resume: there must be a run to continue.
        restart: begin anew.
        reuse: another run, of which leading stages are taken over that are the same.
    """

    device: str = "auto"
    workers: int = 0
    cache: int = 0
    save_every: float = 30.0
    tensorboard: bool = False
    resume: bool = False
    restart: bool = False
    reuse: Path | None = None


def train(recipe: Recipe, dataset: Dataset, out: Path, settings: Settings = Settings(), short: bool = False) -> None:
    """Train `recipe` on `dataset` into the run folder `out`, or continue there.

    Args:
        short: --smoke.

    Raises:
        UserError: recipe, data or folder do not fit; nothing has been written then. Or the training went wrong.
    """
    accelerator = make_accelerator(settings.device, recipe.amp)
    if dataset.facts.name != recipe.dataset:
        other = f"the dataset '{dataset.facts.name}', the recipe is for '{recipe.dataset}'"
        raise UserError(f"--data {dataset.folder} is {other}; train {recipe.name}:{dataset.facts.name}")
    if short:
        recipe = smoke.shorten(recipe, dataset, accelerator.num_processes)
    spec = catalog.facts("methods", recipe.method)
    run = Run(recipe, spec, dataset, out, accelerator, None, settings.workers, settings.cache, settings.save_every)
    parameters = check(run)
    if settings.resume and folder.read_recipe(out) is None:
        raise UserError(f"--resume: {out} holds no run")
    with folder.held(out) if accelerator.is_main_process else contextlib.nullcontext():
        if accelerator.is_main_process:
            shared = reuse.find(settings.reuse, run, settings.restart) if settings.reuse else None
            run.recipe = folder.begin(out, recipe, settings.restart)
            if done := folder.finished(out):
                say(f"{out}: already trained ({done}); --restart begins anew")
            else:
                folder.add_provenance(out, _provenance(run) | (shared.record if shared else {}))
                run.log = Log(out, loss_names(recipe), _log_bytes(run), settings.tensorboard)
                if shared:
                    reuse.take_over(shared, run)
        accelerator.wait_for_everyone()
        if folder.finished(out):
            return
        stages(run)
        if accelerator.is_main_process:
            folder.write_summary(out, _summary(run, parameters))
            say(f"{out}: trained")


def make_accelerator(device: str, amp: str) -> Any:
    """Accelerate for this process, and PyTorch set to give the same bits every time where it can.

    Raises:
        UserError: the device is not there, or cannot do this precision.
    """
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.state import AcceleratorState
    from accelerate.utils import GradientAccumulationPlugin

    if ":" in device:
        raise UserError(f"--device {device}: write cuda, and choose the GPU with CUDA_VISIBLE_DEVICES")
    chosen = pick_device(device)
    if amp == "fp16" and chosen.type != "cuda":
        raise UserError("amp: fp16 needs a GPU; use bf16, or off")
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())  # it remembers an earlier run in this process
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # which would only cost time
    return Accelerator(
        mixed_precision={"off": "no"}.get(amp, amp),
        cpu=chosen.type == "cpu",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1, sync_with_dataloader=False),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )


def check(run: Run) -> int:
    """Whatever can be known before the first step; returns the number of parameters.

    Raises:
        UserError: an option, a pattern, a checkpoint, an exposure, a patch or a batch does not fit.
    """
    recipe, method = run.recipe, run.build()
    if recipe.validation is not None:
        metrics.find(recipe.validation)
    check_splits(recipe, run.dataset)
    check_inputs(recipe.method, run.spec, (s for s in run.dataset.samples if s.split != "test"))
    for number, stage in enumerate(recipe.stages):
        where = f"stages.{number}"
        for text in (stage.start, stage.teacher, *(player.start for player in stage.players.values())):
            if text and reference(text).run:
                run.load(text)
        data = run.patches(stage, exposures(stage))
        _check_targets(run, data, where)
        run.pace(stage).steps(len(data))
        method.requires_grad_(True)
        players.freeze(method, stage.freeze, stage.name)
        for player in players.moving_order(run.spec, stage):
            players.trained(method, player, stage.name)
    return count_parameters(method)


def _check_targets(run: Run, data: Patches, where: str) -> None:
    """UserError unless the targets, where the method needs any, are such images as it makes: of their size, linear or not."""
    if not data.target:
        return
    spec, targets = run.spec, f"the targets '{data.target}' of {run.dataset.folder} are"
    if data.scale != spec.output_scale:
        made = f"{run.recipe.method} makes images {spec.output_scale} times as large as its inputs"
        raise UserError(f"{where}: {made}, {targets} {data.scale} times as large")
    for sample in data.samples:
        if (sample.encoding_target in LINEAR) != (spec.output in LINEAR):
            of = f"{sample.encoding_target} (sample '{sample.sample}')"
            raise UserError(f"{where}: {run.recipe.method} makes {spec.output} images, {targets} {of}")


def stages(run: Run) -> None:
    """Run the stages that are not finished."""
    for number, stage in enumerate(run.recipe.stages):
        facts = checkpoints.read_facts(checkpoints.stage_folder(run.folder, stage.name))
        if facts and facts["finished"]:
            continue
        if run.accelerator.is_main_process and stage.exposures == "worst" and not run.recipe.stages[number].worst:
            settle_worst(run, number)
        run.accelerator.wait_for_everyone()
        run.recipe = folder.read_recipe(run.folder)
        if run.log is not None:
            say(f"stage '{stage.name}', {number + 1} of {len(run.recipe.stages)}" + (f", from step {facts['step']}" if facts else ""))
        training = StageTraining(run, number)
        training.train()
        if run.log is not None:
            best = training.best and training.best["value"]
            note = "" if best is None else f", best {run.recipe.validation} {best:.2f} after epoch {training.best['epoch']}"
            say(f"stage '{stage.name}' done: {training.steps} steps in {duration(training.seconds)}{note}")


def settle_worst(run: Run, number: int) -> None:
    """Find the exposure group that the start checkpoint validates worst on, and write it into the resolved recipe."""
    stage, recipe = run.recipe.stages[number], run.recipe
    say(f"stage '{stage.name}': looking for the worst exposure of {stage.start}")
    found = run.validate(run.load(stage.start), stage.target)
    pick = min if metrics.find(recipe.validation).spec.higher_is_better else max
    worst = pick(found.groups, key=found.groups.__getitem__)
    say(f"stage '{stage.name}': {', '.join(f'{g} {v:.2f}' for g, v in found.groups.items())}; tuning on {worst}")
    settled = stage.model_copy(update={"worst": run.dataset.exposures(worst)})
    run.recipe = recipe.model_copy(update={"stages": [settled if s is stage else s for s in recipe.stages]})
    folder.write_recipe(run.folder, run.recipe)


def _states(run: Run) -> dict[str, dict[str, Any]]:
    """Stage -> the facts of its saved state, for those that have one."""
    found = {s.name: checkpoints.read_facts(checkpoints.stage_folder(run.folder, s.name)) for s in run.recipe.stages}
    return {name: facts for name, facts in found.items() if facts}


def _log_bytes(run: Run) -> int:
    """How much of the log belongs to the saved states."""
    return max((facts["log_bytes"] for facts in _states(run).values()), default=0)


def _provenance(run: Run) -> dict[str, Any]:
    accelerator, facts = run.accelerator, run.dataset.facts
    cuda = accelerator.device.type == "cuda"
    return provenance(
        device=str(accelerator.device),
        device_name=torch.cuda.get_device_name(accelerator.device) if cuda else None,
        threads=torch.get_num_threads(),
        processes=accelerator.num_processes,
        seed=run.recipe.seed,
        smoke=run.recipe.smoke,
        dataset=facts.name,
        variant=facts.variant,
        fingerprint=facts.fingerprint,
    )


def _summary(run: Run, parameters: int) -> dict[str, Any]:
    recipe, facts, states = run.recipe, run.dataset.facts, _states(run)
    best = {name: state["best"] and {key: state["best"][key] for key in ("epoch", "value")} for name, state in states.items()}
    return {
        "method": recipe.method,
        "recipe": recipe.name,
        "options": recipe.options,
        "parameters": parameters,
        "trained": {
            "dataset": facts.name,
            "variant": facts.variant,
            "fingerprint": facts.fingerprint,
            "stages": [stage.name for stage in recipe.stages],
            "altered": altered(run),
            "reused": reuse.taken(run.folder),
            "steps": sum(state["step"] for state in states.values()),
            "smoke": recipe.smoke,
            "seed": recipe.seed,
            "finished": now(),
            "best": best,
        },
    }
