"""What the stages of a run share: recipe, data, folder, device, and how networks and batches come onto it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from benchtool.core.console import progress
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import Recipe
from benchtool.core.recipe_stage import StageRecipe
from benchtool.core.seeds import seed_of
from benchtool.core.spec import MethodSpec
from benchtool.datasets.loading import Pace, Patches, batches
from benchtool.datasets.packed import find
from benchtool.evaluation.validate import Validation, validate
from benchtool.methods import create, load_weights
from benchtool.methods.base import Batch, Method
from benchtool.training import smoke
from benchtool.training.checkpoints import locate
from benchtool.training.log import Log


@dataclass
class Run:
    """A run under way.

    Attributes:
        log: None in all processes but the first, which alone writes.
        workers: processes that read images.
        cache: bytes of decoded images kept in memory.
        save_every: seconds between saves.
    """

    recipe: Recipe
    spec: MethodSpec
    dataset: Dataset
    folder: Path
    accelerator: Accelerator
    log: Log | None = None
    workers: int = 0
    cache: int = 0
    save_every: float = 30.0

    def build(self) -> Method:
        """The network with the run's first weights: a function of the recipe's seed."""
        torch.manual_seed(seed_of(self.recipe.seed, "init"))
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return create(self.recipe.method, **self.recipe.options).to(self.accelerator.device, memory_format=layout)

    def load(self, reference: str) -> Method:
        """The network with the weights that a `start` or `teacher` names.

        Raises:
            UserError: no such checkpoint, or one of another network.
        """
        method = self.build()
        load_weights(method, locate(reference, self.folder, self.recipe.method))
        return method

    def patches(self, stage: StageRecipe, exposures: list[float | str] | None, draws: str | None = None) -> Patches:
        """Training data as a stage crops it; `draws` takes the place of the stage's name in what is drawn."""
        role = (stage.target or self.dataset.facts.default_target) if self.spec.needs_target else None
        given = {"patch": stage.patch, "augment": stage.augment, "resize": stage.resize, "reject": stage.reject}
        kept = {"cache": self.cache, "pack": find(self.dataset)}
        return Patches(self.dataset, self.recipe.seed, draws or stage.name, target=role, exposures=exposures, **given, **kept)

    def pace(self, stage: StageRecipe) -> Pace:
        """How a stage cuts its data into steps."""
        limit = smoke.STEPS if self.recipe.smoke else None
        processes = self.accelerator.process_index, self.accelerator.num_processes
        return Pace(stage.batch, stage.accumulate, *processes, limit, stage.crops)

    def batches(self, data: Patches, pace: Pace, first: int, last: int) -> Iterator[list[Batch]]:
        """The batches of each step from `first` to `last` - 1, on the device."""
        for parts in batches(data, pace, first, last, self.workers, self.accelerator.device):
            yield [self._place(Batch(**fields)) for fields in parts]

    def _place(self, batch: Batch) -> Batch:
        """On the device; with channels-last, each image laid out so."""
        device = self.accelerator.device
        if not self.recipe.channels_last:
            return batch.to(device)
        images = batch.inputs.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
        return dataclasses.replace(batch, inputs=images).to(device, torch.channels_last)

    def validate(self, method: Method, target: str | None) -> Validation:
        """Measure a network on the validation split (with --smoke, a little of it)."""
        data = smoke.fewer(self.dataset) if self.recipe.smoke else self.dataset
        return validate(method, data, "val", metric=self.recipe.validation, target=target, device=self.accelerator.device)

    def progress(self, label: str, total: int) -> contextlib.AbstractContextManager[Any]:
        """A progress bar in the first process, nothing in the others."""
        return progress(label, total, "step") if self.log is not None else contextlib.nullcontext(lambda n=1, note="": None)
