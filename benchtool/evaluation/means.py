"""The means a paper's tables show: over all images, and over those of each exposure group. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from benchtool.core.manifest import Dataset, Sample


def mean(values: Iterable[float]) -> float:
    """The mean of the finite values (equal images' infinite PSNR is left out); infinity where there are only such, NaN of nothing."""
    values = list(values)
    finite = [v for v in values if math.isfinite(v)]
    return math.fsum(finite) / len(finite) if finite else max(values, default=math.nan)


def group_means(dataset: Dataset, samples: Iterable[Sample], scores: Mapping[str, float]) -> dict[str, float]:
    """`all`, then the dataset's exposure groups: the mean over those of `samples` that have a score (by sample name)."""
    members: dict[str, list[float]] = {"all": []} | {group: [] for group in dataset.facts.exposure_groups}
    for sample in samples:
        if sample.sample in scores:
            members["all"].append(scores[sample.sample])
            if group := dataset.group(sample):
                members[group].append(scores[sample.sample])
    return {group: mean(values) for group, values in members.items() if values}
