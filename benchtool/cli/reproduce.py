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
        Optional[Path], typer.Option(help="Write it as a script that submits SLURM jobs instead.", metavar="FILE", show_default=False)
    ] = None,
) -> None:
    """Train and evaluate what a table needs, and print the table.

    Says what is done, due, stale or missing, and what it costs; runs what can run. What fails holds up only what needs it. The same
    command continues interrupted work. Exit code 1 where something of the table could not be run.

    Example: benchtool reproduce enc:1 --data datasets --dry-run
    """
    from benchtool.core.console import say
    from benchtool.core.errors import UserError
    from benchtool.core.files import write_text
    from benchtool.papers.load import load
    from benchtool.workflows.reproduce.graph import graph
    from benchtool.workflows.reproduce.node import Places, due
    from benchtool.workflows.reproduce.run import run
    from benchtool.workflows.reproduce.scripts import shell_script, slurm_script

    paper, colon, number = table.partition(":")
    if not colon:
        raise UserError(f"'{table}': give PAPER:TABLE, such as enc:1; `benchtool report --list` has them all")
    library = load(paper)
    places, title = Places(data, runs), f"{library.paper.label} Table {number}"
    nodes = graph(library, library.table(number), places)
    _show(nodes)
    for path, script in ((shell, shell_script), (slurm, slurm_script)):
        if path:
            write_text(path, script(nodes, title, places))
            say(f"wrote {path}: {len(due(nodes))} commands; bash {path} {'runs' if path is shell else 'submits'} them")
    if dry_run or shell or slurm:
        return
    try:
        failures = run(nodes, places)
    except KeyboardInterrupt:
        say("\nstopped; what is finished is kept: run the same command again to continue")
        raise typer.Exit(130) from None
    for failure in failures:
        say(f"{failure.item}: {failure.reason}")
    if failures or any(node.state in ("blocked", "stale") for node in nodes):
        raise typer.Exit(1)


def _show(nodes: list) -> None:
    from benchtool.workflows.reproduce.node import total

    width = max(len(node.name) for node in nodes)
    for node in nodes:
        notes = "; ".join(str(text) for text in (node.cost, node.why) if text)
        print(f"{node.state:8} {node.name:{width}}  {notes}".rstrip())
        for stage in node.stages:
            print(f"{'':9}  {stage.name}: {stage.state}; {stage.about}")
    counts = {state: sum(node.state == state for node in nodes) for state in ("done", "due", "stale", "blocked")}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if left := total(nodes):
        print(f"still to do: {left}")
