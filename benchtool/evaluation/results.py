"""What an evaluation leaves: its entry in the run's summary, its rows of `scores.parquet`, and the means of both."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchtool.core.manifest import Sample
from benchtool.core.protocol import LIMIT
from benchtool.core.provenance import now
from benchtool.evaluation import summary as summaries
from benchtool.evaluation.means import group_means
from benchtool.evaluation.plan import Evaluation
from benchtool.evaluation.score import SOURCE
from benchtool.evaluation.scores import Row
from benchtool.metrics import Metric

Means = dict[str, float | None]  # group -> mean; None where it is infinite, which JSON has not


def new_entry(this: Evaluation) -> summaries.Entry:
    """What is evaluated, as the summary says it; not complete yet."""
    facts = this.dataset.facts
    return {
        "dataset": facts.name, "variant": facts.variant, "fingerprint": facts.fingerprint, "split": this.split,
        "protocol": this.protocol_name, "protocol_sha256": this.protocol.sha256,
        "checkpoint": this.loaded.checkpoint, "weights_sha256": this.loaded.weights_sha256,
        "target": "+".join(this.roles), "predictions": this.predictions.folder.relative_to(this.run).as_posix(),
        "finished": now(), "complete": False,
        "samples": len(this.samples), "failures": 0, "scenes": len({s.scene for s in this.samples}),
        "exposure_groups": facts.exposure_groups, "metrics": [metric.key for metric in this.metrics], "means": {}, "excluded": {},
    }  # fmt: skip


def rows_of(this: Evaluation, entry: summaries.Entry) -> list[Row]:
    """The evaluation's rows: every sample by every metric against every target (what looks at none: the same in each), and those
    by other metrics, from earlier, of the same predictions.
    """
    rows = [_row(this, entry, sample, metric, role) for metric in this.metrics for role in this.roles for sample in this.samples]
    current = {sample.sample: this.predictions.sha256(sample) for sample in this.samples}
    earlier: dict[str, list[Row]] = {}
    for row in this.known.rows:
        if summaries.has_row(entry, row) and (key := f"{row['metric']}:{row['variant']}") not in entry["metrics"]:
            earlier.setdefault(key, []).append(row)
    for of_metric in earlier.values():
        if {row["sample"]: row["prediction_sha256"] for row in of_metric} == current:
            rows += of_metric
    return rows


def _row(this: Evaluation, entry: summaries.Entry, sample: Sample, metric: Metric, role: str) -> Row:
    measured, images = this.measured(sample, metric, role), this.references(sample, metric, role)
    return {
        "run": this.run.resolve().name, "method": this.loaded.name, "recipe": this.loaded.recipe, "variant_of_data": entry["variant"],
        **{key: entry[key] for key in summaries.KEY},
        "subset": sample.subset, "scene": sample.scene, "sample": sample.sample, "exposure": sample.exposure, "expert": role,
        "metric": metric.name, "variant": metric.variant, "metric_version": metric.spec.version,
        "value": measured.value, "status": measured.status, "reason": measured.reason, "facts": json.dumps(dict(measured.facts)),
        "prediction_sha256": this.predictions.sha256(sample),
        **{f"{name}_sha256": images[name].sha256 if images.get(name) else None for name in ("target", SOURCE)},
    }  # fmt: skip


def rows_of_others(this: Evaluation, summary: Mapping[str, Any], entry: summaries.Entry) -> list[Row]:
    """The rows of the run's other evaluations, as far as their weights are still the checkpoint's."""
    others = [e for e in summary["evaluations"] if not summaries.same(e, entry) and not summaries.outdated(e, entry)]
    return [row for row in this.known.rows if any(summaries.has_row(other, row) for other in others)]


def results(this: Evaluation, rows: Sequence[Row]) -> summaries.Entry:
    """The part of the entry that comes from the scores; `excluded` counts rows, so that an image counts once a target."""
    keys = list(dict.fromkeys(_key(row) for row in rows))
    experts: dict[str, dict[str, Means]] = {role: {} for role in this.roles}
    excluded = {}
    for key in keys:
        values, counts = _values(this, key, [row for row in rows if _key(row) == key])
        for role in this.roles:
            found = group_means(this.dataset, this.samples, values[role])
            experts[role][key] = {group: value if math.isfinite(value) else None for group, value in found.items()}
        if counts:
            excluded[key] = counts
    entry = {
        "metrics": keys,
        "means": {key: _over_experts([experts[role][key] for role in this.roles]) for key in keys},
        "excluded": excluded,
        "failures": len({row["sample"] for row in rows if row["status"] == "failed"}),
    }
    return entry | ({"experts": experts} if len(this.roles) > 1 else {})


def _key(row: Row) -> str:
    return f"{row['metric']}:{row['variant']}"


def _values(this: Evaluation, key: str, rows: Sequence[Row]) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Role -> sample -> value, of those that means are made of; and how many are not, by why."""
    values: dict[str, dict[str, float]] = {role: {} for role in this.roles}
    counts = {"failed": 0, "n/a": 0, "infinite": 0, f"above {LIMIT:g} dB": 0}
    limit = this.protocol.ceiling(key)
    for row in rows:
        if row["status"] != "ok":
            counts[row["status"]] += 1
        elif limit < row["value"] < math.inf:
            counts[f"above {LIMIT:g} dB"] += 1
        else:
            counts["infinite"] += math.isinf(row["value"])
            values[row["expert"]][row["sample"]] = row["value"]
    return values, {why: count for why, count in counts.items() if count}


def _over_experts(means: Sequence[Means]) -> Means:
    """The mean of the targets' means, each counting once, of the groups that every target has one for."""
    groups = [group for group in means[0] if all(group in of_role for of_role in means)]
    return {g: None if (found := [m[g] for m in means]).count(None) else math.fsum(found) / len(found) for g in groups}
