"""A sheet of samples of a dataset: scenes under each other; side by side the inputs and the target."""

from __future__ import annotations

import io
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchtool.core.errors import UserError
from benchtool.core.files import write_bytes
from benchtool.core.manifest import SPLITS, Dataset, Image, Sample
from benchtool.datasets.describe import Picture, ev_text, picture_of, shown, spread, target_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, COLUMNS = 8, 5  # scenes and inputs on a sheet
TILE, TILE_HEIGHT = 2.0, 1.5  # inches
NAME = 0.3  # inches below a tile
SIDE = 300  # pixels of a tile's longer side
DPI = 150
SETTINGS = {"font.family": "DejaVu Sans", "font.size": 8}


def write_sheet(dataset: Dataset, path: Path, rows: int = ROWS) -> int:
    """Draw scenes spread evenly over each split: inputs, by exposure where it is known, then the target. Returns the number of scenes.

    A picture that cannot be read is a tile that says so.

    Raises:
        UserError: `path` is no picture's name.
    """
    import matplotlib
    from matplotlib.figure import Figure

    scenes = _scenes(dataset, rows)
    drawn = [(name, of_scene, _inputs(of_scene), target_of(dataset, of_scene[0])) for name, of_scene in scenes]
    columns = max(len(inputs) for _, _, inputs, _ in drawn)
    width, height = (columns + 1) * TILE, len(drawn) * (TILE_HEIGHT + NAME) + 0.5
    with matplotlib.rc_context(SETTINGS):
        figure = Figure((width, height), dpi=DPI)
        grid = figure.subplots(len(drawn), columns + 1, squeeze=False)
        for line, (name, of_scene, inputs, target) in zip(grid, drawn):
            for axes in line:
                axes.axis("off")
            for axes, (sample, image) in zip(line, inputs):
                ev = "" if image.ev is None else f"  {ev_text(image.ev)} EV"
                _tile(axes, picture_of(dataset, sample, image), _short(image) + ev)
            if target is not None:
                _tile(line[-1], picture_of(dataset, of_scene[0], target), f"{_short(target)}  {target.role}")
            line[0].text(0, 1.04, f"{of_scene[0].split}: {name}", transform=line[0].transAxes, size=7, weight="bold")
        top = 1 - 0.45 / height
        figure.suptitle(f"{dataset.facts.name} ({dataset.facts.variant}): inputs, then the target", y=1 - 0.12 / height, va="top", size=9)
        figure.subplots_adjust(0.01, NAME / height, 0.99, top, wspace=0.05, hspace=NAME * 1.4 / TILE_HEIGHT)
        save(figure, path)
    return len(drawn)


def _scenes(dataset: Dataset, rows: int) -> list[tuple[str, list[Sample]]]:
    """`rows` scenes, shared out over the splits, the later ones first where they do not divide."""
    by_split: dict[str, dict[str, list[Sample]]] = {split: defaultdict(list) for split in SPLITS}
    for sample in dataset.samples:
        by_split[sample.split][sample.scene].append(sample)
    present = [scenes for scenes in by_split.values() if scenes]
    chosen = []
    for n, scenes in enumerate(present):
        chosen += spread(list(scenes.items()), max(1, (rows + n) // len(present)))
    return chosen


def _inputs(samples: list[Sample]) -> list[tuple[Sample, Image]]:
    """The scene's different inputs, by exposure where it is known, at most COLUMNS of them."""
    every = {image.path: (sample, image) for sample in samples for image in sample.inputs}
    ordered = sorted(every.values(), key=lambda found: (found[1].ev is None, found[1].ev or 0))
    return spread(ordered, COLUMNS)


def _short(image: Image) -> str:
    """The end of its path."""
    name = image.path.partition(":")[2]
    return name if len(name) <= 30 else "…" + name[-29:]


def _tile(axes: Axes, picture: Picture, name: str) -> None:
    """A picture with its name below, framed so that the edge of a white one is seen."""
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="#BBBBBB", linewidth=0.4)
    try:
        axes.imshow(shown(picture, SIDE), interpolation="antialiased")
    except UserError:
        axes.text(0.5, 0.5, "unreadable", transform=axes.transAxes, ha="center", size=7)
    axes.text(0.5, -0.03, name, transform=axes.transAxes, ha="center", va="top", size=5.5)


def save(figure: Figure, path: Path) -> None:
    """Write a figure atomically as the kind of picture its name says; UserError for other kinds."""
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UserError(f"{path}: pictures are written as .png, .pdf or .svg")
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix[1:].lower())
    write_bytes(path, stream.getvalue())
