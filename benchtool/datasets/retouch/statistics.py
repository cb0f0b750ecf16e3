"""What the retouched set is like, in numbers and a plot: NIID's exposure adjustment curves (Fig. 4), cluster sizes, who chose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.files import atomic_path, write_json
from benchtool.datasets.retouch.choices import Chosen
from benchtool.datasets.retouch.grouping import Grouping
from benchtool.datasets.retouch.pairs import LEVELS

FILE, PLOT = "statistics.json", "adjustment-curves.png"


def write_statistics(out: Path, made: Mapping[str, Mapping[str, Any]], grouping: Grouping, chosen: Mapping[int, Chosen]) -> None:
    """Write `statistics.json`, with each cluster's curve, size and coefficients, and the plot of all curves."""
    cluster_of = grouping.cluster_of()
    members: dict[int, list[str]] = {}
    for name in sorted(made):
        members.setdefault(cluster_of[name], []).append(name)
    clusters = [
        {
            "cluster": number,
            "medoid": grouping.names[grouping.clusters.medoids[number]],
            "photographs": len(members[number]),
            "by": chosen[number].by,
            "agreement": chosen[number].agreement,
            "raters": chosen[number].raters,
            "coefficients": chosen[number].coefficients.plain(),
            "curve": _rounded(mean_curve([made[name]["curve"] for name in members[number]])),
        }
        for number in sorted(members)
    ]
    whole = mean_curve([entry["curve"] for _, entry in sorted(made.items())])
    levels = [round((k + 0.5) / LEVELS, 5) for k in range(LEVELS)]
    drawn = _draws([made[name]["drawn"] for name in sorted(made)])
    write_json(
        out / FILE,
        {"schema": 1, "photographs": len(made), "levels": levels, "curve": _rounded(whole), "drawn": drawn, "clusters": clusters},
    )
    _plot(out / PLOT, levels, whole, [cluster["curve"] for cluster in clusters])


def mean_curve(curves: list[list[list[float]]]) -> np.ndarray:
    """The curve of all pixels of some pictures: LEVELS mean values of the target, NaN where none had the level."""
    shares, means = np.array(curves, np.float64).swapaxes(0, 1)
    weight = shares.sum(axis=0)
    return np.divide((shares * means).sum(axis=0), weight, out=np.full(LEVELS, np.nan), where=weight > 0)


def _rounded(curve: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 5) for value in curve]


def _draws(drawn: list[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Least, mean and most of each number that was drawn."""
    numbers = {
        name: [d[name] for d in drawn if name in d] for name in {k for d in drawn for k, v in d.items() if isinstance(v, (int, float))}
    }
    return {
        name: {"min": round(min(v), 6), "mean": round(sum(v) / len(v), 6), "max": round(max(v), 6)} for name, v in sorted(numbers.items())
    }


def _plot(path: Path, levels: list[float], whole: np.ndarray, clusters: list[list[float | None]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for curve in clusters:
        axes.plot(
            levels,
            [np.nan if value is None else value for value in curve],
            color="tab:blue",
            alpha=min(0.5, 0.08 + 3 / len(clusters)),
            linewidth=0.8,
        )
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="no change")
    axes.plot(levels, whole, color="black", linewidth=2, label="all photographs")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="value in the photograph", ylabel="mean value in the target", aspect="equal")
    axes.legend(loc="lower right", frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, metadata={"Software": None})
