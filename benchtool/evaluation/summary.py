"""`summary.json` of a run folder: `train` writes what was trained, `evaluate` its entries of `evaluations`; each keeps the other's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import read_json, write_json
from benchtool.methods import Loaded
from benchtool.methods.base import count_parameters

SCHEMA = 1
KEY = ("dataset", "fingerprint", "split", "protocol", "checkpoint")  # with the target, what tells evaluations of a run apart
Entry = dict[str, Any]


def open_summary(folder: Path, loaded: Loaded) -> dict[str, Any]:
    """The summary in `folder`, or a new one for `loaded`.

    Raises:
        UserError: it is malformed, or that of another method or of other options.
    """
    new = {
        "schema": SCHEMA, "run": folder.resolve().name, "method": loaded.name, "recipe": loaded.recipe, "options": loaded.options,
        "parameters": count_parameters(loaded.method), "trained": None, "evaluations": [],
    }  # fmt: skip
    places = [folder] if loaded.run is None else [folder, loaded.run]
    found = next((read_json(place / "summary.json") for place in places if (place / "summary.json").is_file()), {})
    if not isinstance(found, dict) or not isinstance(found.get("evaluations", []), list):
        raise UserError(f"{folder}/summary.json: malformed; delete it and evaluate again")
    if folder.resolve() != (loaded.run or folder).resolve() and not (folder / "summary.json").is_file():
        found = {**found, "run": new["run"], "evaluations": []}
    for key in ("method", "recipe", "options"):
        if found.get(key, new[key]) != new[key]:
            raise UserError(f"{folder}: holds results of {key} {found[key]}, not {new[key]}; give another folder with --out")
    return new | found


def same(one: Entry, other: Entry) -> bool:
    """Whether two entries are evaluations of the same thing, so that the newer replaces the older."""
    return all(one.get(key) == other.get(key) for key in (*KEY, "target"))


def entangled(one: Entry, other: Entry) -> bool:
    """Whether two entries share rows without being the same: they differ in nothing but their targets, and share some."""
    alike = all(one.get(key) == other.get(key) for key in KEY)
    return alike and not same(one, other) and not set(_roles(one)).isdisjoint(_roles(other))


def _roles(entry: Entry) -> list[str]:
    return (entry.get("target") or "").split("+")


def outdated(entry: Entry, new: Entry) -> bool:
    """Whether `entry` was measured with weights that are no longer those of its checkpoint."""
    same_predictions = all(entry.get(key) == new.get(key) for key in ("dataset", "split", "checkpoint"))
    return same_predictions and entry.get("weights_sha256") != new["weights_sha256"]


def has_row(entry: Entry, row: Mapping[str, Any]) -> bool:
    """Whether a row of `scores.parquet` is one of this evaluation's."""
    return all(entry.get(key) == row[key] for key in KEY) and row["expert"] in _roles(entry)


def put(folder: Path, summary: dict[str, Any], entry: Entry) -> None:
    """Write the summary with `entry`, as the last, in place of the one it replaces and of outdated ones.

    Where nothing but the time has changed, it keeps the older time.
    """
    for old in summary["evaluations"]:
        if old == entry | {"finished": old.get("finished")}:
            entry = old
    others = [e for e in summary["evaluations"] if not same(e, entry) and not outdated(e, entry)]
    summary["evaluations"] = [*others, entry]
    write_json(folder / "summary.json", summary)
