"""The figures that `benchtool regress` guards: the means of evaluations, read from the summaries of runs, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.report.frame import find_runs
from benchtool.report.schema import Entry, Summary

DETERMINISTIC, TRAINED, RENDERED, ANY = "deterministic", "trained", "rendered", "*"
# by metric variant, else by the metric's unit, else `*`, which is meant for scores of 0..1. LOE may move by a 400th of its range, half of
# what that allows a score of 0..1: of 10,000, or of the number of samples, which is at least 2,500 in the other variants.
TOLERANCES = {
    DETERMINISTIC: {ANY: 1e-6},
    TRAINED: {"dB": 0.1, "loe:full": 25.0, "loe:bimef100": 25.0, "pairs": 6.25, ANY: 0.005},
    RENDERED: {ANY: 0.01},
}
Kind = Literal["deterministic", "trained", "rendered"]


class Figure(BaseModel):
    """The means of one evaluation, or of the levels of a dataset's images.

    Attributes:
        kind: `deterministic`: nothing was trained. `trained`: weights were, perhaps by `--smoke`. `rendered`: levels, 0..255, of
            images that the renderer made; `mini_benchmark.levels` measures them.
        failures: samples of which a score failed.
        means: metric variant -> group -> mean, of the groups that have one.
        excluded: metric variant -> why, such as `failed` -> how many scores are not in its means.
        versions: metric variant -> version of the metric.
    """

    model_config = ConfigDict(extra="forbid")
    method: str
    recipe: str | None
    options: dict[str, Any]
    kind: Kind
    smoke: bool
    dataset: str
    variant: str
    fingerprint: str
    split: str
    protocol: str
    target: str | None
    checkpoint: str | None
    samples: int
    failures: int = 0
    means: dict[str, dict[str, float]]
    excluded: dict[str, dict[str, int]] = {}
    versions: dict[str, str]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What was measured; a baseline holds one figure of it."""
        options = tuple(sorted((key, repr(value)) for key, value in self.options.items()))
        data = self.dataset, self.variant, self.split
        return self.method, self.recipe, options, self.smoke, *data, self.protocol, self.target, self.checkpoint

    @property
    def session(self) -> tuple[str, ...]:
        """What all figures share that are measured together; not the data's bytes, which are others on another processor."""
        return self.dataset, self.variant, self.split, self.protocol

    def comparable(self, other: Figure) -> bool:
        """Whether two figures of one session are of the same images, even if another processor gave these other bytes."""
        return self.fingerprint == other.fingerprint or self.samples == other.samples or self.kind == RENDERED

    def __str__(self) -> str:
        name = self.method if self.recipe in (None, self.method) else f"{self.method} ({self.recipe})"
        return f"{name} on {self.dataset} ({self.variant}), {self.split}"


class Baseline(BaseModel):
    """`baseline.json`.

    Attributes:
        tolerances: kind -> metric variant, or a unit (`*`: any other) -> largest difference of a mean, in the metric's unit.
        made: date and versions.
    """

    model_config = ConfigDict(extra="forbid")
    version: Literal[1] = 1
    made: dict[str, Any]
    tolerances: dict[Kind, dict[str, float]]
    figures: list[Figure]

    def tolerance(self, kind: str, metric: str) -> float:
        """Of a metric variant."""
        known = self.tolerances.get(kind, TOLERANCES[kind])
        name = metric.partition(":")[0]
        unit = catalog.facts("metrics", name).unit if name in catalog.entries("metrics") else ""
        return next((known[key] for key in (metric, unit, ANY) if key in known), TOLERANCES[kind][ANY])


class _Measured(Entry):
    failures: int = Field(default=0, ge=0)
    means: dict[str, dict[str, float | None]] = {}
    excluded: dict[str, dict[str, int]] = {}


class _Summary(Summary):
    evaluations: list[_Measured] = []


def read_figures(folders: Iterable[Path]) -> list[Figure]:
    """The complete evaluations of the runs in `folders`.

    Raises:
        UserError: a summary is malformed, or two evaluations are of the same thing.
    """
    found: dict[tuple[Any, ...], tuple[Figure, Path]] = {}
    for run in dict.fromkeys(run for top in folders for run in find_runs(Path(top))):
        try:
            summary = _Summary.model_validate(read_json(run / "summary.json"))
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(f"{run}/summary.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        for entry in (entry for entry in summary.evaluations if entry.complete):
            figure = _figure(summary, entry)
            if (other := found.setdefault(figure.identity, (figure, run)))[1] != run:
                raise UserError(f"{run} and {other[1]}: both hold {figure}; name one of them with --results")
    return [figure for figure, _ in sorted(found.values(), key=lambda pair: str(pair[0].identity))]


def _figure(summary: _Summary, entry: _Measured) -> Figure:
    versions = {metric: catalog.facts("metrics", metric.partition(":")[0]).version for metric in entry.means}
    means = {metric: {group: mean for group, mean in groups.items() if mean is not None} for metric, groups in entry.means.items()}
    same = ("dataset", "variant", "fingerprint", "split", "protocol", "target", "checkpoint", "samples", "failures", "excluded")
    kind = DETERMINISTIC if summary.trained is None else TRAINED
    smoke = summary.trained is not None and summary.trained.smoke
    return Figure(
        method=summary.method, recipe=summary.recipe, options=summary.options, kind=kind, smoke=smoke, means=means, versions=versions,
        **{key: getattr(entry, key) for key in same},
    )  # fmt: skip


def read_baseline(path: Path) -> Baseline:
    """A baseline file; UserError where it is absent or malformed."""
    try:
        return Baseline.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from None
