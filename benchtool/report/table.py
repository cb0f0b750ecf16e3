"""The neutral table: what every renderer is given. Numbers are numbers here; how they look is the renderers' affair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from benchtool.papers.model import Group, Metric, Panel, Paper, Row, Table
from benchtool.report.frame import Evaluation
from benchtool.report.schema import Runtime
from benchtool.report.statistics import Interval

if TYPE_CHECKING:
    from benchtool.report.grid import View
    from benchtool.report.paired import Contest

Rank = Literal["best", "second"]


@dataclass(frozen=True)
class Edition:
    """What the measured figures of a panel were made of; figures of different editions never share a column.

    Attributes:
        variant, fingerprint: of the dataset.
        protocol_sha256: of the protocol's file.
    """

    variant: str
    fingerprint: str
    protocol_sha256: str


@dataclass(frozen=True)
class Measured:
    """A figure of ours, computed from a scores file.

    Attributes:
        mean: over the images that have a finite value.
        interval: from the bootstrap over scenes, None with too few scenes.
        samples: images of the group; failures: those that the mean leaves out, without a value or with an infinite one.
        scenes: of the group.
        run: the folder.
        versions: of the metric.
    """

    mean: float
    interval: Interval | None
    samples: int
    failures: int
    scenes: int
    run: str
    versions: tuple[str, ...]


@dataclass
class Cell:
    """A cell of the table.

    Attributes:
        published: as printed, None where the paper has nothing, or (`missing`) where what it has is not known here.
        measured: None where nothing was, or nothing could be (then `absent` is "n/a").
        delta: measured - published; only for the very data and protocol of the paper.
        published_rank, measured_rank: among the column's, after rounding; measured ones only where `places` is known.
        places: the first and the last rank that the measured figure may have by its differences to the others; None: too few scenes,
            or nothing to compare with.
        runtime: of the evaluation, in a column of run times.
        published_notes, measured_notes: numbers of footnotes.
    """

    published: str | None = None
    missing: bool = False
    measured: Measured | None = None
    absent: str = "–"
    delta: float | None = None
    published_rank: Rank | None = None
    measured_rank: Rank | None = None
    places: tuple[int, int] | None = None
    runtime: Runtime | None = None
    published_notes: list[int] = field(default_factory=list)
    measured_notes: list[int] = field(default_factory=list)

    @property
    def delta_interval(self) -> Interval | None:
        """That of `delta`: the measured figure's, moved; the printed one is taken as it is."""
        if self.delta is None or self.measured.interval is None:
            return None
        shift = self.delta - self.measured.mean
        return Interval(self.measured.interval.low + shift, self.measured.interval.high + shift)


@dataclass
class Parameters:
    """A row's numbers of parameters: as printed, and as built here, in single parameters (None: unknown or none).

    `counted` is how many the paper's network has, where an erratum says that the printed number is no count of them.
    """

    published: str | None = None
    built: int | None = None
    counted: int | None = None
    notes: list[int] = field(default_factory=list)


@dataclass
class Column:
    """A column: its place, and footnotes of its own."""

    panel: int
    group: Group
    metric: Metric
    notes: list[int] = field(default_factory=list)


@dataclass
class Line:
    """A row: cells in the order of the table's columns; one of ours, which the paper does not have, stands `below` the one so labelled."""

    row: Row
    cells: list[Cell]
    parameters: Parameters | None = None
    available: bool = True
    notes: list[int] = field(default_factory=list)
    below: str | None = None


@dataclass
class Block:
    """A panel with the edition measured for it, None where nothing is.

    Attributes:
        comparable: the edition is the very data of the published figures: differences are shown.
        scenes, samples: of the evaluated split.
        smoke: some of its figures are of smoke training.
    """

    panel: Panel
    edition: Edition | None = None
    comparable: bool = False
    scenes: int = 0
    samples: int = 0
    smoke: bool = False
    notes: list[int] = field(default_factory=list)


@dataclass
class Report:
    """A filled table.

    Attributes:
        footnotes: texts; footnote 1 is the first.
        notes: of the table as a whole, unnumbered.
        warnings: what a reader must know before believing a measured figure.
        sources: a line a row: the runs its measured figures come from.
        unreadable: run folders that could not be read.
        hint, commands: how to fill the table, where nothing is measured.
        chosen: a dictionary a panel: number of a row -> the evaluation its figures are of.
        contests: number of a column -> its measured rows, compared with each other.
        view: what is to be shown instead of the table itself.
    """

    paper: Paper
    table: Table
    blocks: list[Block]
    columns: list[Column]
    lines: list[Line]
    parameter_notes: list[int] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    hint: str | None = None
    commands: list[str] = field(default_factory=list)
    chosen: list[dict[int, Evaluation]] = field(default_factory=list)
    contests: dict[int, Contest] = field(default_factory=dict)
    view: View | None = None

    @property
    def title(self) -> str:
        """What stands above it."""
        about = f": {self.view.title}" if self.view else f": {self.table.title}"
        return f"{self.paper.label} {self.table.name}{about}"

    def shown(self, index: int) -> list[Line]:
        """The rows of panel `index`: the paper's, and those of ours that are measured there."""
        measured = self.chosen[index] if self.chosen else {}
        return [line for number, line in enumerate(self.lines) if line.below is None or number in measured]

    def training(self, row: int, panel: int) -> dict[str, Any]:
        """Of the weights behind a row's measured figures in a panel: `smoke`, `steps`, `checkpoint`; None where nothing was trained."""
        evaluation = self.chosen[panel][row]
        trained = evaluation.summary.trained
        smoke, steps = (trained.smoke, trained.steps) if trained else (None, None)
        return {"smoke": smoke, "steps": steps, "checkpoint": evaluation.entry.checkpoint}

    def note(self, text: str) -> int:
        """The number of the footnote with this text, added where it is new."""
        if text not in self.footnotes:
            self.footnotes.append(text)
        return self.footnotes.index(text) + 1

    def number_footnotes(self) -> None:
        """Number the footnotes in the order a reader meets them."""
        marks = []
        for index, block in enumerate(self.blocks):
            columns = [number for number, column in enumerate(self.columns) if column.panel == index]
            marks += [block.notes] + [self.columns[number].notes for number in columns]
            last = index == len(self.blocks) - 1  # which has the parameters
            marks += [self.parameter_notes] if last else []
            for line in self.shown(index):
                cells = [line.cells[number] for number in columns]
                marks += [line.notes] + [notes for cell in cells for notes in (cell.published_notes, cell.measured_notes)]
                marks += [line.parameters.notes] if line.parameters and last else []
        order = list(dict.fromkeys(number for notes in marks for number in notes))
        new = {old: place for place, old in enumerate(order, 1)}
        for notes in {id(notes): notes for notes in marks}.values():
            notes[:] = sorted({new[old] for old in notes})
        self.footnotes = [self.footnotes[old - 1] for old in order]


def rounded(value: float, decimals: int) -> str:
    """`value` with that many digits after the point.

    >>> rounded(19.375, 2), rounded(-0.001, 2)
    ('19.38', '0.00')
    """
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(value: float, decimals: int) -> str:
    """As `rounded`, with its sign.

    >>> signed(0.5, 2), signed(-0.5, 2), signed(0.001, 2)
    ('+0.50', '−0.50', '±0.00')
    """
    text = rounded(abs(value), decimals)
    return ("±" if float(text) == 0 else "+" if value > 0 else "−") + text


def ranks(texts: Iterable[str | None], higher_is_better: bool) -> list[Rank | None]:
    """Which of a column's printed numbers are best and second; equal ones share their rank, a lone number has none."""
    texts = list(texts)
    values = sorted({Decimal(t) for t in texts if t is not None}, reverse=higher_is_better)
    names: dict[Decimal, Rank] = dict(zip(values, ("best", "second"))) if len(values) > 1 else {}
    return [None if t is None else names.get(Decimal(t)) for t in texts]
