"""A filled table laid out: flat grids of texts with emphasis and footnote numbers, which the text renderers only decorate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchtool.papers.model import RUNTIME, Group, Metric
from benchtool.report.table import Block, Cell, Line, Measured, Rank, Report, rounded, signed

EMPTY = "–"
Notes = tuple[int, ...]


@dataclass(frozen=True)
class Head:
    """A column's heading in three steps, of which neighbours may share the first two.

    `metric` has its unit and an arrow that points where better is; it is "" where the grid's title says all that.
    `kind` says whose figures they are: `paper`, the variant of the data they were measured on, or `difference`.
    """

    group: str
    metric: str
    kind: str
    group_notes: Notes = ()
    metric_notes: Notes = ()
    lower_is_better: bool = False


@dataclass(frozen=True)
class Entry:
    """A text of the grid; `measured` is the figure it prints, None for all others; `places` are the ranks it may have, `2–4`."""

    text: str = EMPTY
    spread: str = ""
    places: str = ""
    rank: Rank | None = None
    notes: Notes = ()
    measured: Measured | None = None

    @property
    def whole(self) -> str:
        """Everything but its footnotes."""
        return " ".join(part for part in (self.text, self.spread, f"({self.places})" if self.places else "") if part)


@dataclass(frozen=True)
class GridRow:
    """A row: its label, the label's footnotes, its entries."""

    label: str
    notes: Notes
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Grid:
    """One rectangle of a table."""

    title: str
    notes: Notes
    heads: tuple[Head, ...]
    rows: tuple[GridRow, ...]

    def group_spans(self) -> list[tuple[Head, int]]:
        """Neighbouring heads of the same group: the first, and how many there are."""
        return _spans(self.heads, lambda head: head.group)

    def metric_spans(self) -> list[tuple[Head, int]]:
        """Neighbouring heads of the same group and metric; none where the title names the metric."""
        return _spans(self.heads, lambda head: (head.group, head.metric)) if any(head.metric for head in self.heads) else []


@dataclass(frozen=True)
class View:
    """Another look at the measured figures of a table.

    Attributes:
        name: `differences`, or `by exposure`.
        title: what stands above it, after the table's number.
        grids: what text formats show.
        legend: what the signs mean.
        records: what formats for programs give, all with the same keys.
    """

    name: str
    title: str
    grids: list[Grid]
    legend: list[str]
    records: list[dict[str, Any]]


def _spans(heads: Sequence[Head], key: Callable[[Head], object]) -> list[tuple[Head, int]]:
    runs = [list(run) for _, run in itertools.groupby(heads, key)]
    return [(run[0], len(run)) for run in runs]


def layout(report: Report) -> list[Grid]:
    """One grid a panel; one a panel and metric where there are intervals, which make panels wide."""
    panels = by_panel(report)
    wide = any(entry.spread for grid in panels for row in grid.rows for entry in row.entries)
    return by_metric(report) if wide else panels


def by_panel(report: Report) -> list[Grid]:
    """One grid a panel, all its metrics side by side; the parameters are in the last, as papers print them."""
    if report.view:
        return report.view.grids
    last = len(report.blocks) - 1
    return [_grid(report, index, block.panel.metrics, parameters=index == last) for index, block in enumerate(report.blocks)]


def by_metric(report: Report) -> list[Grid]:
    """One grid a panel and metric: narrower; the parameters are in the last panel's first."""
    if report.view:
        return report.view.grids
    last = len(report.blocks) - 1
    places = [(index, metric) for index, block in enumerate(report.blocks) for metric in block.panel.metrics]
    return [_grid(report, index, [metric], index == last and metric == report.blocks[last].panel.metrics[0]) for index, metric in places]


def _grid(report: Report, index: int, metrics: Sequence[Metric], parameters: bool) -> Grid:
    block = report.blocks[index]
    numbers = [n for n, c in enumerate(report.columns) if c.panel == index and c.metric in metrics]
    heads = [
        head for group in block.panel.groups for metric in metrics for head in _heads(report, index, group, metric, alone=len(metrics) == 1)
    ]
    lines = report.shown(index)
    rows = [[entry for n in numbers for entry in _entries(line.cells[n], block, report.columns[n].metric)] for line in lines]
    if parameters and report.table.parameters:
        heads += [Head("#Param", "", kind, tuple(report.parameter_notes)) for kind in ("paper", "built")]
        for row, line in zip(rows, lines):
            row += _parameters(line, report.table.parameters)
    title, notes = block.panel.title, set(block.notes)
    if len(metrics) == 1:
        title += f", {metrics[0].heading}"
        notes |= _shared(report, index, metric=metrics[0])
    return Grid(
        title,
        tuple(sorted(notes)),
        tuple(heads),
        tuple(GridRow(line.row.label, tuple(line.notes), tuple(row)) for line, row in zip(lines, rows)),
    )


def _shared(report: Report, index: int, metric: Metric | None = None, group: Group | None = None) -> set[int]:
    """Footnotes that all columns of a panel's metric, or of its group, have in common."""
    columns = [
        c for c in report.columns if c.panel == index and (metric is None or c.metric == metric) and (group is None or c.group == group)
    ]
    return set.intersection(*(set(column.notes) for column in columns))


def _heads(report: Report, index: int, group: Group, metric: Metric, alone: bool) -> list[Head]:
    block = report.blocks[index]
    column = next(c for c in report.columns if (c.panel, c.group, c.metric) == (index, group, metric))
    of_group, notes = _shared(report, index, group=group), set(column.notes)
    if alone:  # the grid's title has the metric's
        of_group, notes = notes - _shared(report, index, metric=metric), set()
    kinds = ["paper"]
    if block.edition:
        kinds += ["measured", "difference"] if block.comparable else [block.edition.variant]
    title = "" if alone else metric.heading
    marks, lower = (tuple(sorted(of_group)), tuple(sorted(notes - of_group))), not metric.higher_is_better
    return [Head(group.title, title, kind, *marks, lower_is_better=lower) for kind in kinds]


def _entries(cell: Cell, block: Block, metric: Metric) -> list[Entry]:
    entries = [Entry(cell.published or ("missing" if cell.missing else EMPTY), rank=cell.published_rank, notes=tuple(cell.published_notes))]
    if block.edition is None:
        return entries
    entries.append(_measured(cell, metric))
    if block.comparable:
        entries.append(Entry(signed(cell.delta, metric.decimals) if cell.delta is not None else EMPTY))
    return entries


def _measured(cell: Cell, metric: Metric) -> Entry:
    notes = tuple(cell.measured_notes)
    if metric.key == RUNTIME and cell.runtime:
        return Entry(significant(cell.runtime.seconds, metric.decimals), notes=notes)
    if cell.measured is None:
        return Entry(cell.absent, notes=notes)
    return figure(cell.measured, metric, cell.places, cell.measured_rank, notes)


def figure(measured: Measured, metric: Metric, places: tuple[int, int] | None, rank: Rank | None = None, notes: Notes = ()) -> Entry:
    """A measured figure as tables show it."""
    spread = "±" + rounded(measured.interval.half, metric.decimals) if measured.interval else ""
    return Entry(rounded(measured.mean, metric.decimals), spread, ranks_text(places), rank, notes, measured)


def ranks_text(places: tuple[int, int] | None) -> str:
    """The ranks a figure may have.

    >>> ranks_text((1, 1)), ranks_text((2, 4)), ranks_text(None)
    ('1', '2–4', '')
    """
    return "" if places is None else "–".join(map(str, dict.fromkeys(places)))


def significant(value: float, decimals: int) -> str:
    """`value` with that many digits after the point, and more where it would show fewer than two digits that are not 0.

    >>> significant(1.444, 2), significant(0.00368, 2)
    ('1.44', '0.0037')
    """
    if value < 10.0 ** (1 - decimals):
        decimals = max(decimals, 1 - math.floor(math.log10(value)))
    return rounded(value, decimals)


def _parameters(line: Line, unit: int) -> list[Entry]:
    """The printed number and the built one, with the letter that papers give their unit."""
    found, letter = line.parameters, "k" if unit == 1000 else "M"
    built = rounded(found.built / unit, 2) + letter if found.built else EMPTY
    return [Entry(found.published or EMPTY, notes=tuple(found.notes)), Entry(built)]
