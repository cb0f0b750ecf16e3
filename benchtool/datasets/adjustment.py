"""Exposure adjustment curves of a dataset's pairs: what value its targets give to each value of the inputs.

As Lv, Liu and Lu analyse theirs ("Fast Enhancement for Non-Uniform Illumination Images", MM 2020, Fig. 4), of HSV's Value channel.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.describe import Picture, ev_text, picture_of, shown, spread, target_of
from benchtool.datasets.sheet import DPI, SETTINGS, save

LOOKED_AT = 512  # pixels of the longer side that are looked at
LEVELS = 256
ENOUGH = 8  # pixels of a picture at a level, below which its mean there is left out
FEWEST = 0.05  # share of the pairs that must have a level for it to be drawn
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito, 2008


@dataclass(frozen=True)
class Pair:
    """Two pictures of one size: what is adjusted, and what it becomes."""

    source: Picture
    target: Picture


def adjustment_curve(pair: Pair) -> np.ndarray:
    """Mean target value at each of LEVELS values of the input, NaN where it has fewer than ENOUGH pixels; the value is HSV's V, 0..1.

    Raises:
        UserError: a picture cannot be read, or the two differ in size.
    """
    source, target = (np.round(shown(p, LOOKED_AT).max(axis=2) * (LEVELS - 1)).astype(int) for p in (pair.source, pair.target))
    if source.shape != target.shape:
        raise UserError(f"{pair.source.path} and {pair.target.path} differ in shape")
    pixels = np.bincount(source.ravel(), minlength=LEVELS)
    sums = np.bincount(source.ravel(), target.ravel() / (LEVELS - 1), minlength=LEVELS)
    return np.where(pixels >= ENOUGH, sums / np.maximum(pixels, 1), np.nan)


@dataclass(frozen=True)
class Curve:
    """Curves of a group of pairs at LEVELS input values: mean, 10th and 90th percentile over pairs; NaN where too few have the value."""

    pairs: int
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def curves(dataset: Dataset, look_at: int = 200, jobs: int | None = None) -> tuple[dict[str, Curve], list[Failure]]:
    """Curves by exposure group (or EV, or all together), from `look_at` pairs of each; and the pairs that could not be read.

    Raises:
        UserError: no sample has a target.
    """
    groups: dict[str, list[tuple[str, Pair]]] = defaultdict(list)
    for sample in dataset.samples:
        target = target_of(dataset, sample)
        if target is not None and len(sample.inputs) == 1:
            pair = Pair(picture_of(dataset, sample, sample.inputs[0]), picture_of(dataset, sample, target))
            groups[_group(dataset, sample)].append((sample.sample, pair))
    if not groups:
        raise UserError(f"{dataset.folder}: no sample has one input and a target, so there is no curve of adjustment")
    items = [item for pairs in groups.values() for item in spread(pairs, look_at)]
    found: dict[str, np.ndarray] = {}
    failures = run_batch(adjustment_curve, items, found.__setitem__, label="curves", jobs=jobs, unit="pairs")
    of_groups = {group: [found[name] for name, _ in pairs if name in found] for group, pairs in groups.items()}
    return {group: _aggregate(np.stack(every)) for group, every in of_groups.items() if every}, failures


def _group(dataset: Dataset, sample: Sample) -> str:
    if sample.exposure is not None:
        return f"{ev_text(sample.exposure)} EV"
    return dataset.group(sample) or sample.subset or "all pairs"


def _aggregate(every: np.ndarray) -> Curve:
    """N x LEVELS curves with gaps -> one."""
    present = np.count_nonzero(~np.isnan(every), axis=0) >= max(1, FEWEST * len(every))
    mean, low, high = (np.full(LEVELS, np.nan) for _ in range(3))
    mean[present] = np.nanmean(every[:, present], axis=0)
    low[present], high[present] = np.nanpercentile(every[:, present], (10, 90), axis=0)
    return Curve(len(every), mean, low, high)


def write_curves(dataset: Dataset, found: dict[str, Curve], path: Path) -> None:
    """Draw the curves: target value over input value, a line and a band from the 10th to the 90th percentile for each group."""
    import matplotlib
    from matplotlib.figure import Figure

    levels = np.arange(LEVELS) / (LEVELS - 1)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure((4.6, 4.4), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        axes.plot((0, 1), (0, 1), color="#999999", linewidth=0.8, linestyle="--")
        for n, (group, curve) in enumerate(found.items()):
            colour = COLOURS[n % len(COLOURS)]
            axes.fill_between(levels, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(levels, curve.mean, color=colour, linewidth=1.4, label=f"{group} ({curve.pairs:,} pairs)")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="input value V = max(R, G, B)", ylabel="mean target value")
        axes.legend(frameon=False, loc="upper left")
        title = f"{dataset.facts.name} ({dataset.facts.variant}): exposure adjustment; bands: 10th to 90th percentile of pairs"
        axes.set_title("\n".join(textwrap.wrap(title, 62)), size=8)
        save(figure, path)
