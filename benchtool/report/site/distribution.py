"""The page behind a measured figure: how a metric is distributed over the images of a part, and every image by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from benchtool.core.files import write_text
from benchtool.report.frame import Scores
from benchtool.report.paired import Entrant
from benchtool.report.schema import printable
from benchtool.report.site.drawing import Chart, Scale, chart, lane, scale
from benchtool.report.site.shown import ev
from benchtool.report.site.subjects import MetricView, Part, Subject, metric_view
from benchtool.report.statistics import LEVEL, MIN_SCENES, mean, scene_interval
from benchtool.report.table import rounded

MAX_LANES = 40
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class ImageLine:
    """An image in the list; `href` is None where the site has no pictures of it.

    `target` says which one it was compared with, `reason` why it is in no mean.
    """

    name: str
    href: str | None
    place: str
    target: str
    value: str
    reason: str


@dataclass(frozen=True)
class Lane:
    """Some of the images: how many values they have or lack, and mean, quartiles and median of those there are."""

    title: str
    count: int
    numbers: list[str]
    svg: Markup


@dataclass(frozen=True)
class Breakdown:
    """The images by `exposure`, `subset` or `target`; without lanes where that tells nothing, and `absent` where there are too many."""

    by: str
    lanes: list[Lane]
    absent: int = 0


@dataclass(frozen=True)
class DistributionView:
    """Everything on a page, as its template prints it; `place` is what the list says of an image beside its value."""

    subject: Subject
    metric: MetricView
    part: str
    here: str
    parts: list[tuple[str, str]]
    metrics: list[tuple[str, str]]
    notes: list[str]
    numbers: list[tuple[str, str]]
    chart: Chart | None
    reasons: list[tuple[str, int]]
    breakdowns: list[Breakdown]
    place: str
    targets: bool
    images: list[ImageLine]
    linked: int
    tables: list[tuple[str, str]]
    sources: list[str]


def write_distributions(out: Path, subjects: Sequence[Subject], environment: jinja2.Environment) -> int:
    """Write the pages of all evaluations; returns how many there are."""
    template, count = environment.get_template("distribution.html.j2"), 0
    for subject in subjects:
        for view in views(subject):
            write_text(out / view.here, template.render(root="../../../", here="measured", view=view) + "\n")
            count += 1
    return count


def views(subject: Subject) -> Iterable[DistributionView]:
    """The pages of an evaluation: one a metric variant and part that has images."""
    for key in subject.metrics:
        scores = subject.evaluation.scores(key)
        entrants = {part: subject.entrant(part, scores) for part in subject.parts.values()}
        present = {part: one for part, one in entrants.items() if one.parts.any(axis=1).all()}
        for part, one in present.items():
            yield _view(subject, key, part, one, list(present))


def _view(subject: Subject, key: str, part: Part, one: Entrant, parts: Sequence[Part]) -> DistributionView:
    scores, metric = one.scores, metric_view(key)
    finite = ~np.isnan(scores.values)
    values = scores.values[one.together & finite]
    place = "subset" if np.isnan(scores.exposures).any() else "exposure"
    on = scale(scores.values[finite]) if finite.any() else None
    average = mean(one.pairs) if one.has_mean else None
    by = {place: scores.exposures if place == "exposure" else scores.subsets, "target": scores.experts}
    breakdowns = [_breakdown(name, keys, one, on, metric) for name, keys in by.items()]
    images = _images(subject, one, metric, place)
    says = f"Distribution of {metric.title} over {len(values):,} values; each of them is in the list of images"
    return DistributionView(
        subject=subject,
        metric=metric,
        part=part.title,
        here=subject.href(key, part),
        parts=[(other.title, subject.href(key, other)) for other in parts],
        metrics=[(printable(other), subject.href(other, part)) for other in subject.metrics],
        notes=_notes(subject, one, breakdowns),
        numbers=_numbers(one, average, values, metric),
        chart=chart(values, on, average, says) if average is not None else None,
        reasons=Counter(image.reason for image in images if image.reason).most_common(),
        breakdowns=[breakdown for breakdown in breakdowns if breakdown.lanes],
        place=place,
        targets=len(np.unique(scores.experts[one.together])) > 1,
        images=images,
        linked=sum(image.href is not None for image in images),
        tables=subject.used.get((key, part.key), []),
        sources=_sources(subject, scores),
    )


def _text(value: float, metric: MetricView) -> str:
    return rounded(value, metric.decimals).replace("-", "−").replace("inf", "∞")


def _numbers(one: Entrant, average: float | None, values: np.ndarray, metric: MetricView) -> list[tuple[str, str]]:
    """The summary as (name, text), beginning with the mean as tables print it."""
    counts = {"Images": one.samples, "Scenes": one.scenes}
    if (comparisons := int(one.together.sum())) != one.samples:
        counts["Comparisons"] = comparisons
    counts |= {kind[:1].upper() + kind[1:]: count for kind, (count, _) in one.left_out.items()}
    told = [(name, f"{count:,}") for name, count in counts.items()]
    if average is None:
        return told
    found = [("Mean" + (f", {metric.unit}" if metric.unit else ""), _text(average, metric))]
    if interval := scene_interval(one.pairs):
        found.append((f"{LEVEL:.0%} interval over scenes", f"{_text(interval.low, metric)} to {_text(interval.high, metric)}"))
    low, middle, high = (_text(quartile, metric) for quartile in np.quantile(values, QUARTILES))
    ends = f"{_text(values.min(), metric)} to {_text(values.max(), metric)}"
    return [*found, ("Median", middle), ("Quartiles", f"{low} to {high}"), ("Range", ends), *told]


def _breakdown(by: str, keys: np.ndarray, one: Entrant, on: Scale | None, metric: MetricView) -> Breakdown:
    """The part by [n] keys of its scores."""
    values = np.unique(keys[one.together])
    if on is None or len(values) < 2:
        return Breakdown(by, [])
    if len(values) > MAX_LANES:
        return Breakdown(by, [], absent=len(values))
    lanes = []
    for value in values:
        mask = one.together & (keys == value)
        of = one.scores.values[mask & ~np.isnan(one.scores.values)]
        title = ev(float(value)) if by == "exposure" else printable(value) or f"no {by}"
        figures = (of.mean(), *np.quantile(of, QUARTILES)) if len(of) else ()
        svg = lane(of, on, f"Distribution of {title}") if len(of) else Markup()
        lanes.append(Lane(title, int(mask.sum()), [_text(figure, metric) for figure in figures] or ["n/a"] * 4, svg))
    return Breakdown(by, lanes)


def _images(subject: Subject, one: Entrant, metric: MetricView, place: str) -> list[ImageLine]:
    scores, lines = one.scores, []
    for n in np.flatnonzero(one.together):
        sample, value = scores.samples[n], scores.measured[n]
        where = f"{scores.exposures[n]:g}".replace("-", "−") if place == "exposure" else printable(scores.subsets[n]) or "–"
        text, target = "n/a" if np.isnan(value) else _text(value, metric), printable(scores.experts[n])
        lines.append(ImageLine(printable(sample), subject.anchors.get(sample), where, target, text, scores.reasons[n]))
    return lines


def _notes(subject: Subject, one: Entrant, breakdowns: Sequence[Breakdown]) -> list[str]:
    trained = subject.evaluation.summary.trained
    found = [f"Not broken down by {b.by}: there are {b.absent:,} different ones." for b in breakdowns if b.absent]
    if trained and trained.smoke:
        found.append("Of smoke training: it shows that everything works, not how good the method is.")
    if one.scenes < MIN_SCENES:
        found.append(f"No interval: fewer than {MIN_SCENES} scenes.")
    return found


def _sources(subject: Subject, scores: Scores) -> list[str]:
    summary, entry = subject.evaluation.summary, subject.evaluation.entry
    lines = [f"Run {subject.evaluation.run}, method {summary.method}" + (f", recipe {summary.recipe}" if summary.recipe else "")]
    if summary.options:
        lines.append("Options: " + ", ".join(f"{printable(str(k))} = {printable(str(v))}" for k, v in summary.options.items()))
    if trained := summary.trained:
        how = f"{trained.steps:,} steps, seed {trained.seed}; checkpoint {entry.checkpoint}"
        lines.append(f"Trained on {trained.dataset} ({trained.variant}), {how}")
    lines.append(f"Data {entry.fingerprint[:16]}, protocol file {entry.protocol_sha256[:16]}, finished {entry.finished:%Y-%m-%d %H:%M} UTC")
    lines.append(f"Version of the metric: {', '.join(sorted(printable(v) for v in scores.versions))}")
    return lines
