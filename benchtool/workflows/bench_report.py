"""How long a table takes: made-up scores of ME's test set by eleven methods and four metrics, read, filled with intervals, printed."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchtool.core.files import write_json
from benchtool.core.seeds import generator
from benchtool.evaluation.scores import SCHEMA, TEXT
from benchtool.papers.load import Library, load
from benchtool.papers.model import Metric, Row, Table

METHODS = 11
SCENES = 1_181
EVS = (-1.5, -1.0, 0.0, 1.0, 1.5)
METRICS = ("psnr:rgb-u8", "ssim:gray-uniform7", "ssim:rgb-gauss", "loe:full")


def bench_report(repeats: int) -> dict[str, Any]:
    """Time reading, filling and printing, `repeats` times, in one process.

    Returns:
        `images`, `cells`, and seconds (median) of the clock and of the processor for `read`, `fill` and `render`.
    """
    from benchtool.report import terminal
    from benchtool.report.fill import fill
    from benchtool.report.frame import read_results

    library, table = load("enc"), _table()
    taken: dict[str, list[tuple[float, float]]] = {"read": [], "fill": [], "render": []}

    def timed(step: str, work: Any, *arguments: Any) -> Any:
        begun = time.perf_counter(), time.process_time()
        value = work(*arguments)
        taken[step].append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        return value

    with tempfile.TemporaryDirectory(prefix="benchtool-report-") as folder:
        for number in range(METHODS):
            write_run(Path(folder) / f"method-{number}", number)
        for _ in range(repeats):
            results = timed("read", read_results, [Path(folder)])
            report = timed("fill", fill, Library(library.paper, {}, ()), table, results)
            timed("render", terminal.render, report)
    medians = {step: [float(np.median(part)) for part in zip(*values)] for step, values in taken.items()}
    return {
        "methods": METHODS, "images": SCENES * len(EVS), "metrics": len(METRICS), "cells": sum(len(line.cells) for line in report.lines),
        "steps": {step: {"seconds": wall, "cpu_seconds": cpu} for step, (wall, cpu) in medians.items()},
    }  # fmt: skip


def _table() -> Table:
    """ENC's first table with four metrics, rows of methods that do not exist."""
    first = load("enc").table("1")
    panel = dataclasses.replace(first.panels[0], metrics=tuple(Metric(key, key, key, 2) for key in METRICS))
    rows = tuple(Row(f"method {number}", f"method-{number}", unlike="") for number in range(METHODS))
    return dataclasses.replace(first, panels=(panel,), rows=rows, parameters=None)


def write_run(folder: Path, number: int) -> None:
    """A run folder of made-up scores: scenes differ, exposures of a scene less, methods by a hundredth."""
    random = generator("bench report", number)
    scenes = np.repeat(np.arange(SCENES), len(EVS))
    names = [f"a{scene:04}" for scene in scenes]
    count = len(scenes) * len(METRICS)
    values = generator("scenes").normal(20, 2, SCENES)[scenes] + random.normal(0.01 * number, 0.5, len(scenes))
    facts = {
        "dataset": "me", "fingerprint": "f" * 64, "split": "test", "protocol": "enc", "checkpoint": None, "variant_of_data": "made",
        "run": folder.name, "method": folder.name, "expert": "expert_c", "status": "ok", "metric_version": "1", "facts": "{}",
    }  # fmt: skip
    columns: dict[str, Any] = {name: [facts.get(name)] * count for name in TEXT}
    columns |= {
        "scene": names * len(METRICS),
        "sample": [f"{name}_{ev}" for name, ev in zip(names, EVS * SCENES)] * len(METRICS),
        "exposure": np.tile(np.tile(EVS, SCENES), len(METRICS)),
        "metric": [key.partition(":")[0] for key in METRICS for _ in scenes],
        "variant": [key.partition(":")[2] for key in METRICS for _ in scenes],
        "value": np.tile(values, len(METRICS)),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / "scores.parquet")
    entry = {key: facts[key] for key in ("dataset", "fingerprint", "split", "protocol", "checkpoint")} | {
        "variant": "made", "protocol_sha256": "p" * 64, "target": "expert_c", "finished": "2026-01-01T00:00:00+00:00", "complete": True,
        "samples": len(scenes), "exposure_groups": {"under": [-1.5, -1.0], "over": [0.0, 1.0, 1.5]},
    }  # fmt: skip
    write_json(
        folder / "summary.json", json.loads(json.dumps({"schema": 1, "run": folder.name, "method": folder.name, "evaluations": [entry]}))
    )
