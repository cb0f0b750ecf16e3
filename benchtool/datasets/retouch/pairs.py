"""The last step of the retouched set: of each photograph a clean retouched target and a spoilt input (noise and JPEG on the original).

What is drawn for a photograph depends on the seed and its name alone, never on the order or number of workers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.files import Journal, clear_temporary, sha256_bytes, write_bytes
from benchtool.core.images import encode_image, quantise
from benchtool.core.pool import Failure, run_batch
from benchtool.core.seeds import generator
from benchtool.datasets.retouch.degrade import Degradation, degrade
from benchtool.datasets.retouch.histograms import brightest, read_photograph, stamp
from benchtool.datasets.retouch.retouching import Coefficients, Retoucher

VERSION = 1  # raised when the files change
JOURNAL = ".pairs.jsonl"
INPUTS, TARGETS = "input", "target"  # folders of OUT
TARGET_QUALITY = 95  # of JPEG targets, 4:4:4
LEVELS = 32  # of the adjustment curve


@dataclass(frozen=True)
class Making:
    """How every pair is made.

    Attributes:
        reduce: as `smoothing.smooth`.
        target: `.png`, or `.jpg` of TARGET_QUALITY.
    """

    degradation: Degradation
    reduce: int
    target: str
    seed: int


@dataclass(frozen=True)
class Task:
    """A photograph to be made a pair of."""

    name: str
    path: Path
    out: Path
    coefficients: Coefficients
    making: Making


def make_pairs(tasks: Mapping[str, Task], out: Path, jobs: int | None) -> tuple[dict[str, dict[str, Any]], list[Failure]]:
    """Make every pair that is not there as it should be.

    Returns:
        name -> what `make_pair` says of it, and the failures.
    """
    clear_temporary(out)
    journal = Journal(out / JOURNAL)
    keys = {name: _key(task) for name, task in tasks.items()}
    made = {e["name"]: e for e in journal.entries if keys.get(e["name"]) == e["key"] and _whole(out, e)}

    def done(name: str, found: dict[str, Any]) -> None:
        entry = {"name": name, "key": keys[name], **found}
        journal.append(entry)
        made[name] = entry

    items = [(name, task) for name, task in tasks.items() if name not in made]
    return made, run_batch(make_pair, items, done, label="pairs", jobs=jobs, unit="img") if items else []


def _key(task: Task) -> str:
    settings = [VERSION, task.coefficients.plain(), asdict(task.making), stamp(task.path)]
    return sha256_bytes(json.dumps(settings, sort_keys=True).encode())[:16]


def _whole(out: Path, entry: Mapping[str, Any]) -> bool:
    paths = [(out / entry[kind]["path"], entry[kind]["bytes"]) for kind in (INPUTS, TARGETS)]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def make_pair(task: Task) -> dict[str, Any]:
    """Write a pair's two files. Runs in a worker.

    Returns:
        path, hash and size of each; what was drawn; the adjustment curve (`curve`).

    Raises:
        UserError: the photograph cannot be read, or is too small.
    """
    image = read_photograph(task.path)
    target = quantise(Retoucher(image, task.making.reduce).retouch(task.coefficients))
    spoilt, drawn = degrade(image, task.making.degradation, generator(task.making.seed, "degrade", task.name))
    files = {
        INPUTS: (".jpg" if task.making.degradation.jpeg else ".png", spoilt),
        TARGETS: (task.making.target, encode_image(target, task.making.target, quality=TARGET_QUALITY, subsampling="4:4:4")),
    }
    height, width = image.shape[:2]
    found: dict[str, Any] = {"size": [width, height], "drawn": drawn, "curve": curve(image, target)}
    for kind, (suffix, data) in files.items():
        relative = f"{kind}/{task.name}{suffix}"
        write_bytes(task.out / relative, data)
        found[kind] = {"path": relative, "sha256": sha256_bytes(data), "bytes": len(data)}
    return found


def curve(image: np.ndarray, target: np.ndarray) -> list[list[float]]:
    """For each of LEVELS bins of the photograph's value (HSV), its share of the pixels and the mean value they have in the target.

    Args:
        image: H x W x 3 float in [0, 1]; target: the same in uint8.
    """
    before, after = brightest(image).ravel(), brightest(target).ravel() / 255
    level = np.minimum((before * LEVELS).astype(np.int64), LEVELS - 1)
    count = np.bincount(level, minlength=LEVELS)
    mean = np.bincount(level, after, minlength=LEVELS) / np.maximum(count, 1)
    return [(count / count.sum()).round(5).tolist(), mean.round(5).tolist()]
