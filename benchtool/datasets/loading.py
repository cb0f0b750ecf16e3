"""Patches for training: what comes when is a function of names and numbers, never of workers, processes or interruptions.

The order of an epoch depends on (seed, stage, epoch), a sample's crop and flips on (seed, stage, epoch, sample, number of the crop);
`pace` says which samples make a step. Pixels come from files, from memory (`resident`) or from a pack (`packed`), with the same bits.
Only the training split is ever opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.pool import no_interrupt
from benchtool.core.recipe_stage import Reject
from benchtool.core.seeds import generator
from benchtool.datasets.crops import AUGMENTATIONS, DRAWS, Pixels, Window, cut, cut_planes, draw_window, on_mosaic, rejected
from benchtool.datasets.pace import Pace
from benchtool.datasets.packed import Pack, decode, shape_of
from benchtool.datasets.resident import Resident
from benchtool.datasets.values import floats, stacked
from benchtool.datasets.whole import Resize, depth_after, resized, size_after

__all__ = ["AUGMENTATIONS", "Pace", "Patches", "batches", "keys"]
Key = tuple[int, int]  # epoch, number of the sample
Fields = dict[str, Any]  # of a `methods.base.Batch`
RAW = "raw-rggb"


@dataclass
class Patches:
    """The training split of a dataset as square crops.

    Attributes:
        seed, stage: what the draws depend on.
        patch: side of the crops, None for whole images. Of inputs: targets that are whole times as large have crops that are.
        augment: names of AUGMENTATIONS.
        target: role of the targets; None for batches without targets.
        exposures: only inputs of these EVs, or of the subsets with these names; all where None.
        cache: decoded images kept in memory, in bytes, by this process and its workers together.
        pack: the dataset's pack; images that are not in it come from files.
        resize: what whole images are brought to before they are cropped, as a recipe says it.
        reject: which crops are drawn again.
        scale: size of the targets in sizes of the inputs.

    Raises:
        UserError: no training split or no such exposure in it; a sample without the target, with images that do not fit
            together or smaller than the patch.
    """

    dataset: Dataset
    seed: int
    stage: str
    patch: int | None = None
    augment: Sequence[str] = ()
    target: str | None = None
    exposures: Sequence[float | str] | None = None
    cache: int = 0
    pack: Pack | None = None
    resize: Resize = None
    reject: Reject | None = None
    samples: list[Sample] = field(init=False)
    scale: int = field(init=False, default=1)
    _kept: Resident | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        everything = self.dataset.split("train")
        self.samples = [s for s in everything if self.exposures is None or s.shown_at(self.exposures)]
        if not self.samples:
            wanted = ", ".join(e if isinstance(e, str) else f"{e:+g} EV" for e in self.exposures)
            raise UserError(f"{self.dataset.folder}: no training sample has an exposure of {wanted}")
        scales = {self._check(sample): sample.sample for sample in self.samples}
        if len(scales) > 1:
            raise UserError(f"{self.dataset.folder}: targets are {' and '.join(f'{n} times ({s})' for n, s in scales.items())} as large")
        (self.scale,) = scales
        self.has_exposures = any(image.ev is not None for s in self.samples for image in s.inputs)
        if self.cache:
            images = {
                i.path: ((*self._size(s, i), shape_of(i, e)[2]), depth_after(e, self.resize))
                for s in self.samples
                for i, e in self._images(s)
            }
            self._kept = Resident(images, self.cache)

    def _check(self, sample: Sample) -> int:
        """How many times as large the target is."""
        first, scale = sample.inputs[0], 1
        for number, (image, _) in enumerate(self._images(sample)):
            times = image.width // first.width if number >= len(sample.inputs) else 1
            if times < 1 or (image.width, image.height) != (times * first.width, times * first.height):
                raise UserError(
                    f"sample '{sample.sample}': {image.path} is {image.width} x {image.height}, "
                    f"{first.path} {first.width} x {first.height}; "
                    "images trained on together have one size (a target: whole times that of the inputs)"
                )
            height, width = size_after((image.height, image.width), self.resize)
            if self.patch and min(width, height) < self.patch:
                raise UserError(
                    f"{image.path}: {width} x {height} pixels are too few for the patch of {self.patch} "
                    f"in stage '{self.stage}' (sample '{sample.sample}'); choose a smaller one"
                )
            scale = max(scale, times)
        self._check_raw(sample, scale)
        return scale

    def _check_raw(self, sample: Sample, scale: int) -> None:
        """A raw's target is raw or of the mosaic's size, and there is room to turn it; a mosaic is not resized, nor judged by its crops."""
        raw, target = sample.encoding_in == RAW, sample.encoding_target if self.target else None
        if (target == RAW) > raw or (raw and target and scale != (1 if target == RAW else 2)):
            raise UserError(
                f"sample '{sample.sample}': {sample.encoding_in} inputs and {target} targets {scale} times as large; "
                "to raws belong raws of their size, or pictures twice as large"
            )
        if raw and (self.resize or self.reject):
            raise UserError(f"stage '{self.stage}': {'resize' if self.resize else 'reject'} is not for raws (sample '{sample.sample}')")
        if raw and self.augment and min(sample.inputs[0].width, sample.inputs[0].height) <= (self.patch or np.inf):
            raise UserError(
                f"stage '{self.stage}': raws can be turned only in crops smaller than they are (sample '{sample.sample}': "
                f"{sample.inputs[0].width} x {sample.inputs[0].height}); give a smaller patch, or no augment"
            )

    def _images(self, sample: Sample) -> list[tuple[Image, str]]:
        """Inputs, then the target where one is wanted; with their encodings."""
        inputs = [(image, sample.encoding_in) for image in sample.inputs]
        if self.target is None:
            return inputs
        if (target := sample.target(self.target)) is None:
            has = ", ".join(t.role for t in sample.targets) or "none"
            raise UserError(f"sample '{sample.sample}' has no target '{self.target}' (it has {has}); name another (target: ROLE)")
        return [*inputs, (target, sample.encoding_target)]

    def __len__(self) -> int:
        return len(self.samples)

    def order(self, epoch: int) -> np.ndarray:
        """The samples' numbers in the order of an epoch."""
        return generator(self.seed, self.stage, "order", epoch).permutation(len(self))

    def __getitem__(self, key: Key) -> Fields:
        """A sample's first crop in an epoch: `inputs` [N, C, H, W] in [0, 1], `target` [C, H, W] or None, `exposures` [N] EV, NaN where
        unknown."""
        (crop,) = self.crops(key, 1)
        target = None if crop["target"] is None else floats(crop["target"]).numpy()
        return crop | {"inputs": floats(crop["inputs"]).numpy(), "target": target}

    def crops(self, key: Key, count: int) -> list[Fields]:
        """As many crops of a sample in an epoch, of images decoded once: as stored, `inputs` [N, H, W, C] and `target` [H, W, C]."""
        epoch, sample = key[0], self.samples[key[1]]
        size, raw = self._size(sample, sample.inputs[0]), sample.encoding_in == RAW
        windows: list[Window] = []
        cuts: list[list[np.ndarray]] = [[] for _ in range(count)]
        for number, (image, encoding) in reversed(list(enumerate(self._images(sample)))):  # the target first: by it crops are rejected
            pixels, scale = self._pixels(sample, image, encoding), self.scale if number == len(sample.inputs) else 1
            draws = (generator(self.seed, self.stage, "patch", epoch, sample.sample, *[n] * (n > 0)) for n in range(count))
            windows = windows or [self._window(draw, size, pixels, scale) for draw in draws]
            for window, crop in zip(windows, cuts):
                crop.insert(0, _cut(pixels, window, size, scale, raw, encoding == RAW))
        evs = np.array([np.nan if i.ev is None else i.ev for i in sample.inputs], np.float32)
        inputs = len(sample.inputs)
        return [
            {"inputs": stacked(crop[:inputs]), "target": crop[-1] if self.target else None, "exposures": evs, "sample": sample.sample}
            for crop in cuts
        ]

    def _size(self, sample: Sample, image: Image) -> tuple[int, int]:
        """(height, width) of one of a sample's images once it is resized."""
        height, width = size_after((sample.inputs[0].height, sample.inputs[0].width), self.resize)
        times = image.width // sample.inputs[0].width
        return times * height, times * width

    def _window(self, draw: np.random.Generator, size: tuple[int, int], pixels: Pixels, scale: int) -> Window:
        """A window of a sample by whose crop of `pixels` it is not rejected; the last where none of so many will do."""
        for _ in range(DRAWS):
            window = draw_window(draw, size, self.patch, self.augment)
            if self.reject is None or not rejected(cut(pixels, window, scale), self.reject):
                break
        return window

    def _pixels(self, sample: Sample, image: Image, encoding: str) -> Pixels:
        """An image's pixels, resized."""
        if self.pack is not None and (stored := self.pack.image(image, encoding)) is not None:
            return stored if self.resize is None else resized(stored[:, :], self._size(sample, image), self.resize)
        if self._kept is not None and (kept := self._kept.get(image.path)) is not None:
            return kept
        pixels = decode(self.dataset.path(image), encoding, read_image)
        if pixels.shape[:2] != (image.height, image.width):
            raise UserError(f"{image.path}: is not the image the manifest was written for (its size differs); make the dataset anew")
        pixels = resized(pixels, self._size(sample, image), self.resize)
        if self._kept is not None:
            self._kept.put(image.path, pixels)
        return pixels


def _cut(pixels: Pixels, window: Window, size: tuple[int, int], scale: int, raw: bool, planes: bool) -> np.ndarray:
    """The window of one image: `scale` times the inputs' `size`; of a sample of `raw`s; one of four `planes`."""
    if not raw:
        return cut(pixels, window, scale)
    return (cut_planes if planes else cut)(pixels, on_mosaic(window, size))


@dataclass
class Reader:
    """What a worker holds: it turns the samples of a backward pass into batches, one for each crop."""

    data: Patches
    crops: int

    def __getitems__(self, keys: list[Key]) -> list[list[Fields]] | UserError:
        """The crops of each sample; what the user can mend comes back as a value, since a worker would bury it under a traceback."""
        try:
            return [self.data.crops(key, self.crops) for key in keys]
        except UserError as error:
            return error

    def collate(self, samples: list[list[Fields]] | UserError) -> list[Fields] | UserError:
        """A batch for each crop, as NumPy arrays of what images store.

        Arrays go from a worker through a pipe; tensors would go through shared memory, which containers keep small.
        """
        if isinstance(samples, UserError):
            return samples
        if len({crops[0]["inputs"].shape for crops in samples}) > 1:
            names = ", ".join(crops[0]["sample"] for crops in samples)
            return UserError(f"stage '{self.data.stage}': images of different sizes in one batch ({names}); give a patch, or batch: 1")
        return [
            {
                "inputs": stacked([item["inputs"] for item in items]),
                "targets": stacked([item["target"] for item in items]) if self.data.target else None,
                "exposures": np.stack([item["exposures"] for item in items]) if self.data.has_exposures else None,
                "samples": tuple(item["sample"] for item in items),
            }
            for items in zip(*samples)
        ]


def keys(data: Patches, pace: Pace, first: int, last: int) -> Iterator[list[Key]]:
    """This process's samples of the groups of steps from `first` to `last` - 1, one list a backward pass."""
    epoch, order, shared = -1, np.empty(0, int), pace.batch * pace.world
    for group in pace.groups(len(data), first, last):
        if group.epoch != epoch:
            epoch, order = group.epoch, data.order(group.epoch)
        for part in range(pace.accumulate):
            begin = (group.number * pace.accumulate + part) * shared + pace.rank * pace.batch
            yield [(epoch, int(number)) for number in order[begin : begin + pace.batch]]


def batches(
    data: Patches, pace: Pace, first: int, last: int, workers: int = 0, device: torch.device | str = "cpu"
) -> Iterator[list[Fields]]:
    """The batches of each step from `first` to `last` - 1: a list of `accumulate` fields of a `methods.base.Batch`.

    Args:
        workers: processes that read images, spawned; 0 reads in this one. The batches are the same.
        device: where inputs and targets are made floats.
    """
    reader = Reader(data, pace.crops)
    loader = DataLoader(
        reader,
        batch_sampler=keys(data, pace, first, last),
        collate_fn=reader.collate,
        num_workers=workers,
        worker_init_fn=_alone,
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),  # so that starting workers draws nothing from the global one
    )
    with no_interrupt():  # workers start here, and inherit it: Ctrl-C is for this process, which ends them
        items = iter(loader)
    for group in pace.groups(len(data), first, last):
        parts = [_given(next(items)) for _ in range(pace.accumulate)]
        for crop in group.crops:
            yield [_tensors(part[crop], device) for part in parts]


def _alone(worker: int) -> None:
    cv2.setNumThreads(0)  # there are other workers


def _given(item: list[Fields] | UserError) -> list[Fields]:
    if isinstance(item, UserError):
        raise item
    return item


def _tensors(fields: Fields, device: torch.device | str) -> Fields:
    made = {name: floats(fields[name], device) if fields[name] is not None else None for name in ("inputs", "targets")}
    exposures = None if fields["exposures"] is None else torch.from_numpy(fields["exposures"])
    return {**made, "exposures": exposures, "samples": fields["samples"]}
