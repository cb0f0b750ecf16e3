"""A page for each table of each paper: the report's own layout, with links from measured figures to their distributions."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from benchtool.core.errors import UserError
from benchtool.core.files import write_text
from benchtool.core.manifest import Dataset
from benchtool.papers.load import Library, load, names
from benchtool.papers.model import Table
from benchtool.report import csv, json, latex, markdown
from benchtool.report.breakdown import BY, breakdown
from benchtool.report.differences import differences
from benchtool.report.figures import draw_figures
from benchtool.report.fill import fill, targets
from benchtool.report.frame import Results
from benchtool.report.grid import Entry, Grid, GridRow, layout
from benchtool.report.notes import emphasis, lead, legend
from benchtool.report.site.subjects import Subject
from benchtool.report.table import Report

DOWNLOADS = {"CSV": ("csv", csv), "LaTeX": ("tex", latex), "Markdown": ("md", markdown), "JSON": ("json", json)}
VIEWS = (differences, *(functools.partial(breakdown, by=by) for by in BY))
FIGURES = "figures"  # folder of the site
UNITS = {"": 1, "k": 1e3, "M": 1e6}
_NUMBER = re.compile(r"([+±−-]?)(\d+(?:\.\d+)?)([kM]?)")


@dataclass(frozen=True, eq=False)
class TablePage:
    """A table with where its figures lead.

    Attributes:
        stem: its address, relative to the site, without a suffix.
        distributions: id of a measured figure of the report -> address of its distribution.
    """

    report: Report
    stem: str
    distributions: dict[int, str]

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.report.paper.label} {self.report.table.name}"

    @property
    def href(self) -> str:
        """Its address, relative to the site."""
        return f"{self.stem}.html"

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """(format, address) of the files beside it."""
        return [(title, f"{self.stem}.{suffix}") for title, (suffix, _) in DOWNLOADS.items()]

    @property
    def grids(self) -> list[Grid]:
        """What it shows."""
        return layout(self.report)

    @property
    def lead(self) -> list[str]:
        """What stands above it."""
        return lead(self.report)

    @property
    def legend(self) -> list[str]:
        """What its signs mean."""
        more = ["A measured figure leads to the images behind it."] if self.distributions else []
        return [*legend(self.report), *emphasis(self.report), *more]

    @property
    def measured(self) -> int:
        """Rows with a measured figure."""
        return sum(any(cell.measured for cell in line.cells) for line in self.report.lines)

    @property
    def views(self) -> list[Report]:
        """Other looks at its measured figures, those that there is something to see in: differences, and breakdowns."""
        return [view for make in VIEWS if (view := _view(self.report, make))]

    @property
    def citations(self) -> dict[str, str]:
        """Label of a row -> BibTeX key."""
        return {line.row.label: line.row.citation for line in self.report.lines}

    def leads_to(self, entry: Entry) -> str | None:
        """The address of a measured figure's distribution."""
        return self.distributions.get(id(entry.measured)) if entry.measured else None


def _view(report: Report, make: Callable[[Report], Report]) -> Report | None:
    """A view of the table; None where its figures have nothing to show in it."""
    try:
        return make(report)
    except UserError:
        return None


def opens(grid: Grid, number: int) -> bool:
    """Whether a column is the first of a group other than the first."""
    return number > 0 and grid.heads[number].group != grid.heads[number - 1].group


def is_measured(row: GridRow) -> bool:
    """Whether a row has a measured figure in its grid."""
    return any(entry.measured for entry in row.entries)


def sort_value(text: str) -> str:
    """What a printed number sorts by; "" for what is none.

    >>> sort_value("−0.50"), sort_value("±0.00"), sort_value("7.40M"), sort_value("n/a")
    ('-0.5', '0', '7400000', '')
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return ""
    sign, digits, unit = found.groups()
    return f"{float(digits) * UNITS[unit] * (-1 if sign in ('−', '-') else 1) + 0.0:.12g}"


def fill_tables(results: Results, subjects: Sequence[Subject]) -> list[TablePage]:
    """Every table of every paper, filled; the subjects learn which tables print their figures."""
    return [_page(library, table, results, subjects) for library in map(load, names()) for table in library.paper.tables]


def _page(library: Library, table: Table, results: Results, subjects: Sequence[Subject]) -> TablePage:
    report = fill(library, table, results)
    page = TablePage(report, f"tables/{library.paper.name}-{table.number}", {})
    subject_of = {subject.evaluation: subject for subject in subjects}
    for row, line in enumerate(report.lines):
        for column, cell in zip(report.columns, line.cells):
            if cell.measured:
                subject, panel = subject_of[report.chosen[column.panel][row]], report.blocks[column.panel].panel
                roles = targets(panel, table.protocol_of(panel))
                page.distributions[id(cell.measured)] = subject.use(column.metric.variant, column.group, roles, page.name, page.href)
    return page


def write_tables(
    out: Path, pages: Sequence[TablePage], environment: jinja2.Environment, results: Results, datasets: Sequence[Dataset]
) -> None:
    """Write the pages, beside each the table in every format of DOWNLOADS, and the figures of those with measured rows."""
    template = environment.get_template("table.html.j2")
    for page in pages:
        figures = draw_figures(page.report, results, out / FIGURES, datasets)[0] if page.measured else []
        drawn = [f"{FIGURES}/{path.stem}" for path in figures if path.suffix == ".png"]
        text = template.render(root="../", here="tables", page=page, drawn=drawn, opens=opens, is_measured=is_measured, value=sort_value)
        write_text(out / page.href, text + "\n")
        for suffix, renderer in DOWNLOADS.values():
            write_text(out / f"{page.stem}.{suffix}", renderer.render(page.report))
