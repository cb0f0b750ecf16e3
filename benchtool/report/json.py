"""A table as JSON, for programs.

Schema 1, an object of:

- `schema` 1, `paper`, `table`, `title`, `caption`, `citation`, `protocol`: strings.
- `panels`: `dataset`, `title`, `protocol`, `split`, `target` ("" where figures are of no single one), `trained_on`,
  and `measured_on`: null, or what the panel's measured figures were made of: `variant`, `fingerprint`, `protocol_sha256`, `scenes`,
  `images`, `smoke`, and `comparable` (the very data of the published figures).
- `rows`: `label`, `below` (null, or the label of the paper's row that this one of ours stands below), `method`, `recipe`, `options`,
  `citation`, `available` (benchtool has method and recipe), `notes`, `parameters`
  (null, or `published` as printed, `unit` it is printed in, `built` in single parameters, `notes`) and `cells`.
- a cell: `dataset`, `target`, `group`, `metric`, `variant` (what is measured: `ssim:gray-uniform7`, or null), `unit`,
  `higher_is_better`, `published` (string as printed, or null), `missing` (the paper has a number that is not known here), `delta` with
  `delta_low` and `delta_high` (or null), `notes`, and `measured`: null, or `mean`, `low` and `high` (95 % interval over scenes, or null),
  `first_rank` and `last_rank` (the ranks it may have among the measured, or null), `images`, `failures` (those that
  the mean leaves out, infinite ones too), `scenes`, `run`,
  `metric_versions`, and of the weights `smoke`, `steps` (null where nothing was trained) and `checkpoint`. `absent` is "n/a" where nothing
  could be measured, else null. `runtime`: null, or `seconds`, `size` (width, height), `device`, `threads`.
- `footnotes`: texts; `notes` hold their numbers, from 1. `remarks`: of the table. `warnings`, `sources`, `unreadable`: texts.

Another view of the table (`view`: `differences` or `by ...`) has `records` instead of panels and rows, a figure each: `row`, `dataset`,
`target`, `group`, `metric`, `variant`, `unit`, `higher_is_better`, and
- of differences: `against` (a row), `difference` (row minus against), `low`, `high`, `tied` (the interval includes 0; null where there is
  none), `values` (scores both have), `scenes` and `smoke` (of either).
- of a breakdown: `by`, `value` (an EV, a role, a name, or "all"), `mean`, `low`, `high`, `first_rank`, `last_rank`, `images`, `failures`,
  `scenes`, `run`, `smoke`, `steps`, `checkpoint`.
"""

from __future__ import annotations

import json
from typing import Any

from benchtool.report.table import Block, Cell, Column, Report

SCHEMA = 1


def render(report: Report) -> str:
    """The table as indented JSON."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """The table as plain values, by the schema above."""
    paper, table = report.paper, report.table
    if report.view:
        return {
            "schema": SCHEMA,
            "paper": paper.name,
            "table": table.number,
            "title": table.title,
            "view": report.view.name,
            "records": report.view.records,
            "footnotes": report.footnotes,
            "remarks": report.notes,
            "warnings": report.warnings,
            "sources": report.sources,
            "unreadable": report.unreadable,
        }
    return {
        "schema": SCHEMA,
        "paper": paper.name,
        "table": table.number,
        "title": table.title,
        "caption": table.caption,
        "citation": paper.citation,
        "protocol": table.protocol,
        "panels": [_panel(report, block) for block in report.blocks],
        "rows": [_row(report, number) for number in range(len(report.lines))],
        "footnotes": report.footnotes,
        "remarks": report.notes,
        "warnings": report.warnings,
        "sources": report.sources,
        "unreadable": report.unreadable,
    }


def _panel(report: Report, block: Block) -> dict[str, Any]:
    panel, edition = block.panel, block.edition
    measured_on = None
    if edition:
        measured_on = {
            "variant": edition.variant,
            "fingerprint": edition.fingerprint,
            "protocol_sha256": edition.protocol_sha256,
            "scenes": block.scenes,
            "images": block.samples,
            "smoke": block.smoke,
            "comparable": block.comparable,
        }
    return {
        "dataset": panel.dataset,
        "title": panel.title,
        "protocol": report.table.protocol_of(panel),
        "split": panel.split,
        "target": panel.target,
        "trained_on": panel.trained_on or panel.dataset,
        "measured_on": measured_on,
        "notes": block.notes,
    }


def _row(report: Report, number: int) -> dict[str, Any]:
    line = report.lines[number]
    row, found = line.row, line.parameters
    parameters = None
    if found:
        notes = sorted({*report.parameter_notes, *found.notes})
        parameters = {"published": found.published, "unit": report.table.parameters, "built": found.built, "notes": notes}
    return {
        "label": row.label,
        "below": line.below,
        "method": row.method,
        "recipe": row.recipe,
        "options": dict(row.options),
        "citation": row.citation,
        "available": line.available,
        "notes": line.notes,
        "parameters": parameters,
        "cells": [_cell(report, number, column, cell) for column, cell in zip(report.columns, line.cells)],
    }


def _cell(report: Report, row: int, column: Column, cell: Cell) -> dict[str, Any]:
    measured = None
    if (found := cell.measured) is not None:
        measured = {
            "mean": found.mean,
            "low": found.interval.low if found.interval else None,
            "high": found.interval.high if found.interval else None,
            "first_rank": cell.places[0] if cell.places else None,
            "last_rank": cell.places[1] if cell.places else None,
            "images": found.samples,
            "failures": found.failures,
            "scenes": found.scenes,
            "run": found.run,
            "metric_versions": list(found.versions),
            **report.training(row, column.panel),
        }
    panel = report.blocks[column.panel].panel
    return {
        "dataset": panel.dataset,
        "target": panel.target,
        "group": column.group.key,
        "metric": column.metric.key,
        "variant": column.metric.variant,
        "unit": column.metric.unit,
        "higher_is_better": column.metric.higher_is_better,
        "published": cell.published,
        "missing": cell.missing,
        "measured": measured,
        "absent": "n/a" if measured is None and cell.absent == "n/a" else None,
        "delta": cell.delta,
        "delta_low": cell.delta_interval.low if cell.delta_interval else None,
        "delta_high": cell.delta_interval.high if cell.delta_interval else None,
        "runtime": cell.runtime.model_dump(include={"seconds", "size", "device", "threads"}) if cell.runtime else None,
        "notes": sorted({*column.notes, *cell.published_notes, *cell.measured_notes}),
    }
