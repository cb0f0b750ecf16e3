"""The measured methods of a table against each other: paired differences with intervals, as a view of the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchtool.core.errors import UserError, unknown
from benchtool.papers.model import Metric
from benchtool.report.grid import EMPTY, Entry, Grid, GridRow, Head, View
from benchtool.report.paired import Contest
from benchtool.report.statistics import DRAWS, Interval
from benchtool.report.table import Column, Report, signed

BEST = "best"
TIE = "tie"
LEGEND = (
    f"Differences of means over the images that both methods have a value for; in square brackets their 95 % interval, from {DRAWS:,} "
    "bootstrap draws of whole scenes, the same for both. A tie is a difference whose interval includes 0; each interval is by itself."
)
CHOSEN = "The best of a column was chosen by these very images, which flatters it a little. csv and json have every pair."


def differences(report: Report, against: str | None = None) -> Report:
    """A view of a filled table: every measured row minus the best of its column, or minus the row labelled `against`.

    Raises:
        UserError: no such row; it has no measured figure; or no column has two, by one version of its metric.
    """
    labels = [line.row.label for line in report.lines]
    if against is not None and against not in labels:
        raise unknown("row", against, labels)
    reference = None if against is None else labels.index(against)
    contests = {
        number: found
        for number, found in report.contests.items()
        if len(found.rows) > 1 and (found.one_version if reference is None else reference in found.rows)
    }
    if not contests:
        of = f"{against} and another method" if against else "two methods by one version of its metric"
        own = [line.row.label for line in report.lines if against is not None and line.below == against]
        how = f"those of benchtool are --against '{own[0]}'" if own else "`benchtool evaluate` measures them"
        raise UserError(f"no differences: no column of the table has measured figures of {of}; {how}")
    viewed = dataclasses.replace(report, footnotes=[])
    grids = [
        _grid(report, viewed, index, metric, numbers, reference)
        for index, block in enumerate(report.blocks)
        for metric in block.panel.metrics
        if (numbers := [n for n in contests if (report.columns[n].panel, report.columns[n].metric) == (index, metric)])
    ]
    records = [record for number, found in contests.items() for record in _records(report, report.columns[number], found, reference)]
    title = f"differences to {against or 'the best'}, {report.table.title}"
    viewed.view = View("differences", title, grids, [LEGEND] if against else [LEGEND, CHOSEN], records)
    return viewed


def best(report: Report, number: int) -> int:
    """The row with the best measured mean of a column, of equals the first."""
    means = {row: report.lines[row].cells[number].measured.mean for row in report.contests[number].rows}
    return (max if report.columns[number].metric.higher_is_better else min)(means, key=means.get)


def _grid(report: Report, viewed: Report, index: int, metric: Metric, numbers: list[int], reference: int | None) -> Grid:
    """One panel and metric: a row a measured method, a column a group."""
    others = {number: best(report, number) if reference is None else reference for number in numbers}
    rows = sorted({row for number in numbers for row in report.contests[number].rows})
    lower, lines = not metric.higher_is_better, []
    heads = [Head(report.columns[n].group.title, "", f"minus {report.lines[others[n]].row.label}", lower_is_better=lower) for n in numbers]
    for row in rows:
        entries = tuple(_entry(report.contests[n], row, others[n], metric, BEST if reference is None else EMPTY) for n in numbers)
        lines.append(GridRow(report.lines[row].row.label, (), entries))
    return Grid(heading(report, index, metric), metric_notes(report, viewed, numbers), tuple(heads), tuple(lines))


def heading(report: Report, index: int, metric: Metric) -> str:
    """What stands above a view's grid of one panel and metric."""
    return f"{report.blocks[index].panel.title}, {metric.heading}"


def metric_notes(report: Report, viewed: Report, numbers: Sequence[int]) -> tuple[int, ...]:
    """The footnotes of the table that some of its columns share, as footnotes of a view of it."""
    shared = set.intersection(*(set(report.columns[number].notes) for number in numbers))
    return tuple(viewed.note(report.footnotes[n - 1]) for n in sorted(shared))


def _entry(found: Contest, row: int, other: int, metric: Metric, same: str) -> Entry:
    if row == other:
        return Entry(same)
    if row not in found.rows:
        return Entry()
    difference, interval = found.difference(row, other)
    if np.isnan(difference):
        return Entry("n/a")
    spread = f"[{signed(interval.low, metric.decimals)}, {signed(interval.high, metric.decimals)}]" if interval else ""
    return Entry(signed(difference, metric.decimals), spread, TIE if tied(interval) else "")


def tied(interval: Interval | None) -> bool | None:
    """Whether the two cannot be told apart; None where too few scenes leave that open."""
    return None if interval is None else interval.low <= 0 <= interval.high


def _records(report: Report, column: Column, found: Contest, reference: int | None) -> Iterator[dict[str, Any]]:
    """Every ordered pair of a column, or those against the reference."""
    panel = report.blocks[column.panel].panel
    for i, row in enumerate(found.rows):
        for j, other in enumerate(found.rows):
            if i == j or reference not in (None, other):
                continue
            difference, interval = found.difference(row, other)
            yield {
                "row": report.lines[row].row.label,
                "against": report.lines[other].row.label,
                "dataset": panel.dataset,
                "target": panel.target,
                "group": column.group.key,
                "metric": column.metric.key,
                "variant": column.metric.variant,
                "unit": column.metric.unit,
                "higher_is_better": column.metric.higher_is_better,
                "difference": None if np.isnan(difference) else difference,
                "low": interval.low if interval else None,
                "high": interval.high if interval else None,
                "tied": tied(interval),
                "values": int(found.comparison.values[i, j]),
                "scenes": int(found.comparison.scenes[i, j]),
                "smoke": any(report.training(which, column.panel)["smoke"] for which in (row, other)),
            }
