"""`benchtool report`: a paper's table, published and measured numbers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from benchtool.core.errors import UserError, unknown

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
    list_all: Annotated[bool, typer.Option("--list", help="List the papers and their tables.")] = False,
) -> None:
    """Show a paper's table with your results.

    Published numbers, and what your own runs measured beside them.

    Example: benchtool report --table 1 --results runs --format latex --out table1.tex
    """
    if list_all:
        _list()
        return
    if format is None:
        format = SUFFIXES.get(out.suffix) if out else "terminal"
    if format is None:
        raise UserError(f"--out {out}: choose its --format, or one of the suffixes {', '.join(SUFFIXES)}")
    if format not in SUFFIXES.values():
        raise unknown("format", format, SUFFIXES.values())
    for folder in results or ():
        if not folder.is_dir():
            raise UserError(f"--results {folder}: no such folder")
    if table is None:
        raise UserError("which table? --table N, for one of `benchtool report --list`")
    _show(paper, table, format, [f for f in results or [Path("runs")] if f.is_dir()], out)


def _show(paper: str, number: str, format: str, folders: list[Path], out: Path | None) -> None:
    import importlib

    from benchtool.core.console import say
    from benchtool.core.files import write_text
    from benchtool.papers.load import load
    from benchtool.report.fill import fill
    from benchtool.report.frame import read_results

    library = load(paper)
    filled = fill(library, library.table(number), read_results(folders))
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
            print(f"  --table {table.number:3} {table.title}")
