"""Validation during training: the mean of a metric over a split, by the very code that `evaluate` predicts and scores with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset
from benchtool.evaluation.means import group_means
from benchtool.evaluation.predict import predict
from benchtool.evaluation.samples import eight_bit, read_inputs, read_target
from benchtool.methods.base import Method


@dataclass
class Validation:
    """A metric over a split.

    Attributes:
        value: mean over the samples (`means.mean`).
        groups: the same for each exposure group that has samples.
        scores: sample -> its value.
    """

    value: float
    groups: dict[str, float]
    scores: dict[str, float]


def validate(
    method: Method,
    dataset: Dataset,
    split: str,
    *,
    metric: str = "psnr:rgb-u8",
    target: str | None = None,
    exposures: Sequence[float | str] | None = None,
    device: str | torch.device = "cpu",
) -> Validation:
    """Measure `method` on a split; its training mode is put back afterwards. By a metric of linear images, outputs stay float32.

    Args:
        target: role of the target; the dataset's default where None.
        exposures: only samples of these EVs or subsets; all where None.

    Raises:
        UserError: no sample is left, an image is missing, or the metric is not defined for one.
    """
    measure = metrics.find(metric)
    role = target or dataset.facts.default_target
    chosen = [s for s in dataset.split(split) if exposures is None or s.shown_at(exposures)]
    if not chosen:
        named = ", ".join(one if isinstance(one, str) else f"{one:g} EV" for one in exposures)
        raise UserError(f"{dataset.folder}: no {split} sample has an exposure of {named}")
    training = method.training
    method.eval()
    try:
        scores = {}
        for sample in chosen:
            inputs = read_inputs(dataset, sample)
            output = predict(method, inputs, [i.ev for i in sample.inputs], device, None if measure.spec.linear else 255)
            aim = read_target(dataset, sample, role, measure.spec.linear) if measure.needs("target") else None
            scores[sample.sample] = measure.score(output, aim, eight_bit(inputs[0]) if measure.needs("source") else None).value
    finally:
        method.train(training)
    means = group_means(dataset, chosen, scores)
    return Validation(means.pop("all"), means, scores)
