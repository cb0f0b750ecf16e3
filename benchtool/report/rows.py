"""Which runs are a row's, and the rows of ours beside the paper's: under a published name stands only what the paper published.

Figures of weights that the paper did not train itself, of approximations, and of imported weights have rows of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from benchtool.core import catalog
from benchtool.core.protocol import read_protocol
from benchtool.papers.model import Panel, Row, Table
from benchtool.report.frame import Evaluation, Results, Trained
from benchtool.report.table import Report


@dataclass(frozen=True)
class OwnRow(Row):
    """A row of ours, which stands below the paper's row `of`; the paper has no figures in it.

    Attributes:
        of: the row whose method it has; its `unlike` says what sets the two apart.
        imported: its figures are of imported weights.
        trained_on: the dataset that its network was trained on by the row's recipe; None where nothing was trained.
    """

    of: Row = Row("", "")
    imported: bool = False
    trained_on: str | None = None


def matches(row: Row, panel: Panel, protocol: str, evaluation: Evaluation) -> bool:
    """Whether an evaluation is one of this row, for this panel."""
    summary, entry = evaluation.summary, evaluation.entry
    if (summary.method, summary.recipe, summary.options) != (row.method, row.recipe, dict(row.options)):
        return False
    if (entry.dataset, entry.split, entry.protocol) != (panel.dataset, panel.split, protocol):
        return False
    trained_on = summary.trained.dataset if summary.trained else None
    if trained_on != ((panel.trained_on or panel.dataset) if row.recipe else None):
        return False
    wanted = targets(panel, protocol)
    return set(wanted) <= set(entry.roles) if wanted else not entry.target


def targets(panel: Panel, protocol: str) -> tuple[str, ...]:
    """Roles of the targets that a panel's figures are means over: its own, else all of its protocol; none where there are none."""
    return (panel.target,) if panel.target else read_protocol(protocol).roles(panel.dataset)


def takes(row: Row, panel: Panel, protocol: str, evaluation: Evaluation) -> bool:
    """Whether an evaluation's figures stand in this row: it is one of it, and of what the row's label says."""
    if not matches(row, panel, protocol, evaluation):
        return False
    imported, trained = evaluation.summary.imported is not None, evaluation.summary.trained
    if isinstance(row, OwnRow):
        return (imported, trained.dataset if trained else None) == (row.imported, row.trained_on)
    return imported or not row.unlike


def with_own_rows(table: Table, results: Results) -> Table:
    """The table with rows of ours for what was measured and may stand in none of the paper's, each below the one whose method it has."""
    own: list[OwnRow] = []
    for evaluation in results.evaluations:
        fits = [(row, panel) for row in table.rows for panel in table.panels if matches(row, panel, table.protocol_of(panel), evaluation)]
        if evaluation.summary.imported is None:
            wanted = [_stand_in(row, evaluation.summary.trained) for row, _ in fits if row.unlike]
        else:
            wanted = [] if fits else _imported(table, evaluation)
        for row in wanted:
            own += [row] if row not in own else []
    own.sort(key=lambda row: row.label)
    return dataclasses.replace(table, rows=tuple(shown for row in table.rows for shown in (row, *(o for o in own if o.of is row))))


def _stand_in(row: Row, trained: Trained | None) -> OwnRow:
    """The row of ours for runs that match one of the paper's and are not of what it printed."""
    version = f"retrained on {_title(trained.dataset)}" if trained else "approximate"
    return _own(row, version, row.recipe, row.options, trained_on=trained.dataset if trained else None)


def _imported(table: Table, evaluation: Evaluation) -> list[OwnRow]:
    """The row of ours for imported weights of one of the table's methods, evaluated as one of its panels wants."""
    summary = evaluation.summary
    made = [_own(row, "imported weights", None, summary.options, imported=True) for row in table.rows if row.method == summary.method]
    return [row for row in made[:1] if any(takes(row, panel, table.protocol_of(panel), evaluation) for panel in table.panels)]


def _own(row: Row, version: str, recipe: str | None, options: Mapping[str, object], **facts: object) -> OwnRow:
    return OwnRow(f"{row.label}, {version}", row.method, recipe, options, row.citation, "", row, **facts)


def _title(dataset: str) -> str:
    return catalog.facts("datasets", dataset).title if dataset in catalog.entries("datasets") else dataset


def explain(report: Report, index: int, evaluations: Mapping[int, Evaluation]) -> None:
    """Footnotes on the rows of a panel whose figures are not of what the paper printed: which weights these are, and why."""
    for number, evaluation in evaluations.items():
        line, summary = report.lines[number], evaluation.summary
        texts = []
        if summary.imported:
            files = ", ".join(f"{file.name}, sha256 {file.sha256[:8]}" for file in summary.imported.files)
            texts.append(f"Measured with imported weights: {files}.")
        elif isinstance(line.row, OwnRow):
            texts.append(_training(line.row, summary.trained) + line.row.of.unlike)
        line.notes += [note for note in map(report.note, texts) if note not in line.notes]


def _training(row: OwnRow, trained: Trained | None) -> str:
    if trained is None:
        return ""
    return f"Trained on {_title(trained.dataset)} by benchtool's recipe {row.recipe}, {trained.steps:,} step{'s' * (trained.steps != 1)}. "
