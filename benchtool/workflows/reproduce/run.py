"""Runs what is due of a graph: what fails keeps only those from running that need it."""

from __future__ import annotations

from collections.abc import Iterable

from benchtool.core.console import say
from benchtool.core.pool import Failure
from benchtool.workflows.reproduce.node import Node, Places, due
from benchtool.workflows.steps import run_step


def run(nodes: Iterable[Node], places: Places) -> list[Failure]:
    """Run the commands that are due, in order; the report, the last one, shows whatever is there by then.

    Returns:
        What failed, and what was left out because of it.

    Raises:
        KeyboardInterrupt: Ctrl-C, to the command that runs or to this process; nothing more is begun.
    """
    todo, failures = due(nodes), {}
    places.runs.mkdir(parents=True, exist_ok=True)
    for number, node in enumerate(todo, 1):
        title = f"[{number}/{len(todo)}] {node.name}"
        if missing := [name for name in node.needs if name in failures]:
            failures[node.name] = f"not run: it needs {', '.join(missing)}"
            say(f"\n{title}: {failures[node.name]}")
        elif code := run_step(title, node.command):
            failures[node.name] = f"failed with exit code {code}"
    return [Failure(name, why) for name, why in failures.items()]
