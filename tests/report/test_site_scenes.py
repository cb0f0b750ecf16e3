"""The site's scenes: which are chosen, what is made of their pixels, and what their pages say."""

from __future__ import annotations

import html
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from made_runs import score_rows, write_run
from PIL import Image as Pillow

from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.core.pool import Failure
from benchtool.report.frame import read_results
from benchtool.report.site import pictures, scenes
from benchtool.report.site.choose import editions
from benchtool.report.site.scene_view import metric_table
from benchtool.report.site.scene_view import score_rows as rows_of
from benchtool.report.site.scenes import ScenePage, write_scenes

TEMPLATES = Path(pictures.__file__).parent / "templates"
BASE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}<main>{% block content %}{% endblock %}</main></html>"""


def environment() -> jinja2.Environment:
    """The scenes' templates on the barest of pages."""
    loader = jinja2.ChoiceLoader([jinja2.DictLoader({"base.html.j2": BASE}), jinja2.FileSystemLoader(TEMPLATES)])
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes take a second each to start; one test has them."""

    def run_batch(worker: Callable, items: Sequence[tuple[str, Any]], done: Callable, **_: object) -> list[Failure]:
        for name, argument in items:
            done(name, worker(argument))
        return []

    monkeypatch.setattr(scenes, "run_batch", run_batch)


def build(out: Path, runs: Path, *datasets: Dataset, per_kind: int | None = 20) -> tuple[list[ScenePage], list[Failure]]:
    failures: list[Failure] = []
    evaluations = read_results([runs]).evaluations
    return write_scenes(out, evaluations, datasets, per_kind=per_kind, environment=environment(), failures=failures, jobs=1), failures


class Bench:
    """Two scenes of random images at two exposures, with the predictions of runs that were scored on them."""

    def __init__(self, folder: Path, encoding: str = "srgb8", shots: int = 1) -> None:
        self.folder, self.random, self.options = folder, np.random.default_rng(0), {}
        self.suffix = {"srgb8": ".png", "srgb16": ".png", "linear": ".tif"}[encoding]
        self.kind = {"srgb8": np.uint8, "srgb16": np.uint16, "linear": np.float32}[encoding]
        samples = []
        for scene in ("park", "roof"):
            target = self.image(folder / "data" / f"{scene}{self.suffix}", "label")
            for ev in (-1.0, 1.0):
                name = f"{scene}_{ev:+g}"
                inputs = [self.image(folder / "data" / f"{name}_{k}{self.suffix}", "input", ev + k) for k in range(shots)]
                samples.append(Sample(name, scene, "test", tuple(inputs), (target,), None, encoding, encoding))
        self.dataset = write_dataset(folder / "data", Facts("stacks", "sample", {"here": "."}, default_target="label"), samples)

    def image(self, path: Path, role: str, ev: float | None = None) -> Image:
        write_image(path, self.pixels())
        return Image(f"here:{path.name}", sha256_file(path), 20, 12, ev, role=role)

    def pixels(self, size: tuple[int, int] = (12, 20)) -> np.ndarray:
        if self.kind == np.float32:
            return self.random.random((*size, 3), np.float32)
        return self.random.integers(0, np.iinfo(self.kind).max + 1, (*size, 3)).astype(self.kind)

    def run(self, method: str, value: float = 20.0, size: tuple[int, int] = (12, 20), **entry: object) -> Path:
        """A run with a random prediction for every sample."""
        run, rows = self.folder / "runs" / method, []
        for number, sample in enumerate(sorted(self.dataset.samples, key=lambda s: (s.scene, s.inputs[0].ev))):
            path = run / "predictions" / "stacks" / "test" / f"{sample.sample}{self.suffix}"
            write_image(path, self.pixels(size))
            rows.append(
                {
                    "scene": sample.scene,
                    "sample": sample.sample,
                    "exposure": sample.inputs[0].ev,
                    "metric": "psnr",
                    "variant": "rgb-u8",
                    "value": value + number,
                    "subset": None,
                    "expert": "label",
                    "status": "ok",
                    "reason": None,
                    "metric_version": "1",
                    "prediction_sha256": sha256_file(path),
                }  # fmt: skip
            )
        facts = {"options": self.options, "dataset": "stacks", "fingerprint": self.dataset.facts.fingerprint, "target": "label", **entry}
        write_run(run, method, rows=rows, **facts)
        return run


def texts(page: str) -> str:
    return " ".join(html.unescape(page).split())


def test_a_scene_page_has_every_sample_version_and_map(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe"), bench.run("identity", 21.0)
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    assert not failures and [page.scene for page in pages] == ["park", "roof"]
    page = pages[0]
    assert page.samples == ["park_-1", "park_+1"] and page.chosen_for == {"clahe": ["worst", "median"], "identity": ["worst", "median"]}
    assert page.anchors["park_+1"] == f"{page.href}#park_+1"
    text = (tmp_path / "site" / page.href).read_text()
    for word in ("input", "clahe", "identity", "target (label)", "−1 EV", "+1 EV", "JPEG copies (quality 95, 4:4:4)", "20.00", "21.00"):
        assert word in texts(text)
    files = (tmp_path / "site" / page.href).with_suffix("")
    named = [part.split('"')[0] for part in text.split('src="park/')[1:]]
    assert len(named) == 2 * (4 + 2 * 2) and all((files / name).is_file() for name in named)
    assert sorted({*named, "thumb.jpg"}) == sorted(path.name for path in files.iterdir())  # nothing else is left behind
    errors = np.asarray(Pillow.open(files / "park_-1~1-clahe-error.png"))
    output = read_image(tmp_path / "runs/clahe/predictions/stacks/test/park_-1.png")
    target = read_image(tmp_path / "data/park.png")
    assert np.abs(errors - np.clip(np.abs(output.astype(float) - target).mean(axis=2) / 64, 0, 1) * 255).max() <= 1
    copy = read_image(files / "park_-1~1-clahe.jpg")
    assert copy.shape == output.shape and np.abs(copy.astype(float) - output).mean() < 8  # of noise, the worst there is for a JPEG
    assert (tmp_path / "site/static/viewer.js").is_file() and (tmp_path / "site/static/viewer.css").is_file()


def test_the_gallery_leads_to_every_page(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe")
    pages, _ = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    gallery = (tmp_path / "site/scenes/index.html").read_text()
    for page in pages:
        assert f'href="../{page.href}"' in gallery and f"{page.href[:-5]}/thumb.jpg" in gallery
    assert "PSNR 20.50 dB" in gallery  # the mean of the scene's two samples


def test_several_inputs_of_sixteen_bits(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "srgb16", shots=3)
    bench.run("fuse")
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert not failures
    for word in ("input 1 (−1 EV)", "input 2 (0 EV)", "input 3 (+1 EV)", "16 bit, shown here as 8-bit sRGB"):
        assert word in text


def test_linear_images_are_tone_mapped_and_it_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "linear")
    bench.run("merge")
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert not failures and text.count("mu-law (mu = 5000)") >= 6


def test_a_missing_dataset_is_said_with_what_to_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe")
    pages, failures = build(tmp_path / "site", tmp_path / "runs")
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert not failures
    assert (
        f"the dataset stacks (sample, fingerprint {bench.dataset.facts.fingerprint[:8]}) was not given" in text and "--data FOLDER" in text
    )
    assert "park_-1~1-clahe.jpg" in text and "No error map without the target" in text
    other = Bench(tmp_path / "other", "srgb16").dataset
    build(tmp_path / "site", tmp_path / "runs", other)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert f"The stacks that was given has the fingerprint {other.facts.fingerprint[:8]}" in text


def test_missing_and_changed_predictions_are_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.options = {"clip": 4.5}
    folder = bench.run("clahe") / "predictions/stacks/test"
    (folder / "park_-1.png").unlink()
    write_image(folder / "park_+1.png", bench.pixels())
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert "no longer on the disk" in text and f"benchtool evaluate clahe --out {tmp_path}/runs/clahe --data {tmp_path}/data" in text
    assert "--split test --protocol enc --target label --set=clip=4.5 --keep all" in text
    assert "is not the file that was measured" in text
    assert len(failures) == 1 and "park: clahe" in failures[0].item and "park_+1.png" in failures[0].reason
    assert "park_+1~1-clahe.jpg" not in text and "roof_-1~1-clahe.jpg" in (tmp_path / "site" / pages[1].href).read_text()


def test_a_damaged_image_costs_its_own_place_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe")
    (tmp_path / "data/park_-1_0.png").write_bytes(b"no image")
    (tmp_path / "data/roof.png").write_bytes((tmp_path / "data/park.png").read_bytes())  # an image, but another one
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    assert sorted((failure.item.rpartition("/")[2]) for failure in failures) == [
        "park: input",
        "roof: target (label)",
        "roof: target (label)",
    ]
    park, roof = (texts((tmp_path / "site" / page.href).read_text()) for page in pages)
    assert "not a readable image" in park and "park_-1~1-clahe-error.png" in park
    assert "other SHA-256" in roof and "roof_-1~1-clahe.jpg" in roof and "error.png" not in roof


def test_an_output_of_another_size_has_no_error_map(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run("double", size=(24, 40))
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert not failures and "No error map of 40 × 24 pixels against a target of 20 × 12." in text


def test_a_scene_whose_process_dies_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe")
    monkeypatch.setattr(scenes, "run_batch", lambda worker, items, done, **_: [Failure(name, "the decoder crashed") for name, _ in items])
    pages, failures = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert len(failures) == 2 and "Its pictures could not be made: the decoder crashed" in text and "20.00" in text


def test_a_prediction_outside_the_run_is_not_opened(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    folder = bench.run("clahe") / "predictions/stacks/test"
    shutil.move(folder / "park_-1.png", tmp_path / "secret.png")
    (folder / "park_-1.png").symlink_to(tmp_path / "secret.png")
    pages, _ = build(tmp_path / "site", tmp_path / "runs", bench.dataset)
    text = texts((tmp_path / "site" / pages[0].href).read_text())
    assert "leads outside" in text and "park_-1~1-clahe.jpg" not in text


def test_hostile_names_are_escaped_and_stay_inside_the_site(tmp_path: Path) -> None:
    evil, up = "<script>alert(1)</script>", "../../../up"
    rows = [{**row, "scene": scene, "sample": f"{scene}{n}"} for scene in (evil, up) for n, row in enumerate(score_rows("me", 1)[:5])]
    for row in rows:
        row["reason"], row["status"], row["subset"], row["expert"] = evil, "failed", evil, evil
    rows[0]["status"] = rows[5]["status"] = "ok"
    write_run(tmp_path / "runs" / "a", evil, rows=rows, target=evil, variant=evil, **{"split": evil}, dataset="me")
    pages, _ = build(tmp_path / "site", tmp_path / "runs")
    assert [page.scene for page in pages] == [up, evil]
    written = list(tmp_path.rglob("*.html"))
    assert len(written) == 3 and all(path.is_relative_to(tmp_path / "site" / "scenes") for path in written)
    for path in written:
        assert "<script>alert" not in path.read_text() and "&lt;script&gt;alert" in path.read_text()


def test_best_values_are_marked_only_where_they_differ(tmp_path: Path) -> None:
    rows = [row for row in score_rows("me", 1) if row["sample"] == "a9000_0.0"]

    def with_values(psnr: float, ssim: float) -> list[dict]:
        return [{**row, "value": psnr if row["metric"] == "psnr" else ssim} for row in rows]

    write_run(tmp_path / "a", "a", rows=with_values(20.001, math.inf), samples=1, scenes=1)
    write_run(tmp_path / "b", "b", rows=with_values(20.002, 0.5), samples=1, scenes=1)
    failed = [{**row, "status": "failed", "value": None, "reason": "no paper"} for row in rows]
    write_run(tmp_path / "c", "c", rows=failed, samples=1, scenes=1)
    ((_, methods),) = editions(read_results([tmp_path]).evaluations).items()
    table = metric_table(methods, rows_of(methods, ["a9000"]), "a9000_0.0")
    cells = {label: [(cell.text, cell.best, cell.note) for cell in row] for label, row in table.rows}
    assert cells == {
        "a": [("20.00", False, None), ("∞", True, None)],
        "b": [("20.00", False, None), ("0.5000", False, None)],
        "c": [("n/a", False, 1), ("n/a", False, 1)],
    }
    assert table.reasons == ["no paper"] and [head.direction for head in table.heads] == ["higher", "higher"]


def test_no_evaluations_make_a_gallery_that_says_so(tmp_path: Path) -> None:
    assert write_scenes(tmp_path, [], [], per_kind=20, environment=environment(), failures=[]) == []
    assert "benchtool evaluate" in (tmp_path / "scenes/index.html").read_text()


def test_processes_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.run("clahe"), bench.run("identity")
    build(tmp_path / "one", tmp_path / "runs", bench.dataset)
    monkeypatch.undo()
    build(tmp_path / "two", tmp_path / "runs", bench.dataset)
    one, two = (
        {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()} for top in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two and len(one) > 20
