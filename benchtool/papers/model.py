"""What a paper's table is, as data: rows x panels of columns, and the errata that become footnotes.

A paper is a folder: `tables.py` (one literal a table, built from these classes), `published.csv` (the printed numbers) and
`errata.yaml`. Everything is computed in `report/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

UNSAID = "The paper does not say what its figures are of: which weights, or which code and settings."
PARAMETERS = "params"  # published.csv's metric for a table's parameter column; it has neither dataset nor group
RUNTIME = "runtime"  # key of the metric whose measured figure is an evaluation's run time, in seconds a picture


@dataclass(frozen=True)
class Metric:
    """A metric of a table.

    Attributes:
        key: its name in published.csv.
        title: its name; `heading` is what stands over its figures.
        variant: what is measured for it, `ssim:gray-uniform7`; None where the paper alone has figures.
        decimals: digits after the point that the paper prints.
        unit: `dB`, or empty.
        higher_is_better: direction.
    """

    key: str
    title: str
    variant: str | None
    decimals: int
    unit: str = ""
    higher_is_better: bool = True

    @property
    def heading(self) -> str:
        """What stands over its figures, `PSNR (dB) ↑`: the arrow points where better is."""
        return self.title + (f" ({self.unit})" if self.unit else "") + (" ↑" if self.higher_is_better else " ↓")


@dataclass(frozen=True)
class Group:
    """A part of the test images with a column of its own.

    Attributes:
        title: as the table heads it.
        key: its name in published.csv, and which images it holds: an exposure group of the dataset, else a subset,
            or `all`.
        mean_of: keys of the groups whose means it averages, each counting once; empty where it averages over its images.
    """

    title: str
    key: str
    mean_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edition:
    """The very data published figures were measured on: a difference to them is printed for no other.

    Attributes:
        variant: as the manifest's.
        fingerprint: of the manifest; None where it is not known, as of all data whose hashes nobody published.
        scenes: what is known instead: SHA-256 of the names of the evaluated split's scenes, sorted, a line each.
        samples: how many samples that split has.
    """

    variant: str = "published"
    fingerprint: str | None = None
    scenes: str | None = None
    samples: int | None = None

    @property
    def known(self) -> bool:
        """Whether data can be told to be these."""
        return bool(self.fingerprint or self.scenes)

    def holds(self, variant: str, fingerprint: str, scenes: Iterable[str], samples: int) -> bool:
        """Whether an evaluated split is of this edition: to the byte where the fingerprint is known, else by scenes and samples."""
        if variant != self.variant or not self.known:
            return False
        if self.fingerprint:
            return fingerprint == self.fingerprint
        return samples == self.samples and hashlib.sha256("\n".join(sorted(set(scenes))).encode()).hexdigest() == self.scenes


# The test split of ME as published: 1,181 scenes by FiveK's ids at five exposures; of ME-v2 the same at four.
ME_SCENES = "e41276e5e029fa0df3b1a73c96f66b54e27cad50a47f948bb8f45098035224f5"
ME, ME_V2 = Edition(scenes=ME_SCENES, samples=5905), Edition(scenes=ME_SCENES, samples=4724)


@dataclass(frozen=True)
class Panel:
    """The columns of one dataset and target: groups x metrics.

    Attributes:
        title: as the table heads it.
        dataset: benchtool's name of the dataset.
        target: role of the target image the outputs are compared with; empty where figures are of no single one.
        groups, metrics: the columns.
        split: the split that is evaluated.
        trained_on: dataset the rows are trained on, None for the panel's own.
        edition: the data the paper measured on.
        part: tells panels of one dataset apart, as those of several experts.
        protocol: name of the protocol, None for the table's.
    """

    title: str
    dataset: str
    target: str
    groups: tuple[Group, ...]
    metrics: tuple[Metric, ...]
    split: str = "test"
    trained_on: str | None = None
    edition: Edition = Edition()
    part: str = ""
    protocol: str | None = None

    @property
    def key(self) -> str:
        """Its name in published.csv and errata.yaml, under `dataset`: `me`, or `me:expert_a` where it is a part."""
        return f"{self.dataset}:{self.part}" if self.part else self.dataset


@dataclass(frozen=True)
class Row:
    """A method of a table.

    Attributes:
        label: as printed, without the reference number.
        method: benchtool's name of it; a method that does not exist yet is said to be missing.
        recipe: base name of the recipe that trains it, filled by runs of it as shipped, after its last stage; None for one that is not
            trained: an algorithm, or weights as released.
        options: options of the method that differ from its defaults and its recipe's.
        citation: key in `references.bib`.
        unlike: why benchtool does not measure the very thing whose figures the paper printed here: released weights where the recipe
            trains new ones, settings that are not given, code that is closed. Measured figures then never stand in this row but below
            it, in `LABEL, retrained on ME` or `LABEL, approximate`, with this as their footnote. Empty for what the paper trained
            itself, on the panel's data (`trained` makes such a row), and for an algorithm that it gives in full.
    """

    label: str
    method: str
    recipe: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    citation: str = ""
    unlike: str = UNSAID


def trained(label: str, method: str, recipe: str, options: Mapping[str, Any] | None = None, citation: str = "") -> Row:
    """The row of a network that the paper says it trained itself on the panel's data: what the recipe trains stands in it."""
    return Row(label, method, recipe, options or {}, citation, unlike="")


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
        number: as the paper numbers it; a word for figures that stand in its text, or are our arrangement. Typed at the command line.
        title: a few words for a list.
        caption: the paper's caption.
        protocol: name of the protocol measured figures must have been made under.
        rows, panels: what it shows.
        parameters: how many parameters the unit of its parameter column is; None where it has no such column.
        missing: why numbers that the paper prints are not known here: absent ones are then shown as missing. Empty where
            all are known, so that an absent one is absent in the paper.
        label: what it is called where that is not `Table NUMBER`.
    """

    number: str
    title: str
    caption: str
    protocol: str
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    parameters: int | None = None
    missing: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """What people call it: `Table 1`, `Figure 9`."""
        return self.label or f"Table {self.number}"

    def columns(self) -> Iterator[tuple[Panel, Group, Metric]]:
        """Every column, from left to right as printed."""
        for panel in self.panels:
            for group in panel.groups:
                for metric in panel.metrics:
                    yield panel, group, metric

    def protocol_of(self, panel: Panel) -> str:
        """The protocol of a panel's measured figures."""
        return panel.protocol or self.protocol


@dataclass(frozen=True)
class Erratum:
    """Something a reader of a table must know. Its place is what it names: a cell, a column, a row, or the table.

    Attributes:
        text: the footnote.
        tables: numbers of the tables it belongs to.
        row, dataset, group, metric: the place; None means every one.
        misprint: the paper contradicts its own arithmetic in exactly this cell.
        counted: in a cell of the parameter column whose printed number is no count of parameters: how many there are.
    """

    text: str
    tables: tuple[str, ...]
    row: str | None = None
    dataset: str | None = None
    group: str | None = None
    metric: str | None = None
    misprint: bool = False
    counted: int | None = None

    @property
    def names_column(self) -> bool:
        """Whether it concerns some of the columns rather than all."""
        return any((self.dataset, self.group, self.metric))


@dataclass(frozen=True)
class Paper:
    """A paper, as its `tables.py` states it.

    Attributes:
        name: the folder, typed at the command line.
        label: the short name printed in titles.
        title, authors, venue: of the paper.
        citation: key in `references.bib`.
        tables: its tables, in order.
    """

    name: str
    label: str
    title: str
    authors: str
    venue: str
    citation: str
    tables: tuple[Table, ...]
