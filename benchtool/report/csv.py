"""A table as tidy CSV: one line a cell, and one a row's parameters; numbers unrounded, published ones as printed.

Another view of it (differences, a breakdown) has a line a figure, with columns of its own.
"""

from __future__ import annotations

import csv
import io

from benchtool.papers.model import PARAMETERS
from benchtool.report.table import Cell, Line, Report

COLUMNS = (
    "paper", "table", "row", "method", "recipe", "dataset", "target", "group", "metric", "variant", "unit", "higher_is_better",
    "protocol", "published", "measured", "low", "high", "first_rank", "last_rank", "delta", "delta_low", "delta_high", "runtime_s",
    "samples", "failures", "scenes", "data_variant", "fingerprint", "run", "smoke", "steps", "checkpoint", "notes",
)  # fmt: skip


def render(report: Report) -> str:
    """The table as CSV with a head line; the unit of parameters is one."""
    page = io.StringIO()
    if report.view:
        records = report.view.records
        writer = csv.DictWriter(page, ["paper", "table", *records[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"paper": report.paper.name, "table": report.table.number, **record} for record in records)
        return page.getvalue()
    writer = csv.DictWriter(page, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for number, line in enumerate(report.lines):
        row = {
            "paper": report.paper.name,
            "table": report.table.number,
            "row": line.row.label,
            "method": line.row.method,
            "recipe": line.row.recipe,
        }
        for column, cell in zip(report.columns, line.cells):
            block = report.blocks[column.panel]
            place = {
                "dataset": block.panel.dataset,
                "target": block.panel.target,
                "group": column.group.key,
                "metric": column.metric.key,
                "variant": column.metric.variant,
                "unit": column.metric.unit,
                "higher_is_better": column.metric.higher_is_better,
                "protocol": report.table.protocol_of(block.panel),
            }
            origin: dict[str, object] = {}
            if cell.measured or cell.runtime:
                origin = {"data_variant": block.edition.variant, "fingerprint": block.edition.fingerprint}
                origin |= report.training(number, column.panel)
            writer.writerow(
                {
                    **row,
                    **place,
                    **_figures(cell),
                    **origin,
                    "notes": _missing(report, cell) + _notes(report, line.notes, column.notes, cell.published_notes, cell.measured_notes),
                }
            )
        if line.parameters:
            writer.writerow({**row, **_parameters(report, line)})
    return page.getvalue()


def _figures(cell: Cell) -> dict[str, object]:
    figures: dict[str, object] = {"published": cell.published, "delta": cell.delta}
    if (found := cell.measured) is not None:
        figures |= {"measured": found.mean, "samples": found.samples, "failures": found.failures, "scenes": found.scenes, "run": found.run}
        figures |= {"low": found.interval.low, "high": found.interval.high} if found.interval else {}
    if cell.delta_interval is not None:
        figures |= {"delta_low": cell.delta_interval.low, "delta_high": cell.delta_interval.high}
    if cell.places is not None:
        figures |= {"first_rank": cell.places[0], "last_rank": cell.places[1]}
    return figures | ({"runtime_s": cell.runtime.seconds} if cell.runtime else {})


def _parameters(report: Report, line: Line) -> dict[str, object]:
    found = line.parameters
    notes = _notes(report, line.notes, report.parameter_notes, found.notes)
    return {"metric": PARAMETERS, "published": found.published, "measured": found.built, "notes": notes}


def _missing(report: Report, cell: Cell) -> str:
    return f"Published number missing: {report.table.missing} " if cell.missing else ""


def _notes(report: Report, *numbers: list[int]) -> str:
    return " ".join(report.footnotes[n - 1] for n in sorted({n for some in numbers for n in some}))
