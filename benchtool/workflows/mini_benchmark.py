"""The small benchmark that `results/baseline.json` guards: rebuilt by every machine in minutes, by commands a user can type.

`mini` renders photographs that scikit-image brings with our own renderer; `shared` uses real exposure brackets and camera raws, where
a folder with them is at hand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchtool.core import catalog
from benchtool.core.images import read_image
from benchtool.core.manifest import open_dataset
from benchtool.workflows.regress_figures import RENDERED, Figure
from benchtool.workflows.steps import Step

LONG_EDGE = 192  # pixels: every step runs, and takes seconds
BRACKETS = Path("stacks") / "brackets512"
RAWS = Path("raws")
RENDERED_DATA = (Path("mini") / "me", Path("shared") / "real-raws")  # what our own renderer made
COLOURS = ("red", "green", "blue")


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


def levels(folder: Path) -> Figure:
    """The levels, 0..255, of the images of a dataset: mean and standard deviation of each channel at each exposure and of each target.

    Both are means over the images; `images` counts them. Where another processor renders, a few pixels are another level: that moves
    these figures by far less than a level, so that only another renderer, or other raws, moves them by more.
    """
    dataset = open_dataset(folder)
    groups: dict[str, dict[str, list[np.ndarray]]] = {}
    for image in (image for sample in dataset.samples for image in (*sample.inputs, *sample.targets)):
        group = groups.setdefault(f"{image.ev:g} EV" if image.role == "input" else image.role, {})
        if image.path not in group:  # a target belongs to every exposure of its scene
            pixels = read_image(dataset.path(image)).astype(np.float64)
            group[image.path] = [pixels.mean((0, 1)), pixels.std((0, 1))]
    means: dict[str, dict[str, float]] = {"images": {name: float(len(group)) for name, group in groups.items()}}
    for place, statistic in enumerate(("mean", "std")):
        for channel, colour in enumerate(COLOURS):
            means[f"{statistic}:{colour}"] = {
                name: float(np.mean([both[place][channel] for both in group.values()])) for name, group in groups.items()
            }
    facts = dataset.facts
    same = {"dataset": facts.name, "variant": facts.variant, "fingerprint": facts.fingerprint, "samples": len(dataset.samples)}
    none = dict.fromkeys(("recipe", "target", "checkpoint"))
    return Figure(
        method="rendered images", kind=RENDERED, smoke=False, options={}, split="all", protocol="levels", means=means,
        versions=dict.fromkeys(means, "1"), **same, **none,
    )  # fmt: skip


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
