"""Scatters and curves show what the table shows, no more and no less, and say what they do not show and why."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import score_rows, write_run
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchtool.papers.load import load
from benchtool.report.figures.curves import draw_curves
from benchtool.report.figures.points import Point, against_parameters, pareto, whole
from benchtool.report.figures.scatter import draw_scatter
from benchtool.report.figures.style import NotDrawn
from benchtool.report.fill import fill
from benchtool.report.frame import Results, read_results
from benchtool.report.statistics import scene_interval
from benchtool.report.table import Report

ENC, NIID = load("enc"), load("niid")
METHODS = {"clahe": None, "sid": "sid", "sid-l": "sid-l", "sid-enc": "i-sid"}  # row's method -> recipe
LABELS = {"sid": "SID", "sid-l": "SID-L", "sid-enc": "I-SID"}
COUNTED = {"RetinexNet": 444_613, "Zero-DCE": 79_416, "MSEC": 7_015_449}  # where ENC prints what is no count of parameters
BUILT = {"sid": 7_760_163, "sid-l": 12_123_883, "sid-enc": 7_816_883}
pytestmark = pytest.mark.usefixtures("figure_settings")


def timed(seconds: float, device: str = "Wonder 9000") -> dict:
    return {
        "seconds": seconds, "spread": [seconds * 0.9, seconds * 1.2], "size": [1280, 720], "device": device, "threads": 2, "repeats": 5,
        "version": "1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for n, (method, recipe) in enumerate(METHODS.items()):
        write_run(
            folder / method, method, recipe, scenes=6, seed=n, runtime=timed(0.1 * 4**n, "Other" if method == "sid" else "Wonder 9000")
        )
    return folder


@pytest.fixture(scope="module")
def enc(runs: Path) -> tuple[Report, Results]:
    results = read_results([runs])
    return fill(ENC, ENC.table("1"), results), results


def column(report: Report, dataset: str, metric: str) -> int:
    """The number of a panel's main column."""
    found = [(report.blocks[c.panel].panel.dataset, c.group == whole(report.blocks[c.panel].panel), c.metric.key) for c in report.columns]
    return found.index((dataset, True, metric))


def artists(figure: Figure, prefix: str) -> dict[str, Artist]:
    """What follows `prefix:` in an artist's gid -> the artist."""
    ((axes),) = figure.axes
    found = axes.findobj(lambda artist: (artist.get_gid() or "").startswith(f"{prefix}:"))
    return {artist.get_gid().partition(":")[2]: artist for artist in found}


def place(line: Artist) -> tuple[float, float]:
    (x,), (y,) = line.get_data()
    return float(x), float(y)


def notes(figure: Figure) -> str:
    return " ".join(text.get_text() for text in reversed(figure.texts))


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_points_are_the_tables_values(metric: str, enc: tuple[Report, Results]) -> None:
    report, results = enc
    number = column(report, "me", metric)
    figure = draw_scatter(report, results, number, "parameters")
    published, measured, bars = (artists(figure, kind) for kind in ("published", "measured", "interval"))
    cells = {line.row.label: (line.cells[number], line.parameters.published) for line in report.lines}
    assert {label: place(mark) for label, mark in published.items()} == {
        label: (COUNTED.get(label, float(printed[:-1]) * 2**20), float(cell.published))
        for label, (cell, printed) in cells.items()
        if printed
    }
    assert len(published) == 10  # all but CLAHE, which has no parameters
    assert {label: place(mark) for label, mark in measured.items()} == {
        label: (BUILT[method], cells[label][0].measured.mean) for method, label in LABELS.items()
    }
    for label, bar in bars.items():
        interval = cells[label][0].measured.interval
        assert list(bar.get_ydata()) == [interval.low, interval.high]
    assert set(bars) == set(measured)
    assert all(mark.get_markerfacecolor() == "white" for mark in published.values())
    assert all(mark.get_markerfacecolor() == mark.get_markeredgecolor() != "white" for mark in measured.values())
    said = notes(figure)
    assert (
        "not known here: CLAHE; CLAHE, approximate." in " ".join(said.split())
        and "do not compare" in said
        and "6 scenes" in said
        and "Protocol enc" in said
    )


def test_numbers_that_are_no_counts_of_parameters_are_told_and_not_drawn(enc: tuple[Report, Results]) -> None:
    report, results = enc
    said = " ".join(notes(draw_scatter(report, results, column(report, "me", "psnr"), "parameters")).split())
    assert "Hollow at the counted number of parameters, not the printed one: RetinexNet; Zero-DCE; MSEC." in said
    assert all(f"{number:,}" in said for number in COUNTED.values()) and "Printed in units of 2^20 parameters" in said
    assert "DRBN-L:" not in said
    for library in (ENC, NIID):
        assert all(f"{erratum.counted:,}" in erratum.text for erratum in library.errata if erratum.counted is not None)
    assert sum(erratum.counted is not None for erratum in ENC.errata) == len(COUNTED)


def test_parameters_that_no_table_prints_are_said_to_be_ours(tmp_path: Path) -> None:
    report = fill(ENC, ENC.table("2"), Results())
    figure = draw_scatter(report, Results(), column(report, "sice", "psnr"), "parameters")
    assert place(artists(figure, "published")["SID"])[0] == BUILT["sid"]
    said = " ".join(notes(figure).split())
    assert "Hollow at the number of parameters built here, none being printed: RetinexNet;" in said and "counted" not in said


def test_printed_and_measured_marks_of_a_row_both_have_its_name(enc: tuple[Report, Results]) -> None:
    report, results = enc
    figure = draw_scatter(report, results, column(report, "me", "psnr"), "parameters")
    marks = {kind: artists(figure, kind) for kind in ("published", "measured")}
    for label in LABELS.values():
        beside = {text.xy for text in figure.axes[0].texts if text.get_text() == label}
        assert beside == {place(marks["published"][label]), place(marks["measured"][label])}, label


def test_the_run_says_how_many_parameters_it_has(tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid")
    path = tmp_path / "sid" / "summary.json"
    path.write_text(path.read_text().replace('"parameters": 0', '"parameters": 1234'))
    results = read_results([tmp_path])
    report = fill(ENC, ENC.table("1"), results)
    figure = draw_scatter(report, results, column(report, "me", "psnr"), "parameters")
    assert place(artists(figure, "measured")["SID"])[0] == 1234


@pytest.mark.parametrize(("options", "expected"), [({}, 7_015_449), ({"critic_width": 16}, None)])
def test_a_critic_is_no_part_of_a_networks_size(options: dict[str, int], expected: int | None, tmp_path: Path) -> None:
    """A summary counts it: of another build than the default one nothing tells how much of it enhances."""
    write_run(tmp_path / "msec", "msec", "msec", options=options)
    path = tmp_path / "msec" / "summary.json"
    path.write_text(path.read_text().replace('"parameters": 0', '"parameters": 7978034'))
    table, results = ENC.table("1"), read_results([tmp_path])
    rows = tuple(dataclasses.replace(row, options=options) if row.method == "msec" else row for row in table.rows)
    report = fill(ENC, dataclasses.replace(table, rows=rows), results)
    found = {point.x for point in against_parameters(report, results, column(report, "me", "psnr")).points if point.measured}
    assert found == ({expected} if expected else set())


def test_run_times_are_of_one_machine(enc: tuple[Report, Results]) -> None:
    report, results = enc
    number = column(report, "me", "psnr")
    figure = draw_scatter(report, results, number, "runtime")
    cells = {line.row.label: line.cells[number] for line in report.lines}
    expected = {"CLAHE, approximate": 0.1, "SID-L": 1.6, "I-SID": 6.4}  # SID's is another machine's
    measured, bars = artists(figure, "measured"), artists(figure, "spread")
    assert {label: place(mark) for label, mark in measured.items()} == {
        label: (pytest.approx(seconds), cells[label].measured.mean) for label, seconds in expected.items()
    }
    assert {label: tuple(bar.get_xdata()) for label, bar in bars.items()} == {
        label: pytest.approx((0.9 * seconds, 1.2 * seconds)) for label, seconds in expected.items()
    }
    assert artists(figure, "published") == {} and "(printed" not in notes(figure)
    assert "Wonder 9000" in notes(figure) and "left out: SID." in notes(figure)


def test_printed_run_times_are_niids(tmp_path: Path) -> None:
    report = fill(NIID, NIID.table("1"), Results())
    figure = draw_scatter(report, Results(), column(report, "niid-mix", "loe"), "runtime")
    found = {label: place(mark) for label, mark in artists(figure, "published").items()}
    assert found["MSR"] == (1.44, 2029.4) and found["NIID (ours)"][0] == 0.05 and len(found) == 14
    assert "i5-8400" in notes(figure)


points = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=9)


@given(points, st.booleans())
def test_pareto_front_equals_brute_force(places: list[tuple[int, int]], higher_is_better: bool) -> None:
    made = [Point(str(n), n, True, float(x), float(y)) for n, (x, y) in enumerate(places)]
    sign = 1 if higher_is_better else -1

    def beats(one: Point, other: Point) -> bool:
        a, b = (one.x, -sign * one.y), (other.x, -sign * other.y)
        return a[0] <= b[0] and a[1] <= b[1] and a != b

    expected = {point.row for point in made if not any(beats(other, point) for other in made)}
    front = pareto(made, higher_is_better)
    assert {point.row for point in front} == expected and len(front) == len(expected)
    assert [point.x for point in front] == sorted(point.x for point in front)


@pytest.mark.parametrize(("metric", "up"), [("psnr", True), ("loe", False)])
def test_the_drawn_front_goes_through_the_printed_points(metric: str, up: bool) -> None:
    report = fill(NIID, NIID.table("1"), Results())
    figure = draw_scatter(report, Results(), column(report, "niid-mix", metric), "runtime")
    marks = [place(mark) for mark in artists(figure, "published").values()]
    line = artists(figure, "front")["published"]
    corners = set(zip(*line.get_data()))
    best = {a for a in marks if not any(b[0] <= a[0] and (b[1] >= a[1] if up else b[1] <= a[1]) and a != b for b in marks)}
    assert corners == best and len(best) > 1 and line.get_drawstyle() == "steps-post"


@pytest.mark.parametrize("metric", ["psnr", "ssim", "vif", "loe", "niqe"])
@pytest.mark.parametrize("kind", ["parameters", "runtime"])
def test_names_cover_neither_each_other_nor_marks(metric: str, kind: str) -> None:
    report = fill(NIID, NIID.table("1"), Results())
    figure = draw_scatter(report, Results(), column(report, "niid-mix", metric), kind)
    renderer = FigureCanvasAgg(figure).get_renderer()
    names = {label: name.get_window_extent(renderer) for label, name in artists(figure, "label").items()}
    marks = artists(figure, "published")
    assert set(names) == set(marks)
    for label, box in names.items():
        assert not any(box.overlaps(other) for name, other in names.items() if name != label), label
        for mark in marks.values():
            assert not box.contains(*figure.axes[0].transData.transform(place(mark))), label
        assert figure.axes[0].get_window_extent(renderer).containsx(box.x0) and box.x1 <= figure.bbox.x1


def test_curves_are_the_means_of_each_exposure_with_their_intervals(runs: Path, enc: tuple[Report, Results]) -> None:
    report, results = enc
    figure = draw_curves(report, results, 0, ENC.table("1").panels[0].metrics[0])
    curves, bands = artists(figure, "curve"), artists(figure, "band")
    assert set(curves) == set(bands) == {"CLAHE, approximate", "SID", "SID-L", "I-SID"}
    rows = [r for r in score_rows("me", 6, seed=1) if r["metric"] == "psnr"]
    for n, ev in enumerate((-1.5, -1.0, 0.0, 1.0, 1.5)):
        chosen = [r for r in rows if r["exposure"] == ev]
        values, scenes = np.array([r["value"] for r in chosen]), np.array([r["scene"] for r in chosen])
        x, y = curves["SID"].get_data()
        assert (x[n], y[n]) == (ev, pytest.approx(values.mean(), abs=1e-12))
        interval = scene_interval([(values, scenes)])
        corners = bands["SID"].get_paths()[0].vertices
        drawn = corners[corners[:, 0] == ev][:, 1]
        assert (drawn.min(), drawn.max()) == pytest.approx((interval.low, interval.high))


def test_few_scenes_have_no_bands_and_missing_values_are_counted(tmp_path: Path) -> None:
    rows = score_rows("me", 4)
    rows[0] |= {"value": None, "status": "failed", "reason": "broken"}
    write_run(tmp_path / "clahe", rows=rows)
    results = read_results([tmp_path])
    figure = draw_curves(fill(ENC, ENC.table("1"), results), results, 0, ENC.table("1").panels[0].metrics[0])
    assert artists(figure, "band") == {} and "No bands: fewer than 5 scenes" in notes(figure) and "1 of CLAHE, approximate" in notes(figure)


def test_curves_of_unknown_exposures_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=[{**r, "exposure": None} for r in score_rows("me", 5)])
    results = read_results([tmp_path])
    with pytest.raises(NotDrawn, match="no image of known exposure"):
        draw_curves(fill(ENC, ENC.table("1"), results), results, 0, ENC.table("1").panels[0].metrics[0])
