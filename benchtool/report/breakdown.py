"""The measured figures of a table broken down by exposure, expert or subset, as a view of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchtool.core.errors import UserError, unknown
from benchtool.papers.model import Group, Metric
from benchtool.report.differences import heading, metric_notes
from benchtool.report.fill import entrant, failures, measured, targets
from benchtool.report.frame import Scores
from benchtool.report.grid import Entry, Grid, GridRow, Head, View, figure
from benchtool.report.notes import PLACES, SPREAD
from benchtool.report.paired import Contest, Entrant, contest
from benchtool.report.schema import printable
from benchtool.report.table import Measured, Report

BY = ("exposure", "expert", "subset")
ALL = Group("All", "all")


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a breakdown: the images of one exposure (EV), expert or subset, or all (None); its figures by row."""

    value: str | float | None
    contest: Contest
    figures: dict[int, Measured]
    entrants: dict[int, Entrant]

    @property
    def title(self) -> str:
        """As its head has it."""
        if self.value is None:
            return ALL.title
        if isinstance(self.value, str):
            return printable(self.value)
        return f"{self.value:+g} EV".replace("-", "−") if self.value else "0 EV"


def breakdown(report: Report, by: str) -> Report:
    """A view of a filled table: its measured figures by `exposure`, `expert` or `subset`.

    Raises:
        UserError: an unknown `by`, or nothing of the table is of more than one of them.
    """
    if by not in BY:
        raise unknown("breakdown", by, BY)
    grids, records, viewed = [], [], replace(report, footnotes=[])
    for index, block in enumerate(report.blocks):
        for metric in block.panel.metrics:
            if columns := _columns(report, index, metric, by):
                grids.append(_grid(report, viewed, index, metric, columns))
                records += [_record(report, index, metric, by, column, row) for column in columns for row in column.figures]
    if not grids:
        raise UserError(f"--by {by}: no measured figure of the table is of more than one {by}; `benchtool evaluate` measures it")
    signs = {SPREAD: "low", PLACES: "first_rank"}
    legend = [text for text, key in signs.items() if any(record[key] is not None for record in records)]
    viewed.view = View(f"by {by}", f"by {by}, {report.table.title}", grids, legend, records)
    return viewed


def _columns(report: Report, index: int, metric: Metric, by: str) -> list[Column]:
    """All images, then a column a value; none where there are not two values."""
    scores = {row: found for row, e in report.chosen[index].items() if metric.variant and (found := e.scores(metric.variant)) is not None}
    values = sorted({value for found in scores.values() for value in _values(report, index, found, by)})
    if len(values) < 2:
        return []
    columns = [_column(report, index, metric, by, value, scores) for value in (*values, None)]
    return [column for column in columns if column is not None]


def _keys(scores: Scores, by: str) -> np.ndarray:
    return {"exposure": scores.exposures, "expert": scores.experts, "subset": scores.subsets}[by]


def _values(report: Report, index: int, scores: Scores, by: str) -> list[Any]:
    """What the panel's scores can be broken down into; unknown exposures and images of no subset are in none."""
    wanted = _wanted(report, index)
    keys = _keys(scores, by)[np.isin(scores.experts, wanted)] if wanted else _keys(scores, by)
    return [value for value in set(keys.tolist()) if value != "" and not (by == "exposure" and math.isnan(value))]


def _wanted(report: Report, index: int) -> tuple[str, ...]:
    panel = report.blocks[index].panel
    return targets(panel, report.table.protocol_of(panel))


def _column(report: Report, index: int, metric: Metric, by: str, value: str | float | None, scores: Mapping[int, Scores]) -> Column | None:
    """The images of one value; each expert counts as much as any other, as in the table."""
    wanted = (value,) if by == "expert" and value is not None else _wanted(report, index)
    entrants, evaluations = {}, report.chosen[index]
    for row, found in scores.items():
        one = entrant(ALL, wanted, found, evaluations[row])
        if value is not None and by != "expert":
            one = Entrant(found, one.parts & (_keys(found, by) == value))
        if one.has_mean:
            entrants[row] = one
    if not entrants:
        return None
    compared = contest(entrants, metric.higher_is_better)
    intervals = zip(entrants, compared.comparison.intervals)
    figures = {row: measured(entrants[row], interval, evaluations[row]) for row, interval in intervals}
    return Column(value, compared, figures, entrants)


def _grid(report: Report, viewed: Report, index: int, metric: Metric, columns: list[Column]) -> Grid:
    """One panel and metric: a row a measured method, a column a value."""
    numbers = [n for n, column in enumerate(report.columns) if (column.panel, column.metric) == (index, metric)]
    heads = []
    for column in columns:
        scenes, images = (max(getattr(found, what) for found in column.figures.values()) for what in ("scenes", "samples"))
        of = (f"{scenes:,} scene{'s' * (scenes != 1)}", f"{images:,} image{'s' * (images != 1)}")
        heads.append(Head(column.title, *of, lower_is_better=not metric.higher_is_better))
    rows = []
    for row in sorted({row for column in columns for row in column.figures}):
        entries = []
        for column in columns:
            if row not in column.figures:
                entries.append(Entry("n/a"))
                continue
            notes = failures(viewed, column.entrants[row])
            entries.append(figure(column.figures[row], metric, _places(column, row), notes=tuple(notes)))
        rows.append(GridRow(report.lines[row].row.label, (), tuple(entries)))
    return Grid(heading(report, index, metric), metric_notes(report, viewed, numbers), tuple(heads), tuple(rows))


def _places(column: Column, row: int) -> tuple[int, int] | None:
    return column.contest.places[column.contest.rows.index(row)]


def _record(report: Report, index: int, metric: Metric, by: str, column: Column, row: int) -> dict[str, Any]:
    panel, found, places = report.blocks[index].panel, column.figures[row], _places(column, row)
    return {
        "row": report.lines[row].row.label,
        "dataset": panel.dataset,
        "target": panel.target,
        "metric": metric.key,
        "variant": metric.variant,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "by": by,
        "value": ALL.key if column.value is None else column.value,
        "mean": found.mean,
        "low": found.interval.low if found.interval else None,
        "high": found.interval.high if found.interval else None,
        "first_rank": places[0] if places else None,
        "last_rank": places[1] if places else None,
        "images": found.samples,
        "failures": found.failures,
        "scenes": found.scenes,
        "run": found.run,
        **report.training(row, index),
    }
