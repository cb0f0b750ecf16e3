"""What an evaluation is: a method, a split, metrics and targets that fit together, and what is known of each score so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.images import MULTIPLE
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.protocol import Protocol, load_protocol, read_protocol
from benchtool.evaluation.predictions import Predictions, Seen
from benchtool.evaluation.reduced import SIDE
from benchtool.evaluation.samples import LINEAR, MULTIPLES, check_inputs
from benchtool.evaluation.score import SOURCE, Measured, Task
from benchtool.evaluation.scores import Key, KnownScores
from benchtool.methods import Loaded
from benchtool.metrics import Metric


@dataclass
class Evaluation:
    """One evaluation.

    Attributes:
        run: folder of the results.
        roles: those of the images outputs are compared with, each with each.
        unpredicted: sample -> why it has no prediction.
        failed: (sample, what the score depends on) -> a score that could not be computed.
        untimed: why its run time could not be measured, None where it was or need not be.
    """

    run: Path
    loaded: Loaded
    dataset: Dataset
    split: str
    protocol_name: str
    protocol: Protocol
    roles: tuple[str, ...]
    metrics: list[Metric]
    samples: list[Sample]
    predictions: Predictions
    known: KnownScores
    unpredicted: dict[str, str] = field(default_factory=dict)
    failed: dict[tuple[str, Key], Measured] = field(default_factory=dict)
    untimed: str | None = None

    @property
    def linear(self) -> bool:
        """Whether linear images are compared, or display images."""
        return self.protocol.quantise == "none-linear"

    def references(self, sample: Sample, metric: Metric, role: str) -> dict[str, Image | None]:
        """`target`, `source` -> the image this metric compares with; None where the sample has none, or no single one to look at."""
        single = len(sample.inputs) == 1 and (sample.encoding_in in LINEAR) == self.linear
        images = {"target": sample.target(role), SOURCE: sample.inputs[0] if single else None}
        return {name: images[name] for name in metric.spec.needs}

    def key(self, sample: Sample, metric: Metric, role: str) -> Key | None:
        """What this score depends on; None where there is no prediction, or nothing to compare it with."""
        sha256, images = self.predictions.sha256(sample), self.references(sample, metric, role)
        if sha256 is None or None in images.values():
            return None
        hashes = (images[name].sha256 if name in images else None for name in ("target", SOURCE))
        return Key(metric.name, metric.variant, metric.spec.version, sha256, *hashes)

    def missing(self, sample: Sample) -> dict[Key, Task]:
        """The scores that this sample's prediction still lacks; what does not look at targets is one score, however many there are."""
        found: dict[Key, Task] = {}
        for metric in self.metrics:
            for role in self.roles:
                key = self.key(sample, metric, role)
                if key is not None and self.known.get(key, self.protocol.resize) is None:
                    found.setdefault(key, Task(metric.key, role if metric.needs("target") else ""))
        return found

    def measured(self, sample: Sample, metric: Metric, role: str) -> Measured:
        """What came of a score, once everything has been tried."""
        if sample.sample in self.unpredicted:
            return Measured("failed", reason=self.unpredicted[sample.sample])
        images = self.references(sample, metric, role)
        if "target" in images and images["target"] is None:
            return Measured("n/a", reason=f"the sample has no target {role}")
        if SOURCE in images and images[SOURCE] is None:
            return Measured("n/a", reason=f"{len(sample.inputs)} inputs of {sample.encoding_in}: none of them is an image to compare with")
        key = self.key(sample, metric, role)
        return self.known.get(key, self.protocol.resize) or self.failed[sample.sample, key]


def prepare(
    run: Path, loaded: Loaded, dataset: Dataset, split: str, protocol_name: str, metric_keys: Sequence[str], target: str | None
) -> Evaluation:
    """Check that everything named exists and fits together.

    Args:
        metric_keys: instead of the protocol's metrics, where given.
        target: role, or several joined by `+`, instead of the protocol's or the dataset's default, where given.

    Raises:
        UserError: unknown names, no sample with such a target, a method that takes other inputs, images or metrics of another kind.
    """
    protocol = (read_protocol if metric_keys else load_protocol)(protocol_name)
    chosen = [metrics.find(key) for key in dict.fromkeys(metric_keys or (*protocol.metrics, *protocol.extra))]
    samples = dataset.split(split)
    named = tuple(dict.fromkeys(target.split("+"))) if target else protocol.roles(dataset.facts.name)
    roles = named or (dataset.facts.default_target,)
    there = sorted({image.role for sample in samples for image in sample.targets})
    if any(metric.needs("target") for metric in chosen):
        for role in roles:
            if role not in there:
                raise UserError(f"{dataset.folder}: no {split} sample has the target '{role}'; there are: {', '.join(there) or 'none'}")
    check_inputs(loaded.name, loaded.spec, samples[:1])  # of the others, each is a failure of its own
    _check_kind(loaded, samples[0], f"protocol {protocol_name}", protocol.quantise == "none-linear", chosen)
    predictions, known = Predictions(run, loaded, dataset, split, _seen(loaded, protocol_name, protocol.resize)), KnownScores(run)
    return Evaluation(run, loaded, dataset, split, protocol_name, protocol, roles, chosen, samples, predictions, known)


def _check_kind(loaded: Loaded, first: Sample, protocol: str, linear: bool, chosen: Sequence[Metric]) -> None:
    """UserError unless output, targets and metrics are all linear, or all of display images, as the protocol compares them."""
    kind = {True: "linear images", False: "display images of 8 bits"}
    made = {f"{loaded.name} makes": loaded.spec.output in LINEAR}
    if any(metric.needs("target") for metric in chosen):
        made["the dataset's targets are"] = first.encoding_target in LINEAR
    made |= {f"{metric.key} compares": metric.spec.linear for metric in chosen}
    for what, found in made.items():
        if found != linear:
            raise UserError(f"{protocol} compares {kind[linear]}, {what} {kind[found]}; choose a protocol and metrics of one kind")


def _seen(loaded: Loaded, protocol: str, resize: str) -> Seen | None:
    """The size that the method is to see images at, None for theirs; `inference-512` leaves alone what sees to that by itself."""
    spec, sizes = loaded.spec, {"inference-512": (SIDE, f"{SIDE} pixels"), MULTIPLES: (MULTIPLES, f"multiples of {MULTIPLE} pixels")}
    if resize not in sizes or (resize == "inference-512" and spec.inference is not None):
        return None
    seen, words = sizes[resize]
    if spec.inputs != 1 or spec.output_scale != 1 or spec.output in LINEAR:
        raise UserError(f"protocol {protocol} enhances at {words}, which is for one display image of one size; {loaded.name} is not")
    return seen
