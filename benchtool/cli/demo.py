"""`benchtool demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything it makes.")] = Path("benchtool-demo"),
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Raws, dataset, training, scores and ENC Table 1, in minutes on a CPU.

    Example: benchtool demo --out /tmp/demo
    """
    from benchtool.workflows.demo import run_demo

    run_demo(out, jobs)
