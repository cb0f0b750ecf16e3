"""What the retouched set costs: processor time of each step on real photographs, projected to COCO, and what solving small changes.

Every photograph is worked on in one thread of a process of its own. Projected hours are processor time shared by CORES idle cores.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, resize, write_image
from benchtool.core.pool import run_batch
from benchtool.core.provenance import provenance
from benchtool.datasets.coco_retouch import COCO, REDUCE, Options

SIZE = (640, 480)  # most of COCO's photographs
CORES = 2
IN_WHEEL = ("astronaut", "coffee", "chelsea", "rocket")  # photographs that come with scikit-image
SHADES = 3  # bumps of a made histogram


@dataclass(frozen=True)
class Task:
    """A photograph to time."""

    path: Path
    repeats: int


def bench_retouch(photographs: Sequence[Path], repeats: int = 3) -> dict[str, Any]:
    """Time every step; with no photographs, on those in scikit-image's wheel.

    Returns:
        JSON-able: seconds of a photograph for each step and size of the solve, PSNR of targets against those solved at full size,
        seconds that COCO's number of made histograms take to cluster, and hours for all of COCO.

    Raises:
        UserError: a photograph cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = _pictures(photographs, Path(folder))
        rows: dict[str, dict[str, Any]] = {}
        items = [(path.name, Task(path, repeats)) for path in paths]
        failures = run_batch(time_photograph, items, rows.__setitem__, label="bench retouch", jobs=1, unit="img")
        if failures:
            raise UserError(f"{failures[0].item}: {failures[0].reason}")
    options, clustering = Options(), time_clustering()
    found = [rows[name] for name, _ in items]
    steps = {step: statistics.mean(row[step] for row in found) for step in ("histogram", "candidate")}
    solves = {solve: _solve(solve, found, steps, clustering["cpu_s"], options) for solve in REDUCE}
    return {"schema": 1, "bench": "retouch", "size": list(SIZE), "threads": 1, "cores": CORES, "repeats": repeats, "default": options.solve,
            "photographs": rows, "steps": steps, "clustering": clustering, "solves": solves, **provenance()}  # fmt: skip


def _solve(solve: str, rows: Sequence[dict[str, Any]], steps: dict[str, float], clustering: float, options: Options) -> dict[str, float]:
    """Means over photographs, and COCO's hours: what is counted, clustered, tried for every cluster, and made."""
    from benchtool.datasets.retouch.search import PHOTOGRAPHS

    pair = statistics.mean(row["pair"][solve] for row in rows)
    tried = options.clusters * PHOTOGRAPHS * (2 + options.candidates + options.refinements)
    seconds = COCO * (steps["histogram"] + pair) + tried * steps["candidate"] + clustering
    found = {"pair_s": pair, "hours": seconds / CORES / 3600, "hours_of_coefficients": tried * steps["candidate"] / CORES / 3600}
    if solve != "full":
        found |= {"psnr": statistics.mean(row["psnr"][solve] for row in rows), "least_psnr": min(row["psnr"][solve] for row in rows)}
    return found


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines for people."""
    clustering = result["clustering"]
    lines = [
        f"{len(result['photographs'])} photographs at {result['size'][0]}x{result['size'][1]}; processor seconds of one thread, "
        f"hours for COCO on {CORES} idle cores",
        f"  histogram {result['steps']['histogram']:.4f} s, a candidate of the search {result['steps']['candidate']:.4f} s",
        f"  {clustering['histograms']:,} made histograms in {clustering['clusters']} clusters: {clustering['seconds']:.1f} s by the clock, "
        f"{clustering['cpu_s']:.1f} s of the processor",
        f"  {'solved at':10} {'pair, s':>8} {'hours':>7} {'PSNR, dB':>9} {'least':>6}  of targets against those solved at full size",
    ]
    for solve, row in result["solves"].items():
        psnr = f"{row['psnr']:9.1f} {row['least_psnr']:6.1f}" if "psnr" in row else f"{'':16}"
        lines.append(f"  {solve:10} {row['pair_s']:8.3f} {row['hours']:7.1f} {psnr}" + ("  default" if solve == result["default"] else ""))
    return lines


def time_photograph(task: Task) -> dict[str, Any]:
    """Processor seconds of each step for one photograph, the least of `repeats` (full size: once). Runs in a worker."""
    from benchtool.datasets.retouch.degrade import Degradation
    from benchtool.datasets.retouch.histograms import CountTask, count_file
    from benchtool.datasets.retouch.pairs import TARGETS, Making, make_pair
    from benchtool.datasets.retouch.pairs import Task as PairTask
    from benchtool.datasets.retouch.retouching import Coefficients
    from benchtool.datasets.retouch.search import ClusterTask, Search, search_cluster, shared

    options, search = Options(), Search(8, 4, REDUCE["quarter"], 0)
    one = ClusterTask(0, (task.path,), search, shared(search))
    count = CountTask(task.path, options.bins, options.channel)
    pairs, targets = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for solve, reduce in REDUCE.items():
            making = Making(Degradation(), reduce, ".png", 0)
            work = partial(make_pair, PairTask(solve, task.path, Path(folder), Coefficients(), making))
            pairs[solve] = _least(work, 1 if solve == "full" else task.repeats)
            targets[solve] = read_image(Path(folder) / TARGETS / f"{solve}.png").astype(np.float64)
    error = {solve: ((targets[solve] - targets["full"]) ** 2).mean() for solve in ("quarter", "half")}
    return {
        "histogram": _least(partial(count_file, count), task.repeats),
        "candidate": _least(partial(search_cluster, one), 1) / (2 + search.candidates + search.refinements),
        "pair": pairs,
        "psnr": {solve: float(10 * np.log10(255**2 / max(e, 1e-9))) for solve, e in error.items()},
    }


def _least(work: Callable[[], Any], repeats: int) -> float:
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def time_clustering(count: int = COCO, clusters: int = 500) -> dict[str, Any]:
    """Seconds to cluster made histograms in one thread, each of a few bumps of random place, width and height."""
    import torch

    from benchtool.datasets.retouch.clusters import cluster
    from benchtool.datasets.retouch.histograms import features

    counts, threads = made_histograms(count, Options().bins), torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for a busy core would count as work
    try:
        begun, cpu_begun = time.perf_counter(), time.process_time()
        found = cluster(features(counts), clusters, 0)
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    finally:
        torch.set_num_threads(threads)
    sizes = {"histograms": count, "clusters": len(found.medoids), "iterations": found.iterations}
    return {**sizes, "seconds": seconds, "cpu_s": cpu_seconds}


def made_histograms(count: int, bins: int) -> np.ndarray:
    """`count` x `bins` histograms, the same ones each time."""
    chance = np.random.default_rng(0)
    centre, width, height = (
        chance.random((3, SHADES, count, 1)) * np.array([1, 0.25, 1])[:, None, None, None] + np.array([0, 0.03, 0.05])[:, None, None, None]
    )
    level = (np.arange(bins) + 0.5) / bins
    return sum(h / w * np.exp(-((level - c) ** 2) / (2 * w * w)) for c, w, h in zip(centre, width, height))


def _pictures(photographs: Sequence[Path], folder: Path) -> list[Path]:
    """Each photograph as a JPEG of SIZE, cut to its shape in the middle."""
    if photographs:
        images = {f"{k}-{Path(path).stem}": read_image(path) for k, path in enumerate(photographs)}
    else:
        from skimage import data

        images = {name: getattr(data, name)() for name in IN_WHEEL}
    for name, image in images.items():
        if image.dtype != np.uint8:
            raise UserError(f"{name}: {image.dtype} pixels; photographs of 8 bits are timed")
        height, width = image.shape[:2]
        across, down = min(width, height * SIZE[0] // SIZE[1]), min(height, width * SIZE[1] // SIZE[0])
        left, top = (width - across) // 2, (height - down) // 2
        write_image(folder / f"{name}.jpg", resize(image[top : top + down, left : left + across], *SIZE), quality=90)
    return [folder / f"{name}.jpg" for name in images]
