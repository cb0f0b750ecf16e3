"""`benchtool site`: a static web site of all tables, with the images behind every figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from benchtool.core.errors import UserError


def site(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make; an older site there is replaced.", show_default=False)],
    results: Annotated[
        Optional[list[Path]], typer.Option(help="A folder of runs; may be repeated. Default: runs", show_default=False)
    ] = None,
    data: Annotated[
        Optional[list[Path]], typer.Option(help="A dataset that was evaluated, for its pictures; may be repeated.", show_default=False)
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="How many worst, median and best scenes of each method.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="Show every scene.")] = False,
    root: Annotated[
        Optional[list[str]], typer.Option(help="NAME=DIR: where a root of a dataset is now; may be repeated.", show_default=False)
    ] = None,
) -> None:
    """Build a web site of your results.

    Every table, the images behind each measured figure, scenes before and after, BibTeX. It opens from the disk.

    Example: benchtool site site --results runs --data me
    """
    import sys

    from benchtool.core.console import say
    from benchtool.core.key_value import pairs
    from benchtool.report.frame import read_results
    from benchtool.report.site.build import build_site, open_datasets

    for folder in results or ():
        if not folder.is_dir():
            raise UserError(f"--results {folder}: no such folder")
    datasets = open_datasets(data or (), pairs("--root", root))
    found = read_results([folder for folder in results or [Path("runs")] if folder.is_dir()])
    used = {evaluation.entry.fingerprint for evaluation in found.evaluations}
    for dataset in datasets:
        if dataset.facts.fingerprint not in used:
            say(f"--data {dataset.folder}: no evaluation of this data was found; not used")
    built = build_site(out, found, datasets, per_kind=None if every else scenes, command=sys.argv[1:])
    for line in built.missing:
        say(line)
    for failure in built.failures:
        say(f"failed: {failure.item}: {failure.reason}")
    for line in found.unreadable:
        say(f"could not be read: {line}")
    counts = f"{built.tables} tables, {built.evaluations} evaluations, {built.distributions} distributions, {built.scenes} scenes"
    print(f"{counts}: open {built.index}")
    if built.failures or found.unreadable:
        raise typer.Exit(1)
