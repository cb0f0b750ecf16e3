"""How figures look and are saved: sizes of a paper's columns, colours and marks that all readers can tell apart, equal bytes.

The colours are those of Okabe and Ito (Color Universal Design, 2008); marks differ as well, for print without colour.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchtool.core.files import write_bytes
from benchtool.papers.model import Metric
from benchtool.report.table import Block, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMN, PAGE = 3.45, 7.1  # inches: one column of a two-column paper, and both
DPI = 300
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
GREY = "#555555"
EDGE = 0.06  # inches between the figure's edge and what stands beside it
NOTE_SIZE, NOTE_LINE = 5.5, 0.095  # points, inches
LEGEND_LINE = 0.13  # inches
LEGEND: dict[str, Any] = {"handlelength": 2.2, "columnspacing": 1.2, "borderaxespad": 0, "borderpad": 0.2}
SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.labelsize": 7,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType, embedded: what publishers ask for
    "axes.unicode_minus": True,
}


class NotDrawn(Exception):
    """There is nothing to draw; the message says why."""


def darker(colour: str) -> str:
    """The colour for text, which needs more contrast than a mark."""
    return "#" + "".join(f"{int(int(colour[k : k + 2], 16) * 0.72):02X}" for k in (1, 3, 5))


def colour_of(row: int) -> str:
    """The colour of a table's row, the same in every figure."""
    return COLOURS[row % len(COLOURS)]


def mark_of(row: int) -> str:
    """The mark of a table's row; with its colour it is the only one of 77 rows."""
    return MARKS[row % len(MARKS)]


def measured_on(block: Block) -> str:
    """What a panel's measured figures were made of, in a line."""
    edition = block.edition
    scenes, images = (f"{n:,} {what}{'s' * (n != 1)}" for n, what in ((block.scenes, "scene"), (block.samples, "image")))
    return f"measured on {block.panel.title} {edition.variant}, {scenes}, {images}, data {edition.fingerprint[:8]}."


def new_figure(
    width: float, height: float, title: str, subtitle: str, notes: Sequence[str], legend: Sequence[Line2D]
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes of `height` inches, titles and a legend above them, notes below; it is as high as these need.

    Args:
        legend: signs with their labels, in as few rows as are no wider than the figure.
    """
    from matplotlib.figure import Figure

    lines, columns = wrapped(notes, width), legend_columns(legend, width)
    below, above = 0.42 + NOTE_LINE * len(lines), 0.36 + LEGEND_LINE * -(-len(legend) // columns)
    total = below + height + above
    figure = Figure((width, total), dpi=DPI)
    axes = figure.add_axes((0.48 / width, below / total, (width - 0.62) / width, height / total))
    place = (EDGE / width, (below + height + 0.04) / total)
    axes.legend(handles=legend, ncols=columns, loc="lower left", bbox_to_anchor=place, bbox_transform=figure.transFigure, **LEGEND)
    write_titles(figure, title, subtitle)
    write_notes(figure, lines)
    return figure, axes


def legend_columns(legend: Sequence[Line2D], width: float) -> int:
    """In how many columns a legend has the fewest rows and is no wider than a figure of `width` inches; at least one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, 1), dpi=DPI)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for columns in dict.fromkeys(-(-len(legend) // rows) for rows in range(1, len(legend))):
        drawn = figure.legend(handles=legend, ncols=columns, **LEGEND)
        if drawn.get_window_extent(renderer).width <= (width - 2 * EDGE) * DPI:
            return columns
    return 1


def write_titles(figure: Figure, title: str, subtitle: str) -> None:
    """What a figure shows, and of what, at the upper edge."""
    width, height = figure.get_size_inches()
    figure.text(EDGE / width, 1 - 0.05 / height, title, va="top", weight="bold", size=7.5)
    figure.text(EDGE / width, 1 - 0.185 / height, subtitle, va="top", size=6.5, color=GREY)


def source_of(report: Report, place: str) -> str:
    """The table a figure belongs to, and what part of it."""
    return f"{report.paper.label}, {report.table.name}: {place}"


def wrapped(notes: Sequence[str], width: float) -> list[str]:
    """Notes in lines as wide as the figure."""
    return [line for note in notes for line in textwrap.wrap(note, int((width - 0.12) * 72 / (NOTE_SIZE * 0.535)))]


def write_notes(figure: Figure, lines: Sequence[str]) -> None:
    """Lines of small print at the lower edge."""
    width, height = figure.get_size_inches()
    for n, line in enumerate(reversed(lines)):
        figure.text(EDGE / width, (0.05 + NOTE_LINE * n) / height, line, size=NOTE_SIZE, color=GREY, va="bottom")


def protocol_line(report: Report, block: Block, metric: Metric | None = None) -> str:
    """Under which protocol a panel's figures are measured, and what the metric is."""
    said = f"Protocol {report.table.protocol_of(block.panel)}"
    return said + (f": {metric.title} is {metric.variant}." if metric and metric.variant else ".")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.pdf and .png, with equal bytes for equal figures."""
    written = []
    for suffix, metadata in ((".pdf", {"Creator": "benchtool", "Producer": None, "CreationDate": None}), (".png", {"Software": None})):
        stream = io.BytesIO()
        figure.savefig(stream, format=suffix[1:], dpi=DPI, metadata=metadata)
        path = stem.with_name(stem.name + suffix)
        write_bytes(path, stream.getvalue())
        written.append(path)
    return written
