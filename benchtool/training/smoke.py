"""`--smoke`: any recipe in about a minute on a CPU. Every stage runs, through the code of a real training, only less of it."""

from __future__ import annotations

import dataclasses

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.recipe import Recipe
from benchtool.core.recipe_stage import StageRecipe

STEPS = 8  # of a stage
BATCH = 4
PATCH = 128
MULTIPLE = 16


def shorten(recipe: Recipe, dataset: Dataset, processes: int = 1) -> Recipe:
    """One epoch of at most 8 steps a stage, of at most 4 patches; the patch is the largest multiple of 16 that fits, at most 128,
    and so is what whole images are resized to.

    Raises:
        UserError: an image is smaller than 16 pixels.
    """
    train = dataset.split("train")
    smallest = min((min(i.width, i.height), i.path) for s in train for i in s.inputs)
    if smallest[0] < MULTIPLE:
        raise UserError(f"{smallest[1]}: {smallest[0]} pixels are too few even for --smoke, which needs {MULTIPLE}")

    raw = any(s.encoding_in == "raw-rggb" for s in train)

    def less(stage: StageRecipe) -> StageRecipe:
        resize = min(stage.resize, PATCH) if isinstance(stage.resize, int) else stage.resize
        fits = resize if isinstance(resize, int) else smallest[0] - (raw and bool(stage.augment))  # raws are turned in smaller crops only
        patch = min(fits, PATCH, stage.patch or PATCH) // MULTIPLE * MULTIPLE
        samples = (
            min(sum(s.shown_at(chosen) for s in train) for chosen in _choices(stage, dataset)) if stage.exposures != "all" else len(train)
        )
        accumulate = min(stage.accumulate, max(1, samples // processes))
        return stage.model_copy(
            update={
                "epochs": None if stage.steps else 1,
                "steps": min(stage.steps, STEPS) if stage.steps else None,
                "validate_every": None,
                "resize": resize,
                "patch": max(patch, MULTIPLE),
                "accumulate": accumulate,
                "crops": min(stage.crops, STEPS),
                "batch": max(1, min(stage.batch, BATCH, samples // (accumulate * processes))),
                "players": {name: player.model_copy(update={"from_epoch": 1}) for name, player in stage.players.items()},
            }
        )

    return recipe.model_copy(update={"smoke": True, "stages": [less(stage) for stage in recipe.stages]})


def _choices(stage: StageRecipe, dataset: Dataset) -> list[list[float | str]]:
    """The exposures a stage may come to train on."""
    if stage.exposures == "worst" and stage.worst is None:
        return [dataset.exposures(group) for group in dataset.facts.exposure_groups]
    return [stage.worst or stage.exposures]


def fewer(dataset: Dataset) -> Dataset:
    """The dataset with little to validate: one sample of each exposure group, of those with the smallest images."""
    groups: dict[str | None, Sample] = {}
    for sample in sorted((s for s in dataset.samples if s.split == "val"), key=lambda s: s.inputs[0].width * s.inputs[0].height):
        groups.setdefault(dataset.group(sample), sample)
    return dataclasses.replace(dataset, samples=[s for s in dataset.samples if s.split != "val" or s in groups.values()])
