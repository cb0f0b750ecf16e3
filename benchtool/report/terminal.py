"""A table for the terminal: one block a dataset where they fit, else one a dataset and metric."""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.box import Box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from benchtool.report.grid import Entry, Grid, by_metric, by_panel
from benchtool.report.notes import emphasis, lead, legend
from benchtool.report.table import Report

STYLES = {"best": "bold", "second": "underline", None: ""}
PLAIN_WIDTH = 120  # where the output is no terminal
TEXT_WIDTH = 120  # of a paragraph, however wide the terminal
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
RULES = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")  # one line under the heads


def show(report: Report) -> None:
    """Print a table on standard output, with colours where that is a terminal."""
    if not sys.stdout.isatty():
        print(render(report), end="")
        return
    _print(report, Console(highlight=False))


def render(report: Report, width: int = PLAIN_WIDTH) -> str:
    """The table as plain text, at most `width` characters wide where its narrowest form fits."""
    page = io.StringIO()
    _print(report, Console(file=page, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"


def _print(report: Report, console: Console) -> None:
    _say(console, report.title, style="bold")
    for line in lead(report):
        _say(console, line)
    for line in report.warnings:
        _say(console, line, style="yellow")
    for grid in _layout(report, console):
        console.print()
        console.print(Text(grid.title, "bold") + Text(marks(grid.notes), "dim"))
        console.print(_table(grid))
    console.print()
    _below(report, console)


def _below(report: Report, console: Console) -> None:
    for line in legend(report) + (emphasis(report) if console.color_system else []):
        _say(console, line)
    if report.hint:
        _say(console, report.hint, style="yellow")
    for line in report.commands:
        console.print(Text(f"    {line}"))
    for line in report.unreadable:
        _say(console, f"Could not be read: {line}", style="red")
    for line in report.sources:
        _say(console, line, indent="  ")
    if report.footnotes or report.notes:
        console.print()
    for number, text in enumerate(report.footnotes, 1):
        _say(console, text, mark=f"{marks((number,)):>2} ", indent="   ", style="dim")
    for text in report.notes:
        _say(console, text, mark=" • ", indent="   ", style="dim")


def _say(console: Console, text: str, mark: str = "", indent: str = "", style: str = "") -> None:
    width = min(console.width, TEXT_WIDTH)
    filled = textwrap.fill(text, width, initial_indent=mark, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    console.print(Text(filled, style), soft_wrap=True)


def _layout(report: Report, console: Console) -> list[Grid]:
    """The widest layout that fits; what fits in none is cut between groups of columns."""
    wide = by_panel(report)
    if all(_fits(grid, console) for grid in wide):
        return wide
    return [part for grid in by_metric(report) for part in _cut(grid, console)]


def _fits(grid: Grid, console: Console) -> bool:
    return Measurement.get(console, console.options.update(max_width=10_000), _table(grid)).maximum <= console.width


def _cut(grid: Grid, console: Console) -> list[Grid]:
    """The grid, or as many parts of it, one below the other, as its width needs."""
    cuts = [n for n in range(1, len(grid.heads)) if grid.heads[n].group != grid.heads[n - 1].group]
    if not cuts or _fits(grid, console):
        return [grid]
    at = cuts[len(cuts) // 2]
    parts = []
    for side in (slice(None, at), slice(at, None)):
        rows = tuple(replace(row, entries=row.entries[side]) for row in grid.rows)
        parts += _cut(replace(grid, heads=grid.heads[side], rows=rows), console)
    return parts


def _table(grid: Grid) -> Table:
    """Numbers stand under each other although some have footnotes, which stand in a strip of their own to the right."""
    table = Table(box=RULES, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("", no_wrap=True)
    columns = []
    for number, head in enumerate(_heads(grid)):
        entries = [row.entries[number] for row in grid.rows]
        strip = max(len(marks(entry.notes)) for entry in entries)
        places = max(len(_places(entry)) for entry in entries)
        numbers = [_number(entry, places) for entry in entries]
        body = max(*map(len, numbers), *(len(step) - strip for step in head))
        table.add_column(Text("\n").join(Text(" " * (body + strip - len(step))) + step for step in head), no_wrap=True)
        columns.append([Text(" " * (body - len(text))) + text + Text(marks(entry.notes), "dim") for entry, text in zip(entries, numbers)])
    for row, texts in zip(grid.rows, zip(*columns)):
        table.add_row(Text(row.label) + Text(marks(row.notes), "dim"), *texts)
    return table


def _heads(grid: Grid) -> Iterator[list[Text]]:
    """The lines of each column's head; what neighbours share stands over the first."""
    named = any(head.metric for head in grid.heads)
    group = metric = None
    for head in grid.heads:
        steps = [Text(head.group + marks(head.group_notes) if head.group != group else "")]
        if named:
            steps.append(Text(head.metric + marks(head.metric_notes) if (head.group, head.metric) != (group, metric) else ""))
        group, metric = head.group, head.metric
        yield [*steps, Text(head.kind, "dim")]


def _number(entry: Entry, places: int) -> Text:
    spread = f" {entry.spread}" if entry.spread else ""
    return Text.assemble((entry.text, STYLES[entry.rank]), (spread, "dim"), (f"{_places(entry):<{places}}", "dim"))


def _places(entry: Entry) -> str:
    return f" ({entry.places})" if entry.places else ""


def marks(notes: Sequence[int]) -> str:
    """Footnote numbers as superscripts.

    >>> marks((1, 12))
    '¹ ¹²'
    """
    return " ".join(str(n).translate(SUPERSCRIPTS) for n in notes)
