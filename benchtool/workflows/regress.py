"""Guards measured figures: summaries of runs against a baseline file, with a tolerance for each metric variant.

A method that needs no training must give the same figure on the same data; one that was trained may move a little, for another
processor sums in another order. So may any on images that another processor rendered; of those the levels themselves are guarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json, write_json
from benchtool.core.provenance import now, version
from benchtool.report.frame import Entry, Summary, find_runs

DETERMINISTIC, TRAINED, RENDERED, ANY = "deterministic", "trained", "rendered", "*"
TOLERANCES = {
    DETERMINISTIC: {ANY: 1e-6},
    TRAINED: {"psnr:rgb-u8": 0.1, "ssim:gray-uniform7": 0.005, "ssim:rgb-gauss": 0.005, "loe:full": 25.0, ANY: 0.005},
    RENDERED: {ANY: 0.01},
}
Kind = Literal["deterministic", "trained", "rendered"]


class Figure(BaseModel):
    """The means of one evaluation, or of the levels of a dataset's images.

    Attributes:
        kind: `deterministic`: nothing was trained. `trained`: weights were, perhaps by `--smoke`. `rendered`: levels, 0..255, of
            images that the renderer made; `mini_benchmark.levels` measures them.
        means: metric variant -> group -> mean.
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
    means: dict[str, dict[str, float]]
    versions: dict[str, str]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What was measured; a baseline holds one figure of it."""
        options = tuple(sorted((key, repr(value)) for key, value in self.options.items()))
        data = self.dataset, self.variant, self.split
        return self.method, self.recipe, options, self.smoke, *data, self.protocol, self.target, self.checkpoint

    @property
    def session(self) -> tuple[str, ...]:
        """What all figures share that are measured together: the data to the byte, and how they are measured."""
        return self.dataset, self.variant, self.fingerprint, self.split, self.protocol

    def comparable(self, other: Figure) -> bool:
        """Whether two figures of one identity are of the same images, even if another processor gave these other bytes."""
        return self.fingerprint == other.fingerprint or self.samples == other.samples or self.kind == RENDERED

    def __str__(self) -> str:
        name = self.method if self.recipe in (None, self.method) else f"{self.method} ({self.recipe})"
        return f"{name} on {self.dataset} ({self.variant}), {self.split}"


class Baseline(BaseModel):
    """`baseline.json`.

    Attributes:
        tolerances: kind -> metric variant (`*`: any other) -> largest difference of a mean, in the metric's unit.
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
        return known.get(metric, known.get(ANY, TOLERANCES[kind][ANY]))


@dataclass(frozen=True)
class Moved:
    """A mean that is not what it was.

    Attributes:
        group: of samples, `all` or an exposure group.
        tolerance: what was allowed; None where the two could not be compared at all (`why` says it).
    """

    figure: Figure
    metric: str
    group: str
    before: float | None
    after: float | None
    tolerance: float | None
    why: str = ""

    def __str__(self) -> str:
        if self.tolerance is None:
            return f"{self.figure}{f', {self.metric}' if self.metric else ''}: {self.why}"
        change = f"{self.before:.6f} -> {self.after:.6f} ({self.after - self.before:+.6f}, allowed {self.tolerance:g})"
        return f"{self.figure}, {self.metric}, {self.group}: {change}{self.why}"


@dataclass
class Comparison:
    """What a check found.

    Attributes:
        checked: number of means compared.
        moved: those beyond their tolerance, and figures that are gone.
        tolerated: those that differ by more than a deterministic figure may, yet by no more than is allowed.
        new: measured, not in the baseline.
        absent: of data that nothing was measured on.
        other_data: compared although the data's bytes are others.
    """

    checked: int
    moved: list[Moved]
    tolerated: list[Moved]
    new: list[Figure]
    absent: list[Figure]
    other_data: list[Figure]


class _Measured(Entry):
    means: dict[str, dict[str, float]] = {}


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
    same = {
        key: getattr(entry, key)
        for key in ("dataset", "variant", "fingerprint", "split", "protocol", "target", "checkpoint", "samples", "means")
    }
    kind = DETERMINISTIC if summary.trained is None else TRAINED
    smoke = summary.trained is not None and summary.trained.smoke
    return Figure(method=summary.method, recipe=summary.recipe, options=summary.options, kind=kind, smoke=smoke, versions=versions, **same)


def read_baseline(path: Path) -> Baseline:
    """A baseline file; UserError where it is absent or malformed."""
    try:
        return Baseline.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from None


def update(path: Path, figures: Sequence[Figure]) -> Baseline:
    """Put `figures` into the baseline file, in place of those of the same things; tolerances that are there stay.

    Raises:
        UserError: there are none, or the file is malformed.
    """
    if not figures:
        raise UserError("nothing was measured, so there is nothing to keep; `benchtool evaluate` first")
    before = read_baseline(path) if path.exists() else None
    new = {figure.identity for figure in figures}
    kept = [figure for figure in before.figures if figure.identity not in new] if before else []
    everything = sorted([*kept, *figures], key=lambda figure: str(figure.identity))
    made = {
        "time": now(),
        "benchtool": version("benchtool"),
        **{name: version(name) for name in ("torch", "numpy", "rawpy", "opencv-python-headless")},
    }
    baseline = Baseline(made=made, tolerances={**TOLERANCES, **(before.tolerances if before else {})}, figures=everything)
    write_json(path, baseline.model_dump())
    return baseline


def compare(baseline: Baseline, figures: Sequence[Figure], methods: Sequence[str] | None = None, strict: bool = False) -> Comparison:
    """Hold measured figures against the baseline's.

    A figure that is missing beside others of its own session is `moved`; one of whose session nothing was measured is `absent`.

    Args:
        methods: only figures of these, and of rendered images.
        strict: allow no more where the data's bytes are others.
    """
    measured = {figure.identity: figure for figure in figures}
    sessions = {figure.session for figure in figures}
    result = Comparison(0, [], [], [], [], [])
    for old in (figure for figure in baseline.figures if _chosen(figure, methods)):
        new = measured.get(old.identity)
        if new is not None and old.comparable(new):
            _hold(baseline, old, measured.pop(old.identity), result, strict)
        elif old.session in sessions:
            result.moved.append(Moved(old, "", "", None, None, None, "is no longer measured"))
        else:
            result.absent.append(old)
    result.new = [figure for figure in measured.values() if _chosen(figure, methods)]
    return result


def _chosen(figure: Figure, methods: Sequence[str] | None) -> bool:
    return methods is None or figure.kind == RENDERED or figure.method in methods


def _hold(baseline: Baseline, old: Figure, new: Figure, result: Comparison, strict: bool) -> None:
    same_data = old.fingerprint == new.fingerprint
    if not same_data:
        result.other_data.append(new)
    # data of other bytes gives other figures: no more than a trained method's may differ
    kind = TRAINED if old.kind == DETERMINISTIC and not same_data and not strict else old.kind
    note = "; the renderer no longer gives the same images" if kind == RENDERED else "" if same_data else "; the data's bytes are others"
    for metric, groups in old.means.items():
        if metric not in new.means:
            result.moved.append(Moved(new, metric, "", None, None, None, "is no longer measured"))
        elif old.versions[metric] != new.versions[metric]:
            why = f"is version {new.versions[metric]} of the metric, {old.versions[metric]} in the baseline; update it"
            result.moved.append(Moved(new, metric, "", None, None, None, why))
        else:
            allowed = baseline.tolerance(kind, metric)
            for group, before in groups.items():
                after = new.means[metric].get(group)
                result.checked += 1
                if after is None:
                    result.moved.append(Moved(new, metric, group, before, None, None, f"no value for '{group}' any more"))
                elif not abs(after - before) <= allowed:
                    result.moved.append(Moved(new, metric, group, before, after, allowed, note))
                elif abs(after - before) > baseline.tolerance(DETERMINISTIC, metric):
                    result.tolerated.append(Moved(new, metric, group, before, after, allowed, "" if same_data else "; other bytes"))
