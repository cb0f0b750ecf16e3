"""Measuring one prediction: what a scoring process does. Imports no torch, so that a process is small and starts at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.core.pool import reason
from benchtool.evaluation.samples import eight_bit, read_checked


@dataclass(frozen=True)
class Measured:
    """What came of one metric on one sample.

    Attributes:
        status: `ok`, `n/a` (the metric is not defined for this sample) or `failed`.
        value: may be infinite; None unless `ok`.
        reason: why not `ok`.
        facts: what explains the value.
    """

    status: str
    value: float | None = None
    reason: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """One prediction and what it is compared with.

    Attributes:
        prediction: the image file.
        references: `target`, `source` -> (file, its SHA-256), as far as the metrics need them.
        metrics: keys such as `ssim:rgb-gauss`.
        plugins: files of third-party metrics among them.
    """

    prediction: Path
    references: Mapping[str, tuple[Path, str]]
    metrics: tuple[str, ...]
    plugins: tuple[str, ...] = ()


def compare(comparison: Comparison) -> dict[str, Measured]:
    """Measure every metric; a reference that cannot be read fails the metrics that need it, and no others.

    Raises:
        UserError: the prediction cannot be read.
    """
    for plugin in comparison.plugins:
        catalog.add_plugin(plugin)
    output = read_image(comparison.prediction)
    read: dict[str, np.ndarray | UserError] = {}
    for role, (path, sha256) in comparison.references.items():
        try:
            read[role] = eight_bit(read_checked(path, sha256))
        except UserError as error:
            read[role] = error
    return {key: score_images(metrics.find(key), read | {"output": output}) for key in comparison.metrics}


def score_images(metric: metrics.Metric, images: Mapping[str, np.ndarray | UserError]) -> Measured:
    """Score `output` against those of `target` and `source` that the metric needs.

    An image that could not be read is its error: the score is then failed, as it is where the metric breaks or gives NaN;
    where the metric is not defined for these images it is n/a. All with the reason.
    """
    for role in ("output", *metric.spec.needs):
        if isinstance(images[role], UserError):
            return Measured("failed", reason=reason(images[role]))
    try:
        score = metric.score(images["output"], *(images[role] if metric.needs(role) else None for role in ("target", "source")))
    except UserError as error:
        return Measured("n/a", reason=reason(error))
    except Exception as error:  # a metric may come from a third party: whatever it raises is this score's failure, not the others'
        return Measured("failed", reason=reason(error))
    if math.isnan(score.value):
        return Measured("failed", reason=f"{metric.key} is not a number", facts=score.facts)
    return Measured("ok", float(score.value), facts=score.facts)
