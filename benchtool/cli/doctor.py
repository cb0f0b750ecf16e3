"""`benchtool doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """Show what this machine has and lacks.

    Versions, cores, memory, disk, model files and optional programs, each with what is lost without it.

    Exits with 1 only if something required is missing.
    """
    from benchtool.workflows import doctor as examination

    checks = examination.examine()
    if json:
        import json as formatter

        print(formatter.dumps(examination.as_json(checks), indent=2))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            lost = f"  (without it: {check.lost})" if check.lost else ""
            print(f"{check.status:8} {check.name:{width}}  {check.found}{lost}")
    if not examination.healthy(checks):
        raise typer.Exit(1)
