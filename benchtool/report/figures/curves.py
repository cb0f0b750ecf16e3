"""A metric against the exposure of the input, a curve a measured method, with bands from the bootstrap over scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchtool.papers.model import Metric
from benchtool.report.figures.points import evaluation_of, name_of
from benchtool.report.figures.style import (
    COLUMN,
    NotDrawn,
    colour_of,
    mark_of,
    measured_on,
    new_figure,
    protocol_line,
    source_of,
)
from benchtool.report.frame import Results, Scores
from benchtool.report.statistics import MIN_SCENES, Interval, scene_interval
from benchtool.report.table import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

HEIGHT = 2.1  # inches of the axes


@dataclass(frozen=True)
class Curve:
    """A method's means, one an exposure.

    Attributes:
        exposures: EV, rising.
        means, intervals: of the images at each.
        left_out: images that the means leave out.
    """

    label: str
    row: int
    exposures: list[float]
    means: list[float]
    intervals: list[Interval | None]
    left_out: int


def curves(report: Report, results: Results, index: int, metric: Metric) -> list[Curve]:
    """The curves of panel `index`, in the order of the table's rows."""
    found = []
    for row, line in enumerate(report.lines):
        evaluation = evaluation_of(report, results, index, line)
        scores = evaluation.scores(metric.variant) if evaluation and metric.variant else None
        if scores is not None and (curve := _curve(name_of(report, line), row, scores)).exposures:
            found.append(curve)
    return found


def _curve(label: str, row: int, scores: Scores) -> Curve:
    valid = ~np.isnan(scores.values)
    exposures = np.unique(scores.exposures[valid & ~np.isnan(scores.exposures)])
    parts = [(scores.values[at], scores.scenes[at]) for at in (valid & (scores.exposures == ev) for ev in exposures)]
    means = [float(values.mean()) for values, _ in parts]
    return Curve(label, row, exposures.tolist(), means, [scene_interval([part]) for part in parts], int((~valid).sum()))


def draw_curves(report: Report, results: Results, index: int, metric: Metric) -> Figure:
    """One metric of panel `index` against exposure.

    Raises:
        NotDrawn: nothing measured, or the inputs' exposures are unknown or all the same.
    """
    block = report.blocks[index]
    if block.edition is None or not metric.variant:
        raise NotDrawn("nothing measured")
    found = curves(report, results, index, metric)
    evs = sorted({ev for curve in found for ev in curve.exposures})
    if len(evs) < 2:
        raise NotDrawn("no image of known exposure has a value" if not evs else "the inputs have one exposure only")
    notes = [f"Means, {measured_on(block)}"]
    if any(interval for curve in found for interval in curve.intervals):
        notes[0] += " Bands: 95\u00a0% intervals, bootstrap over scenes."
    else:
        notes[0] += f" No bands: fewer than {MIN_SCENES} scenes."
    notes += [w for w in report.warnings if w.startswith("Measured figures")] + [protocol_line(report, block, metric)]
    if left_out := [f"{curve.left_out} of {curve.label}" for curve in found if curve.left_out]:
        notes.append(f"Images left out of the means: {'; '.join(left_out)}.")
    source = source_of(report, block.panel.title)
    signs = [_line(curve, [], []) for curve in found]
    figure, axes = new_figure(COLUMN, HEIGHT, f"{metric.title} by exposure", source, notes, signs)
    axes.grid(True)
    for curve in found:
        colour = colour_of(curve.row)
        axes.add_line(_line(curve, curve.exposures, curve.means))
        if all(curve.intervals):
            low, high = ([getattr(interval, side) for interval in curve.intervals] for side in ("low", "high"))
            axes.fill_between(
                curve.exposures, low, high, color=colour, alpha=0.15 if len(found) < 6 else 0.08, lw=0, gid=f"band:{curve.label}"
            )
    axes.set_xticks(evs, [f"{ev:+g}".replace("-", "−") if ev else "0" for ev in evs])
    axes.set_xlabel("Exposure of the input (EV)", labelpad=2)
    axes.set_ylabel(metric.heading, labelpad=2)
    axes.autoscale_view()
    return figure


def _line(curve: Curve, x: Sequence[float], y: Sequence[float]) -> Line2D:
    """A line as the curve is drawn; without places it is the legend's sign."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"marker": mark_of(curve.row), "color": colour_of(curve.row), "lw": 1, "ms": 3.4, "mew": 0}
    return Line2D(x, y, label=curve.label, gid=f"curve:{curve.label}", **look)
