"""The plan of ME: raws of any layout found, each with its published or seeded split and its experts; nothing ambiguous passes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from benchtool.core.catalog import facts
from benchtool.core.errors import UserError
from benchtool.datasets.me_files import input_path, target_path
from benchtool.datasets.me_plan import key, make_plan
from benchtool.datasets.me_split import is_fivek, published_splits
from benchtool.datasets.seeded_split import seeded_split


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_published_split() -> None:
    splits = published_splits()
    assert Counter(splits.values()) == {"train": 3_535, "val": 150, "test": 1_181}
    assert splits["a0016"] == "test" and "a0017" not in splits
    assert {split: 5 * n for split, n in Counter(splits.values()).items()} == facts("datasets", "me").counts


def test_published_split_is_that_of_the_published_lists(real_data: Path) -> None:
    named = {"train": "train", "valid": "val", "test": "test"}
    rows = [(r["id"], named[r["split"]]) for r in csv.DictReader((real_data / "splits" / "me_split.csv").open())]
    assert set(rows) - set(published_splits().items()) == {("a0016", "train")}  # the leak
    assert set(published_splits().items()) <= set(rows)


@pytest.mark.parametrize(
    ("scene", "expected"), [("a0001", True), ("a5000", True), ("a5001", False), ("a0000", False), ("a00１0", False), ("cup", False)]
)
def test_is_fivek(scene: str, expected: bool) -> None:
    assert is_fivek(scene) is expected


@pytest.mark.parametrize(("n", "train", "val", "test"), [(0, 0, 0, 0), (1, 1, 0, 0), (2, 1, 0, 1), (3, 1, 1, 1), (100, 70, 10, 20)])
def test_seeded_split_shares(n: int, train: int, val: int, test: int) -> None:
    counts = Counter(seeded_split([f"s{i}" for i in range(n)], 0).values())
    assert (counts["train"], counts["val"], counts["test"]) == (train, val, test)


def test_seeded_split_depends_on_seed_and_set_alone() -> None:
    scenes = [f"s{i}" for i in range(50)]
    assert seeded_split(scenes, 3) == seeded_split([*reversed(scenes), "s1"], 3) != seeded_split(scenes, 4)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("a0001-jmac_DSC1459", "a0001"),
        ("a0687-2004-03-29 08-27-22 CRW_5754 (1)", "a0687"),
        ("a0001", "a0001"),
        ("a0001-", "a0001-"),
        ("ba0001-x", "ba0001-x"),
        ("a00012-x", "a00012-x"),
    ],
)
def test_key(stem: str, expected: str) -> None:
    assert key(stem) == expected


def test_published_names() -> None:
    assert input_path("a0016-x", "test", 1.5, "jpg") == "testing/INPUT_IMAGES/a0016-x_P1.5.JPG"
    assert input_path("a0001-x", "val", 0.0, "png") == "validation/INPUT_IMAGES/a0001-x_0.png"
    assert target_path("a0001-x", "train", "expert_c", "jpg") == "training/GT_IMAGES/a0001-x.jpg"


def test_fivek_archive(tmp_path: Path) -> None:
    """Ids join raws and experts although their names differ; train takes expert C alone; the 134 others stay out."""
    folder = touch(
        tmp_path,
        "raw_photos/HQa1to700/photos/a0001-jmac (1).dng",
        "raw_photos/HQa1to700/photos/a0016-x.DNG",
        "raw_photos/HQa1to700/photos/a0017-not in me.dng",
        "raw_photos/HQa701to1400/photos/a1000-y.dng",
        *(f"tiff16_{e}/{n}.tif" for e in "abcde" for n in ("a0001-jmac-copy", "a0016-x")),
    )
    (folder / "notes.txt").write_text("no raw")
    for start in (folder, folder / "raw_photos"):
        plan = make_plan(start, None, 0)
        found = {s.stem: (s.scene, s.split, sorted(s.experts)) for s in plan.shots}
        every = [f"expert_{e}" for e in "abcde"]
        assert found == {
            "a0001-jmac (1)": ("a0001", "train", ["expert_c"]),
            "a0016-x": ("a0016", "test", every),
            "a1000-y": ("a1000", published_splits()["a1000"], []),
        }
        assert plan.not_in_me == ["a0017"] and plan.fivek == 3 and not plan.unusable
        assert plan.shots[0].experts["expert_c"].samefile(folder / "tiff16_c" / "a0001-jmac-copy.tif")


def test_deep_in_the_archive_experts_are_found_too(tmp_path: Path) -> None:
    touch(tmp_path, "raw_photos/HQa1to700/photos/a0001-x.dng", "tiff16_c/a0001-x.tif")
    [shot] = make_plan(tmp_path / "raw_photos/HQa1to700/photos", None, 0).shots
    assert "expert_c" in shot.experts


def test_experts_beside_the_raws_by_stem(tmp_path: Path) -> None:
    touch(tmp_path, "my raws/IMG_1.CR2", "my raws/IMG_2.nef", "tiff16_c/IMG_1.TIFF", "elsewhere/tiff16_c/IMG_2.tif", "tiff16_c/IMG_9.tif")
    experts = {s.stem: set(s.experts) for s in make_plan(tmp_path / "my raws", None, 0).shots}
    assert experts == {"IMG_1": {"expert_c"}, "IMG_2": set()}
    named = {s.stem: set(s.experts) for s in make_plan(tmp_path / "my raws", tmp_path / "elsewhere", 0).shots}
    assert named == {"IMG_1": set(), "IMG_2": {"expert_c"}}, "--experts replaces what lies beside the raws"


def test_any_tree_any_raw_nothing_hidden(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside", "linked.raf", "deep/er.orf")
    raws = touch(tmp_path / "raws", "a.KDC", "x/b.arw", "x/y z/c (1).Cr3", ".hidden.dng", "._a.KDC", ".trash/d.dng", "photo.jpg", "e.tif")
    (raws / "linked.raf").symlink_to(outside / "linked.raf")
    (raws / "folder").symlink_to(outside / "deep")
    (raws / "x" / "loop").symlink_to(raws)
    assert [s.stem for s in make_plan(raws, None, 0).shots] == ["a", "b", "c (1)", "er", "linked"]


def test_unusable_names_are_failures_not_ends(tmp_path: Path) -> None:
    raws = touch(tmp_path, "fine.dng", "who's.dng", "new\nline.dng")
    (raws / "gone.dng").symlink_to("nowhere")
    plan = make_plan(raws, None, 0)
    assert [s.stem for s in plan.shots] == ["fine"]
    assert {f.item for f in plan.unusable} == {"who's.dng", "new\nline.dng", "gone.dng"}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("x/a.dng", "y/a.dng"), ("x/a.dng", "y/a.dng")),
        (("IMG.CR2", "img.dng"), ("IMG.CR2", "img.dng")),
        (("a0001-x.dng", "a0001-y.dng"), ("a0001-x.dng", "a0001-y.dng", "'a0001'")),
        (("a.dng", "tiff16_c/a.tif", "tiff16_c/more/a.tiff"), ("tiff16_c/a.tif", "more/a.tiff", "expert C")),
        (("photo.jpg",), ("no raw files", "sample-raws")),
    ],
)
def test_ambiguous_or_empty(tmp_path: Path, names: tuple[str, ...], says: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as error:
        make_plan(touch(tmp_path, *names), None, 0)
    assert all(text in str(error.value) for text in says)


def test_wrong_folders(tmp_path: Path) -> None:
    touch(tmp_path, "raws/a.dng", "experts/c/a.tif")
    cases = [("no", None, "no such folder"), ("raws/a.dng", None, "not a folder"), ("raws", "no", "--experts")]
    for raws, experts, says in [*cases, ("raws", "experts", "tiff16_a")]:
        with pytest.raises(UserError, match=says):
            make_plan(tmp_path / raws, experts and tmp_path / experts, 0)


def test_crops_of_one_photograph_stay_together(tmp_path: Path) -> None:
    raws = touch(tmp_path, *(f"raw_photos/HQa1to700/photos/a90{i:02}-x.dng" for i in range(12)))
    scenes = {f"a90{i:02}-x": f"photo{i // 3}" for i in range(12)}
    (raws / "sample-raws.json").write_text(json.dumps({"variant": "sample", "scenes": scenes}))
    for start in (raws, raws / "raw_photos"):
        shots = make_plan(start, None, 1).shots
        assert {s.stem: s.scene for s in shots} == scenes
        assert len({(s.scene, s.split) for s in shots}) == 4 and {s.split for s in shots} == {"train", "val", "test"}
    (raws / "sample-raws.json").write_text('{"scenes": [1]}')
    with pytest.raises(UserError, match="sample-raws.json"):
        make_plan(raws, None, 1)
