"""How fast metrics are and how far their values lie from those of independent programs, both from the same run.

Every variant of a size has a process of its own with one thread; the rounds are interleaved, so that a busy machine slows all alike.
Times are the processor's, ratios those within a round. Memory is what a call took beyond the pictures, held before. Model files that
are missing are replaced by made ones, which cost the same; no process may take more than MEMORY, so that the machine does not swap.
"""

from __future__ import annotations

import contextlib
import functools
import math
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.console import progress
from benchtool.core.errors import UserError
from benchtool.core.pool import THREADS, reason
from benchtool.core.provenance import provenance
from benchtool.core.seeds import generator
from benchtool.workflows import made_weights
from benchtool.workflows.metric_peers import CASES, Run, measure

SIZES = (0.5, 12.0, 24.0)  # megapixels
LIMITS = (0.05, 50.0)
ENOUGH = 15.0  # seconds: a variant that has run so long altogether is not run again
LONG = 60.0  # seconds: what takes so long is not called a second time, to have its memory given out before
PHOTOS = ("coffee", "astronaut", "chelsea")  # scikit-image's, enlarged; the rounds take them in turn
WARM_UP = 0.05  # megapixels
MEMORY = 16e9  # bytes of addresses a process may have, and no more than three quarters of the machine's


@dataclass(frozen=True)
class Row:
    """A row of the table: a metric at a size, and whether its peer stands beside it."""

    metric: str
    megapixels: float
    has_peer: bool

    @property
    def variants(self) -> list[tuple[str, bool]]:
        """(metric, whether the peer's) for each that runs."""
        return [(self.metric, peer) for peer in (False, True)[: 1 + self.has_peer]]


def parse_sizes(text: str) -> list[float]:
    """`0.5,12` as megapixels.

    Raises:
        UserError: no numbers, or not within LIMITS.
    """
    try:
        sizes = sorted({float(part) for part in text.split(",")})
    except ValueError:
        sizes = []
    low, high = LIMITS
    if not sizes or not all(low <= size <= high for size in sizes):
        raise UserError(f"--sizes {text}: give megapixels from {low:g} to {high:g}, such as 0.5,12,24")
    return sizes


def plan(sizes: Sequence[float]) -> list[Row]:
    """The rows for pictures of these megapixels."""
    rows = []
    for metric, case in CASES.items():
        for size in sorted({*case.also, *sizes}):
            if size <= case.up_to:
                rows.append(Row(metric, size, case.peer is not None and size <= case.peer.up_to))
    return rows


def bench_metrics(sizes: Sequence[float] = SIZES, repeats: int = 5) -> dict[str, Any]:
    """Measure every metric of CASES and its peer on made pictures of `sizes` megapixels.

    Returns:
        JSON-able: `rows` of figures; a side that failed has `missing`, why, in place of them; of `made_weights` there are no values.
    """
    rows = plan(sizes)
    lacking = made_weights.missing({name for row in rows for name in CASES[row.metric].files})
    figures: dict[tuple[str, float, bool], dict[str, Any]] = {}
    runs = sum(len(row.variants) for row in rows) * repeats
    with tempfile.TemporaryDirectory() as folder, progress("bench metrics", runs, "runs") as advance:
        made = _alone(made_weights.made, Path(folder), lacking) if lacking else {}
        prepare = functools.partial(_confine, Path(folder), made)
        warm_up = _save(Path(folder) / "warm-up.npy", _pair(PHOTOS[0], WARM_UP))
        for size in sorted({row.megapixels for row in rows}):
            pairs = [_save(Path(folder) / f"{photo}.npy", _pair(photo, size)) for photo in PHOTOS[:repeats]]
            variants = [variant for row in rows if row.megapixels == size for variant in row.variants]
            rounds = [pairs[k % len(pairs)] for k in range(repeats)]
            for (metric, peer), done in _interleaved(variants, warm_up, rounds, set(made), prepare, advance).items():
                figures[metric, size, peer] = done
    measured = [_row(row, figures, set(made)) for row in rows]
    return {"schema": 1, "bench": "metrics", "threads": 1, "repeats": repeats, "rows": measured, **provenance()}


def _row(row: Row, figures: dict[tuple[str, float, bool], dict[str, Any]], made: set[str]) -> dict[str, Any]:
    """A row's figures: each side's, median ratio of processor time, and (of published weights) largest difference of the values."""
    ours, case = figures[row.metric, row.megapixels, False], CASES[row.metric]
    result = {"metric": row.metric, "megapixels": row.megapixels, "ours": ours, "made_weights": sorted(made.intersection(case.files))}
    if case.why and row.megapixels == case.up_to:
        result["why_no_larger"] = case.why
    if not row.has_peer:
        return result
    theirs = figures[row.metric, row.megapixels, True]
    result |= {"peer": case.peer.title, "theirs": theirs}
    if "runs" in ours and "runs" in theirs:
        pairs = list(zip(ours["runs"], theirs["runs"]))  # one of them may have stopped sooner
        result["times_faster"] = statistics.median(b["cpu_seconds"] / a["cpu_seconds"] for a, b in pairs)
        if not result["made_weights"]:
            result["largest_difference"] = max(abs(a["value"] - b["value"]) for a, b in pairs)
    return result


def _interleaved(
    variants: Sequence[tuple[str, bool]],
    warm_up: Path,
    rounds: Sequence[Path],
    made: set[str],
    prepare: Callable[[], None],
    advance: Callable[..., None],
) -> dict[tuple[str, bool], dict[str, Any]]:
    """Each variant's figures from rounds through all of them.

    Times are of a warm process: before come a small call (imports, tables) and one like the others, which only tells the memory taken.
    There a process gets memory the system has not given out before, which can cost far more time than the work.
    """
    first: dict[tuple[str, bool], Run] = {}
    runs: dict[tuple[str, bool], list[Run]] = {variant: [] for variant in variants}
    missing: dict[tuple[str, bool], str] = {}
    with _processes(variants, prepare) as pools:
        for number, pictures in enumerate(rounds):
            for variant in variants:
                metric, peer = variant
                advance(note=f"{metric}{', peer' if peer else ''}")
                call = functools.partial(pools[variant].submit, measure, metric, peer, made=bool(made.intersection(CASES[metric].files)))
                if variant in missing or sum(run.seconds * run.calls for run in runs[variant]) > ENOUGH:
                    continue
                try:
                    if number == 0:
                        call(warm_up).result()
                        first[variant] = call(pictures).result()
                    again = number or first[variant].seconds < LONG
                    runs[variant].append(call(pictures).result() if again else first[variant])
                except BrokenProcessPool:
                    missing[variant] = "its process ended; out of memory?"
                except Exception as error:  # a peer may raise whatever it likes: it costs its own figures
                    missing[variant] = reason(error)
    measured = {variant: _figures(first[variant], runs[variant]) for variant in variants if variant not in missing}
    return measured | {variant: {"missing": why} for variant, why in missing.items()}


def _figures(first: Run, runs: list[Run]) -> dict[str, Any]:
    return {
        "median_cpu_s": statistics.median(run.cpu_seconds for run in runs),
        "median_s": statistics.median(run.seconds for run in runs),
        "extra_mb": None if first.extra_bytes is None else first.extra_bytes / 1e6,
        "runs": [asdict(run) for run in runs],
    }


@contextlib.contextmanager
def _processes(variants: Sequence[tuple[str, bool]], prepare: Callable[[], None]) -> Iterator[dict[tuple[str, bool], ProcessPoolExecutor]]:
    """A process for each variant, of one thread, which begins with `prepare`."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the spawned processes as they start
    context = multiprocessing.get_context("spawn")
    pools = {variant: ProcessPoolExecutor(1, context, prepare) for variant in variants}
    try:
        yield pools
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _alone(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns, from a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def _confine(folder: Path, made: dict[str, Path]) -> None:
    """Begin a process: the made weights are its own, and it cannot take more memory than there is."""
    made_weights.use(folder, made)
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (int(min(MEMORY, 0.75 * machine)), hard))


def _pair(photo: str, megapixels: float) -> np.ndarray:
    """[2, H, W, 3] uint8: a brightened photograph and the photograph, both with the noise of a camera (so that no region is flat)."""
    import cv2
    from skimage import data

    width = round(math.sqrt(megapixels * 1e6 * 1.5))
    size = (width, round(width / 1.5))
    noise = generator("bench metrics", photo, megapixels)
    clean = cv2.resize(getattr(data, photo)(), size, interpolation=cv2.INTER_CUBIC)
    target = clean + 3 * noise.standard_normal(clean.shape, np.float32)
    target = target.clip(0, 255).round()
    output = 255 * (target / 255) ** np.float32(0.8) + 2 * noise.standard_normal(clean.shape, np.float32)
    return np.stack([output.clip(0, 255).round(), target]).astype(np.uint8)


def _save(path: Path, pictures: np.ndarray) -> Path:
    np.save(path, pictures)
    return path
