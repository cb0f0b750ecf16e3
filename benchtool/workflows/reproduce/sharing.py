"""Stages that several trainings have in common are trained once: the others take them over (`benchtool train --reuse`).

From trainings of the same graph, which then run first, and from whatever runs there are beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import Recipe
from benchtool.training import folder
from benchtool.workflows.reproduce import cost, state
from benchtool.workflows.reproduce.node import Node


@dataclass(frozen=True)
class Training:
    """What sharing has to know of a training that is to be run or has been.

    Attributes:
        dataset: None where the data is not there.
        steps: of each stage, by `cost.steps`.
        began: by `state.progress`.
    """

    node: Node
    recipe: Recipe
    dataset: Dataset | None
    steps: Sequence[int | None]
    began: Mapping[str, Mapping[str, Any]]

    @property
    def finished(self) -> int:
        """How many leading stages are finished."""
        return _finished(self.recipe, self.began)

    @property
    def midway(self) -> bool:
        """Whether a stage has begun and is not finished: it goes on by itself."""
        return len(self.began) > self.finished


@dataclass(frozen=True)
class Provider:
    """Where stages can come from.

    Attributes:
        recipe: what runs in `run`.
        stages: how many of its leading stages are there, or will be.
        node: of the training that has to run first; empty for a run that is there.
    """

    run: Path
    recipe: Recipe
    stages: int
    node: str = ""


def share(trainings: Sequence[Training], runs: Path, barred: Container[Path]) -> None:
    """Let the trainings that are due take over what others have or will have: commands, needs, stages and costs change.

    Args:
        runs: the folder of all runs.
        barred: those of them that nothing is taken from.

    The longest common part counts, then that a run is there already, then that nothing longer than necessary is waited for. Those that
    nothing can be given go first, then the shorter before the longer, so that none waits for another in a circle.
    """
    there = [(fingerprint, one) for fingerprint, one in _there(runs) if one.run not in barred]
    coming: list[Provider] = []
    for training in sorted(trainings, key=lambda one: (not one.midway, len(one.recipe.stages))):
        if training.node.state != "due":
            continue
        own = training.dataset and training.dataset.facts.fingerprint
        givers = [one for fingerprint, one in there if fingerprint == own and one.run != training.node.run]
        if not training.midway:
            _take(training, [*givers, *coming])
        coming.append(Provider(training.node.run, training.recipe, len(training.recipe.stages), training.node.name))


def _take(training: Training, providers: Iterable[Provider]) -> None:
    """Choose what a training takes over from where, if anything."""
    offers = [(min(folder.alike(one.recipe, training.recipe)[0], one.stages), one) for one in providers]
    offers = [(count, one) for count, one in offers if count > training.finished]
    if not offers:
        return
    count, giver = max(offers, key=lambda offer: (offer[0], not offer[1].node, -len(offer[1].recipe.stages)))
    node, taken = training.node, training.recipe.stages[training.finished : count]
    node.command += ["--reuse", str(giver.run)]
    node.needs += [giver.node] if giver.node else []
    names = {stage.name for stage in taken}
    about = f"taken over from {giver.run.name}"
    node.stages = tuple(dataclasses.replace(stage, about=about) if stage.name in names else stage for stage in node.stages)
    node.cost = dataclasses.replace(node.cost, count=cost.left(training.recipe, training.steps, training.began, names))


def _there(runs: Path) -> Iterator[tuple[str, Provider]]:
    """What the runs of a folder have finished, by one process as `reproduce` trains; each with its data's fingerprint."""
    for path in sorted(runs.glob(f"*/{folder.RECIPE}")):
        run = path.parent
        try:
            recipe, first = folder.read_recipe(run), read_json(run / "provenance.json")[0]
            began = state.progress(run, recipe)
        except (UserError, UnicodeDecodeError):
            continue  # the run's own node says that it is damaged
        whole = {
            name: facts for name, facts in began.items() if all((run / "checkpoints" / name / one).is_file() for one in folder.WEIGHTS)
        }
        count = _finished(recipe, whole)
        if count and first.get("processes") == 1:
            yield first["fingerprint"], Provider(run, recipe, count)


def _finished(recipe: Recipe, began: Mapping[str, Mapping[str, Any]]) -> int:
    """How many leading stages are finished."""
    names = (stage.name for stage in recipe.stages)
    unfinished = (number for number, name in enumerate(names) if not began.get(name, {}).get("finished"))
    return next(unfinished, len(recipe.stages))


def ordered(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes in the order given, but each after those it needs."""
    placed: dict[str, Node] = {}

    def place(node: Node) -> None:
        for name in node.needs:
            place(nodes[name])
        placed.setdefault(node.name, node)

    for node in nodes.values():
        place(node)
    return placed
