"""`benchtool demo`: raws → ME dataset → training → evaluation → ENC Table 1, small enough for a CPU.

Each step is a command a user can type. A demo that was interrupted continues where it stopped, as every one of the commands does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchtool.core.console import say
from benchtool.workflows.steps import Step, run_steps

TRAINED = ("sid", "i-sid")  # rows of Table 1 a CPU can go through in a minute each
DATASETS = ("me", "me-v2")


def steps(out: Path, jobs: int | None) -> Iterator[Step]:
    """(What the step does, its command line) in order."""
    parallel = ["--jobs", str(jobs)] if jobs else []
    raws, runs = out / "raws", out / "runs"
    yield "camera raws from real photographs", ["data", "sample-raws", str(raws)]
    yield "the multi-exposure dataset", ["data", "render-me", str(raws), str(out / "me"), "--scale", "1", *parallel]
    yield "ME-v2: the middle exposure as the target", ["data", "prepare", "me-v2", str(out / "me"), str(out / "me-v2")]
    for dataset in DATASETS:
        data = ["--data", str(out / dataset)]
        yield f"CLAHE on {dataset}", ["evaluate", "clahe", *data, "--out", str(runs / "clahe"), *parallel]
        for recipe in TRAINED:
            run = runs / f"{recipe}.{dataset}"
            yield f"a short training of {recipe} on {dataset}", ["train", f"{recipe}:{dataset}", *data, "--out", str(run), "--smoke"]
            yield f"its scores on {dataset}", ["evaluate", str(run), *data, *parallel]
    yield "Table 1 of the ENC paper", ["report", "--paper", "enc", "--table", "1", "--results", str(runs)]


def run_demo(out: Path, jobs: int | None = None) -> None:
    """Run every step, saying its command.

    Raises:
        UserError: a step failed; its own message has been printed.
    """
    run_steps(steps(out, jobs), "the demo")
    say(f"\nEverything is in {out}: try `benchtool enhance PHOTO.jpg -m {out}/runs/sid.me -o enhanced`.")
