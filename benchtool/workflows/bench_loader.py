"""How fast training gets its crops: from JPEGs decoded for each crop, for several, from a pack and from memory, on the same made pictures.

Interleaved rounds; a variant is timed when its workers are up and what they read ahead has been used, until its time is over.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.console import progress
from benchtool.core.files import sha256_bytes
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.core.provenance import provenance

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket")  # that come with scikit-image
SIZE = (1311, 874)  # of ME's published images
AHEAD = 2  # items that a worker of PyTorch's loader reads ahead
FOREVER = 10**9  # steps
DESCRIPTION = {
    "folder": "JPEG, one crop a decode",
    "crops": "JPEG, {crops} crops a decode",
    "pack": "HDF5, one crop a visit",
    "pack-crops": "HDF5, {crops} crops a visit",
    "memory": "decoded before, one crop a visit",
}


@dataclass(frozen=True)
class Settings:
    """What is loaded and how.

    Attributes:
        pictures: pairs of input and target.
        size: (width, height).
        patch, batch, workers: as in training.
        crops: of a picture in an epoch, where there are several.
        seconds: of each timing.
        repeats: rounds; the median counts.
    """

    pictures: int = 96
    size: tuple[int, int] = SIZE
    patch: int = 128
    batch: int = 16
    workers: int = 2
    crops: int = 8
    seconds: float = 5.0
    repeats: int = 3


def bench_loader(settings: Settings) -> dict[str, Any]:
    """Time every variant; a crop is that of an input with that of its target, as float batches on the CPU.

    Returns:
        JSON-able figures: crops a second of each variant, and how many times the folder's.

    Raises:
        UserError: pictures smaller than the patch, or too few for a batch.
    """
    from benchtool.datasets.loading import Pace, Patches
    from benchtool.datasets.pack import pack
    from benchtool.datasets.packed import Pack

    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder), settings.pictures, settings.size)
        files = Patches(dataset, 0, "bench", settings.patch, ["hflip", "vflip"], dataset.facts.default_target)
        packed = pack(dataset, settings.patch)
        stored, one = Pack(dataset), Pace(settings.batch)
        one.steps(len(files))
        several = dataclasses.replace(one, crops=settings.crops)
        variants = {
            "folder": (files, one),
            "crops": (files, several),
            "pack": (dataclasses.replace(files, pack=stored), one),
            "pack-crops": (dataclasses.replace(files, pack=stored), several),
            "memory": (dataclasses.replace(files, cache=2**62), one),
        }
        rates: dict[str, list[float]] = {name: [] for name in variants}
        with progress("bench loader", len(variants) * settings.repeats, "timings") as advance:
            for _ in range(settings.repeats):
                for name, (data, pace) in variants.items():
                    rates[name].append(crops_per_second(data, pace, settings, whole_epoch=name == "memory"))
                    advance(note=name)
        bytes_of = {"JPEG": sum(p.stat().st_size for p in Path(folder).glob("*.jpg")), "HDF5": packed.size}
    medians = {name: statistics.median(found) for name, found in rates.items()}
    rows = {
        name: {"crops_per_second": median, "spread": [min(rates[name]), max(rates[name])], "of_folder": median / medians["folder"]}
        for name, median in medians.items()
    }
    return {"schema": 1, "bench": "loader", **dataclasses.asdict(settings), "bytes": bytes_of, "variants": rows, **provenance()}


def crops_per_second(data: Any, pace: Any, settings: Settings, whole_epoch: bool) -> float:
    """Crops a second once things run steadily; after `whole_epoch`, everything has been read before."""
    from benchtool.datasets.loading import batches

    steps = batches(data, pace, 0, FOREVER, settings.workers)
    ahead = (1 + AHEAD * settings.workers) * pace.crops
    _take(steps, max(ahead, pace.steps(len(data)) + ahead if whole_epoch else 0))
    begun, taken = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < settings.seconds or taken == 0:
        taken += _take(steps, pace.crops)  # whole groups: the crops of a group come together
    steps.close()
    return taken * settings.batch / passed


def _take(steps: Iterator[Any], count: int) -> int:
    for _ in range(count):
        next(steps)
    return count


def make_dataset(folder: Path, pictures: int, size: tuple[int, int]) -> Dataset:
    """Pairs of JPEGs of quality 75, as ME's: photographs continued by their mirror images, and two stops darker; under the root `here`."""
    from skimage import data

    photographs = [getattr(data, name)() for name in PHOTOGRAPHS]
    samples = []
    for number in range(pictures):
        photo = np.roll(photographs[number % len(photographs)], 37 * number, axis=1)
        down, right = max(0, size[1] - photo.shape[0]), max(0, size[0] - photo.shape[1])
        target = np.pad(photo, ((0, down), (0, right), (0, 0)), mode="symmetric")[: size[1], : size[0]]
        dark = _jpeg(folder, f"{number}_in.jpg", target // 4, "input", -2.0)
        samples.append(Sample(str(number), str(number), "train", (dark,), (_jpeg(folder, f"{number}.jpg", target, "label", None),)))
    return write_dataset(folder, Facts("bench", "sample", {"here": "."}, default_target="label"), samples)


def _jpeg(folder: Path, name: str, pixels: np.ndarray, role: str, ev: float | None) -> Image:
    return Image(f"here:{name}", sha256_bytes(write_image(folder / name, pixels)), pixels.shape[1], pixels.shape[0], ev, role=role)


def table(result: dict[str, Any]) -> list[str]:
    """The figures as lines for a terminal."""
    size, stored = result["size"], result["bytes"]
    lines = [
        f"{result['pictures']} pairs of {size[0]} x {size[1]}, crops of {result['patch']}, batch {result['batch']}, "
        f"{result['workers']} workers; "
        f"JPEG {stored['JPEG'] / 2**20:.1f} MiB, HDF5 {stored['HDF5'] / 2**20:.0f} MiB",
        f"{'':11} {'crops/s':>8} {'least':>8} {'most':>8} {'x folder':>8}",
    ]
    for name, row in result["variants"].items():
        rates = f"{row['crops_per_second']:8,.0f} {row['spread'][0]:8,.0f} {row['spread'][1]:8,.0f} {row['of_folder']:8.1f}"
        lines.append(f"{name:11} {rates}  {DESCRIPTION[name].format(crops=result['crops'])}")
    return lines
