"""`benchtool data fetch` and `benchtool data unpack`: bringing files here, and out of their archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="The dataset, such as fivek.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder for the files.", show_default=False)],
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="You have read the terms: download.")] = False,
    only: Annotated[Optional[list[str]], typer.Option(help="A source to download, as it is named; may be repeated.")] = None,
    unpack: Annotated[bool, typer.Option("--unpack", help="Unpack archives, too.")] = False,
) -> None:
    """Say where a dataset comes from, how large it is and under which terms; with --accept-terms, download it.

    Without --accept-terms nothing is downloaded. What came in part is continued by the same command. Sizes and SHA-256 are verified
    where they are published; where not, what came is recorded in OUT/.fetched.jsonl. What has to be fetched by hand is said.
    Exit code 1 if some files failed: they are listed, the others are done.

    Example: benchtool data fetch kalantari downloads --accept-terms --unpack
    """
    from benchtool.core import catalog
    from benchtool.core.console import say
    from benchtool.datasets import fetch as fetching
    from benchtool.datasets import sources

    spec = catalog.facts("datasets", name)
    wanted = sources.chosen(spec, only or ())
    print("\n".join(sources.lines(name, spec)))
    if not accept_terms:
        what = ", ".join(source.name for source in wanted)
        say(f"nothing was downloaded; with --accept-terms: {what} into {out}" if what else "nothing of it can be downloaded")
        return
    try:
        outcome = fetching.fetch(name, out, only or (), unpack)
    except KeyboardInterrupt:
        say(f"\nstopped; what came is kept in {out}: run the same command again to continue")
        raise typer.Exit(130) from None
    print(f"{out}: files: {outcome.came:,} came, {outcome.there:,} were there")
    for note in outcome.notes:
        say(f"note: {note}")
    if outcome.failures:
        say(f"{len(outcome.failures)} failed; what came in part is kept: run the same command again to continue")
        for failure in outcome.failures:
            say(f"  {failure.item}: {failure.reason}")
        raise typer.Exit(1)


def unpack(
    archive: Annotated[Path, typer.Argument(help="A .zip, or a .tar (.gz, .bz2, .xz).", show_default=False)],
    out: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    max_gb: Annotated[float, typer.Option(min=0.001, help="Largest size of all files together, in GB.")] = 500.0,
) -> None:
    """Unpack an archive safely: nothing is written outside OUT, and an archive that is refused or damaged leaves nothing.

    Refused are paths that lead outside, links and devices, names that are one file on some systems, and what unpacks to too much.

    Example: benchtool data unpack LOLdataset.zip lol-files
    """
    from benchtool.core import archives

    found = archives.unpack(archive, out, archives.Limits(size=round(max_gb * 10**9)))
    print(f"{out}: {found.files:,} files, {found.bytes:,} bytes, of {found.archive}")
