"""`benchtool demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything it makes.")] = Path("benchtool-demo"),
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Go from raws to a paper's table in minutes.

    Sample raws, the ME dataset, short trainings, scores and ENC Table 1, on a CPU; run again, it continues.

    Example: benchtool demo --out /tmp/demo
    """
    from benchtool.workflows.demo import run_demo

    run_demo(out, jobs)
