"""Average precision of detections against brute force, by hand, and through `evaluate --detector`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.datasets.prepare import prepare
from benchtool.evaluation.detection import Curve, exact_curve, overlaps, read_detections, tool_curve

Boxes = dict[str, np.ndarray]


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 30, (count, 2))
    return np.concatenate([corner, corner + rng.integers(2, 14, (count, 2))], axis=1).astype(float)


def made(seed: int) -> tuple[Boxes, Boxes]:
    """Crowded pictures: several boxes a face, few distinct scores, one picture without faces, one without detections."""
    rng = np.random.default_rng(seed)
    truth = {f"p{k}": boxes(rng, int(n)) for k, n in enumerate(rng.integers(1, 7, 6))} | {"none": np.zeros((0, 4))}
    found = {}
    for name, faces in list(truth.items())[1:]:
        near = np.repeat(faces, 2, axis=0) + rng.integers(-2, 3, (2 * len(faces), 4)) * [1, 1, 0, 0]
        rows = np.concatenate([near, boxes(rng, 3)])
        found[name] = np.column_stack([rows, rng.integers(0, 12, len(rows)) / 7])
    return found, truth


def pixels(box: np.ndarray) -> set[tuple[int, int]]:
    return {(x, y) for x in range(int(box[0]), int(box[2]) + 1) for y in range(int(box[1]), int(box[3]) + 1)}


def counted_at(found: Boxes, truth: Boxes, threshold: float, skip_empty: bool) -> tuple[int, int]:
    """(detections, faces found) of at least a score, by counting pixels and nothing cleverer."""
    detections = hits = 0
    for name, rows in found.items():
        faces = truth[name]
        if skip_empty and not len(faces):
            continue
        good = [row for row in rows if row[4] >= threshold]
        detections += len(good)
        reached = set()
        for row in good:
            shares = [len(pixels(row) & pixels(face)) / len(pixels(row) | pixels(face)) for face in faces]
            if shares and max(shares) >= 0.5:
                reached.add(shares.index(max(shares)))
        hits += len(reached)
    return detections, hits


def area(points: list[tuple[float, float]]) -> float:
    """Area under the envelope of (recall, precision): the best precision at this recall or more, over steps of recall."""
    total, last = 0.0, 0.0
    for recall in sorted({r for r, _ in points}):
        total += (recall - last) * max(p for r, p in points if r >= recall)
        last = recall
    return total


@pytest.mark.parametrize("seed", range(8))
def test_exact_average_precision_is_brute_force(seed: int) -> None:
    found, truth = made(seed)
    faces = sum(map(len, truth.values()))
    counts = [counted_at(found, truth, s, skip_empty=False) for s in sorted({s for rows in found.values() for s in rows[:, 4]})]
    assert exact_curve(found, truth).average_precision == pytest.approx(area([(h / faces, h / d) for d, h in counts]), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_tool_curve_is_brute_force(seed: int) -> None:
    found, truth = made(seed)
    scores = np.concatenate([rows[:, 4] for rows in found.values()])
    low, span = scores.min(), scores.max() - scores.min()
    scaled = {name: np.column_stack([rows[:, :4], (rows[:, 4] - low) / span]) for name, rows in found.items()}
    curve, faces = tool_curve(found, truth), sum(map(len, truth.values()))
    for t in (1, 2, 89, 90, 91, 92, 250, 500, 727, 728, 999, 1000):
        detections, hits = counted_at(scaled, truth, 1 - t / 1000, skip_empty=True)
        assert (curve.recall[t - 1], curve.precision[t - 1]) == pytest.approx((hits / faces, hits / detections if detections else 0))


def test_pixels_at_the_edge_belong_to_a_box() -> None:
    one = np.array([0, 0, 9, 9.0])
    assert overlaps(one, np.array([[0, 0, 9, 9.0], [0, 5, 9, 14.0], [10, 10, 12, 12.0]])).tolist() == [1, 50 / 150, 0]


def test_rules_that_differ() -> None:
    face = np.array([[0, 0, 9, 9.0]])
    found = {"a": np.array([[0, 0, 9, 9, 0.9], [0, 0, 9, 9, 0.8]]), "empty": np.array([[0, 0, 9, 9, 0.95]])}
    truth = {"a": face, "b": face, "empty": np.zeros((0, 4))}
    assert tool_curve(found, truth).average_precision == pytest.approx(0.5)  # what is found where there is no face vanishes
    assert exact_curve(found, truth).average_precision == pytest.approx(0.25)  # it does not; recall stops at one of two
    only = {"a": found["a"]}
    assert exact_curve(only, truth).precision.tolist() == [1, 0.5]  # a second box on a face is wrong
    assert tool_curve({}, truth).average_precision == exact_curve({}, truth).average_precision == 0


def test_one_outlier_changes_the_tools_value_alone() -> None:
    found, truth = made(3)
    outlier = found | {"none": np.array([[0, 0, 3, 3, -1e6]])}
    before = {name: rows for name, rows in found.items() if name != "none"}
    assert exact_curve(outlier, truth).average_precision == pytest.approx(exact_curve(before, truth).average_precision)
    assert tool_curve(outlier, truth).average_precision != pytest.approx(tool_curve(before, truth).average_precision, abs=1e-3)


def test_the_envelope() -> None:
    assert Curve(np.array([1, 0.5, 0.6]), np.array([0.2, 0.4, 0.6])).average_precision == pytest.approx(0.2 + 0.4 * 0.6)


def dark(folder: Path, height: int = 24) -> Path:
    """DARK FACE's layout: 5 pictures, the faces of the last of which are small."""
    for k in range(1, 6):
        write_image(folder / "DarkFace Train (2021)" / "image" / f"{k}.png", np.full((40, 40, 3), k, np.uint8))
        label = folder / "DarkFace Train (2021)" / "label" / f"{k}.txt"
        label.parent.mkdir(exist_ok=True)
        low = 5 if k == 5 else height
        label.write_text(f"2\n1 2 9 {2 + low}\n20 2 30 {2 + low}\n")
    return folder


def test_darkface_is_prepared(tmp_path: Path) -> None:
    src = dark(tmp_path / "zip")
    out = prepare("darkface", src, tmp_path / "out", options={"count": 3}, jobs=1)
    facts = out.dataset.facts
    names = {s.sample for s in out.dataset.samples}
    assert len(names) == 3 and "5" not in names and names == set(facts.made["boxes"]) and facts.variant == "subset-ours"
    assert facts.made["boxes"][min(names)] == [[1, 2, 9, 26], [20, 2, 30, 26]] and {s.split for s in out.dataset.samples} == {"test"}
    assert any("list of 500 easy images is not published: these 3 were drawn by seed 0" in note for note in out.notes)
    assert prepare("darkface", src, tmp_path / "o2", options={"count": 3, "seed": 4}, jobs=1).dataset.facts.fingerprint != facts.fingerprint
    everything = prepare("darkface", src, tmp_path / "o3", options={"images": "all"}, jobs=1)
    assert len(everything.dataset.samples) == 5 and everything.dataset.facts.variant == "published"
    assert len(prepare("darkface", src, tmp_path / "o4", options={"count": 5, "height": 5}, jobs=1).dataset.samples) == 5


def test_darkface_that_is_not_whole(tmp_path: Path) -> None:
    src = dark(tmp_path / "zip")
    place = src / "DarkFace Train (2021)"
    (place / "label" / "1.txt").write_text("3\n1 2 9 26\n"), (place / "label" / "2.txt").unlink(), (place / "image" / "3.png").unlink()
    (place / "label" / "4.txt").write_text("1\n9 9 2 2\n")
    out = prepare("darkface", src, tmp_path / "out", options={"images": "all"}, jobs=1)
    assert [(f.item, f.reason) for f in out.failures] == [
        ("label/1.txt", "says 3 boxes and has 1"), ("label/4.txt", "has a box [9.0, 9.0, 2.0, 2.0], which is none"),
    ]  # fmt: skip
    assert out.dataset.facts.made["missing"] == ["label: nothing for image's 2", "image: nothing for label's 3"]
    with pytest.raises(UserError, match="500 images are wanted, 0 of 1 have faces of 20 pixels"):
        prepare("darkface", src, tmp_path / "o2")
    with pytest.raises(UserError, match="'image' beside 'label' is not in it"):
        prepare("darkface", place / "image", tmp_path / "o3")


def test_evaluate_a_detectors_file(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare("darkface", dark(tmp_path / "zip"), tmp_path / "data", options={"images": "all"}, jobs=1)
    lines = ["sample,x1,y1,x2,y2,score", "1,1,2,9,26,0.9", "1,20,2,30,26,0.2", "2,1,2,9,26,0.8", "3,0,30,9,39,0.85"]
    (tmp_path / "found.csv").write_text("\n".join(lines) + "\n")
    done = benchtool("evaluate", "identity", "--data", "data", "--detector", "found.csv")
    assert done.code == 0 and "5 images, 10 faces, 4 detections" in done.out
    result = json.loads((tmp_path / "runs" / "identity" / "detection" / "darkface" / "test" / "result.json").read_text())
    assert result["ap_exact"] == pytest.approx(0.1 * 1 + 0.2 * 0.75) and f"AP {result['ap_exact']:.6f} (exact)" in done.out
    assert result["ap_tool"] == pytest.approx(result["ap_exact"]) and result["images_without_detections"] == 2
    curve = (tmp_path / "runs/identity/detection/darkface/test/pr_curve.csv").read_text().splitlines()
    assert curve[0] == "threshold,precision,recall" and len(curve) == 1001 and curve[1] == "0.999,1.0,0.1" and curve[-1] == "0.000,0.75,0.3"
    again = benchtool("evaluate", "identity", "--data", "data", "--detector", "found.csv", "--out", "here", "--json")
    assert json.loads(again.out)["ap_tool"] == result["ap_tool"] and (tmp_path / "here" / "detection").is_dir()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sample,x1,y1,x2,y2\n", "has no column score"),
        ("sample,x1,y1,x2,y2,score\n9,1,1,2,2,1\n", "line 2: '9' is no image"),
        ("sample,x1,y1,x2,y2,score\n1,1,1,2,2,1\n1,a,1,2,2,1\n", "line 3: x1, y1, x2, y2 and score must be numbers"),
        ("sample,x1,y1,x2,y2,score\n1,1,1,2,2,nan\n", "line 2: .* is no box"),
        ("sample,x1,y1,x2,y2,score\n1,3,1,2,2,1\n", "line 2: .* is no box"),
        ("sample,x1,y1,x2,y2,score\n1,3,1\n", "line 2: x1"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "found.csv").write_text(text)
    with pytest.raises(UserError, match=says):
        read_detections(tmp_path / "found.csv", {"1": None})


def test_a_dataset_without_boxes_is_refused(benchtool: Callable, tmp_path: Path) -> None:
    from small_data import make_dataset

    make_dataset(tmp_path / "me")
    (tmp_path / "found.csv").write_text("sample,x1,y1,x2,y2,score\n")
    done = benchtool("evaluate", "identity", "--data", tmp_path / "me", "--detector", tmp_path / "found.csv")
    assert done.code == 2 and "has no boxes of faces" in done.err
