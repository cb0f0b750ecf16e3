"""The small benchmark that `results/baseline.json` guards: rebuilt by every machine in minutes, by commands a user can type.

`mini` renders photographs that scikit-image brings with our own renderer; `shared` uses real exposure brackets and camera raws, where
a folder with them is at hand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchtool.core import catalog
from benchtool.workflows.steps import Step

LONG_EDGE = 192  # pixels: every step runs, and takes seconds
BRACKETS = Path("stacks") / "brackets512"
RAWS = Path("raws")


def methods() -> tuple[list[str], list[str]]:
    """Methods that need no training, and those that have a recipe of their own name for ME."""
    known = catalog.names("methods")
    untrained = [name for name in known if not catalog.facts("methods", name).players]
    return untrained, [name for name in known if name not in untrained and name in catalog.recipe_files()]


def mini(work: Path, chosen: Sequence[str] | None = None) -> Iterator[Step]:
    """Sample raws, rendered as ME; every method that needs no training on all of it, the others trained by `--smoke`, in the small
    build of their contract tests.

    Args:
        chosen: only these methods.
    """
    untrained, learned = methods()
    me = work / "me"
    yield "camera raws from photographs of scikit-image", ["data", "sample-raws", str(work / "raws")]
    yield "rendered at five exposures", ["data", "render-me", str(work / "raws"), str(me), "--long-edge", str(LONG_EDGE)]
    for name in (name for name in untrained if chosen is None or name in chosen):
        yield f"{name} on it", _evaluate(name, me, "train", work / "runs" / name)
    for name in (name for name in learned if chosen is None or name in chosen):
        run = work / "runs" / name
        small = [
            part for key, value in catalog.facts("methods", name).check.items() for part in ("-s", f"options.{key}={json.dumps(value)}")
        ]
        train = ["train", name, "--data", str(me), "--out", str(run), "--smoke", "--device", "cpu", *small]
        yield f"a short training of a small {name}", train
        yield f"{name} on it", _evaluate(str(run), me, "test", run)


def shared(work: Path, data: Path, chosen: Sequence[str] | None = None) -> Iterator[Step]:
    """Methods that need no training on the real brackets and raws in `data`.

    Args:
        chosen: only these methods.
    """
    brackets, rendered, me_v2 = work / "brackets", work / "real-raws", work / "real-raws-me-v2"
    yield "real exposure brackets", ["data", "prepare", "brackets", str(data / BRACKETS), str(brackets), "-s", "val=10", "-s", "test=6"]
    yield "real raws", ["data", "render-me", str(data / RAWS), str(rendered), "--long-edge", str(2 * LONG_EDGE)]
    yield "their middle exposure as the target", ["data", "prepare", "me-v2", str(rendered), str(me_v2)]
    for name in (name for name in methods()[0] if chosen is None or name in chosen):
        yield f"{name} on brackets", _evaluate(name, brackets, "test", work / "runs" / name)
        yield f"{name} on real raws", _evaluate(name, me_v2, "train", work / "runs" / name)


def default_data() -> Path | None:
    """Where real brackets and raws are looked for: `$BENCHTOOL_TEST_DATA`, else `shared/data` beside the checkout."""
    named = os.environ.get("BENCHTOOL_TEST_DATA")
    beside = catalog.PACKAGE.parent.parent / "shared" / "data"
    return Path(named) if named else beside if beside.is_dir() else None


def at_hand(data: Path | None) -> bool:
    """Whether a folder holds what `shared` needs."""
    return data is not None and (data / BRACKETS).is_dir() and (data / RAWS).is_dir()


def _evaluate(what: str, data: Path, split: str, out: Path) -> list[str]:
    return ["evaluate", what, "--data", str(data), "--split", split, "--out", str(out), "--keep", "none", "--device", "cpu"]
