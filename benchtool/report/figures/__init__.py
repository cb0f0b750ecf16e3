"""Figures of a paper's table, for a paper: a metric against parameters, run time and exposure, and contact sheets.

They show what the table shows, the same means and intervals. matplotlib is imported where something is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchtool.core.console import say
from benchtool.core.manifest import Dataset
from benchtool.papers.model import RUNTIME
from benchtool.report.figures.contact import draw_sheets
from benchtool.report.figures.curves import draw_curves
from benchtool.report.figures.points import whole
from benchtool.report.figures.scatter import draw_scatter
from benchtool.report.figures.style import SETTINGS, NotDrawn, save
from benchtool.report.frame import Results
from benchtool.report.table import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(report: Report, results: Results, folder: Path, datasets: Sequence[Dataset] = ()) -> list[Path]:
    """As `draw_figures`; a line to the person names the figures that were not drawn, and why."""
    written, refused = draw_figures(report, results, folder, datasets)
    for line in refused:
        say(f"not drawn: {line}")
    return written


def draw_figures(report: Report, results: Results, folder: Path, datasets: Sequence[Dataset] = ()) -> tuple[list[Path], list[str]]:
    """Draw every figure of a filled table that there is something to draw for.

    Args:
        results: what the table was filled from.
        folder: is made; holds `PAPER-TABLE-KIND-PANEL[-METRIC].pdf` and `.png`.
        datasets: those measured on, for contact sheets; others are not looked at.

    Returns:
        The files written; and a line for the figures that were not drawn, with the reason.
    """
    import matplotlib

    written: list[Path] = []
    refused: dict[tuple[str, str], list[str]] = {}
    asked: Counter[str] = Counter()
    with matplotlib.rc_context(SETTINGS):
        for kind, place, build in _figures(report, results, datasets):
            asked[kind] += 1
            try:
                figures = build()
            except NotDrawn as why:
                refused.setdefault((kind, str(why)), []).append(place)
                continue
            for number, figure in enumerate(figures, 1):
                stem = f"{report.paper.name}-{report.table.number}-{kind}-{place}" + (f"-{number}" if len(figures) > 1 else "")
                written += save(figure, folder / stem)
    lines = [f"{kind}{'' if len(places) == asked[kind] else ' of ' + ', '.join(places)}: {why}" for (kind, why), places in refused.items()]
    return written, lines


def _figures(report: Report, results: Results, datasets: Sequence[Dataset]) -> Iterator[tuple[str, str, Callable[[], Sequence[Figure]]]]:
    """Kind, place and drawing of every figure the table may have."""
    for index, block in enumerate(report.blocks):
        panel = block.panel
        name = panel.key.replace(":", "-")
        for number, column in enumerate(report.columns):
            if column.panel == index and column.group == whole(panel) and column.metric.key != RUNTIME:
                place = f"{name}-{column.metric.key}"
                yield "parameters", place, lambda number=number: [draw_scatter(report, results, number, "parameters")]
                yield "runtime", place, lambda number=number: [draw_scatter(report, results, number, "runtime")]
                yield "exposures", place, lambda index=index, metric=column.metric: [draw_curves(report, results, index, metric)]
        yield "sheet", name, lambda index=index: draw_sheets(report, results, index, datasets)
