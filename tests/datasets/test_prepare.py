"""`data prepare` over small layouts, whole and broken, and over the real ones where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import open_dataset
from benchtool.datasets.loading import Patches
from benchtool.datasets.prepare import prepare


def stack(folder: Path, levels: list[int], names: list[str] | None = None) -> list[str]:
    """Flat 16 x 12 pictures of these grey levels; returns their names."""
    names = names or [f"{k}.JPG" for k in range(1, len(levels) + 1)]
    for name, level in zip(names, levels):
        write_image(folder / name, np.full((12, 16, 3), level, np.uint8))
    return names


def chosen(folder: Path) -> dict[str, tuple[str, str]]:
    """Sample -> (input, first target), as paths below the root."""
    return {s.sample: (s.inputs[0].path.partition(":")[2], s.targets[0].path.partition(":")[2]) for s in open_dataset(folder).samples}


def test_brackets_are_put_in_order_by_brightness(tmp_path: Path) -> None:
    src = tmp_path / "my brackets (1)"
    stack(src / "door", [200, 10, 120, 60, 160, 30], ["a.JPG", "b.jpg", "c.png", "d.JPG", "e.jpeg", "f.JPG"])  # b f d c e a
    stack(src / "day" / "sea", [10, 50, 90, 130, 170])
    for k in range(3):
        stack(src / f"more{k}", [10, 50, 90, 130, 170])
    (src / "notes.txt").write_text("no picture")
    out = prepare("brackets", src, tmp_path / "out", options={"val": 1, "test": 1}, jobs=1)
    pairs = chosen(tmp_path / "out")
    assert pairs["door_under"] == ("door/f.JPG", "door/d.JPG") and pairs["door_over"] == ("door/e.jpeg", "door/d.JPG")
    assert pairs["day_sea_under"] == ("day/sea/2.JPG", "day/sea/3.JPG")
    assert not out.failures and {split: c["scenes"] for split, c in out.dataset.facts.counts.items()} == {"train": 3, "val": 1, "test": 1}
    assert out.dataset.facts.roots == {"brackets": "../my brackets (1)"}
    assert {s.subset: out.dataset.group(s) for s in out.dataset.samples} == {"under": "under", "over": "over"}


def test_brackets_with_every_shot(tmp_path: Path) -> None:
    for scene in "abc":
        stack(tmp_path / "src" / scene, [10, 90, 170, 250])
    prepare("brackets", tmp_path / "src", tmp_path / "out", options={"inputs": "all"}, jobs=1)
    pairs = chosen(tmp_path / "out")
    assert {name: pair for name, pair in pairs.items() if name.startswith("a_")} == {
        "a_1": ("a/1.JPG", "a/2.JPG"), "a_3": ("a/3.JPG", "a/2.JPG"), "a_4": ("a/4.JPG", "a/2.JPG"),
    }  # fmt: skip
    assert {s.sample: s.subset for s in open_dataset(tmp_path / "out").samples if s.scene == "a"} == {
        "a_1": "under",
        "a_3": "over",
        "a_4": "over",
    }


def test_what_is_short_or_broken_is_named(benchtool: Callable, tmp_path: Path) -> None:
    src = tmp_path / "src"
    for scene in "abcd":
        stack(src / scene, [10, 50, 90, 130, 170])
    stack(src / "short", [10, 50])
    (src / "d" / "3.JPG").write_bytes(b"no picture")
    done = benchtool("data", "prepare", "brackets", src, tmp_path / "out")
    assert done.code == 1
    assert "missing: short: 2 pictures of 5 or more" in done.err and "3.JPG" in done.err and "the rest is done" in done.err
    dataset = open_dataset(tmp_path / "out")
    assert {s.scene for s in dataset.samples} == {"a", "b", "c"} and dataset.facts.made["missing"] == ["short: 2 pictures of 5 or more"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["brackets", "nowhere"], "no such folder"),
        (["brackets", "empty"], "no folder in it holds 5 exposures"),
        (["bracket", "empty"], "brackets"),
        (["brackets", "src", "-s", "input=all"], "inputs"),
        (["brackets", "src", "-s", "inputs=some"], "inputs of brackets"),
        (["brackets", "src", "-s", "test=4"], "leaves none"),
        (["me-v2", "src", "-s", "test=4"], "no options"),
    ],
)
def test_refused(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for scene in "abc":
        stack(tmp_path / "src" / scene, [10, 50, 90, 130, 170])
    done = benchtool("data", "prepare", *arguments[:2], "out", *arguments[2:])
    assert done.code == 2 and says in done.err
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    stack(tmp_path / "elsewhere", [10])
    for scene in "abcd":
        stack(tmp_path / "src" / scene, [10, 50, 90, 130, 170])
    (tmp_path / "src" / "d" / "2.JPG").unlink()
    os.symlink(tmp_path / "elsewhere" / "1.JPG", tmp_path / "src" / "d" / "2.JPG")
    out = prepare("brackets", tmp_path / "src", tmp_path / "out", options={"inputs": "all"}, jobs=1)
    assert [f.item for f in out.failures] == ["brackets:d/2.JPG"] and "leads outside" in out.failures[0].reason


def test_copies_stand_on_their_own_and_resume(tmp_path: Path) -> None:
    for scene in "abc":
        stack(tmp_path / "src" / scene, [10, 50, 90, 130, 170])
    first = prepare("brackets", tmp_path / "src", tmp_path / "out", copy=True, jobs=1).dataset
    (tmp_path / "src").rename(tmp_path / "gone")
    again = open_dataset(tmp_path / "out")
    assert all(sha256_file(again.path(i)) == i.sha256 for s in again.samples for i in (*s.inputs, *s.targets))
    assert (
        again.facts.fingerprint
        == first.facts.fingerprint
        == prepare("brackets", tmp_path / "gone", tmp_path / "two", jobs=1).dataset.facts.fingerprint
    )


def sice(folder: Path, label: str = "Label") -> Path:
    """Official layout: scenes 1 and 4 (test) and 44 (unused) of Part 1, scene 3 (364, test) of Part 2."""
    for part, scene in ((1, 1), (1, 2), (1, 4), (1, 44), (2, 3)):
        stack(folder / f"Dataset_Part{part}" / str(scene), [170, 10, 50, 90, 130], ["10.JPG", "1.JPG", "2.JPG", "3.jpg", "9.PNG"][:5])
        stack(folder / f"Dataset_Part{part}" / label, [99], [f"{scene}.JPG"])
    return folder


def test_sice_official(tmp_path: Path) -> None:
    out = prepare("sice", sice(tmp_path / "SICE", "label"), tmp_path / "out", options={"val": 500}, jobs=1)
    pairs = chosen(tmp_path / "out")
    assert pairs["001_under"] == ("Dataset_Part1/1/2.JPG", "Dataset_Part1/1/3.jpg") and pairs["364_over"][0] == "Dataset_Part2/3/9.PNG"
    split = {s.scene: s.split for s in out.dataset.samples}
    assert split["004"] == split["364"] == "test" and "044" not in split and split["001"] in ("train", "val")
    assert any("scenes in none of ENC's lists" in note for note in out.notes) and "scene 5" in out.dataset.facts.made["missing"]
    assert {t.role for s in out.dataset.samples for t in s.targets} == {"middle", "label"}
    assert any(note.startswith("not the paper's numbers") for note in out.notes)


def test_sice_lists_are_those_released(real_data: Path) -> None:
    import csv

    from benchtool.datasets.sice import Options, enc_split

    with open(real_data / "splits" / "sice_split.csv") as stream:
        listed = {(int(row["scene"]), row["split"]) for row in csv.DictReader(stream)}
    ours = enc_split(Options(val=0))
    assert set(ours.items()) == listed
    assert sorted(enc_split(Options()).values()).count("val") == 12


def test_sice_copy_of_enc(tmp_path: Path) -> None:
    for split, scene in (("train", 1), ("train", 2), ("test", 4), ("test", 3)):
        for kind in ("low", "mid", "over"):
            if (scene, kind) != (2, "low"):
                stack(tmp_path / "SICEV2" / split / kind, [50], [f"{scene}.JPG"])
    out = prepare("sice", tmp_path / "SICEV2", tmp_path / "out", jobs=1)
    assert set(chosen(tmp_path / "out")) == {"001_under", "001_over", "002_over", "004_under", "004_over"}
    assert "train: scene 2 has no picture for 'under'" in out.dataset.facts.made["missing"]
    assert any("1 scenes lie in the other" in note for note in out.notes)
    with pytest.raises(UserError, match="no labels"):
        prepare("sice", tmp_path / "SICEV2", tmp_path / "labels", options={"target": "label"}, jobs=1)


def test_real_brackets_make_a_training_batch(real_data: Path, tmp_path: Path) -> None:
    out = prepare("brackets", real_data / "stacks" / "brackets512", tmp_path / "out", options={"val": 10, "test": 20})
    assert not out.failures and {split: c["scenes"] for split, c in out.dataset.facts.counts.items()} == {
        "train": 88,
        "val": 10,
        "test": 20,
    }
    patches = Patches(out.dataset, 0, "train", patch=64, target="middle", exposures=["over"])
    assert len(patches) == 88 and patches[0, 0]["inputs"].shape[-2:] == (64, 64)


def test_real_labelled_sice_makes_a_training_batch(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="try -s target=label"):
        prepare("sice", real_data / "stacks" / "sice-labelled", tmp_path / "middle")
    out = prepare("sice", real_data / "stacks" / "sice-labelled", tmp_path / "out", options={"target": "label", "val": 0})
    assert len(out.dataset.samples) == 10 and out.dataset.facts.default_target == "label"
    assert len(Patches(out.dataset, 0, "train", patch=64, target="label")) == 10
