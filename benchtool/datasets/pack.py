"""`data pack`: decode a dataset's training images once, into the HDF5 file that training reads crops from (`packed`).

The file is written under another name and takes its own when it is whole: one that was interrupted is never taken for a pack.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_path, clear_temporary, sha256_file
from benchtool.core.manifest import Dataset, Image
from benchtool.core.pool import Failure, run_batch
from benchtool.core.provenance import provenance
from benchtool.datasets.packed import NAME, SCHEMA, decode, shape_of


@dataclass(frozen=True)
class Packed:
    """What was made: the file, how many images it holds and its size in bytes; or the failures, and no file."""

    path: Path
    images: int
    size: int
    failures: list[Failure]


@dataclass(frozen=True)
class Task:
    """What a worker is told of an image."""

    path: Path
    image: Image
    encoding: str


class _Incomplete(Exception):
    """Not every image could be read."""


def pack(dataset: Dataset, patch: int = 384, targets: Sequence[str] = (), jobs: int | None = None) -> Packed:
    """Write `DIR/train.h5`: inputs and targets of the training split, in the place of an earlier one.

    Args:
        patch: side of the crops that will be read, in pixels; chunks have half of it. Any other side can be read, too.
        targets: roles; the dataset's default where empty.
        jobs: worker processes.

    Raises:
        UserError: no training split, no such target, or too little room on the disk.
    """
    import h5py

    tasks = _tasks(dataset, targets or [dataset.facts.default_target])
    path = dataset.folder / NAME
    clear_temporary(dataset.folder)  # of a pack that was killed
    needed = sum(np.prod(shape_of(t.image, t.encoding)) * (1 if t.encoding == "srgb8" else 2) for t in tasks.values())
    if needed > (free := shutil.disk_usage(dataset.folder).free):
        raise UserError(f"{path} would take {needed / 2**30:.1f} GiB at least, {free / 2**30:.1f} are free; make room, or train from files")
    failures: list[Failure] = []
    try:
        with atomic_path(path) as temporary:
            with h5py.File(temporary, "w") as file:

                def store(name: str, pixels: np.ndarray) -> None:
                    half = [min(max(patch // 2, 1), side) for side in pixels.shape[:2]]
                    file.create_dataset(tasks[name].image.sha256, data=pixels, chunks=(*half, pixels.shape[2]))

                failures = run_batch(read_verified, list(tasks.items()), store, label="data pack", jobs=jobs, unit="img")
                file.attrs.update(schema=SCHEMA, fingerprint=dataset.facts.fingerprint, made=json.dumps(provenance()))
            if failures:
                raise _Incomplete
    except _Incomplete:
        return Packed(path, 0, 0, failures)
    return Packed(path, len(tasks), path.stat().st_size, [])


def _tasks(dataset: Dataset, targets: Sequence[str]) -> dict[str, Task]:
    """The images by path, each content once."""
    found: dict[str, Task] = {}
    for sample in dataset.split("train"):
        images = [(image, sample.encoding_in) for image in sample.inputs]
        images += [(image, sample.encoding_target) for role in targets if (image := sample.target(role))]
        for image, encoding in images:
            found.setdefault(image.sha256, Task(dataset.path(image), image, encoding))
    here = {target.role for sample in dataset.split("train") for target in sample.targets}
    if unknown := [role for role in targets if role not in here]:
        raise UserError(f"{dataset.folder}: no training sample has a target '{unknown[0]}'; they have {', '.join(sorted(here)) or 'none'}")
    return {task.image.path: task for task in found.values()}


def read_verified(task: Task) -> np.ndarray:
    """An image's pixels; called in a worker.

    Raises:
        UserError: it is missing or unreadable, or not the one the manifest was written for.
    """
    if not task.path.is_file():
        raise UserError(f"{task.path}: no such file")
    if sha256_file(task.path) != task.image.sha256:
        raise UserError(f"{task.path}: has changed since the manifest was written; make the dataset anew")
    pixels = decode(task.path, task.encoding)
    if pixels.shape != shape_of(task.image, task.encoding):
        raise UserError(f"{task.path}: is {pixels.shape[1]} x {pixels.shape[0]}, not of the manifest's size; make the dataset anew")
    return pixels
