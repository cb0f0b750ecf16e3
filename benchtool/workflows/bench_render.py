"""How fast raws are developed, against LibRaw called once an exposure and against what no renderer can go below.

Every variant has a process of its own with one thread; the repeats are interleaved, so that a busy machine slows all alike.
Ratios are of processor time: on an idle machine that is the time by the clock, on a busy one others disturb it less.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.console import progress
from benchtool.core.pool import THREADS
from benchtool.core.provenance import provenance

NAIVE, FLOOR = "naive", "floor"
DESCRIPTION = {
    NAIVE: "rawpy, once an exposure: open, postprocess, Pillow resize, JPEG",
    FLOOR: "open, decode, one AHD demosaic, five JPEGs: no tone, no resize",
    "linear exact": "render(), mode linear, quality exact, five JPEGs",
    "linear fast": "likewise, quality fast",
    "linear reference": "likewise, quality reference",
    "adobe exact": "render(), mode adobe, quality exact, five JPEGs",
    "adobe fast": "likewise, quality fast",
}
_SYNTHETIC = (4288, 2848)  # pixels of the raw made where none is given: a camera of 12 megapixels


@dataclass(frozen=True)
class Timing:
    """One run of a variant: seconds by the clock and of the processor, and the most memory its process had so far, in MiB."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def bench_render(raws: Sequence[Path], repeats: int = 5) -> dict[str, Any]:
    """Time each variant on each raw; with no raws, on a synthetic one of 12 megapixels.

    Returns:
        JSON-able: per raw and variant medians, every repeat, peak memory, and ratios to the naive way and the floor.

    Raises:
        UserError: a raw cannot be developed.
    """
    from benchtool.rendering.sensor import open_raw

    with tempfile.TemporaryDirectory() as folder:
        for raw in raws:
            with open_raw(raw):  # said here, and not by rawpy in some worker
                pass
        given = [Path(raw) for raw in raws] or [_synthetic_raw(Path(folder) / "synthetic.dng")]
        with progress("bench render", len(given) * len(DESCRIPTION) * (repeats + 1), "runs") as advance:
            results = [_bench(raw, repeats, advance) for raw in given]
    return {"schema": 1, "bench": "render", "threads": 1, "repeats": repeats, "raws": results, **provenance()}


def _bench(raw: Path, repeats: int, advance: Any) -> dict[str, Any]:
    timings = _interleaved(raw, repeats, advance)
    cpu = {variant: statistics.median(t.cpu_seconds for t in runs) for variant, runs in timings.items()}
    rows = {}
    for variant, runs in timings.items():
        rows[variant] = {
            "median_s": round(statistics.median(t.seconds for t in runs), 6),
            "median_cpu_s": round(cpu[variant], 6),
            "faster_than_naive": round(cpu[NAIVE] / cpu[variant], 2),
            "of_floor": round(cpu[variant] / cpu[FLOOR], 2),
            "peak_mib": round(runs[-1].peak_mib, 1),
            "seconds": [round(t.seconds, 6) for t in runs],
            "cpu_seconds": [round(t.cpu_seconds, 6) for t in runs],
        }
    return {"raw": raw.name, "bytes": raw.stat().st_size, "variants": rows}


def _interleaved(raw: Path, repeats: int, advance: Any) -> dict[str, list[Timing]]:
    """A first round that is not counted (imports, caches), then `repeats` rounds through all variants."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the spawned processes as they start
    pools = {}
    try:
        context = multiprocessing.get_context("spawn")
        pools = {variant: ProcessPoolExecutor(1, mp_context=context) for variant in DESCRIPTION}
        timings: dict[str, list[Timing]] = {variant: [] for variant in DESCRIPTION}
        for _ in range(repeats + 1):
            for variant, pool in pools.items():
                timings[variant].append(pool.submit(time_once, raw, variant).result())
                advance(note=variant)
        return {variant: runs[1:] for variant, runs in timings.items()}
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def time_once(raw: Path, variant: str) -> Timing:
    """One run of a variant. Called in the variant's own process."""
    import cv2

    cv2.setNumThreads(1)
    work = {NAIVE: _naive, FLOOR: _floor}.get(variant) or _ours(variant)
    begun, cpu_begun = time.perf_counter(), time.process_time()
    work(raw)
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    return Timing(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _ours(variant: str) -> Callable[[Path], None]:
    from benchtool.rendering.develop import Settings, render

    settings = Settings(*variant.split())
    return lambda raw: _encode(render(raw, settings).images.values())


def _naive(raw: Path) -> None:
    """What one writes first: LibRaw's whole development for every exposure."""
    import rawpy
    from PIL import Image

    from benchtool.rendering.develop import EXPOSURES, Settings, output_size

    for ev in EXPOSURES:
        with rawpy.imread(str(raw)) as opened:
            image = opened.postprocess(
                use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, gamma=(2.4, 12.92), exp_shift=2.0**ev
            )
        height, width = image.shape[:2]
        small = Image.fromarray(image).resize(output_size(width, height, Settings()), Image.Resampling.BICUBIC)
        _encode([np.asarray(small)])


def _floor(raw: Path) -> None:
    """What every way from one demosaic must do: its five pictures are cut out of it, neither toned nor resized."""
    from benchtool.rendering.develop import EXPOSURES, Settings, output_size
    from benchtool.rendering.sensor import open_raw

    with open_raw(raw) as sensor:
        camera = sensor.camera_rgb()
    width, height = output_size(*camera.shape[1::-1], Settings())
    _encode([(camera[:height, :width] >> 8).astype(np.uint8)] * len(EXPOSURES))


def _encode(pictures: Iterable[np.ndarray]) -> None:
    from benchtool.core.images import encode_image

    for picture in pictures:
        encode_image(picture, ".jpg")


def _synthetic_raw(path: Path) -> Path:
    """A Bayer DNG of the size a camera's frame has: a sample raw's mosaic, repeated."""
    from benchtool.core.seeds import generator
    from benchtool.datasets.sample_raws import SENSORS, SHOTS, exposed, photograph
    from benchtool.rendering.dng_writer import Camera, write_dng

    shot = SHOTS["a9001-astronaut"]
    tile, _ = exposed(photograph(shot), shot, (shot.shot_noise, 1e-6), generator("bench render"))
    rows, columns = (np.arange(side) % (length // 2 * 2) for side, length in zip(_SYNTHETIC[::-1], tile.shape))  # whole 2 x 2 patterns
    camera = Camera("Bench", SENSORS[shot.sensor].color_matrix)
    write_dng(path, tile[rows][:, columns], camera=camera, pattern=shot.pattern, black=shot.black, white=shot.white, neutral=shot.neutral)
    return path
