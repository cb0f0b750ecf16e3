"""`--reuse RUN`: leading stages that another run has finished and that are the same are copied instead of trained again.

A stage is a function of the weights it begins from, the seed, its name and its settings: training it again would give the same bits.
"""

from __future__ import annotations

import csv
import filecmp
import itertools
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool.core.console import say
from benchtool.core.errors import UserError
from benchtool.core.files import atomic_path, read_json, write_json
from benchtool.core.recipe import Recipe
from benchtool.core.recipe_stage import StageRecipe
from benchtool.training import folder
from benchtool.training.checkpoints import STATE, read_facts, read_tensors, save_tensors, stage_folder
from benchtool.training.context import Run
from benchtool.training.folder import WEIGHTS

Row = dict[str, Any]


@dataclass(frozen=True)
class Shared:
    """What is to be taken over.

    Attributes:
        run: the other run's folder.
        stages: of the other run, with the worst exposure as it was settled there.
        rows: of the other run's log, by stage.
    """

    run: Path
    stages: list[StageRecipe]
    rows: dict[str, list[Row]]

    @property
    def record(self) -> dict[str, Any]:
        """For `provenance.json`."""
        return {"reused": {"run": str(self.run), "stages": [stage.name for stage in self.stages]}}


def find(source: Path, run: Run, restart: bool = False) -> Shared | None:
    """The stages of `source` that `run` can take over now, before anything is written.

    Args:
        run: stages it has begun or finished are its own.
        restart: it begins anew, so that it has none.

    Returns:
        None where the run has begun and nothing more can be taken over.

    Raises:
        UserError: the run has not begun, and not even its first stage can be taken over: says why.
    """
    if source.resolve() == run.folder.resolve():
        raise UserError(f"--reuse {source}: is the run to be trained itself; give another run")
    own = [] if restart else _begun(run)
    if own and not own[-1]["finished"]:
        return None
    try:
        there = folder.read_recipe(source)
        number, why = _usable(source, there, run)
        if not own and not number:
            raise UserError(f"{source}: {why}; nothing of it can be taken over")
        if number <= len(own):
            return None
        _check_same_weights(source, run, [facts["stage"] for facts in own])
        return Shared(source, there.stages[len(own) : number], _rows(source, there.stages[len(own) : number]))
    except UserError as error:
        if not own:
            raise UserError(f"--reuse {error}") from None
        say(f"--reuse {error}: {run.folder} goes on by itself")
        return None


def _begun(run: Run) -> list[dict[str, Any]]:
    """The facts of the stages that a run has begun, in order."""
    facts = (read_facts(stage_folder(run.folder, stage.name)) for stage in run.recipe.stages)
    return list(itertools.takewhile(bool, facts))


def _usable(source: Path, there: Recipe | None, run: Run) -> tuple[int, str]:
    """How many leading stages of `source` are finished and the same as those of `run`, and what ends them.

    Raises:
        UserError: a file there is damaged.
    """
    if there is None:
        return 0, "is no run (no recipe.resolved.yaml)"
    begun = {"fingerprint": run.dataset.facts.fingerprint, "processes": run.accelerator.num_processes}
    first = read_json(source / "provenance.json")[0]
    if found := folder.difference({key: first.get(key) for key in begun}, begun):
        return 0, f"was trained on other data, or by another number of processes ({found})"
    number, why = folder.alike(there, run.recipe)
    for finished, stage in enumerate(there.stages[:number]):
        place = stage_folder(source, stage.name)
        if not (read_facts(place) or {}).get("finished"):
            return finished, f"has not finished its stage '{stage.name}'"
        if missing := [name for name in WEIGHTS if not (place / name).is_file()]:
            return finished, f"lacks {missing[0]} of its stage '{stage.name}'"
    return number, f"ran another recipe ({why})"


def _check_same_weights(source: Path, run: Run, stages: Iterable[str]) -> None:
    """UserError unless stages that both runs have finished ended in the same bits, which by the device they may not have."""
    for stage, name in itertools.product(stages, WEIGHTS):
        one, two = (stage_folder(place, stage) / name for place in (source, run.folder))
        if not (two.is_file() and filecmp.cmp(one, two, shallow=False)):
            raise UserError(f"{one}: other weights than {two}")


def _rows(source: Path, stages: list[StageRecipe]) -> dict[str, list[Row]]:
    """The log's rows of stages, none where there is no log.

    Raises:
        UserError: it is damaged.
    """
    path = source / "log.csv"
    data = path.read_bytes() if path.is_file() else b""
    try:
        rows = list(csv.DictReader(data.decode().splitlines()))
        return {stage.name: [_values(row) for row in rows if row["stage"] == stage.name] for stage in stages}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); without it, stages are taken over less their rows") from None


def _values(row: dict[str, str]) -> Row:
    """A row's text as `Log.row` took it."""
    kinds = {"stage": str, "epoch": int, "step": int}
    return {name: kinds.get(name, float)(text) for name, text in row.items() if text}


def take_over(shared: Shared, run: Run) -> None:
    """Copy stages into a run that has begun its log, each stage's state last: killed on the way, it has a finished stage or none."""
    for stage in shared.stages:
        source, target = (stage_folder(place, stage.name) for place in (shared.run, run.folder))
        _settle(run, stage)
        for name in WEIGHTS:
            with atomic_path(target / name) as temporary:
                shutil.copyfile(source / name, temporary)
        for row in shared.rows[stage.name]:
            run.log.row(row)
        facts = read_facts(source) | {"log_bytes": run.log.size}
        write_json(target / "state.json", facts)
        save_tensors(target / STATE, read_tensors(source), facts)
    say(f"{run.folder}: taken over from {shared.run}: {', '.join(stage.name for stage in shared.stages)}")


def taken(place: Path) -> dict[str, str]:
    """The stages that the run in `place` has taken over -> from where."""
    records = [entry["reused"] for entry in read_json(place / "provenance.json") if "reused" in entry]
    return {stage: record["run"] for record in records for stage in record["stages"]}


def _settle(run: Run, stage: StageRecipe) -> None:
    """Put what the other run found to be the worst exposure into the resolved recipe."""
    asked = next(own for own in run.recipe.stages if own.name == stage.name)
    if asked.worst != stage.worst:
        stages = [stage if own is asked else own for own in run.recipe.stages]
        run.recipe = run.recipe.model_copy(update={"stages": stages})
        folder.write_recipe(run.folder, run.recipe)
