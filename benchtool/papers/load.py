"""Opens a paper's folder: its tables, the published numbers as printed, and the errata."""

from __future__ import annotations

import csv
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from benchtool.core.errors import UserError, unknown
from benchtool.papers.model import PARAMETERS, Erratum, Paper, Table

FOLDER = Path(__file__).resolve().parent
REFERENCES = FOLDER / "references.bib"


class Place(NamedTuple):
    """Where a published number stands; `dataset` is the panel's key, empty as is the group for the parameter column."""

    table: str
    row: str
    dataset: str
    group: str
    metric: str


@dataclass(frozen=True)
class Published:
    """A number as printed (`21.1` stays `21.1`), and where."""

    value: str
    source: str


@dataclass(frozen=True)
class Library:
    """A paper with its numbers and errata."""

    paper: Paper
    published: dict[Place, Published]
    errata: tuple[Erratum, ...]

    def table(self, number: str) -> Table:
        """A table by its number; UserError listing the paper's tables where there is none."""
        known = {table.number: table for table in self.paper.tables}
        if number not in known:
            raise UserError(f"{self.paper.label} has no table '{number}'; it has {', '.join(known)} (see `benchtool report --list`)")
        return known[number]


def names() -> list[str]:
    """The papers there are."""
    return sorted(path.parent.name for path in FOLDER.glob("*/tables.py"))


def load(name: str) -> Library:
    """Open a paper by name.

    Raises:
        UserError: no such paper.
        ValueError: its files contradict each other (a number or an erratum for a place that no table has).
    """
    if name not in names():
        raise unknown("paper", name, names())
    paper: Paper = importlib.import_module(f"benchtool.papers.{name}.tables").PAPER
    places = set(_places(paper))
    published = {}
    with open(FOLDER / name / "published.csv", newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            value, source = line.pop("value"), line.pop("source")
            place = Place(**line)
            if place not in places or place in published:
                raise ValueError(f"{name}/published.csv: {place} stands twice or in no table")
            float(value.removesuffix("M").removesuffix("k"))
            published[place] = Published(value, source)
    errata = tuple(_erratum(raw) for raw in yaml.safe_load((FOLDER / name / "errata.yaml").read_text(encoding="utf-8")))
    for erratum in errata:
        for table in erratum.tables:
            if not any(_covers(erratum, place) for place in places if place.table == table):
                raise ValueError(f"{name}/errata.yaml: no place in table {table} for '{erratum.text[:60]}'")
    return Library(paper, published, errata)


def _places(paper: Paper) -> list[Place]:
    places = []
    for table in paper.tables:
        for row in table.rows:
            places += [Place(table.number, row.label, p.key, g.key, m.key) for p, g, m in table.columns()]
            if table.parameters:
                places.append(Place(table.number, row.label, "", "", PARAMETERS))
    return places


def _erratum(raw: dict) -> Erratum:
    return Erratum(**{**raw, "text": " ".join(raw["text"].split()), "tables": tuple(str(t) for t in raw["tables"])})


def _covers(erratum: Erratum, place: Place) -> bool:
    wanted = (erratum.row, erratum.dataset, erratum.group, erratum.metric)
    return all(w is None or w == found for w, found in zip(wanted, place[1:]))
