"""A figure's legend lies inside it, however long the names of its methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import write_run
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchtool.papers.load import load
from benchtool.report.figures.curves import draw_curves
from benchtool.report.figures.scatter import draw_scatter
from benchtool.report.figures.style import legend_columns
from benchtool.report.fill import fill
from benchtool.report.frame import read_results

ENC = load("enc")
pytestmark = pytest.mark.usefixtures("figure_settings")


def legend_box(figure: Figure) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a figure's legend, in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    return tuple(figure.axes[0].get_legend().get_window_extent(renderer).extents)


@pytest.mark.parametrize("methods", [1, 4, 6, 8])
def test_a_legend_lies_inside_its_figure_and_above_its_axes(methods: int, tmp_path: Path) -> None:
    recipes = ("zero-dce", "retinexnet", "msec", "sid", "sid-l", "drbn", "drbn-l")
    write_run(tmp_path / "clahe")
    for n, name in enumerate(recipes[: methods - 1]):
        write_run(tmp_path / name, name, name, seed=n)
    results = read_results([tmp_path])
    report = fill(ENC, ENC.table("1"), results)
    number = next(n for n, c in enumerate(report.columns) if c.group.key == "all" and c.metric.key == "psnr")
    curves = draw_curves(report, results, 0, ENC.table("1").panels[0].metrics[0])
    assert len(curves.axes[0].get_legend().get_texts()) == methods
    for figure in (curves, draw_scatter(report, results, number, "parameters")):
        left, bottom, right, top = legend_box(figure)
        renderer = FigureCanvasAgg(figure).get_renderer()
        titles = [text.get_window_extent(renderer).y0 for text in figure.texts if text.get_va() == "top"]
        assert 0 < left and right < figure.bbox.x1 and top < min(titles)
        assert bottom >= figure.axes[0].get_window_extent(renderer).y1


def test_a_legend_has_as_few_rows_as_fit() -> None:
    def signs(*labels: str) -> list[Line2D]:
        return [Line2D([], [], label=label) for label in labels]

    assert legend_columns(signs("A"), 3.45) == 1
    assert legend_columns(signs(*"ABCDEF"), 3.45) == 6
    assert legend_columns(signs(*["Zero-DCE, retrained on ME"] * 6), 3.45) == 2
    assert legend_columns(signs(*["Zero-DCE, retrained on ME"] * 6), 7.1) == 3  # two rows of three; four are wider
    assert legend_columns(signs(*["Zero-DCE, retrained on ME, by an altered recipe, after its first stage"] * 2), 3.45) == 1
