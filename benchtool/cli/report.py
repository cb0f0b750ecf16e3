"""`benchtool report`: a paper's table, published and measured numbers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from benchtool.core.errors import UserError, unknown

if TYPE_CHECKING:
    from benchtool.report.frame import Results
    from benchtool.report.table import Report

SUFFIXES = {".txt": "terminal", ".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".html": "html"}
RENDERERS = {"terminal": "terminal", "md": "markdown", "latex": "latex", "csv": "csv", "json": "json", "html": "html"}


def report(
    paper: Annotated[str, typer.Option(help="The paper.")] = "enc",
    table: Annotated[Optional[str], typer.Option("--table", "-t", help="The table's number in the paper.", show_default=False)] = None,
    format: Annotated[
        Optional[str],
        typer.Option(
            "--format", "-f", help="terminal, md, latex, csv, json or html; default: by FILE's suffix, else terminal.", show_default=False
        ),
    ] = None,
    results: Annotated[
        Optional[list[Path]], typer.Option(help="A folder of runs; may be repeated. Default: runs", show_default=False)
    ] = None,
    out: Annotated[
        Optional[Path], typer.Option("--out", "-o", help="Write to FILE instead of printing.", metavar="FILE", show_default=False)
    ] = None,
    differences: Annotated[
        bool, typer.Option("--differences", help="Instead of the table: each measured method minus the best of its column, with intervals.")
    ] = False,
    against: Annotated[
        Optional[str], typer.Option(help="The same, minus this row instead of the best.", metavar="ROW", show_default=False)
    ] = None,
    by: Annotated[
        Optional[str],
        typer.Option(help="Instead of the table: measured figures by exposure, expert or subset.", metavar="WHAT", show_default=False),
    ] = None,
    figures: Annotated[
        Optional[Path], typer.Option(help="Draw the table's figures into this folder too.", metavar="DIR", show_default=False)
    ] = None,
    data: Annotated[
        Optional[list[Path]],
        typer.Option(help="A measured dataset, for contact sheets; may be repeated.", metavar="DIR", show_default=False),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the papers and their tables.")] = False,
) -> None:
    """Show a paper's table with your results.

    Published numbers, and what your own runs measured beside them.

    Example: benchtool report --table 1 --results runs --format latex --out table1.tex

    Which methods differ? benchtool report --table 1 --differences --against SID

    Where do they differ? benchtool report --table 1 --by exposure

    As pictures: benchtool report --table 1 --figures figures --data me
    """
    if list_all:
        _list()
        return
    format = _format(format, out)
    if table is None:
        raise UserError("which table? --table N, for one of `benchtool report --list`")
    if by is not None and (differences or against is not None):
        raise UserError("--by and --differences are two views of a table; ask for one")
    filled, found = _fill(paper, table, results)
    if figures is not None:
        _draw(filled, found, figures, data or [])
    _show(_view(filled, differences, against, by), format, out)


def _format(format: str | None, out: Path | None) -> str:
    """The format asked for, else that of the file's suffix."""
    if format is None:
        format = SUFFIXES.get(out.suffix) if out else "terminal"
    if format is None:
        raise UserError(f"--out {out}: choose its --format, or one of the suffixes {', '.join(SUFFIXES)}")
    if format not in RENDERERS:
        raise unknown("format", format, RENDERERS)
    return format


def _fill(paper: str, number: str, folders: list[Path] | None) -> tuple[Report, Results]:
    from benchtool.papers.load import load
    from benchtool.report.fill import fill
    from benchtool.report.frame import read_results

    for folder in folders or ():
        if not folder.is_dir():
            raise UserError(f"--results {folder}: no such folder")
    default = Path("runs")
    library, found = load(paper), read_results(folders or [default] * default.is_dir())
    return fill(library, library.table(number), found), found


def _draw(filled: Report, found: Results, folder: Path, data: list[Path]) -> None:
    from benchtool.core.console import say
    from benchtool.core.manifest import open_dataset
    from benchtool.report.figures import draw

    for path in draw(filled, found, folder, [open_dataset(place) for place in data]):
        say(f"wrote {path}")


def _view(filled: Report, differing: bool, against: str | None, by: str | None) -> Report:
    """The table, or what is asked for instead of it."""
    from benchtool.report.breakdown import breakdown
    from benchtool.report.differences import differences

    if differing or against is not None:
        return differences(filled, against)
    return filled if by is None else breakdown(filled, by)


def _show(filled: Report, format: str, out: Path | None) -> None:
    import importlib

    from benchtool.core.console import say
    from benchtool.core.files import write_text

    renderer = importlib.import_module(f"benchtool.report.{RENDERERS[format]}")
    if out:
        write_text(out, renderer.render(filled))
        say(f"wrote {out}")
    elif format == "terminal":
        renderer.show(filled)
    else:
        print(renderer.render(filled), end="")
    for line in filled.unreadable:
        say(f"could not be read: {line}")
    if filled.unreadable:
        raise typer.Exit(1)


def _list() -> None:
    from benchtool.papers.load import load, names

    for name in names():
        paper = load(name).paper
        print(f"{name}: {paper.authors}, {paper.title}, {paper.venue}")
        for table in paper.tables:
            print(f"  --table {table.number:8} {table.label and f'{table.label}: '}{table.title}")
