"""What of a table's datasets, trainings and evaluations there is, and whether it is still made from what is there now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from benchtool.core.errors import UserError
from benchtool.core.files import read_json, sha256_file
from benchtool.core.manifest import Dataset
from benchtool.core.protocol import read_protocol
from benchtool.core.recipe import Recipe
from benchtool.papers.model import Panel, Row
from benchtool.report.frame import Evaluation
from benchtool.report.rows import matches
from benchtool.report.schema import Entry, Summary
from benchtool.training import folder
from benchtool.workflows.reproduce.node import Found, Stage

NO_DATA = "its data is not here to compare with"


def made_of(dataset: Dataset) -> dict[str, str]:
    """The datasets that this one was put together from -> their fingerprints then."""
    recorded = dataset.facts.made.get("from")
    if isinstance(recorded, str):  # FiveK's, of the ME dataset whose photographs it takes
        return {"me": recorded}
    if not isinstance(recorded, dict):
        return {}
    if "fingerprint" in recorded:
        recorded = {recorded.get("name", ""): recorded}
    return {part: facts["fingerprint"] for part, facts in recorded.items() if isinstance(facts, dict) and "fingerprint" in facts}


def trained(run: Path, recipe: Recipe, dataset: Dataset | None) -> Found:
    """Whether `run` holds the finished training of `recipe` on `dataset` (None: the data is not there)."""
    try:
        there = folder.read_recipe(run)
        if there is None:
            return "due", ""
        if found := folder.difference(folder.as_asked(there, recipe).resolved(), recipe.resolved()):
            return "stale", f"{run} ran another recipe ({found}); train again with --restart"
        began = read_json(run / "provenance.json")[0]["fingerprint"] if (run / "provenance.json").is_file() else None
        finished = folder.finished(run)
    except UserError as error:
        return "stale", str(error)
    if dataset is not None and began not in (None, dataset.facts.fingerprint):
        return "stale", f"{run} was trained on other data (fingerprint {began[:8]}); train again with --restart"
    if not finished:
        return "due", "begun; goes on where it stopped"
    return "done", finished if dataset is not None else f"{finished}; {NO_DATA}"


def progress(run: Path, recipe: Recipe) -> dict[str, Mapping[str, Any]]:
    """Stage -> `step`, `steps` and `finished` of its checkpoint, for those that have one (`state.json` alone is what a kill left)."""
    places = {stage.name: run / "checkpoints" / stage.name for stage in recipe.stages}
    whole = {name: place for name, place in places.items() if (place / "state.safetensors").is_file() and (place / "state.json").is_file()}
    return {name: read_json(place / "state.json") for name, place in whole.items()}


def stages(recipe: Recipe, steps: Sequence[int | None], began: Mapping[str, Mapping[str, Any]]) -> tuple[Stage, ...]:
    """The stages of a training: how far each is, and what it takes.

    Args:
        steps: of each, by `cost.steps`.
        began: by `progress`; empty where it has to be begun anew.
    """
    found = []
    for stage, count in zip(recipe.stages, steps):
        at = began.get(stage.name)
        state = "due" if at is None else "done" if at["finished"] else f"begun at step {at['step']:,} of {at['steps']:,}"
        length = f"{stage.epochs:,} epochs" if stage.epochs else ""
        takes = [length, f"{count:,} steps" if count else "", f"start {stage.start}" if stage.start else "from random weights"]
        takes += [f"teacher {stage.teacher}"] if stage.teacher else []
        takes += ["on the worst exposure" if stage.exposures == "worst" else ""]
        found.append(Stage(stage.name, state, ", ".join(text for text in takes if text)))
    return tuple(found)


def evaluated(run: Path, row: Row, panels: Sequence[Panel], protocol: str, dataset: Dataset | None, checkpoint: str | None) -> Found:
    """Whether `run` holds an evaluation that fills a row in these panels of one dataset and protocol.

    Args:
        dataset: None where the data is not there.
        checkpoint: the one that is to be measured; None for a method without weights.
    """
    if not (run / "summary.json").is_file():
        return "due", ""
    try:
        raw = read_json(run / "summary.json")
        summary = Summary.model_validate(raw)
    except (UserError, ValidationError) as error:
        return "stale", f"{run}/summary.json is damaged ({str(error).splitlines()[0]}); remove it, and measure again"
    none = pa.table({})
    alike = [
        (entry, plain)
        for entry, plain in zip(summary.evaluations, raw["evaluations"])
        if all(matches(row, panel, protocol, Evaluation(run, summary, entry, none)) for panel in panels)
    ]
    metrics = {metric.variant for panel in panels for metric in panel.metrics if metric.variant}
    why = ""
    for entry, plain in alike:
        why = _lacks(run, entry, plain, metrics, protocol, dataset, checkpoint)
        if not why:
            failed = plain.get("failures", 0)
            notes = [entry.finished.isoformat(), f"{failed} images failed" if failed else "", NO_DATA if dataset is None else ""]
            return "done", "; ".join(note for note in notes if note)
    return "due", why


def _lacks(
    run: Path, entry: Entry, plain: Mapping[str, Any], metrics: set[str], protocol: str, dataset: Dataset | None, checkpoint: str | None
) -> str:
    """Why an evaluation has to be made again, empty where it has not."""
    if dataset is not None and entry.fingerprint != dataset.facts.fingerprint:
        return "measured on other data: to be measured again"
    if entry.protocol_sha256 != read_protocol(protocol).sha256:
        return "measured by another protocol file: to be measured again"
    if entry.checkpoint != checkpoint:
        return f"measured with {entry.checkpoint}: to be measured with {checkpoint}"
    if not entry.complete:
        return "begun; goes on where it stopped"
    if missing := metrics - set(plain.get("metrics", [])):
        return f"lacks {', '.join(sorted(missing))}"
    if checkpoint is None:
        return ""
    stage, _, which = checkpoint.partition(".")
    weights = run / "checkpoints" / stage / f"{which}.safetensors"
    if weights.is_file() and sha256_file(weights) == plain.get("weights_sha256"):
        return ""
    return "its weights have changed: to be measured again"


def imported(runs: Path, row: Row, alone: bool) -> tuple[Path, dict[str, Any]] | None:
    """A run in `runs` with imported weights of a row's method, and the options it was built with.

    Args:
        alone: whether no other row is of the method, so that weights of other options, as a release may need them, are taken too.
    """
    found = []
    for path in sorted(runs.glob("*/summary.json")):
        try:
            summary = Summary.model_validate(read_json(path))
        except (UserError, ValidationError):
            continue  # `report` names it
        if summary.imported is not None and summary.method == row.method:
            found.append((summary.options != dict(row.options), str(path), path.parent, summary.options))
    chosen = min((one for one in found if alone or not one[0]), key=lambda one: one[:2], default=None)
    return chosen[2:] if chosen else None
