"""Patches for training: what comes when is a function of names and numbers, never of workers, processes or interruptions.

The order of an epoch depends on (seed, stage, epoch), a sample's crop and flips on (seed, stage, epoch, sample). Step t of
an epoch takes the next batch x accumulate x world samples of the order; each backward pass takes a global batch of it, of
which rank r takes the r-th part: two processes with batch b see what one with batch 2b sees. What is left at the end of
an epoch and fills no step is dropped, never padded. Only the training split is ever opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.pool import no_interrupt
from benchtool.core.seeds import generator

AUGMENTATIONS = {  # in the order in which they are drawn and applied, to H x W x C; each with probability 1/2
    "hflip": lambda a: a[:, ::-1],
    "vflip": lambda a: a[::-1],
    "rot180": lambda a: a[::-1, ::-1],
    "rot90": lambda a: np.rot90(a),
}
Key = tuple[int, int]  # epoch, number of the sample


@dataclass
class Patches:
    """The training split of a dataset as square crops.

    Attributes:
        seed, stage: what the draws depend on.
        patch: side of the crops, None for whole images.
        augment: names of AUGMENTATIONS.
        target: role of the targets; None for batches without targets.
        exposures: only inputs of these EVs, or of the subsets with these names; all where None.
        cache: decoded images kept in memory, in bytes, by each process that reads them.

    Raises:
        UserError: no training split or no such exposure in it; a sample without the target, with images of different
            sizes or smaller than the patch.
    """

    dataset: Dataset
    seed: int
    stage: str
    patch: int | None = None
    augment: Sequence[str] = ()
    target: str | None = None
    exposures: Sequence[float | str] | None = None
    cache: int = 0
    samples: list[Sample] = field(init=False)
    _kept: dict[str, np.ndarray] = field(init=False, default_factory=dict, repr=False)
    _room: int = field(init=False, default=0, repr=False)

    def __post_init__(self) -> None:
        self._room = self.cache
        everything = self.dataset.split("train")
        self.samples = [s for s in everything if self.exposures is None or s.shown_at(self.exposures)]
        if not self.samples:
            wanted = ", ".join(e if isinstance(e, str) else f"{e:+g} EV" for e in self.exposures)
            raise UserError(f"{self.dataset.folder}: no training sample has an exposure of {wanted}")
        for sample in self.samples:
            self._check(sample)
        self.has_exposures = any(image.ev is not None for s in self.samples for image in s.inputs)

    def _check(self, sample: Sample) -> None:
        images = self._images(sample)
        for image in images:
            if (image.width, image.height) != (images[0].width, images[0].height):
                raise UserError(
                    f"sample '{sample.sample}': {image.path} is {image.width} x {image.height}, "
                    f"{images[0].path} {images[0].width} x {images[0].height}; images trained on together have one size"
                )
            if self.patch and min(image.width, image.height) < self.patch:
                raise UserError(
                    f"{image.path}: {image.width} x {image.height} pixels are too few for the patch of {self.patch} "
                    f"in stage '{self.stage}' (sample '{sample.sample}'); choose a smaller one"
                )

    def _images(self, sample: Sample) -> list[Image]:
        """Inputs, then the target where one is wanted."""
        if self.target is None:
            return list(sample.inputs)
        if (target := sample.target(self.target)) is None:
            has = ", ".join(t.role for t in sample.targets) or "none"
            raise UserError(f"sample '{sample.sample}' has no target '{self.target}' (it has {has}); name another (target: ROLE)")
        return [*sample.inputs, target]

    def __len__(self) -> int:
        return len(self.samples)

    def order(self, epoch: int) -> np.ndarray:
        """The samples' numbers in the order of an epoch."""
        return generator(self.seed, self.stage, "order", epoch).permutation(len(self))

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """One sample in one epoch: `inputs` [N, C, H, W] in [0, 1], `target` [C, H, W] or None, `exposures` [N] EV, NaN where unknown."""
        epoch, number = key
        sample = self.samples[number]
        draw = generator(self.seed, self.stage, "patch", epoch, sample.sample)
        height, width = sample.inputs[0].height, sample.inputs[0].width
        side = (self.patch or height, self.patch or width)
        corner = [int(draw.integers(0, whole - part + 1)) for whole, part in zip((height, width), side)]
        chances = dict(zip(AUGMENTATIONS, draw.random(len(AUGMENTATIONS)) < 0.5))  # all are drawn: one more changes no other
        planes = []
        for image in self._images(sample):
            pixels = self._pixels(image)[corner[0] : corner[0] + side[0], corner[1] : corner[1] + side[1]]
            for name, apply in AUGMENTATIONS.items():
                pixels = apply(pixels) if name in self.augment and chances[name] else pixels
            planes.append(_floats(pixels))
        inputs = np.stack(planes[: len(sample.inputs)])
        evs = np.array([np.nan if i.ev is None else i.ev for i in sample.inputs], np.float32)
        return {"inputs": inputs, "target": planes[-1] if self.target else None, "exposures": evs, "sample": sample.sample}

    def _pixels(self, image: Image) -> np.ndarray:
        if image.path in self._kept:
            return self._kept[image.path]
        pixels = read_image(self.dataset.path(image))
        if pixels.shape[:2] != (image.height, image.width):
            raise UserError(f"{image.path}: is not the image the manifest was written for (its size differs); make the dataset anew")
        if pixels.nbytes <= self._room:  # none gives way to another: every image is as likely to come next
            self._kept[image.path] = pixels
            self._room -= pixels.nbytes
        return pixels

    def __getitems__(self, keys: list[Key]) -> list[dict[str, Any]] | UserError:
        """A batch; what the user can mend comes back as a value, since a worker would bury it under a traceback."""
        try:
            return [self[key] for key in keys]
        except UserError as error:
            return error

    def collate(self, items: list[dict[str, Any]] | UserError) -> dict[str, Any] | UserError:
        """Stack samples into the fields of a `methods.base.Batch`, as NumPy arrays.

        Arrays go from a worker through a pipe; tensors would go through shared memory, which containers keep small.
        """
        if isinstance(items, UserError):
            return items
        shapes = {item["inputs"].shape for item in items}
        if len(shapes) > 1:
            names = ", ".join(item["sample"] for item in items)
            return UserError(f"stage '{self.stage}': images of different sizes in one batch ({names}); give a patch, or batch: 1")
        return {
            "inputs": np.stack([item["inputs"] for item in items]),
            "targets": np.stack([item["target"] for item in items]) if self.target else None,
            "exposures": np.stack([item["exposures"] for item in items]) if self.has_exposures else None,
            "samples": tuple(item["sample"] for item in items),
        }


def _floats(pixels: np.ndarray) -> np.ndarray:
    """H x W x C integers -> [C, H, W] float32 in [0, 1]; floats as they are."""
    scale = np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / scale


@dataclass(frozen=True)
class Pace:
    """How a split is cut into optimiser steps.

    Attributes:
        batch: samples of a process and backward pass.
        accumulate: backward passes of a step.
        rank, world: this process and how many there are.
        limit: at most so many steps an epoch.
    """

    batch: int = 1
    accumulate: int = 1
    rank: int = 0
    world: int = 1
    limit: int | None = None

    def steps(self, samples: int) -> int:
        """Optimiser steps of an epoch of so many samples; UserError where they fill none."""
        whole = samples // (self.batch * self.world * self.accumulate)
        if whole == 0:
            raise UserError(
                f"{samples} training samples do not fill one step of {self.batch} (batch) x {self.accumulate} (accumulate) "
                f"x {self.world} (processes); choose a smaller batch"
            )
        return min(whole, self.limit or whole)


def keys(data: Patches, pace: Pace, first: int, last: int) -> Iterator[list[Key]]:
    """This process's samples of the steps `first` (counted from 0 over all epochs) to `last` - 1, one list a backward pass."""
    per_epoch, shared = pace.steps(len(data)), pace.batch * pace.world
    epoch, order = -1, np.empty(0, int)
    for step in range(first, last):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            order = data.order(epoch)
        for part in range(pace.accumulate):
            begin = ((step % per_epoch) * pace.accumulate + part) * shared + pace.rank * pace.batch
            yield [(epoch, int(number)) for number in order[begin : begin + pace.batch]]


def batches(data: Patches, pace: Pace, first: int, last: int, workers: int = 0, pin: bool = False) -> Iterator[list[dict[str, Any]]]:
    """The batches of each step from `first` to `last` - 1: a list of `accumulate` fields of a `methods.base.Batch`.

    Args:
        workers: processes that read images, spawned; 0 reads in this one. The batches are the same.
        pin: put them into page-locked memory, for a GPU.
    """
    loader = DataLoader(
        data,
        batch_sampler=keys(data, pace, first, last),
        collate_fn=data.collate,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),  # so that starting workers draws nothing from the global one
    )

    def tensors(fields: dict[str, Any]) -> dict[str, Any]:
        made = {name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in fields.items()}
        return {name: value.pin_memory() if pin and isinstance(value, torch.Tensor) else value for name, value in made.items()}

    step = []
    with no_interrupt():  # workers start here, and inherit it: Ctrl-C is for this process, which ends them
        items = iter(loader)
    for item in items:
        if isinstance(item, UserError):
            raise item
        step.append(tensors(item))
        if len(step) == pace.accumulate:
            yield step
            step = []
