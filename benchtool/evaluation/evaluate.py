"""A method on a split, under a protocol: predictions, then scores, then the run's summary. Re-runnable at every point.

ENC's protocol is Sec. 4.1 of the paper (`protocols/enc.yaml`). Predicting is done here, one sample after another; scoring by
processes that never import torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool import methods
from benchtool.core import catalog
from benchtool.core.files import clear_temporary
from benchtool.core.manifest import Sample, open_dataset
from benchtool.core.pool import Failure, run_batch
from benchtool.core.provenance import now
from benchtool.evaluation import summary as summaries
from benchtool.evaluation.means import group_means
from benchtool.evaluation.plan import Evaluation, prepare
from benchtool.evaluation.predict import pick_device
from benchtool.evaluation.score import Comparison, Measured, compare
from benchtool.evaluation.scores import Row
from benchtool.metrics import Metric


@dataclass(frozen=True)
class Outcome:
    """What an evaluation did.

    Attributes:
        folder: the run's.
        entry: its entry in `summary.json`.
        predicted, scored: how many samples this call predicted, and scored; the others were done already.
        failures: samples without a prediction, and scores that failed.
    """

    folder: Path
    entry: dict[str, Any]
    predicted: int
    scored: int
    failures: list[Failure]


def evaluate(
    source: str,
    data: Path,
    *,
    split: str = "test",
    protocol: str = "enc",
    metric_keys: Sequence[str] = (),
    target: str | None = None,
    out: Path | None = None,
    checkpoint: str | None = None,
    keep: int | None = None,
    device: str = "auto",
    jobs: int | None = None,
    roots: Mapping[str, str | Path] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Evaluate a method, or a run's checkpoint, on a split of the dataset in `data`.

    Args:
        metric_keys: instead of the protocol's metrics.
        target: role of the target, instead of the protocol's for this dataset.
        out: folder of the results; default is the run's own, `runs/NAME` for a method without weights.
        keep: how many predictions stay on the disk, evenly spaced by name; all where None.
        options: of a method without weights.

    Raises:
        UserError: something named is unknown, or does not fit the rest. Bad samples are failures of the outcome instead.
    """
    loaded = methods.load(source, checkpoint, **(options or {}))
    run = Path(out or loaded.run or Path("runs") / loaded.name)
    this = prepare(run, loaded, open_dataset(data, roots), split, protocol, metric_keys, target)
    summary = summaries.open_summary(run, loaded)
    entry = _entry(this)
    if not any(summaries.same(e, entry) and not summaries.outdated(e, entry) for e in summary["evaluations"]):
        summaries.put(run, summary, entry)  # says that it has begun, should it be interrupted
    kept = _evenly(this.samples, keep)
    predicted = _predict(this, kept, device)
    scored = _score(this, jobs)
    rows = _rows(this, entry)
    this.known.write([*_rows_of_others(this, summary, entry), *rows])
    summaries.put(run, summary, entry | _results(this, rows) | {"finished": now(), "complete": True})
    for sample in this.samples:
        if sample.sample not in kept:
            this.predictions.path(sample).unlink(missing_ok=True)
    return Outcome(run, summary["evaluations"][-1], predicted, scored, _failures(this))


def _evenly(samples: Sequence[Sample], keep: int | None) -> set[str]:
    """The names of `keep` samples, evenly spaced."""
    names = sorted(sample.sample for sample in samples)
    if keep is None or keep >= len(names):
        return set(names)
    return {names[k * len(names) // keep] for k in range(keep)}


def _predict(this: Evaluation, kept: set[str], device: str) -> int:
    """Make the predictions that are missing and needed; returns how many were made."""
    predictions, where = this.predictions, pick_device(device)
    clear_temporary(predictions.folder)
    needed = [s for s in this.samples if predictions.sha256(s) is None or s.sample in kept or this.missing(s)]
    due = [sample for sample in needed if not predictions.intact(sample)]
    failures = predictions.make(due, where) if due else []
    this.unpredicted = {failure.item: failure.reason for failure in failures}
    return len(due) - len(failures)


def _score(this: Evaluation, jobs: int | None) -> int:
    """Compute the scores that are missing; returns for how many samples."""
    due = {s.sample: (s, missing) for s in this.samples if s.sample not in this.unpredicted and (missing := this.missing(s))}

    def keep(name: str, measured: Mapping[str, Measured]) -> None:
        sample, missing = due[name]
        this.known.add({this.key(sample, metric): measured[metric.key] for metric in missing})
        this.failed |= {(name, key): score for key, score in measured.items() if score.status == "failed"}

    if due:
        items = [(name, _comparison(this, sample, missing)) for name, (sample, missing) in due.items()]
        for failure in run_batch(compare, items, keep, label="score", jobs=jobs, unit="img"):
            for metric in due[failure.item][1]:
                this.failed[failure.item, metric.key] = Measured("failed", reason=failure.reason)
    return len(due)


def _comparison(this: Evaluation, sample: Sample, missing: Sequence[Metric]) -> Comparison:
    images = {role: image for metric in missing for role, image in this.references(sample, metric).items()}
    references = {role: (this.dataset.path(image), image.sha256) for role, image in images.items()}
    origins = (catalog.entry("metrics", metric.name).origin or {} for metric in missing)
    plugins = tuple({origin["path"] for origin in origins if "path" in origin})
    return Comparison(this.predictions.path(sample), references, tuple(metric.key for metric in missing), plugins)


def _entry(this: Evaluation) -> summaries.Entry:
    """What is evaluated, as the summary says it; not complete yet."""
    facts = this.dataset.facts
    return {
        "dataset": facts.name, "variant": facts.variant, "fingerprint": facts.fingerprint, "split": this.split,
        "protocol": this.protocol_name, "protocol_sha256": this.protocol.sha256,
        "checkpoint": this.loaded.checkpoint, "weights_sha256": this.loaded.weights_sha256,
        "target": this.target, "finished": now(), "complete": False,
        "samples": len(this.samples), "failures": 0, "scenes": len({s.scene for s in this.samples}),
        "exposure_groups": facts.exposure_groups, "metrics": [metric.key for metric in this.metrics], "means": {}, "excluded": {},
    }  # fmt: skip


def _rows(this: Evaluation, entry: summaries.Entry) -> list[Row]:
    """The evaluation's rows: every sample by every metric, and those by other metrics, from earlier, of the same predictions."""
    rows = [_row(this, entry, sample, metric) for metric in this.metrics for sample in this.samples]
    current = {sample.sample: this.predictions.sha256(sample) for sample in this.samples}
    earlier: dict[str, list[Row]] = {}
    for row in this.known.rows:
        if summaries.has_row(entry, row) and (key := f"{row['metric']}:{row['variant']}") not in entry["metrics"]:
            earlier.setdefault(key, []).append(row)
    for of_metric in earlier.values():
        if {row["sample"]: row["prediction_sha256"] for row in of_metric} == current:
            rows += of_metric
    return rows


def _row(this: Evaluation, entry: summaries.Entry, sample: Sample, metric: Metric) -> Row:
    measured, images = this.measured(sample, metric), this.references(sample, metric)
    return {
        "run": this.run.resolve().name, "method": this.loaded.name, "recipe": this.loaded.recipe, "variant_of_data": entry["variant"],
        **{key: entry[key] for key in summaries.KEY},
        "subset": sample.subset, "scene": sample.scene, "sample": sample.sample, "exposure": sample.exposure, "expert": this.target,
        "metric": metric.name, "variant": metric.variant, "metric_version": metric.spec.version,
        "value": measured.value, "status": measured.status, "reason": measured.reason, "facts": json.dumps(dict(measured.facts)),
        "prediction_sha256": this.predictions.sha256(sample),
        **{f"{role}_sha256": images[role].sha256 if images.get(role) else None for role in ("target", "source")},
    }  # fmt: skip


def _rows_of_others(this: Evaluation, summary: Mapping[str, Any], entry: summaries.Entry) -> list[Row]:
    """The rows of the run's other evaluations, as far as their weights are still the checkpoint's."""
    others = [e for e in summary["evaluations"] if not summaries.same(e, entry) and not summaries.outdated(e, entry)]
    return [row for row in this.known.rows if any(summaries.has_row(other, row) for other in others)]


def _results(this: Evaluation, rows: Sequence[Row]) -> summaries.Entry:
    """The part of the entry that comes from the scores."""
    by_metric: dict[str, list[Row]] = {}
    for row in rows:
        by_metric.setdefault(f"{row['metric']}:{row['variant']}", []).append(row)
    means, excluded = {}, {}
    for key, of_metric in by_metric.items():
        values = {row["sample"]: row["value"] for row in of_metric if row["status"] == "ok"}
        found = group_means(this.dataset, this.samples, values)
        means[key] = {group: value if math.isfinite(value) else None for group, value in found.items()}  # JSON has no infinity
        counts = {status: sum(row["status"] == status for row in of_metric) for status in ("failed", "n/a")}
        counts["infinite"] = sum(math.isinf(value) for value in values.values())
        excluded[key] = {why: count for why, count in counts.items() if count}
    failures = len({row["sample"] for row in rows if row["status"] == "failed"})
    return {"metrics": list(by_metric), "means": means, "excluded": {k: v for k, v in excluded.items() if v}, "failures": failures}


def _failures(this: Evaluation) -> list[Failure]:
    predictions = [Failure(name, why) for name, why in this.unpredicted.items()]
    return predictions + [Failure(f"{name}, {key}", measured.reason or "") for (name, key), measured in this.failed.items()]
