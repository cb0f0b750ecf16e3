"""The points of a scatter: a metric of a paper's table against parameters or run time, with the Pareto front."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchtool.core import catalog
from benchtool.papers.model import RUNTIME, Group, Panel
from benchtool.report.frame import Evaluation, Results
from benchtool.report.rows import takes
from benchtool.report.schema import Runtime
from benchtool.report.table import Cell, Edition, Line, Parameters, Report


@dataclass(frozen=True)
class Point:
    """A method in a scatter.

    Attributes:
        row: its number in the table.
        measured: by us; otherwise as the paper prints it.
        x, y: where it stands.
        low, high: of y's interval, where there is one.
        x_low, x_high: the spread of x, where there is one.
    """

    label: str
    row: int
    measured: bool
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    x_low: float | None = None
    x_high: float | None = None


@dataclass
class Scatter:
    """Points; rows with a value but no place on the x axis, each with which of its values (printed, measured); notes for the reader."""

    points: list[Point] = field(default_factory=list)
    without_x: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def whole(panel: Panel) -> Group:
    """The group that stands for the panel: all images, else the mean of the other groups, else the last."""
    groups = panel.groups
    return next((g for g in groups if g.key == "all"), next((g for g in groups if g.mean_of), groups[-1]))


def name_of(report: Report, line: Line) -> str:
    """A row's name outside its table, where `Ours` would be anybody's."""
    label = line.row.label
    return f"{report.paper.label} (o{label[1:]})" if (line.below or label).lower() == "ours" else label


def evaluation_of(report: Report, results: Results, index: int, line: Line) -> Evaluation | None:
    """The evaluation that a line's measured figures of panel `index` come from; None where it has none."""
    block = report.blocks[index]
    protocol = report.table.protocol_of(block.panel)
    for evaluation in results.evaluations:  # newest first
        entry = evaluation.entry
        same = Edition(entry.variant, entry.fingerprint, entry.protocol_sha256) == block.edition
        if same and takes(line.row, block.panel, protocol, evaluation):
            return evaluation
    return None


def against_parameters(report: Report, results: Results, number: int) -> Scatter:
    """Column `number` against parameters: built ones for measured values, for printed ones those that the paper prints.

    Where an erratum says that a printed number is no count, it is the counted one; where none is printed, that of the network built here.
    """
    scatter = Scatter()
    counted, ours = [], []
    for row, line in enumerate(report.lines):
        evaluation = evaluation_of(report, results, report.columns[number].panel, line)
        built = _built(line, evaluation)
        found, label = line.parameters or Parameters(), name_of(report, line)
        published = found.counted
        if published is None and found.published and report.table.parameters:
            published = parameters_in(found.published, report.table.parameters)
        _add(scatter, label, row, line.cells[number], published or built, built)
        if line.cells[number].published:
            counted += [label] * (found.counted is not None)
            ours += [label] * (published is None and built is not None)
            scatter.notes += [f"{label}: {report.footnotes[n - 1]}" for n in found.notes]
    if counted:
        scatter.notes.insert(0, f"Hollow at the counted number of parameters, not the printed one: {'; '.join(counted)}.")
    if ours:
        scatter.notes.insert(0, f"Hollow at the number of parameters built here, none being printed: {'; '.join(ours)}.")
    scatter.notes += [report.footnotes[n - 1] for n in report.parameter_notes]
    return scatter


def _built(line: Line, evaluation: Evaluation | None) -> int | None:
    """Parameters of the network that enhances, as measured, else as benchtool builds it; None where it has none, or builds another.

    A summary counts all players together, so that of a method with several the default build alone is known.
    """
    spec = catalog.facts("methods", line.row.method) if line.row.method in catalog.entries("methods") else None
    if evaluation and evaluation.summary.parameters and not (spec and len(spec.players) > 1):
        return evaluation.summary.parameters
    return spec.enhancing or None if spec and not line.row.options else None


def parameters_in(printed: str, unit: int) -> float | None:
    """The number behind a printed number of parameters, `unit` being what its letter stands for; None where it is none.

    >>> parameters_in("682k", 1000), parameters_in("0.50M", 2**20), parameters_in("few", 1000)
    (682000.0, 524288.0, None)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?[kKM]?", printed)
    return float(found[1]) * unit if found else None


def against_runtime(report: Report, results: Results, number: int) -> Scatter:
    """Column `number` against seconds a picture: printed ones of the same panel, and measured ones of one machine and size."""
    column, scatter = report.columns[number], Scatter()
    times = [n for n, c in enumerate(report.columns) if (c.panel, c.group, c.metric.key) == (column.panel, column.group, RUNTIME)]
    timed = _same_machine(report, results, column.panel, scatter)
    for row, line in enumerate(report.lines):
        printed = line.cells[times[0]].published if times else None
        own = timed.get(row)
        _add(
            scatter, name_of(report, line), row, line.cells[number], float(printed) if printed else None, own.seconds if own else None, own
        )
    if not times:  # the paper prints none at all
        kept = {label: [what for what in lost if what != "printed"] for label, lost in scatter.without_x.items()}
        scatter.without_x = {label: lost for label, lost in kept.items() if lost}
    else:
        scatter.notes += [report.footnotes[n - 1] for n in report.columns[times[0]].notes]
    return scatter


def _same_machine(report: Report, results: Results, index: int, scatter: Scatter) -> dict[int, Runtime]:
    """Row -> its run time, all measured alike: where machines or sizes differ, as most rows were."""
    found = {}
    for row, line in enumerate(report.lines):
        evaluation = evaluation_of(report, results, index, line)
        if evaluation and evaluation.entry.runtime:
            found[row] = evaluation.entry.runtime
    if not found:
        return {}
    (chosen, _), *_ = Counter(_how(runtime) for runtime in found.values()).most_common(1)
    alike = {row: runtime for row, runtime in found.items() if _how(runtime) == chosen}
    (width, height), device, threads, _ = chosen
    how = f"enhance alone, one {width} x {height} picture, {device}, {threads} CPU threads"
    scatter.notes.append(f"Measured run time: {how}; bars from shortest to longest.")
    if others := [report.lines[row].row.label for row in found if row not in alike]:
        scatter.notes.append(f"Timed on another machine or size, and left out: {'; '.join(others)}.")
    return alike


def _how(runtime: Runtime) -> tuple[tuple[int, int], str, int, str]:
    return runtime.size, runtime.device, runtime.threads, runtime.version


def _add(
    scatter: Scatter, label: str, row: int, cell: Cell, published_x: float | None, measured_x: float | None, runtime: Runtime | None = None
) -> None:
    """The cell's printed and measured values as points, as far as they have a place."""
    if cell.published and published_x:
        scatter.points.append(Point(label, row, False, published_x, float(cell.published)))
    if cell.measured and measured_x:
        interval, spread = cell.measured.interval, runtime.spread if runtime else (None, None)
        limits = (interval.low, interval.high) if interval else (None, None)
        scatter.points.append(Point(label, row, True, measured_x, cell.measured.mean, *limits, *spread))
    lost = [what for what, y, x in (("printed", cell.published, published_x), ("measured", cell.measured, measured_x)) if y and not x]
    if lost:
        scatter.without_x[label] = lost


def pareto(points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    """The points that no other beats or equals in both, being better in one: from small x to large."""
    sign = 1 if higher_is_better else -1
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -sign * p.y)):
        if not front or sign * point.y > sign * front[-1].y or (point.x, point.y) == (front[-1].x, front[-1].y):
            front.append(point)
    return front
