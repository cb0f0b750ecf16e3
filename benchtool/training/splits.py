"""What a recipe asks of a dataset's splits, beyond samples to train on: validation, and all exposures in it."""

from __future__ import annotations

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import Recipe


def check_splits(recipe: Recipe, dataset: Dataset) -> None:
    """UserError unless there are samples to choose the best weights by, and the worst exposure where a stage wants it."""
    worst = [f"stages.{number}" for number, stage in enumerate(recipe.stages) if stage.exposures == "worst"]
    if recipe.validation is not None and not any(sample.split == "val" for sample in dataset.samples):
        last = "" if worst else ", or keep the last ones with -s validate=none"
        again = f"benchtool data prepare {dataset.facts.name} ... -s val=N"
        raise UserError(f"{dataset.folder}: has no validation split to choose weights by; prepare it with one ({again}){last}")
    for where in worst:
        _check_groups(dataset, where)


def _check_groups(dataset: Dataset, where: str) -> None:
    """UserError unless each exposure group can be validated and trained on: the worst is otherwise chosen from some of them alone."""
    groups = {split: {dataset.group(s) for s in dataset.samples if s.split == split} - {None} for split in ("train", "val")}
    if not groups["train"]:
        raise UserError(f"{where}: exposures: worst, but the dataset '{dataset.facts.name}' has no exposure groups to train on")
    for group in sorted(groups["train"] ^ groups["val"]):
        has, lacks = ("training", "validation") if group in groups["train"] else ("validation", "training")
        mend = f"prepare it with more of them (benchtool data prepare {dataset.facts.name} ... -s val=N), or list the exposures"
        raise UserError(f"{where}: exposures: worst, but '{group}' in {dataset.folder} has {has} samples and no {lacks} samples; {mend}")
