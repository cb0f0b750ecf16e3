"""Which runs are a row's, and the rows of ours beside the paper's: under a published name stands only what the paper published.

Figures of weights that the paper did not train itself, of approximations, of imported weights, of altered recipes and of stages before
the last have rows of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchtool.core import catalog
from benchtool.core.protocol import read_protocol
from benchtool.core.recipe_text import options as recipe_options
from benchtool.papers.model import Panel, Row, Table
from benchtool.report.frame import Evaluation, Results
from benchtool.report.schema import Summary, printable
from benchtool.report.table import Report

IMPORTED = "imported weights"
SHOWN = 3  # altered settings that a footnote names
UNRECORDED = "Trained by an earlier version of benchtool, which did not record whether settings of the recipe were altered."


@dataclass(frozen=True)
class OwnRow(Row):
    """A row of ours, which stands below the paper's row `of`; the paper has no figures in it.

    Attributes:
        of: the row whose method it has; its `unlike` says what sets the two apart.
        version: what sets its figures apart from those of `of`, as its label ends.
        nearest: benchtool can measure nothing nearer to what the paper printed.
    """

    of: Row = Row("", "")
    version: str = ""
    nearest: bool = True


def matches(row: Row, panel: Panel, protocol: str, evaluation: Evaluation) -> bool:
    """Whether an evaluation is one of this row, for this panel."""
    summary, entry = evaluation.summary, evaluation.entry
    if (summary.method, summary.recipe) != (row.method, row.recipe) or summary.options != _options(row):
        return False
    if (entry.dataset, entry.split, entry.protocol) != (panel.dataset, panel.split, protocol):
        return False
    trained_on = summary.trained.dataset if summary.trained else None
    if trained_on != ((panel.trained_on or panel.dataset) if row.recipe else None):
        return False
    wanted = targets(panel, protocol)
    return set(wanted) <= set(entry.roles) if wanted else not entry.target


def _options(row: Row) -> dict[str, Any]:
    """The options of a row's runs: its recipe's, and its own on top."""
    return {**recipe_options(row.recipe), **row.options} if row.recipe in catalog.recipe_files() else dict(row.options)


def targets(panel: Panel, protocol: str) -> tuple[str, ...]:
    """Roles of the targets that a panel's figures are means over: its own, else all of its protocol; none where there are none."""
    return (panel.target,) if panel.target else read_protocol(protocol).roles(panel.dataset)


def takes(row: Row, panel: Panel, protocol: str, evaluation: Evaluation) -> bool:
    """Whether an evaluation's figures stand in this row: it is one of it, and of what the row's label says."""
    if not matches(row, panel, protocol, evaluation):
        return False
    paper, version = (row.of, row.version) if isinstance(row, OwnRow) else (row, "")
    return ", ".join((*_weights(paper, evaluation.summary), *_astray(evaluation))) == version


def _weights(row: Row, summary: Summary) -> list[str]:
    """Whose weights, or settings, a run has where they are not those whose figures the paper printed in the row."""
    if summary.imported is not None:
        return [] if (summary.recipe, summary.options) == (row.recipe, dict(row.options)) else [IMPORTED]
    return [f"retrained on {_title(summary.trained.dataset)}" if summary.trained else "approximate"] if row.unlike else []


def _astray(evaluation: Evaluation) -> list[str]:
    """In what a trained run is not what its recipe comes to: other settings, or weights of a stage that is not the last."""
    trained = evaluation.summary.trained
    altered = trained is not None and bool(trained.altered)
    return ["altered recipe"] * altered + [f"after {_checkpoint(evaluation)[0]}"] * _early(evaluation)


def _early(evaluation: Evaluation) -> bool:
    """Whether weights of a stage were measured after which training went on."""
    trained = evaluation.summary.trained
    return trained is not None and bool(trained.stages) and _checkpoint(evaluation)[0] != trained.stages[-1]


def _checkpoint(evaluation: Evaluation) -> tuple[str, str]:
    """(`distil`, `best`) of `distil.best`."""
    stage, _, which = (evaluation.entry.checkpoint or "").rpartition(".")
    return stage, which


def with_own_rows(table: Table, results: Results) -> Table:
    """The table with rows of ours for what was measured and may stand in none of the paper's, each below the one whose method it has."""
    own: list[OwnRow] = []
    for evaluation in results.evaluations:
        fits = [row for row in table.rows for panel in table.panels if matches(row, panel, table.protocol_of(panel), evaluation)]
        wanted = [_own(row, evaluation, row.recipe, row.options) for row in fits]
        if not fits and evaluation.summary.imported is not None:
            wanted = _imported(table, evaluation)
        for row in wanted:
            own += [row] if row.version and row not in own else []
    own.sort(key=lambda row: row.label)
    return dataclasses.replace(table, rows=tuple(shown for row in table.rows for shown in (row, *(o for o in own if o.of is row))))


def _imported(table: Table, evaluation: Evaluation) -> list[OwnRow]:
    """The row of ours for imported weights of one of the table's methods, evaluated as one of its panels wants."""
    summary = evaluation.summary
    made = [_own(row, evaluation, None, summary.options) for row in table.rows if row.method == summary.method]
    return [row for row in made[:1] if any(takes(row, panel, table.protocol_of(panel), evaluation) for panel in table.panels)]


def _own(row: Row, evaluation: Evaluation, recipe: str | None, options: Mapping[str, object]) -> OwnRow:
    """The row of ours that an evaluation stands in; its version is empty where that is the paper's."""
    astray = _astray(evaluation)
    version = ", ".join((*_weights(row, evaluation.summary), *astray))
    return OwnRow(f"{row.label}, {version}", row.method, recipe, options, row.citation, "", row, version, not astray)


def _title(dataset: str) -> str:
    return catalog.facts("datasets", dataset).title if dataset in catalog.entries("datasets") else dataset


def explain(report: Report, index: int, evaluations: Mapping[int, Evaluation]) -> None:
    """Footnotes on the rows of a panel whose figures are not of what the paper printed: which weights these are, and why."""
    for number, evaluation in evaluations.items():
        line = report.lines[number]
        notes = map(report.note, _notes(line.row, evaluation))
        line.notes += [note for note in notes if note not in line.notes]


def _notes(row: Row, evaluation: Evaluation) -> list[str]:
    """What a reader must know of the weights behind a row's figures."""
    imported, trained = evaluation.summary.imported, evaluation.summary.trained
    if imported:
        files = ", ".join(f"{file.name}, sha256 {file.sha256[:8]}" for file in imported.files)
        return [f"Measured with imported weights: {files}."]
    notes = [" ".join([*_training(row, evaluation), row.of.unlike]).strip()] if isinstance(row, OwnRow) else []
    stage, which = _checkpoint(evaluation)
    if trained and which == "last":
        notes.append(f"Measured with {stage}.last, not with {stage}.best, which `evaluate` takes by itself.")
    return notes + [UNRECORDED] * (trained is not None and trained.altered is None)


def _training(row: OwnRow, evaluation: Evaluation) -> list[str]:
    """How a run of ours was trained, and in what it is not what its recipe comes to, in sentences."""
    trained, (stage, _) = evaluation.summary.trained, _checkpoint(evaluation)
    if trained is None:
        return []
    steps = f"{trained.steps:,} step{'s' * (trained.steps != 1)}"
    told = [f"Trained on {_title(trained.dataset)} by benchtool's recipe {row.recipe}, {steps}."]
    told += [_altered(trained.altered)] if trained.altered else []
    return told + ([f"Measured after its stage {stage}, of {', '.join(trained.stages)}."] if _early(evaluation) else [])


def _altered(keys: Mapping[str, tuple[object, object]]) -> str:
    """What was altered of a recipe: the first few settings, and how many there are."""
    shown = [f"{key} {_short(ran)} for {_short(shipped)}" for key, (shipped, ran) in list(keys.items())[:SHOWN]]
    more = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"Altered in {len(keys)} setting{'s' * (len(keys) != 1)}: {', '.join(shown)}{more}."


def _short(value: object) -> str:
    text = printable("none" if value is None else str(value))
    return text if len(text) <= 40 else f"{text[:37]}..."
