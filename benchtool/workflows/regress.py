"""Guards measured figures: summaries of runs against a baseline file, with a tolerance for each metric variant.

A method that needs no training must give the same figure on the same data; one that was trained may move a little, for another
processor sums in another order. So may any on images that another processor rendered; of those the levels themselves are guarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.files import write_json
from benchtool.core.provenance import now, version
from benchtool.workflows.regress_figures import DETERMINISTIC, RENDERED, TOLERANCES, TRAINED, Baseline, Figure, read_baseline


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
        moved: those beyond their tolerance, figures that are gone, and those that more failed of.
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

    A figure that is missing beside others of its session, on the same images, is `moved`; where there are no such others it is `absent`.

    Args:
        methods: only figures of these, and of rendered images.
        strict: allow no more where the data's bytes are others.
    """
    measured = {figure.identity: figure for figure in figures}
    result = Comparison(0, [], [], [], [], [])
    for old in (figure for figure in baseline.figures if _chosen(figure, methods)):
        new = measured.get(old.identity)
        if new is not None and old.comparable(new):
            _hold(baseline, old, measured.pop(old.identity), result, strict)
        elif any(old.session == other.session and old.comparable(other) for other in figures):
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
    result.moved += [Moved(new, metric, "", None, None, None, why) for metric, why in _lost(old, new)]
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


def _lost(old: Figure, new: Figure) -> Iterator[tuple[str, str]]:
    """(Metric variant, or empty for all of them; what): the mean of fewer images is another figure, however near it is."""
    if new.samples != old.samples:
        yield "", f"{new.samples} samples, {old.samples} in the baseline"
    if new.failures > old.failures:
        yield "", f"{new.failures} of {new.samples} samples failed, {old.failures} in the baseline"
    for metric in old.means:
        before = old.excluded.get(metric, {})
        for why, count in new.excluded.get(metric, {}).items():
            if count > before.get(why, 0):
                yield metric, f"{count} scores left out of the mean ({why}), {before.get(why, 0)} in the baseline"
