"""What a scene's page says, as plain values for its template: samples, their figures, metrics and histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from benchtool.report.frame import Evaluation
from benchtool.report.schema import printable
from benchtool.report.site import pictures
from benchtool.report.site.choose import metric_keys, metric_spec, shown_role
from benchtool.report.site.shown import Shown, ev

Scored = Mapping[tuple[str, str, str], dict[str, Any]]  # (method label, sample, metric variant) -> row of the scores


@dataclass(frozen=True)
class Head:
    """A metric's column; `direction` is "" where it is not known."""

    title: str
    variant: str
    unit: str
    direction: str


@dataclass(frozen=True)
class Cell:
    """A value as printed; `note` is the number of the reason why there is none."""

    text: str
    best: bool = False
    note: int | None = None


@dataclass(frozen=True)
class MetricTable:
    """The metrics of a sample: a row a method."""

    heads: list[Head]
    rows: list[tuple[str, list[Cell]]]
    reasons: list[str]


@dataclass(frozen=True)
class Curves:
    """A histogram as SVG paths, by `red`, `green`, `blue` and `luma`; and the shares of clipped pixels in per cent."""

    label: str
    paths: dict[str, str]
    black: str
    white: str


@dataclass(frozen=True)
class SampleView:
    """A sample as its section of the page shows it.

    Attributes:
        id: its place on the page, and the beginning of its files' names.
        title: its exposure where that tells it from the scene's others, else its name.
        shown: its pictures, in order; empty where the whole scene failed.
    """

    id: str
    name: str
    title: str
    subset: str
    metrics: MetricTable
    shown: list[Shown] = field(default_factory=list)

    @property
    def pictures(self) -> list[Shown]:
        """What there is a picture of."""
        return [view for view in self.shown if view.file]

    @property
    def errors(self) -> list[Shown]:
        """Outputs with error maps."""
        return [view for view in self.shown if view.errors]

    @property
    def absent(self) -> list[tuple[str, str]]:
        """(label, why) of the pictures and error maps that are not there."""
        return [(v.source.label, text) for v in self.shown for text in ([v.note] if not v.file else [v.errors_absent]) if text]

    @property
    def histograms(self) -> list[Curves]:
        """Of every picture, drawn to one scale."""
        views = [view for view in self.pictures if view.histogram]
        if not views:
            return []
        top = pictures.common_top([view.histogram for view in views])
        return [
            Curves(view.source.label, pictures.curves(view.histogram, top), *(f"{100 * share:.1f}" for share in (h.black, h.white)))
            for view in views
            for h in (view.histogram,)
        ]


def score_rows(methods: Mapping[str, Evaluation], scenes: Sequence[str]) -> Scored:
    """The scores of these scenes."""
    found = {}
    for label, evaluation in methods.items():
        role = shown_role(evaluation.entry.target or "")
        of_role = pc.field("expert").is_null() | (pc.field("expert") == role)
        chosen = evaluation.table.filter(pc.field("scene").isin(list(scenes)) & of_role)
        columns = ["scene", "sample", "subset", "exposure", "metric", "variant", "metric_version", "status", "reason", "value"]
        for row in chosen.select(columns).to_pylist():
            found[label, row["sample"], f"{row['metric']}:{row['variant']}"] = row
    return found


def samples_of(scored: Scored) -> dict[str, list[dict[str, Any]]]:
    """Scene -> a row of each of its samples, from the darkest exposure to the brightest, those without one last."""
    rows = {row["sample"]: row for row in scored.values()}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows.values(), key=lambda r: (math.inf if _unknown(r["exposure"]) else r["exposure"], r["sample"])):
        found.setdefault(row["scene"], []).append(row)
    return found


def _unknown(exposure: float | None) -> bool:
    return exposure is None or math.isnan(exposure)


def titles(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the samples of a scene are called: by exposure where that tells them apart, else by name."""
    exposures = [row["exposure"] for row in rows]
    if any(_unknown(e) for e in exposures) or len(set(exposures)) < len(exposures):
        return [printable(row["sample"]) for row in rows]
    return [ev(e) for e in exposures]


def metric_table(methods: Mapping[str, Evaluation], scored: Scored, sample: str) -> MetricTable:
    """The sample's metrics; the best of a column is marked where the printed values differ, and are of one version."""
    keys = list(dict.fromkeys(key for evaluation in methods.values() for key in metric_keys(evaluation)))
    reasons: list[str] = []
    columns = [_column(key, [scored.get((label, sample, key)) for label in methods], reasons) for key in keys]
    rows = [(label, [cells[number] for cells in columns]) for number, label in enumerate(methods)]
    return MetricTable([_head(key) for key in keys], rows, reasons)


def _head(key: str) -> Head:
    spec, (name, _, variant) = metric_spec(key), key.partition(":")
    if spec is None:
        return Head(printable(name), printable(variant), "", "")
    return Head(spec.title, variant, spec.unit, "higher" if spec.higher_is_better else "lower")


def _column(key: str, rows: Sequence[Mapping[str, Any] | None], reasons: list[str]) -> list[Cell]:
    spec = metric_spec(key)
    decimals = spec.decimals if spec else 4
    values = [row["value"] if row and row["status"] == "ok" and not _unknown(row["value"]) else None for row in rows]
    printed = [None if value is None else round(value, decimals) for value in values]
    distinct = {value for value in printed if value is not None}
    versions = {row["metric_version"] for row in rows if row}
    best = None if spec is None or len(distinct) < 2 or len(versions) > 1 else max(distinct) if spec.higher_is_better else min(distinct)
    return [_cell(row, value, decimals, best, reasons) for row, value in zip(rows, printed)]


def _cell(row: Mapping[str, Any] | None, value: float | None, decimals: int, best: float | None, reasons: list[str]) -> Cell:
    if row is None:
        return Cell("–")
    if value is None:
        reason = printable(row["reason"] or "no value")
        if reason not in reasons:
            reasons.append(reason)
        return Cell("n/a", note=reasons.index(reason) + 1)
    return Cell(f"{value:.{decimals}f}".replace("inf", "∞"), best=value == best)


def deciding_value(key: str, value: float) -> str:
    """A scene's value as the gallery prints it, `PSNR 17.25 dB`."""
    spec = metric_spec(key)
    return f"{spec.title} {value:.{spec.decimals}f}" + (f" {spec.unit}" if spec.unit else "")
