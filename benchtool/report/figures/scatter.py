"""A metric against parameters or run time: one mark a method, hollow as printed and filled as measured, with the Pareto fronts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchtool.report.figures.labels import Box, place_labels
from benchtool.report.figures.points import Point, Scatter, against_parameters, against_runtime, pareto, whole
from benchtool.report.figures.style import (
    COLUMN,
    GREY,
    NotDrawn,
    colour_of,
    darker,
    mark_of,
    measured_on,
    new_figure,
    protocol_line,
    source_of,
)
from benchtool.report.frame import Results
from benchtool.report.table import Column, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Kind = Literal["parameters", "runtime"]
AXIS = {"parameters": "Parameters", "runtime": "Run time (s)"}
TITLE = {"parameters": "parameters", "runtime": "run time"}
HEIGHT = 2.35  # inches of the axes
MARK = 4.2  # points across


def draw_scatter(report: Report, results: Results, number: int, kind: Kind) -> Figure:
    """Column `number` of the table against what `kind` says, on a logarithmic axis.

    Raises:
        NotDrawn: no row has both values.
    """
    column = report.columns[number]
    scatter = {"parameters": against_parameters, "runtime": against_runtime}[kind](report, results, number)
    if not scatter.points:
        raise NotDrawn("no row has both the metric and " + {"parameters": "parameters", "runtime": "a run time"}[kind])
    title = f"{column.metric.title} against {TITLE[kind]}"
    place, notes, signs = source_of(report, _place(report, column)), _notes(report, column, scatter, kind), _signs(scatter.points)
    figure, axes = new_figure(COLUMN, HEIGHT, title, place, notes, signs)
    axes.set_xscale("log")
    axes.grid(True)
    _limits(axes, scatter.points)
    _ticks(axes, kind)
    axes.set_xlabel(AXIS[kind], labelpad=2)
    axes.set_ylabel(column.metric.heading, labelpad=2)
    lines = _fronts(axes, scatter.points, column.metric.higher_is_better) + _joins(axes, scatter.points)
    for point in scatter.points:
        _mark(axes, point)
    _names(axes, scatter.points, [box for line in lines for box in _along(axes, line)])
    return figure


def _names(axes: Axes, points: Sequence[Point], lines: Sequence[Box]) -> None:
    """A row's name by its measured mark, else by the printed one; of a row with both by the other too, as far as there is room.

    Raises:
        NotDrawn: there is no room for a row's name.
    """
    named = {point.row: point for point in sorted(points, key=lambda p: p.measured)}
    boxes, homeless = _boxes(axes, points), []
    for part in (list(named.values()), [point for point in points if point is not named[point.row]]):
        labels = [(p.label, p.x, p.y, darker(colour_of(p.row))) for p in part]
        homeless.append(place_labels(axes, labels, boxes, lines))
    if homeless[0]:
        raise NotDrawn(f"no room for the names of {', '.join(homeless[0])}")


def _place(report: Report, column: Column) -> str:
    panel = report.blocks[column.panel].panel
    return panel.title if len(panel.groups) == 1 else f"{panel.title} {whole(panel).title.lower()}"


def _notes(report: Report, column: Column, scatter: Scatter, kind: Kind) -> list[str]:
    block = report.blocks[column.panel]
    notes = [f"Hollow: as {report.paper.authors}, {report.paper.venue} print it."] if any(not p.measured for p in scatter.points) else []
    if any(p.measured for p in scatter.points):
        bars = " Bars: 95\u00a0% intervals, bootstrap over scenes." if any(p.low is not None for p in scatter.points) else ""
        notes.append(f"Filled: {measured_on(block)}{bars}")
        if any(not p.measured for p in scatter.points) and not block.comparable:
            notes.append("These are not the paper's images: hollow and filled marks do not compare.")
        notes += [w for w in report.warnings if w.startswith("Measured figures")]
    notes.append(protocol_line(report, block, column.metric))
    notes += scatter.notes
    if scatter.without_x:
        why = {"parameters": "without parameters, or of a number not known here", "runtime": "without a run time"}[kind]
        seen = {p.label for p in scatter.points}  # then it is one of two marks that is missing
        rows = (f"{label} ({' and '.join(which)})" if label in seen else label for label, which in scatter.without_x.items())
        notes.append(f"Not shown, {why}: {'; '.join(rows)}.")
    return notes


def _limits(axes: Axes, points: Sequence[Point]) -> None:
    """Room for names around the outermost points; at least half a decade."""
    xs = [x for p in points for x in (p.x, p.x_low, p.x_high) if x is not None]
    ys = [y for p in points for y in (p.y, p.low, p.high) if y is not None]
    spread = max((max(xs) / min(xs)) ** 0.16, 1.8)
    room = max(0.12 * (max(ys) - min(ys)), 0.01 * abs(max(ys)), 1e-6)
    axes.set_xlim(min(xs) / spread, max(xs) * spread)
    axes.set_ylim(min(ys) - room, max(ys) + room)


def _ticks(axes: Axes, kind: Kind) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1,) if high / low > 200 else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number_of(value) if kind == "parameters" else f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def number_of(value: float) -> str:
    """A number of parameters in a reader's units.

    >>> number_of(2e3), number_of(5e5), number_of(1e7)
    ('2k', '500k', '10M')
    """
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def _fronts(axes: Axes, points: Sequence[Point], higher_is_better: bool) -> list[Line2D]:
    """The Pareto front of the printed points and that of ours: what can be had for at most so much."""
    drawn = []
    for measured, style in ((False, (0, (3, 2))), (True, "-")):
        front = pareto([p for p in points if p.measured == measured], higher_is_better)
        if len(front) > 1:
            (line,) = axes.step([p.x for p in front], [p.y for p in front], where="post", color="#9A9A9A", lw=0.8, ls=style, zorder=1.5)
            line.set_gid(f"front:{'measured' if measured else 'published'}")
            drawn.append(line)
    return drawn


def _joins(axes: Axes, points: Sequence[Point]) -> list[Line2D]:
    """A thin line from a row's printed point to the measured one."""
    published, drawn = {p.row: p for p in points if not p.measured}, []
    for point in points:
        if point.measured and (other := published.get(point.row)):
            drawn += axes.plot([other.x, point.x], [other.y, point.y], color=colour_of(point.row), lw=0.5, ls=":", alpha=0.8, zorder=2)
    return drawn


def _mark(axes: Axes, point: Point) -> None:
    colour, kind = colour_of(point.row), "measured" if point.measured else "published"
    look: dict[str, Any] = {"mfc": colour if point.measured else "white", "mec": colour, "mew": 0.9, "ms": MARK, "ls": "none"}
    (drawn,) = axes.plot([point.x], [point.y], mark_of(point.row), zorder=4 + point.measured, **look)
    drawn.set_gid(f"{kind}:{point.label}")
    if point.low is not None and point.high is not None:
        axes.plot([point.x] * 2, [point.low, point.high], color=colour, lw=0.8, zorder=3, gid=f"interval:{point.label}")
    if point.x_low is not None and point.x_high is not None:
        axes.plot([point.x_low, point.x_high], [point.y] * 2, color=colour, lw=0.8, zorder=3, gid=f"spread:{point.label}")


def _boxes(axes: Axes, points: Sequence[Point]) -> list[Box]:
    """What names must not cover: marks and bars, in pixels."""
    half = (MARK / 2 + 0.6) * axes.figure.dpi / 72
    boxes = []
    for p in points:
        low, high = (axes.transData.transform((p.x, y if y is not None else p.y)) for y in (p.low, p.high))
        left, right = (axes.transData.transform((x if x is not None else p.x, p.y)) for x in (p.x_low, p.x_high))
        x, y = axes.transData.transform((p.x, p.y))
        boxes += [(x - half, y - half, x + half, y + half), (x - 1, low[1], x + 1, high[1]), (left[0], y - 1, right[0], y + 1)]
    return boxes


def _along(axes: Axes, line: Line2D) -> list[Box]:
    """Small boxes along a line, in pixels."""
    x, y = line.get_data()
    if line.get_drawstyle() == "steps-post":  # across first, then up or down
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    ends = axes.transData.transform(np.column_stack([x, y]))
    boxes = []
    for (x0, y0), (x1, y1) in itertools.pairwise(ends):
        count = max(2, int(max(abs(x1 - x0), abs(y1 - y0)) / 4))
        points = ((x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(count + 1))
        boxes += [(x - 1, y - 1, x + 1, y + 1) for x, y in points]
    return boxes


def _signs(points: Sequence[Point]) -> list[Line2D]:
    """The legend: hollow and filled marks, and the lines of their fronts."""
    from matplotlib.lines import Line2D

    handles = []
    for measured, name, style in ((False, "paper", (0, (3, 2))), (True, "measured", "-")):
        if any(p.measured == measured for p in points):
            look: dict[str, Any] = {"mec": GREY, "mfc": GREY if measured else "white", "ms": MARK, "mew": 0.9}
            handles.append(Line2D([], [], marker="o", color="#9A9A9A", lw=0.8, ls=style, label=f"{name}, Pareto front", **look))
    return handles
