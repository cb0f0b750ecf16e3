"""Run folders for the tests of reports: summary.json and scores.parquet as `train` and `evaluate` write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchtool.core import catalog, recipe_text

EXPOSURES = {"me": (-1.5, -1.0, 0.0, 1.0, 1.5), "me-v2": (-1.5, -1.0, 1.0, 1.5)}
GROUPS = {"me": {"under": [-1.5, -1.0], "over": [0.0, 1.0, 1.5]}, "me-v2": {"under": [-1.5, -1.0], "over": [1.0, 1.5]}}
TARGETS = {"me": "expert_c", "me-v2": "middle"}
METRICS = {"psnr:rgb-u8": (20.0, 2.0), "ssim:gray-uniform7": (0.8, 0.05)}
NUMBERS = ("value", "exposure")


def score_rows(dataset: str, scenes: int, seed: int = 0, **same: Any) -> list[dict[str, Any]]:
    """Rows of random scores, every exposure of every scene under both metrics of ENC's tables."""
    random = np.random.default_rng(seed)
    rows = []
    for metric, (mean, spread) in METRICS.items():
        name, variant = metric.split(":")
        for scene in range(scenes):
            level = random.normal(mean, spread)
            for ev in EXPOSURES[dataset]:
                sample = f"a{9000 + scene}_{ev}"
                value = float(level + random.normal(0, spread / 4))
                row = {"scene": f"a{9000 + scene}", "sample": sample, "exposure": ev, "metric": name, "variant": variant, "value": value}
                rows.append(
                    {**row, "subset": None, "expert": TARGETS[dataset], "status": "ok", "reason": None, "metric_version": "1", **same}
                )
    return rows


def made_with(recipe: str | None) -> dict[str, Any]:
    """The options that a recipe sets."""
    return recipe_text.options(recipe) if recipe in catalog.recipe_files() else {}


def write_run(
    folder: Path,
    method: str = "clahe",
    recipe: str | None = None,
    dataset: str = "me",
    scenes: int = 6,
    seed: int = 0,
    rows: Iterable[dict[str, Any]] | None = None,
    trained: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **entry: Any,
) -> list[dict[str, Any]]:
    """Make one run folder with one evaluation; returns the score rows it holds. `entry` overrides the evaluation's fields."""
    rows = score_rows(dataset, scenes, seed) if rows is None else list(rows)
    facts = {
        "dataset": dataset, "variant": "sample", "fingerprint": "f" * 64, "split": "test", "protocol": "enc", "protocol_sha256": "p" * 64,
        "checkpoint": "train.best" if recipe else None, "weights_sha256": "w" * 64 if recipe else None, "target": TARGETS.get(dataset),
        "finished": "2026-01-01T00:00:00+00:00", "complete": True, "samples": len({r["sample"] for r in rows}), "failures": 0,
        "scenes": len({r["scene"] for r in rows}), "exposure_groups": GROUPS.get(dataset, {}), "metrics": list(METRICS),
        "means": {}, **entry,
    }  # fmt: skip
    if recipe and trained is None:
        trained = {}
    if trained is not None:
        trained = {"dataset": dataset, "variant": facts["variant"], "stages": ["train"], "altered": {}, **trained}
        trained = {"steps": 30, "smoke": False, "seed": 0, **trained}
    summary = {
        "schema": 1, "run": folder.name, "method": method, "recipe": recipe, "options": made_with(recipe) if options is None else options,
        "parameters": 0,
        "trained": trained, "evaluations": [facts],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    joined = {key: facts[key] for key in ("dataset", "fingerprint", "split", "protocol", "checkpoint")}
    write_scores(folder / "scores.parquet", [{**joined, **row} for row in rows])
    return rows


def write_scores(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write score rows with the columns' types."""
    schema = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def expert_rows(dataset: str, scenes: int, roles: Iterable[str], seed: int = 0, **same: Any) -> list[dict[str, Any]]:
    """Rows of one evaluation against several targets: as `score_rows`, a row a sample, metric and role, others for each role."""
    return [{**row, "expert": role} for n, role in enumerate(roles) for row in score_rows(dataset, scenes, seed + n, **same)]


def run_time(seconds: float, device: str = "Wonder 9000") -> dict[str, Any]:
    """The `runtime` of an evaluation."""
    spread = [seconds * 0.9, seconds * 1.2]
    return {"seconds": seconds, "spread": spread, "size": [1280, 720], "device": device, "threads": 2, "repeats": 5, "version": "1"}
