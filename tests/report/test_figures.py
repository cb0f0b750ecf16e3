"""Figures show what the table shows, no more and no less, and say what they do not show and why."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import score_rows, write_run
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, open_dataset, write_dataset
from benchtool.papers.load import load
from benchtool.report.figures import contact, draw
from benchtool.report.figures.curves import draw_curves
from benchtool.report.figures.points import Point, pareto, whole
from benchtool.report.figures.scatter import draw_scatter
from benchtool.report.figures.style import SETTINGS, NotDrawn
from benchtool.report.fill import fill
from benchtool.report.frame import Results, read_results
from benchtool.report.statistics import scene_interval
from benchtool.report.table import Report

ENC, NIID = load("enc"), load("niid")
METHODS = {"clahe": None, "sid": "sid", "sid-l": "sid-l", "sid-enc": "i-sid"}  # row's method -> recipe
LABELS = {"sid": "SID", "sid-l": "SID-L", "sid-enc": "I-SID"}
BUILT = {"sid": 7_760_163, "sid-l": 12_123_883, "sid-enc": 7_816_883}
SIZE = (400, 267)  # pixels of a picture on a sheet of one method: pictures of this size are shown unchanged


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with matplotlib.rc_context(SETTINGS):
        yield


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
        label: (float(printed[:-1]) * 2**20, float(cell.published)) for label, (cell, printed) in cells.items() if printed
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


def test_the_run_says_how_many_parameters_it_has(tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid")
    path = tmp_path / "sid" / "summary.json"
    path.write_text(path.read_text().replace('"parameters": 0', '"parameters": 1234'))
    results = read_results([tmp_path])
    report = fill(ENC, ENC.table("1"), results)
    figure = draw_scatter(report, results, column(report, "me", "psnr"), "parameters")
    assert place(artists(figure, "measured")["SID"])[0] == 1234


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


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Seven scenes of noise at three exposures, in the size pictures have on a sheet."""
    folder, random, samples = tmp_path_factory.mktemp("me"), np.random.default_rng(0), []

    def image(name: str, ev: float | None, role: str = "input") -> Image:
        write_image(folder / name, random.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
        return Image(f"here:{name}", sha256_file(folder / name), *SIZE, ev, role=role)

    for scene in "abcdefg":
        target = image(f"{scene}.png", None, "expert_c")
        samples += [Sample(f"{scene}_{ev}", scene, "test", (image(f"{scene}_{ev}.png", ev),), (target,)) for ev in (-1.5, 0.0, 1.5)]
    return write_dataset(folder, Facts("me", "sample", {"here": "."}, {"under": [-1.5], "over": [0.0, 1.5]}), samples)


def evaluated(folder: Path, photos: Dataset, kept: str = "abcdefg") -> tuple[Report, Results]:
    """CLAHE measured on the photographs, whose predictions are noise; those of the scenes `kept` are on the disk."""
    random, rows = np.random.default_rng(1), []
    for n, sample in enumerate(photos.samples):
        if sample.scene in kept:
            write_image(
                folder / "predictions/me/test" / f"{sample.sample}.png", random.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            )
        same = {"scene": sample.scene, "sample": sample.sample, "exposure": sample.exposure, "subset": None, "expert": "expert_c"}
        for metric, variant, value in (("psnr", "rgb-u8", 20 + n / 100), ("ssim", "gray-uniform7", 0.5 + n / 1000)):
            score = {"metric": metric, "variant": variant, "value": value, "status": "ok", "reason": None, "metric_version": "1"}
            rows.append({**same, **score})
    write_run(folder, rows=rows, fingerprint=photos.facts.fingerprint)
    results = read_results([folder])
    return fill(ENC, ENC.table("1"), results), results


def test_a_sheet_shows_the_pictures_themselves_and_their_scores(tmp_path: Path, photos: Dataset) -> None:
    report, results = evaluated(tmp_path / "run", photos)
    (figure,) = contact.draw_sheets(report, results, 0, [photos])
    by_name = {axes.get_gid(): axes for axes in figure.axes}
    rows = list(dict.fromkeys(name.split(":")[0] for name in by_name))
    assert len(rows) == 6 and {name.split("_")[1] for name in rows} == {"-1.5", "1.5"}
    assert [axes.get_title() for axes in figure.axes[:3]] == ["Input", "CLAHE, approximate", "Target"]
    samples = {sample.sample: sample for sample in photos.samples}
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = np.asarray(canvas.buffer_rgba())[:, :, :3]
    for name in rows:
        paths = {
            "Input": photos.path(samples[name].inputs[0]), "CLAHE, approximate": tmp_path / "run/predictions/me/test" / f"{name}.png",
            "Target": photos.path(samples[name].targets[0]),
        }  # fmt: skip
        for title, path in paths.items():
            left, bottom, right, top = (round(edge) for edge in by_name[f"{name}:{title}"].bbox.extents)
            shown = page[len(page) - top : len(page) - bottom, left:right]
            np.testing.assert_array_equal(shown, read_image(path), err_msg=f"{name}, {title}")
        number = photos.samples.index(samples[name])
        texts = [text.get_text() for text in by_name[f"{name}:CLAHE, approximate"].texts]
        assert texts == [f"{20 + number / 100:.2f} / {0.5 + number / 1000:.4f}"]


def test_larger_pictures_are_cut_to_shape_and_shrunk(tmp_path: Path) -> None:
    pixels = np.zeros((300, 200, 3), np.uint8)
    pixels[83:217] = 200  # the middle two thirds, 3 : 2
    write_image(tmp_path / "a.png", pixels)
    assert contact.tile(tmp_path / "a.png", (60, 40)).shape == (40, 60, 3)
    assert contact.tile(tmp_path / "a.png", (60, 40)).min() > 150
    write_image(tmp_path / "b.png", (pixels.astype(np.uint16) * 257))
    np.testing.assert_array_equal(contact.tile(tmp_path / "b.png", (300, 200)), contact.tile(tmp_path / "a.png", (300, 200)))


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 50))
def test_scenes_are_spread_evenly(total: int, wanted: int, seed: int) -> None:
    found = contact.spread(total, wanted, seed)
    assert len(set(found)) == len(found) == min(total, wanted) and all(0 <= place < total for place in found)
    gaps = np.diff([*found, found[0] + total])
    assert gaps.max() - gaps.min() <= 1 and found == contact.spread(total, wanted, seed)


def test_scenes_depend_on_the_seed_and_on_what_is_kept(tmp_path: Path, photos: Dataset) -> None:
    evaluated(tmp_path / "some", photos, kept="bd")
    evaluated(tmp_path / "all", photos)

    def scenes(runs: tuple[str, ...], seed: int) -> str:
        shown = [contact.Shown(run, tmp_path / run / "predictions/me/test", {}) for run in runs]
        return "".join(sample.scene for sample in contact.choose(photos.samples, shown, seed))

    assert scenes(("some",), 0) == scenes(("some", "all"), 0) == "bbdd"
    assert len({scenes(("all",), seed) for seed in range(8)}) > 1


def test_sheets_that_cannot_be_drawn_say_why(tmp_path: Path, photos: Dataset) -> None:
    report, results = evaluated(tmp_path / "run", photos, kept="")
    with pytest.raises(NotDrawn, match="no predictions are kept"):
        contact.draw_sheets(report, results, 0, [photos])
    with pytest.raises(NotDrawn, match="give the dataset me with --data"):
        contact.draw_sheets(report, results, 0, [])
    with pytest.raises(NotDrawn, match="nothing measured"):
        contact.draw_sheets(report, results, 1, [photos])
    other = dataclasses.replace(photos, facts=dataclasses.replace(photos.facts, fingerprint="0" * 64))
    with pytest.raises(NotDrawn, match="is other data"):
        contact.draw_sheets(report, results, 0, [other])


def test_pictures_that_are_missing_or_damaged_leave_a_word(tmp_path: Path, photos: Dataset) -> None:
    report, results = evaluated(tmp_path / "run", photos)
    folder = tmp_path / "run/predictions/me/test"
    for prediction in folder.glob("*_-1.5.png"):
        prediction.write_text("damaged")
    expected = {"-1.5": ["unreadable"], "1.5": []}
    (figure,) = contact.draw_sheets(report, results, 0, [open_dataset(photos.folder)])
    for axes in figure.axes:
        name, title = axes.get_gid().split(":")
        if title == "CLAHE, approximate":
            assert [text.get_text() for text in axes.texts][:-1] == expected[name.split("_")[1]]
            assert len(axes.images) == (name.split("_")[1] == "1.5")


def test_files_are_whole_and_the_same_each_time(tmp_path: Path, photos: Dataset, capsys: pytest.CaptureFixture) -> None:
    _, results = evaluated(tmp_path / "run", photos)
    panels = tuple(dataclasses.replace(panel, metrics=panel.metrics[:1]) for panel in ENC.table("1").panels)
    report = fill(ENC, dataclasses.replace(ENC.table("1"), panels=panels), results)
    written = draw(report, results, tmp_path / "one", [photos])
    said = capsys.readouterr().err
    stems = ["exposures-me-psnr", "sheet-me", "parameters-me-psnr", "parameters-me-v2-psnr"]
    assert sorted(path.name for path in written) == sorted(f"enc-1-{stem}{suffix}" for stem in stems for suffix in (".pdf", ".png"))
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(path.name for path in written)
    for path in written:
        content = path.read_bytes()
        if path.suffix == ".pdf":
            assert content.startswith(b"%PDF-") and b"/FontFile2" in content and b"/Type3" not in content and b"Date" not in content
        else:
            assert content.startswith(b"\x89PNG") and read_image(path).std() > 10
    draw(report, results, tmp_path / "two", [photos])
    for path in written:
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    assert "not drawn: runtime: no row has both the metric and a run time\n" in said
    assert "not drawn: exposures of me-v2-psnr: nothing measured\n" in said and "not drawn: sheet of me-v2: nothing measured\n" in said


def test_drawing_needs_neither_torch_nor_a_display(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "import benchtool.report.figures as figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from benchtool.papers.load import load; from benchtool.report.fill import fill; from benchtool.report.frame import Results\n"
        "library = load('niid'); results = Results()\n"
        f"written = figures.draw(fill(library, library.table('2'), results), results, Path({str(tmp_path)!r}))\n"
        "print(len(written), 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 False"
    assert "not drawn: parameters: " in done.stderr and list(tmp_path.iterdir()) == []
