"""Measuring one prediction: what a scoring process does. Imports no torch, so that a process is small and starts at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.images import quantise, read_image, read_picture
from benchtool.core.pool import reason
from benchtool.evaluation.samples import MULTIPLES, enlarged, read_reference

SOURCE = "source"  # names the input among references; the others are roles of targets
RESIZED = {"target-to-output": "target_resized", MULTIPLES: "resized_to_multiple"}  # facts of scores of resized images: their own size


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


class Task(NamedTuple):
    """One score to compute: a metric, such as `ssim:rgb-gauss`, and the role of the target; empty where it needs none."""

    metric: str
    role: str


class Reference(NamedTuple):
    """An image that outputs are compared with."""

    path: Path
    sha256: str
    encoding: str


@dataclass(frozen=True)
class Comparison:
    """One prediction and what it is compared with.

    Attributes:
        prediction: the image file.
        references: `source` and roles of targets -> image, as far as the tasks need them.
        tasks: the scores to compute.
        linear: whether float32 images are compared, or display images of 8 bits.
        resize: the protocol's; an image that has another size than the output after it cannot be compared.
        plugins: files of third-party metrics among them.
    """

    prediction: Path
    references: Mapping[str, Reference]
    tasks: tuple[Task, ...]
    linear: bool = False
    resize: str = "none"
    plugins: tuple[str, ...] = ()


def compare(comparison: Comparison) -> dict[Task, Measured]:
    """Compute every score; a reference that cannot be read fails those that need it, and no others.

    Raises:
        UserError: the prediction cannot be read.
    """
    for plugin in comparison.plugins:
        catalog.add_plugin(plugin)
    output = read_picture(comparison.prediction).pixels if comparison.linear else read_image(comparison.prediction)
    source, source_from = _read(comparison, SOURCE, output)
    found = {}
    for role in dict.fromkeys(task.role for task in comparison.tasks):  # one target after another: five at once need not fit
        target, target_from = _read(comparison, role, output)
        images = {"output": output, "source": source, "target": target}
        for task in (task for task in comparison.tasks if task.role == role):
            metric = metrics.find(task.metric)
            size = target_from or (source_from if metric.needs(SOURCE) else None)
            measured = score_images(metric, images)
            facts = {**measured.facts, **({RESIZED[comparison.resize]: size} if size else {})}
            found[task] = dataclasses.replace(measured, facts=facts)
    return found


def _read(comparison: Comparison, name: str, output: np.ndarray) -> tuple[np.ndarray | UserError | None, list[int] | None]:
    """A reference at the output's size, or why not; and the [width, height] it was resized from, None where it was not."""
    if name not in comparison.references:
        return None, None
    try:
        pixels = read_reference(*comparison.references[name], comparison.linear)
    except UserError as error:
        return error, None
    (height, width), size = output.shape[:2], [pixels.shape[1], pixels.shape[0]]
    if comparison.resize == MULTIPLES and (larger := enlarged(pixels)) is not pixels:
        pixels = larger if comparison.linear else quantise(larger)
    elif comparison.resize == "target-to-output" and name != SOURCE and size != [width, height]:
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)  # as FECNet's script does
    came = [pixels.shape[1], pixels.shape[0]]
    if came != [width, height]:
        return UserError(f"the {name} image is {came[0]} x {came[1]}, the output {width} x {height}; only equal sizes are compared"), None
    return pixels, size if came != size else None


def score_images(metric: metrics.Metric, images: Mapping[str, np.ndarray | UserError | None]) -> Measured:
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
