"""What an evaluation is: a method, a split, metrics and a target that fit together, and what is known of each score so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.protocol import Protocol, load_protocol
from benchtool.evaluation.predictions import Predictions
from benchtool.evaluation.score import Measured
from benchtool.evaluation.scores import Key, KnownScores
from benchtool.methods import Loaded
from benchtool.metrics import Metric


@dataclass
class Evaluation:
    """One evaluation.

    Attributes:
        run: folder of the results.
        target: role of the image outputs are compared with.
        unpredicted: sample -> why it has no prediction.
        failed: (sample, metric key) -> a score that could not be computed.
    """

    run: Path
    loaded: Loaded
    dataset: Dataset
    split: str
    protocol_name: str
    protocol: Protocol
    target: str
    metrics: list[Metric]
    samples: list[Sample]
    predictions: Predictions
    known: KnownScores
    unpredicted: dict[str, str] = field(default_factory=dict)
    failed: dict[tuple[str, str], Measured] = field(default_factory=dict)

    def references(self, sample: Sample, metric: Metric) -> dict[str, Image | None]:
        """`target`, `source` -> the image this metric compares with; None where the sample has none, or no single one."""
        images = {"target": sample.target(self.target), "source": sample.inputs[0] if len(sample.inputs) == 1 else None}
        return {role: images[role] for role in metric.spec.needs}

    def key(self, sample: Sample, metric: Metric) -> Key | None:
        """What this score depends on; None where there is no prediction, or nothing to compare it with."""
        sha256, images = self.predictions.sha256(sample), self.references(sample, metric)
        if sha256 is None or None in images.values():
            return None
        hashes = (images[role].sha256 if role in images else None for role in ("target", "source"))
        return Key(metric.name, metric.variant, metric.spec.version, sha256, *hashes)

    def missing(self, sample: Sample) -> list[Metric]:
        """The metrics that this sample's prediction has still to be scored by."""
        return [m for m in self.metrics if (key := self.key(sample, m)) is not None and key not in self.known.scores]

    def measured(self, sample: Sample, metric: Metric) -> Measured:
        """What came of a score, once everything has been tried."""
        if sample.sample in self.unpredicted:
            return Measured("failed", reason=self.unpredicted[sample.sample])
        images = self.references(sample, metric)
        if "target" in images and images["target"] is None:
            return Measured("n/a", reason=f"the sample has no target {self.target}")
        if "source" in images and images["source"] is None:
            return Measured("n/a", reason=f"the sample has {len(sample.inputs)} inputs, none of which is the source")
        return self.known.scores.get(self.key(sample, metric)) or self.failed[sample.sample, metric.key]


def prepare(
    run: Path, loaded: Loaded, dataset: Dataset, split: str, protocol_name: str, metric_keys: Sequence[str], target: str | None
) -> Evaluation:
    """Check that everything named exists and fits together.

    Args:
        metric_keys: instead of the protocol's metrics, where given.
        target: instead of the protocol's, or the dataset's default, where given.

    Raises:
        UserError: unknown names, no sample with such a target, a method that takes other inputs.
    """
    protocol = load_protocol(protocol_name)
    chosen = [metrics.find(key) for key in dict.fromkeys(metric_keys or (*protocol.metrics, *protocol.extra))]
    samples = dataset.split(split)
    role = target or protocol.targets.get(dataset.facts.name) or dataset.facts.default_target
    roles = sorted({image.role for sample in samples for image in sample.targets})
    if role not in roles and any(metric.needs("target") for metric in chosen):
        raise UserError(f"{dataset.folder}: no {split} sample has the target '{role}'; there are: {', '.join(roles) or 'none'}")
    spec, first = loaded.spec, samples[0]
    if len(first.inputs) != spec.inputs or first.encoding_in[:4] != spec.input[:4]:
        has = f"{dataset.facts.name} has {len(first.inputs)} of {first.encoding_in}"
        raise UserError(f"{loaded.name} takes {spec.inputs} image(s) of {spec.input}; {has}")
    if not spec.output.startswith("srgb") or not first.encoding_target.startswith("srgb"):
        has = f"{dataset.facts.name}'s targets are {first.encoding_target}"
        raise UserError(f"{loaded.name} makes {spec.output} images, {has}: only sRGB is scored")
    predictions, known = Predictions(run, loaded, dataset, split), KnownScores(run)
    return Evaluation(run, loaded, dataset, split, protocol_name, protocol, role, chosen, samples, predictions, known)
