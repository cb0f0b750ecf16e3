"""A method on a split, under a protocol: predictions, then scores, then the run's summary. Re-runnable at every point.

ENC's protocol is Sec. 4.1 of the paper (`protocols/enc.yaml`). Predicting is done here, one sample after another; scoring by
processes that never import torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchtool import methods
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import clear_temporary
from benchtool.core.manifest import Sample, open_dataset
from benchtool.core.pool import Failure, reason, run_batch
from benchtool.core.provenance import now
from benchtool.evaluation import runtime
from benchtool.evaluation import summary as summaries
from benchtool.evaluation.plan import Evaluation, prepare
from benchtool.evaluation.predict import pick_device
from benchtool.evaluation.results import new_entry, results, rows_of, rows_of_others
from benchtool.evaluation.score import SOURCE, Comparison, Measured, Reference, Task, compare
from benchtool.evaluation.scores import Key


@dataclass(frozen=True)
class Outcome:
    """What an evaluation did.

    Attributes:
        folder: the run's.
        entry: its entry in `summary.json`.
        predicted, scored: how many samples this call predicted, and scored; the others were done already.
        failures: samples without a prediction, scores that failed, and a run time that could not be measured.
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
    timed: bool = False,
    roots: Mapping[str, str | Path] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Evaluate a method, or a run's checkpoint, on a split of the dataset in `data`.

    Args:
        metric_keys: instead of the protocol's metrics.
        target: role of the target, or several joined by `+`, instead of the protocol's for this dataset.
        out: folder of the results; default is the run's own, `runs/NAME` for a method without weights.
        keep: how many predictions stay on the disk, evenly spaced by name; all where None.
        timed: measure the run time too, also where the protocol has none.
        options: of a method without weights.

    Raises:
        UserError: something named is unknown, or does not fit the rest. Bad samples are failures of the outcome instead.
    """
    loaded = methods.load(source, checkpoint, **(options or {}))
    run = Path(out or loaded.run or Path("runs") / loaded.name)
    where = pick_device(device)
    this = prepare(run, loaded, open_dataset(data, roots), split, protocol, metric_keys, target)
    summary = summaries.open_summary(run, loaded)
    entry = new_entry(this)
    _not_entangled(run, summary, entry)
    if not any(summaries.same(e, entry) and not summaries.outdated(e, entry) for e in summary["evaluations"]):
        summaries.put(run, summary, entry)  # says that it has begun, should it be interrupted
    kept = _evenly(this.samples, keep)
    predicted = _predict(this, kept, where)
    scored = _score(this, jobs)
    entry |= _time(this, summary, entry, where, this.protocol.runtime or (runtime.SIZE if timed else None))
    rows = rows_of(this, entry)
    this.known.write([*rows_of_others(this, summary, entry), *rows])
    summaries.put(run, summary, entry | results(this, rows) | {"finished": now(), "complete": True})
    for sample in this.samples:
        if sample.sample not in kept:
            this.predictions.path(sample).unlink(missing_ok=True)
    return Outcome(run, summary["evaluations"][-1], predicted, scored, _failures(this))


def _not_entangled(run: Path, summary: Mapping[str, Any], entry: summaries.Entry) -> None:
    """UserError where `scores.parquet` could not tell the rows of two evaluations apart."""
    for other in summary["evaluations"]:
        if summaries.entangled(other, entry) and not summaries.outdated(other, entry):
            here = f"an evaluation by protocol {other['protocol']} against {other['target']}"
            raise UserError(f"{run}: holds {here}; one against {entry['target']} shares targets with it: give another folder with --out")


def _evenly(samples: Sequence[Sample], keep: int | None) -> set[str]:
    """The names of `keep` samples, evenly spaced."""
    names = sorted(sample.sample for sample in samples)
    if keep is None or keep >= len(names):
        return set(names)
    return {names[k * len(names) // keep] for k in range(keep)}


def _predict(this: Evaluation, kept: set[str], where: torch.device) -> int:
    """Make the predictions that are missing and needed; returns how many were made."""
    predictions = this.predictions
    clear_temporary(predictions.folder)
    needed = [s for s in this.samples if predictions.sha256(s) is None or s.sample in kept or this.missing(s)]
    due = [sample for sample in needed if not predictions.intact(sample)]
    failures = predictions.make(due, where) if due else []
    this.unpredicted = {failure.item: failure.reason for failure in failures}
    return len(due) - len(failures)


def _score(this: Evaluation, jobs: int | None) -> int:
    """Compute the scores that are missing; returns for how many samples."""
    due = {s.sample: (s, missing) for s in this.samples if s.sample not in this.unpredicted and (missing := this.missing(s))}

    def keep(name: str, measured: Mapping[Task, Measured]) -> None:
        scores = {key: measured[task] for key, task in due[name][1].items()}
        this.known.add(scores)
        this.failed |= {(name, key): score for key, score in scores.items() if score.status == "failed"}

    if due:
        items = [(name, _comparison(this, sample, missing)) for name, (sample, missing) in due.items()]
        for failure in run_batch(compare, items, keep, label="score", jobs=jobs, unit="img"):
            for key in due[failure.item][1]:
                this.failed[failure.item, key] = Measured("failed", reason=failure.reason)
    return len(due)


def _comparison(this: Evaluation, sample: Sample, missing: Mapping[Key, Task]) -> Comparison:
    references, plugins = {}, set()
    for key, task in missing.items():
        plugins.add((catalog.entry("metrics", key.metric).origin or {}).get("path"))
        if task.role:
            image = sample.target(task.role)
            references[task.role] = Reference(this.dataset.path(image), image.sha256, sample.encoding_target)
        if key.source_sha256:
            image = sample.inputs[0]
            references[SOURCE] = Reference(this.dataset.path(image), image.sha256, sample.encoding_in)
    tasks, files = tuple(missing.values()), tuple(sorted(plugins - {None}))
    return Comparison(this.predictions.path(sample), references, tasks, this.linear, this.protocol.resize, files)


def _time(
    this: Evaluation, summary: Mapping[str, Any], entry: summaries.Entry, where: torch.device, size: tuple[int, int] | None
) -> summaries.Entry:
    """The entry's `runtime`: an earlier one of the same weights stands, unless it is of another size or another processor."""
    known = (e for e in summary["evaluations"] if summaries.same(e, entry) and not summaries.outdated(e, entry))
    earlier = next((e["runtime"] for e in known if "runtime" in e), None)
    if size is None:
        return {"runtime": earlier} if earlier else {}
    wanted = {"size": list(size), "device": runtime.device_name(where), "version": runtime.VERSION}
    if earlier and all(earlier.get(name) == value for name, value in wanted.items()):
        return {"runtime": earlier}
    try:
        return {"runtime": runtime.measure(this.loaded, where, size)}
    except Exception as error:  # a method may raise whatever it likes: it costs its run time, not its scores
        this.untimed = reason(error)
        return {}


def _failures(this: Evaluation) -> list[Failure]:
    predictions = [Failure(name, why) for name, why in this.unpredicted.items()]
    scores = ((f"{name}, {key.metric}:{key.variant}", measured) for (name, key), measured in this.failed.items())
    untimed = [Failure("run time", this.untimed)] if this.untimed else []
    return [*predictions, *(Failure(what, measured.reason or "") for what, measured in scores), *untimed]
