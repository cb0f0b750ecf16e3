"""`benchtool reproduce`: everything behind a paper's table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def reproduce(
    table: Annotated[str, typer.Argument(metavar="PAPER:TABLE", help="As in `benchtool report --list`: enc:1.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder of prepared datasets, each in a folder of its name.")] = Path("data"),
    runs: Annotated[Path, typer.Option(help="Folder of runs.")] = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what there is and what is missing, and run nothing.")] = False,
    shell: Annotated[
        Optional[Path], typer.Option(help="Write what is due as a shell script instead.", metavar="FILE", show_default=False)
    ] = None,
    slurm: Annotated[
        Optional[Path], typer.Option(help="Write it as a SLURM job array instead.", metavar="FILE", show_default=False)
    ] = None,
) -> None:
    """Train and evaluate what a table needs, and print the table.

    Says what is done, due, stale or missing; runs what can run. The same command continues interrupted work. Exit code 1 where
    something of the table could not be run.

    Example: benchtool reproduce enc:1 --data datasets --dry-run
    """
    from benchtool.core.console import say
    from benchtool.core.errors import UserError
    from benchtool.core.files import write_text
    from benchtool.papers.load import load
    from benchtool.workflows.reproduce import Places, due, graph, shell_script, slurm_script
    from benchtool.workflows.steps import run_steps

    paper, colon, number = table.partition(":")
    if not colon:
        raise UserError(f"'{table}': give PAPER:TABLE, such as enc:1; `benchtool report --list` has them all")
    library = load(paper)
    places, title = Places(data, runs), f"{library.paper.label} Table {number}"
    nodes = graph(library, library.table(number), places)
    for path, script in ((shell, shell_script), (slurm, slurm_script)):
        if path:
            write_text(path, script(nodes, title))
            say(f"wrote {path}: {len(due(nodes))} commands")
    _show(nodes)
    if not (dry_run or shell or slurm):
        run_steps([(node.name, node.command) for node in due(nodes)], f"reproducing {title}")
        if any(node.state in ("blocked", "stale") for node in nodes):
            raise typer.Exit(1)


def _show(nodes: list) -> None:
    width = max(len(node.name) for node in nodes)
    for node in nodes:
        notes = "; ".join(text for text in (node.cost, node.why) if text)
        print(f"{node.state:8} {node.name:{width}}  {notes}".rstrip())
    counts = {state: sum(node.state == state for node in nodes) for state in ("done", "due", "stale", "blocked")}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
