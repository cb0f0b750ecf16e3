"""How fast methods are: seconds, megapixels per second and memory of `enhance`, for every method of the catalog.

Each has a process of its own, so that its peak of memory is its own, and a method that ends its process costs no other's figures.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool.core import catalog
from benchtool.core.console import progress
from benchtool.core.errors import UserError
from benchtool.core.pool import Failure, reason
from benchtool.core.provenance import provenance
from benchtool.workflows.method_facts import resolve


@dataclass(frozen=True)
class Task:
    """What a process is told: a method, a recipe or a run, and how to time it."""

    source: str
    size: tuple[int, int]
    device: str
    repeats: int
    plugins: tuple[str, ...] = ()


def bench_inference(
    sources: Sequence[str], size: tuple[int, int], device: str = "auto", repeats: int = 5
) -> tuple[dict[str, Any], list[Failure]]:
    """Time methods, one after another.

    Args:
        sources: names of methods or recipes (networks of fresh weights: the time is the same), or runs; all methods where empty.
        size: (width, height) in pixels.

    Returns:
        JSON-able figures, a row a method, and the methods that failed.

    Raises:
        UserError: a name that does not exist, or no such device.
    """
    from benchtool.evaluation.predict import pick_device

    pick_device(device)  # said once here, and not by every method
    for source in sources:
        if not _is_run(source):
            resolve(source)
    chosen = list(dict.fromkeys(sources)) or catalog.names("methods")
    origins = (entry.origin or {} for entry in catalog.entries("methods").values())
    plugins = tuple(origin["path"] for origin in origins if "path" in origin)
    rows, failures = [], []
    with progress("bench inference", len(chosen), "methods") as advance:
        for source in chosen:
            try:
                rows.append(_alone(Task(source, size, device, repeats, plugins)))
            except BrokenProcessPool:
                failures.append(Failure(source, "its process ended; out of memory?"))
            except Exception as error:  # a method may raise whatever it likes: it costs its own figures
                failures.append(Failure(source, reason(error)))
            advance(note=source)
    failed = [{"source": failure.item, "reason": failure.reason} for failure in failures]
    return {"schema": 1, "bench": "inference", "methods": rows, "failures": failed, **provenance()}, failures


def _is_run(source: str) -> bool:
    return (Path(source) / "recipe.resolved.yaml").is_file()


def _alone(task: Task) -> dict[str, Any]:
    """`time_method` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(time_method, task).result()


def time_method(task: Task) -> dict[str, Any]:
    """A method's row: its figures, and how much memory its process, or the GPU, held at most. Called in the method's own process."""
    import torch

    from benchtool import methods
    from benchtool.evaluation.predict import pick_device
    from benchtool.evaluation.runtime import measure
    from benchtool.methods.base import count_parameters

    for plugin in task.plugins:
        catalog.add_plugin(plugin)
    device = pick_device(task.device)
    loaded = methods.load(task.source) if _is_run(task.source) else _untrained(task.source)
    before = _resident_mib()
    figures = measure(loaded, device, task.size, task.repeats)
    on_gpu = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated(device) / 2**20 if on_gpu else _resident_mib()
    width, height = task.size
    return {
        "source": task.source,
        "method": loaded.name,
        "weights": "trained" if loaded.run else "untrained" if loaded.spec.players else "none",
        "parameters": count_parameters(loaded.method),
        **figures,
        "megapixels_per_second": width * height / 1e6 / figures["seconds"],
        "peak_mib": round(peak, 1),
        "before_mib": 0.0 if on_gpu else round(before, 1),
    }


def _untrained(source: str) -> Any:
    """A method or a recipe's network as it is built, ready to enhance."""
    from benchtool import methods

    name = resolve(source)
    return methods.Loaded(methods.create(source).eval(), catalog.facts("methods", name), name)


def _resident_mib() -> float:
    """The most memory this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parse_size(text: str) -> tuple[int, int]:
    """`1280x720` as (width, height).

    Raises:
        UserError: anything else.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 2 and int(height) >= 2):
        raise UserError(f"--size {text}: give WIDTHxHEIGHT in pixels, such as 1280x720")
    return int(width), int(height)


WEIGHTS = {"trained": "", "untrained": "untrained weights", "none": "no weights"}


def table(result: dict[str, Any]) -> list[str]:
    """The figures as lines for a terminal."""
    rows = result["methods"]
    if not rows:
        return []
    first = rows[0]
    width, height = first["size"]
    wide = max(len(row["source"]) for row in rows)
    lines = [
        f"enhance alone, one {width} x {height} picture, median of {first['repeats']}; {first['device']}, {first['threads']} CPU threads, "
        f"torch {first['torch']}",
        "Untrained weights take the time of trained ones. Memory: what the process (on a GPU: the device) held at most, and before.",
        f"{'':{wide}} {'parameters':>12} {'seconds':>9} {'shortest':>9} {'longest':>9} {'MP/s':>10} {'peak MiB':>9} {'before':>7}",
    ]
    for row in rows:
        low, high = row["spread"]
        lines.append(
            f"{row['source']:{wide}} {row['parameters']:12,} {row['seconds']:9.4f} {low:9.4f} {high:9.4f} "
            f"{row['megapixels_per_second']:10,.2f} {row['peak_mib']:9.0f} {row['before_mib']:7.0f}  {WEIGHTS[row['weights']]}".rstrip()
        )
    return lines
