"""Contact sheets: scenes under each other; side by side the input, every measured method's output, the target, with their metrics.

All pictures of a row show the same part of the scene. Scenes are spread evenly over the split, at its darkest and brightest exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from benchtool.core.errors import UserError
from benchtool.core.images import quantise, read_image, resize
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.seeds import generator
from benchtool.papers.model import Metric
from benchtool.report.figures.points import evaluation_of, name_of
from benchtool.report.figures.style import (
    DPI,
    GREY,
    NOTE_LINE,
    PAGE,
    NotDrawn,
    measured_on,
    protocol_line,
    source_of,
    wrapped,
    write_notes,
    write_titles,
)
from benchtool.report.frame import Evaluation, Results
from benchtool.report.table import Report, rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 6
METHODS = 6  # a sheet; more methods go onto more sheets
SHAPE = 1.5  # width of a picture by its height
WIDEST = 400  # pixels of a picture; here and below DPI of them to a printed inch
SIDE, TOP, MARGIN, GAP = 102, 140, 12, 9  # left of the pictures, above, right, between
LINE = 28  # of metrics
IN_A_LINE = 2  # metrics


@dataclass(frozen=True)
class Shown:
    """A method's column: its title, predictions and scores."""

    label: str
    folder: Path
    values: dict[tuple[str, str], float | None]  # (metric variant, sample) -> value

    def prediction(self, sample: Sample) -> Path:
        """Where `evaluate` keeps the prediction of a sample."""
        return self.folder / f"{sample.sample}.png"


def draw_sheets(report: Report, results: Results, index: int, datasets: Sequence[Dataset], seed: int = 0) -> list[Figure]:
    """The contact sheets of panel `index`, METHODS methods each.

    Raises:
        NotDrawn: nothing measured, the dataset is not given, or is not the measured one, or no predictions are kept.
    """
    block = report.blocks[index]
    if block.edition is None:
        raise NotDrawn("nothing measured")
    dataset = _measured_dataset(datasets, block.panel.dataset, block.edition.fingerprint)
    pairs = ((name_of(report, line), evaluation_of(report, results, index, line)) for line in report.lines)
    shown = [_shown(label, evaluation, block.panel.metrics) for label, evaluation in pairs if evaluation]
    samples = [s for s in dataset.split(block.panel.split) if s.encoding_in.startswith("srgb") and s.encoding_target.startswith("srgb")]
    if not samples:
        raise NotDrawn(f"{dataset.facts.name} holds raw or linear images, which have no look of their own")
    chosen = choose(samples, shown, seed)
    sheets = [shown[begin : begin + METHODS] for begin in range(0, len(shown), METHODS)]
    return [
        _sheet(report, index, dataset, part, chosen, f" ({n} of {len(sheets)})" * (len(sheets) > 1)) for n, part in enumerate(sheets, 1)
    ]


def _measured_dataset(datasets: Sequence[Dataset], name: str, fingerprint: str) -> Dataset:
    named = [dataset for dataset in datasets if dataset.facts.name == name]
    same = [dataset for dataset in named if dataset.facts.fingerprint == fingerprint]
    if not named:
        raise NotDrawn(f"its images are needed: give the dataset {name} with --data DIR")
    if not same:
        raise NotDrawn(f"{named[0].folder} is other data ({named[0].facts.fingerprint[:8]}) than was measured ({fingerprint[:8]})")
    return same[0]


def _shown(label: str, evaluation: Evaluation, metrics: Sequence[Metric]) -> Shown:
    values: dict[tuple[str, str], float] = {}
    for metric in metrics:
        if metric.variant:
            name, _, variant = metric.variant.partition(":")
            rows = evaluation.table.filter((pc.field("metric") == name) & (pc.field("variant") == variant) & (pc.field("status") == "ok"))
            values |= {(metric.variant, sample): value for sample, value in zip(rows["sample"].to_pylist(), rows["value"].to_pylist())}
    return Shown(label, evaluation.predictions, values)


def choose(samples: Sequence[Sample], shown: Sequence[Shown], seed: int = 0) -> list[Sample]:
    """ROWS samples: of scenes spread evenly over those that most methods have predictions of, the darkest and brightest exposure.

    Raises:
        NotDrawn: no method has any prediction.
    """
    kept = {sample.sample: sum(one.prediction(sample).is_file() for one in shown) for sample in samples}
    most = max(kept.values(), default=0)
    if most == 0:
        raise NotDrawn("no predictions are kept in the runs; evaluate with --keep")
    scenes: dict[str, list[Sample]] = {}
    for sample in samples:
        if kept[sample.sample] == most:
            scenes.setdefault(sample.scene, []).append(sample)
    extremes = {scene: _extremes(of_scene) for scene, of_scene in sorted(scenes.items())}
    each = max(len(found) for found in extremes.values())
    names = list(extremes)
    return [sample for place in spread(len(names), ROWS // each, seed) for sample in extremes[names[place]]]


def _extremes(samples: Sequence[Sample]) -> list[Sample]:
    known = sorted((s for s in samples if s.exposure is not None), key=lambda s: s.exposure)
    return [known[0], known[-1]] if len(known) > 1 else list(samples[:1])


def spread(total: int, wanted: int, seed: int = 0) -> list[int]:
    """`wanted` of `total` places (all, where there are no more), one in each equal stretch, where in it being drawn once for all."""
    wanted = min(total, wanted)
    shift = generator("contact sheet", seed).random()
    return [int((k + shift) * total / wanted) for k in range(wanted)]


def tile(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The middle of an image in the shape of `size` (width, height), shrunk to it where it is larger: H x W x 3 uint8."""
    pixels = read_image(path)
    if pixels.dtype != np.uint8:
        pixels = quantise(pixels / np.float32(np.iinfo(pixels.dtype).max))
    height, width = pixels.shape[:2]
    wide, high = min(width, round(height * size[0] / size[1])), min(height, round(width * size[1] / size[0]))
    left, top = (width - wide) // 2, (height - high) // 2
    part = np.ascontiguousarray(pixels[top : top + high, left : left + wide])
    return resize(part, *size) if wide > size[0] else part


@dataclass(frozen=True)
class Layout:
    """Where things are on a sheet, in pixels of the printed page: pictures fall on whole ones, so that a PNG shows them unchanged."""

    tile: tuple[int, int]
    down: int  # from a row to the next
    width: int
    height: int
    figure: Figure

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a picture, as shares of the figure."""
        left, top = SIDE + (self.tile[0] + GAP) * column, TOP + self.down * row
        return left / self.width, 1 - (top + self.tile[1]) / self.height, self.tile[0] / self.width, self.tile[1] / self.height


def _layout(columns: int, rows: int, metric_lines: int, notes: Sequence[str]) -> Layout:
    """As wide as a page, or less where pictures are at their largest; as high as all needs; titles and notes written."""
    from matplotlib.figure import Figure

    page = round(PAGE * DPI)
    wide = min((page - SIDE - MARGIN) // columns - GAP, WIDEST)
    size = (wide, round(wide / SHAPE))
    down = size[1] + LINE * metric_lines + 20
    width = max(SIDE + MARGIN + (wide + GAP) * columns, round(page * 0.6))
    small = wrapped(notes, width / DPI)
    height = TOP + down * rows + 30 + round(NOTE_LINE * DPI) * len(small)
    figure = Figure((width / DPI, height / DPI), dpi=DPI)
    write_notes(figure, small)
    return Layout(size, down, width, height, figure)


def _sheet(report: Report, index: int, dataset: Dataset, shown: Sequence[Shown], chosen: Sequence[Sample], part: str) -> Figure:
    block = report.blocks[index]
    metrics = [m for m in block.panel.metrics if m.variant]
    lines = [metrics[begin : begin + IN_A_LINE] for begin in range(0, len(metrics), IN_A_LINE)]
    how = "Scenes are spread evenly over the split; all pictures of a row show the same part of the scene."
    notes = [f"Outputs and scores {measured_on(block)} {how}"]
    notes += [w for w in report.warnings if w.startswith("Measured figures")] + [protocol_line(report, block)]
    layout = _layout(len(shown) + 2, len(chosen), len(lines), notes)
    write_titles(layout.figure, "Input, outputs and target", source_of(report, block.panel.title) + part)
    for row, sample in enumerate(chosen):
        target = sample.target(block.panel.target)
        outputs = [(one.label, one.prediction(sample)) for one in shown]
        shown_input = sample.inputs[len(sample.inputs) // 2]
        pictures = [("Input", dataset.path(shown_input)), *outputs, ("Target", dataset.path(target) if target else None)]
        for column, (name, path) in enumerate(pictures):
            axes = layout.figure.add_axes(layout.box(row, column), gid=f"{sample.sample}:{name}")
            _picture(axes, path, layout.tile)
            if row == 0:
                axes.set_title(name, size=6.5, pad=2.5)
            if column == 0:
                axes.set_ylabel(_name(sample), size=5.5, labelpad=3)
            if 0 < column <= len(shown):
                _below(axes, [_values(of_line, shown[column - 1], sample) for of_line in lines], "black")
            elif row == column == 0:
                _below(axes, [" / ".join(m.heading for m in of_line) for of_line in lines], GREY)
    return layout.figure


def _below(axes: Axes, lines: Sequence[str], colour: str) -> None:
    """Lines of text under a picture."""
    for n, text in enumerate(lines):
        offset = (0, -2 - LINE * 72 / DPI * n)
        axes.annotate(text, (0.5, 0), offset, "axes fraction", textcoords="offset points", ha="center", va="top", size=5.2, color=colour)


def _name(sample: Sample) -> str:
    ev = sample.exposure
    return sample.scene[:16] + ("" if ev is None else f"\n{ev:+g} EV".replace("-", "−") if ev else "\n0 EV")


def _values(metrics: Sequence[Metric], shown: Shown, sample: Sample) -> str:
    values = [shown.values.get((metric.variant, sample.sample)) for metric in metrics]
    return " / ".join("–" if value is None else rounded(value, metric.decimals) for value, metric in zip(values, metrics))


def _picture(axes: Axes, path: Path | None, size: tuple[int, int]) -> None:
    """One picture, or why there is none."""
    axes.set_xticks([])
    axes.set_yticks([])
    why = "none" if path is None else None if path.is_file() else "not kept"
    if path is not None and why is None:
        try:
            axes.imshow(tile(path, size), aspect="auto", interpolation="none")
        except UserError:
            why = "unreadable"
    for spine in axes.spines.values():
        spine.set_visible(why is not None)
    if why:
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", size=5.5, color=GREY)
