"""What trainings cost: optimiser steps by the data, or by the numbers its paper states, and the pace that runs tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import Recipe
from benchtool.core.recipe_stage import StageRecipe
from benchtool.core.recipe_text import read_yaml
from benchtool.datasets.pace import Pace


def published(dataset: str, split: str) -> int | None:
    """How many samples a split has by the dataset's paper; None where that is not known."""
    return catalog.facts("datasets", dataset).counts.get(split) if dataset in catalog.entries("datasets") else None


def steps(recipe: Recipe, dataset: Dataset | None, expected: int | None) -> list[int | None]:
    """Optimiser steps of each stage by one process; None where only the data can tell.

    Args:
        dataset: None where the data is not there; then
        expected: how many training samples it will have, as far as is known.

    Raises:
        UserError: the data there does not fill one step.
    """
    found: list[int | None] = []
    for stage in recipe.stages:
        count = _there(stage, dataset) if dataset is not None else _share(stage, recipe.dataset, expected)
        if stage.steps or count is None:
            found.append(stage.steps)
            continue
        pace = Pace(stage.batch, stage.accumulate, crops=stage.crops)
        try:
            found.append(stage.epochs * pace.steps(count))
        except UserError:
            if dataset is not None:
                raise
            found.append(None)  # nor is it known that there will be so few
    return found


def left(recipe: Recipe, steps: Sequence[int | None], began: Mapping[str, Mapping[str, Any]], taken: Set[str] = frozenset()) -> int | None:
    """Optimiser steps that are left to do; None where only the data can tell.

    Args:
        steps: of each stage, by `steps`.
        began: stage -> its checkpoint's facts, of which `step` are done.
        taken: stages that are taken over from another run.
    """
    found = [
        count if count is None else count - began.get(stage.name, {}).get("step", 0)
        for stage, count in zip(recipe.stages, steps)
        if stage.name not in taken
    ]
    return None if None in found else sum(found)


def _there(stage: StageRecipe, dataset: Dataset) -> int:
    """Training samples of a stage; of the largest exposure group where the worst is not settled yet."""
    train = [sample for sample in dataset.samples if sample.split == "train"]
    if stage.exposures == "all":
        return len(train)
    if stage.exposures == "worst" and stage.worst is None:
        choices = [dataset.exposures(group) for group in dataset.facts.exposure_groups]
    else:
        choices = [stage.worst or stage.exposures]
    return max((sum(sample.shown_at(chosen) for sample in train) for chosen in choices), default=len(train))


def _share(stage: StageRecipe, dataset: str, count: int | None) -> int | None:
    """As `_there`, of data with `count` training samples, all exposures having as many."""
    if count is None or stage.exposures == "all":
        return count
    groups = catalog.facts("datasets", dataset).exposure_groups
    sizes = [len(evs) or 1 for evs in groups.values()]  # a group without EVs is a subset
    if not sizes:
        return None
    taken = max(sizes) if stage.exposures == "worst" and stage.worst is None else len(stage.worst or stage.exposures)
    return round(count * min(1.0, taken / sum(sizes)))


class Paces:
    """Seconds of a step, by the checkpoints of the runs in a folder; short trainings by --smoke do not count."""

    def __init__(self, runs: Path) -> None:
        self.known: list[tuple[Path, str, float]] = []
        for recipe in sorted(runs.glob("*/recipe.resolved.yaml")):
            try:
                method, seconds = _method(recipe), _seconds_a_step(recipe.parent)
            except (UserError, UnicodeDecodeError):
                continue  # the run's own node says that it is damaged
            if method and seconds:
                self.known.append((recipe.parent, method, seconds))

    def of(self, run: Path, method: str) -> tuple[float, str] | None:
        """(Seconds of a step, the run that tells): the run itself, else another one of the same method."""
        alike = [(path != run, str(path), seconds) for path, of, seconds in self.known if of == method]
        if not alike:
            return None
        other, path, seconds = min(alike)
        return seconds, path if other else "this run"


def _method(recipe: Path) -> str | None:
    """What a run trains, None where it trains nothing or shortly."""
    raw = read_yaml(recipe.read_text(), str(recipe))
    return raw.get("method") if isinstance(raw, dict) and not raw.get("smoke") else None


def _seconds_a_step(run: Path) -> float | None:
    """Over all stages that have begun; their validation is in it."""
    facts = [read_json(path) for path in sorted(run.glob("checkpoints/*/state.json"))]
    steps = sum(one["step"] for one in facts)
    return sum(one["seconds"] for one in facts) / steps if steps else None
