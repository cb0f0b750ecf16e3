"""Sheets show the pictures themselves with their scores; the files of all figures are whole and the same each time."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import write_run
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, open_dataset, write_dataset
from benchtool.papers.load import load
from benchtool.report.figures import contact, draw
from benchtool.report.figures.style import NotDrawn
from benchtool.report.fill import fill
from benchtool.report.frame import Results, read_results
from benchtool.report.table import Report

ENC = load("enc")
SIZE = (400, 267)  # pixels of a picture on a sheet of one method: pictures of this size are shown unchanged
pytestmark = pytest.mark.usefixtures("figure_settings")


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
