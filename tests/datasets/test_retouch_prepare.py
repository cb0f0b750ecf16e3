"""`data prepare coco-retouch` and `data coco-sheet` from photographs to a manifest, interrupted, broken, and with people choosing."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import open_dataset
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.coco_retouch import Options, build, find_photographs
from benchtool.datasets.retouch import choices, grouping, pairs, sheet
from benchtool.datasets.retouch.pairs import LEVELS, curve
from benchtool.datasets.retouch.statistics import mean_curve

SMALL = {"clusters": 3, "candidates": 3, "refinements": 2}


def serial(worker: Callable, items: Sequence, done: Callable, *, label: str, jobs: int | None = None, unit: str = "it") -> list[Failure]:
    """`run_batch` in this process: starting others takes longer than what is tested."""
    failures = []
    for name, argument in items:
        try:
            done(name, worker(argument))
        except UserError as error:
            failures.append(Failure(name, str(error)))
    return failures


@pytest.fixture(scope="module", autouse=True)
def in_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (grouping, choices, pairs, sheet):
            patch.setattr(module, "run_batch", serial)
        yield


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven crops of 64 x 48, under three exposures."""
    folder = tmp_path_factory.mktemp("photographs")
    whole = data.coffee()
    for k in range(7):
        crop = whole[40 * k : 40 * k + 96 : 2, 60 * k : 60 * k + 128 : 2] * (0.3, 0.6, 1.0)[k % 3]
        name = ("IMG {} (1).JPG", "day/{}.png", "{}.jpg")[k % 3].format(k)
        write_image(folder / name, np.ascontiguousarray(crop.astype(np.uint8)), quality=95)
    return folder


@pytest.fixture(scope="module")
def made(in_process: None, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    outcome = build(photographs, out, Options(**SMALL), jobs=1)
    assert not outcome.failures
    return out


def files(out: Path) -> dict[str, bytes]:
    return {f"{kind}/{p.name}": p.read_bytes() for kind in ("input", "target") for p in (out / kind).iterdir()}


def remade(made: Path, tmp_path: Path) -> Path:
    """A copy, so that what is already done need not be done again."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def test_the_whole_way(made: Path, photographs: Path) -> None:
    dataset = open_dataset(made)
    assert len(dataset.samples) == 7 and {s: c["samples"] for s, c in dataset.facts.counts.items()} == {"train": 5, "val": 1, "test": 1}
    assert {s.sample for s in dataset.samples} >= {"IMG 0 (1)", "day_1", "2"}
    for sample in dataset.samples:
        (target,) = sample.targets
        assert target.role == dataset.facts.default_target == "label" and (target.width, target.height) == (64, 48)
        source, spoilt, clean = (read_image(p) for p in (find_photographs(photographs, made)[0][sample.sample],
                                                         dataset.path(sample.inputs[0]), dataset.path(target)))  # fmt: skip
        assert spoilt.shape == clean.shape == source.shape
        assert 0.5 < np.abs(spoilt.astype(float) - source).mean() < 60
    facts = json.loads((made / "dataset.json").read_text())
    assert (
        facts["made"]["chosen_by"] == {"score": 3} and facts["roots"] == {"coco-retouch": "."} and "before JPEG" in facts["made"]["noise"]
    )
    statistics = json.loads((made / "statistics.json").read_text())
    assert sum(c["photographs"] for c in statistics["clusters"]) == 7 and len(statistics["curve"]) == LEVELS
    assert 60 <= statistics["drawn"]["quality"]["min"] <= statistics["drawn"]["quality"]["max"] <= 100
    assert read_image(made / "adjustment-curves.png").std() > 5


def test_workers_change_nothing(made: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (grouping, choices, pairs):
        monkeypatch.setattr(module, "run_batch", run_batch)
    build(photographs, tmp_path / "out", Options(**SMALL), jobs=3)
    assert files(tmp_path / "out") == files(made)
    assert open_dataset(tmp_path / "out").facts.fingerprint == open_dataset(made).facts.fingerprint
    assert (tmp_path / "out" / "clusters.json").read_bytes() == (made / "clusters.json").read_bytes()


def test_the_same_call_goes_on(made: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = remade(made, tmp_path)
    before = files(out)
    (out / "target" / "day_1.png").unlink()
    (out / "input" / "2.jpg").write_bytes(b"cut")
    (out / "dataset.json").unlink()
    ran: list[str] = []

    def spy(worker: Callable, items: Sequence, *rest: Any, **named: Any) -> list[Failure]:
        ran.extend(name for name, _ in items)
        return serial(worker, items, *rest, **named)

    for module in (grouping, pairs, choices):
        monkeypatch.setattr(module, "run_batch", spy)
    build(photographs, out, Options(**SMALL), jobs=1)
    assert sorted(ran) == ["2", "day_1"] and files(out) == before
    ran.clear()
    build(photographs, out, Options(**SMALL, noise="off"), jobs=1)
    assert len(ran) == 7  # every pair, but neither histograms nor the search


def test_a_broken_photograph_is_named_and_the_rest_done(benchtool: Callable, photographs: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(photographs, tmp_path / "source"))
    (source / "broken.jpg").write_bytes((source / "2.jpg").read_bytes()[:300])
    write_image(source / "tiny.png", np.zeros((8, 8, 3), np.uint8))
    done = benchtool("data", "prepare", "coco-retouch", source, tmp_path / "out", "-s", "coefficients=default", "--jobs", 1)
    assert done.code == 1 and "broken.jpg" in done.err and "8 x 8 pixels; at least 32" in done.err and "Traceback" not in done.err
    assert "7 clusters instead of 500" in done.err and len(open_dataset(tmp_path / "out").samples) == 7


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.jpg").write_bytes(b"no picture")
    outcome = build(tmp_path / "source", tmp_path / "out", Options(), jobs=1)
    assert outcome.dataset is None and outcome.failures[0].item == "a"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1}, {"noise": "unprocess"}, {"mosaic": "none"}, {"std_form": "std-linear"}, {"quality_low": 5, "quality_high": 10},
        {"jpeg": False}, {"solve": "full"}, {"target": "jpg"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_options_of_pairs_matter(change: dict, photographs: Path, tmp_path: Path) -> None:
    first, other = tmp_path / "a", tmp_path / "b"
    for out, part in ((first, {}), (other, change)):
        build(_one(photographs, tmp_path), out, Options(coefficients="default", **part), jobs=1)
    assert set(files(first).items()) != set(files(other).items())


@pytest.mark.parametrize(
    "change", [{"clusters": 2}, {"bins": 4}, {"histogram": "raw"}, {"channel": "y"}], ids=lambda change: next(iter(change))
)
def test_options_of_clusters_matter(change: dict, made: Path, photographs: Path, tmp_path: Path) -> None:
    out = remade(made, tmp_path)
    before = json.loads((out / "clusters.json").read_text())
    build(photographs, out, Options(**{**SMALL, **change}, coefficients="default"), jobs=1)
    after = json.loads((out / "clusters.json").read_text())
    assert before["made_of"] != after["made_of"] and before["centroids"] != after["centroids"]


def test_coco_is_recognised(photographs: Path, tmp_path: Path) -> None:
    source = tmp_path / "coco"
    for k, path in enumerate(sorted(photographs.glob("*.jpg"))):
        (source / "train2014").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, source / "train2014" / f"COCO_train2014_{k:012}.jpg")
    (source / "val2014").mkdir()
    shutil.copy(path, source / "val2014" / "COCO_val2014_1.jpg")
    for place in (source, source / "train2014"):
        found, title, notes = find_photographs(place, tmp_path / "out")
        assert sorted(found)[0] == "COCO_train2014_000000000000" and "val2014" not in str(sorted(found)) and title.startswith("COCO")
        assert "of COCO train2014's 82,783" in notes[0]


def test_names_that_clash(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a.jpg", "a.png", "b/c.jpg"):
        write_image(source / name, np.zeros((40, 40, 3), np.uint8))
    assert sorted(find_photographs(source, tmp_path / "out")[0]) == ["a_jpg", "a_png", "b_c"]
    write_image(source / "b_c.jpg", np.zeros((40, 40, 3), np.uint8))
    with pytest.raises(UserError, match="would both be the sample 'b_c_jpg'"):
        find_photographs(source, tmp_path / "out")


def test_impossible_requests(benchtool: Callable, photographs: Path, tmp_path: Path) -> None:
    for extra, said in (
        (["-s", "quality_low=90", "-s", "quality_high=80"], "quality_low"), (["-s", "clusters=0"], "clusters"),
        (["--copy"], "images of its own"),
        (["-s", "coefficients=default", "-s", "test=7"], "leaves none"), (["-s", "choices=none.csv"], "no file of choices"),
    ):  # fmt: skip
        done = benchtool("data", "prepare", "coco-retouch", photographs, tmp_path / "out", "--jobs", 1, *extra)
        assert done.code == 2 and said in done.err and "Traceback" not in done.err, done.err
    done = benchtool("data", "prepare", "coco-retouch", photographs, photographs / "out")
    assert done.code == 2 and "lies among the photographs" in done.err and not (photographs / "out").exists()
    done = benchtool("data", "coco-sheet", tmp_path / "nowhere", tmp_path / "out")
    assert done.code == 2 and "no such folder" in done.err


def test_people_choose_from_the_sheets(benchtool: Callable, made: Path, photographs: Path, tmp_path: Path) -> None:
    out = remade(made, tmp_path)
    options = [part for name, value in SMALL.items() for part in ("-s", f"{name}={value}")]
    done = benchtool("data", "coco-sheet", photographs, out, *options, "--jobs", 1)
    assert done.code == 0 and "index.html" in done.out
    assert read_image(out / "sheets" / "cluster-0001.jpg").shape == (3 * 48, 3 * 64, 3)
    page = (out / "sheets" / "index.html").read_text()
    assert "cluster-0002.jpg" in page and "{{" not in page
    lines = [json.loads(line) for line in (out / "sheets" / "candidates.jsonl").read_text().splitlines()]
    with open(out / "sheets" / "choices.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["cluster_id"] for row in rows] == ["0", "1", "2"]
    rows[1] |= {"choice": "2", "rater": "ann"}
    rows[2] |= {"choice": "identity", "rater": "ann"}
    chosen = tmp_path / "choices.csv"
    with open(chosen, "w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    done = benchtool("data", "prepare", "coco-retouch", photographs, out, *options, "-s", f"choices={chosen}", "--jobs", 1)
    assert done.code == 0 and "2 of 3 clusters are people's" in done.err, done.err
    assert open_dataset(out).facts.made["options"]["choices"] == "choices.csv"
    clusters = json.loads((out / "statistics.json").read_text())["clusters"]
    assert [c["by"] for c in clusters] == ["score", "number", "number"]
    wanted = next(line for line in lines if (line["cluster"], line["choice"]) == (1, 2))
    assert clusters[1]["coefficients"] == {name: wanted[name] for name in clusters[1]["coefficients"]}
    assert clusters[2]["coefficients"]["alpha"] == 0 and clusters[2]["coefficients"]["gamma1"] == []
    done = benchtool("data", "prepare", "coco-retouch", photographs, out, *options, "-s", "seed=1", "-s", f"choices={chosen}", "--jobs", 1)
    assert done.code == 2 and "is for the clusters" in done.err


def test_the_adjustment_curve() -> None:
    image = np.zeros((10, 20, 3), np.float32)
    image[:, 10:, 1] = 0.75
    target = np.full((10, 20, 3), 51, np.uint8)
    target[:, 10:, 2] = 204
    share, mean = curve(image, target)
    assert share[0] == 0.5 and share[LEVELS * 3 // 4] == 0.5 and sum(share) == 1
    assert mean[0] == pytest.approx(0.2) and mean[LEVELS * 3 // 4] == pytest.approx(0.8)
    whole = mean_curve([[[1.0] + [0.0] * (LEVELS - 1), [0.4] * LEVELS], [share, mean]])
    assert whole[0] == pytest.approx((0.4 + 0.5 * 0.2) / 1.5) and np.isnan(whole[1])


def _one(photographs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    shutil.copy(photographs / "2.jpg", folder)
    return folder
