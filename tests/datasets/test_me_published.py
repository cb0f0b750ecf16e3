"""`data prepare me` over the published layout and ENC's, whole, broken, and of ME's full number of scenes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.datasets import me_published
from benchtool.datasets.me_split import published_splits
from benchtool.datasets.prepare import prepare

LEVELS = {"N1.5": 30, "N1": 60, "0": 90, "P1": 150, "P1.5": 200}
PUBLISHED = {"train": "training", "val": "validation", "test": "testing"}
RELAID = {"train": "train", "val": "valid", "test": "test"}
ORDER = ("P1", "N1.5", "0", "P1.5", "N1")  # what Exp1 to Exp5 are in these tests: in no order that could be guessed
NAMES = {"a0001": "a0001-jmac (1) copy", "a0002": "a0002-dgw_005", "a0024": "a0024-kme 0012", "a0016": "a0016-jmac_MG_0795"}
SPLITS = {"a0001": "train", "a0002": "train", "a0024": "val", "a0016": "test"}
Put = Callable[[Path, str], None]


def put_flat(path: Path, token: str) -> None:
    scene = int(path.name[1:5])
    write_image(path, np.full((12, 16, 3), LEVELS.get(token, 100) + scene % 7, np.uint8))


def publish(folder: Path, scenes: Iterable[tuple[str, str]], put: Put = put_flat, name: Callable[[str], str] = NAMES.get) -> Path:
    """The published layout, of (scene, split); inputs end with .JPG or .jpg, as they do."""
    for k, (scene, split) in enumerate(scenes):
        place, stem = folder / PUBLISHED[split], name(scene)
        for token in LEVELS:
            put(place / "INPUT_IMAGES" / f"{stem}_{token}{('.JPG', '.jpg')[k % 2]}", token)
        targets = [f"expert_{e}_testing_set" for e in "abcde"] if split == "test" else ["GT_IMAGES"]
        for target in targets:
            put(place / target / f"{stem}.jpg", "target")
    return folder


def relay(folder: Path, scenes: Iterable[tuple[str, str]], put: Put = put_flat, name: Callable[[str], str] = NAMES.get) -> Path:
    """ENC's layout, of (scene, split)."""
    for scene, split in scenes:
        place = folder / RELAID[split]
        for k, token in enumerate(ORDER):
            put(place / "input" / f"Exp{k + 1}" / f"{name(scene)}.jpg", token)
        put(place / "target" / f"{name(scene)}.jpg", "target")
    return folder


@pytest.fixture
def linked(tmp_path: Path) -> Put:
    """Puts links to one picture of each exposure: 34,000 files in a second or two."""
    for token in (*LEVELS, "target"):
        write_image(tmp_path / "pictures" / f"{token}.jpg", np.full((8, 8, 3), LEVELS.get(token, 100), np.uint8))
    made = set()

    def put(path: Path, token: str) -> None:
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        os.symlink(tmp_path / "pictures" / f"{token}.jpg", path)

    return put


def test_published(tmp_path: Path) -> None:
    src = publish(tmp_path / "ME (published)", SPLITS.items())
    out = prepare("me", src, tmp_path / "out", jobs=1)
    assert not out.failures and out.dataset.facts.variant == "published" and out.dataset.facts.default_target == "expert_c"
    by_name = {s.sample: s for s in out.dataset.samples}
    assert len(by_name) == 20 and {s.scene: s.split for s in by_name.values()} == SPLITS
    sample = by_name["a0016-jmac_MG_0795_N1.5"]
    assert sample.exposure == -1.5 and [t.role for t in sample.targets] == [f"expert_{e}" for e in "abcde"]
    assert [t.role for t in by_name["a0001-jmac (1) copy_P1"].targets] == ["expert_c"] and out.dataset.group(sample) == "under"
    assert "scene a0003 (train)" in out.dataset.facts.made["missing"]
    assert any(note == "not the paper's numbers of samples: train 10 of 17,675, val 5 of 750, test 5 of 5,905" for note in out.notes)


def test_exposures_of_enc_are_found_by_brightness(tmp_path: Path) -> None:
    src = relay(tmp_path / "ME", SPLITS.items())
    out = prepare("me", src, tmp_path / "out", jobs=1)
    evs = {s.inputs[0].path.split("/")[2]: s.exposure for s in out.dataset.samples}
    assert evs == {"Exp1": 1.0, "Exp2": -1.5, "Exp3": 0.0, "Exp4": 1.5, "Exp5": -1.0}
    assert any("Exp2 (-1.5 EV), Exp5 (-1 EV), Exp3 (+0 EV)" in note for note in out.notes)
    same = prepare("me", publish(tmp_path / "published", SPLITS.items()), tmp_path / "other", jobs=1).dataset
    assert {s.sample: s.exposure for s in out.dataset.samples} == {s.sample: s.exposure for s in same.samples}


def test_a_leaked_scene_is_reported_and_left_out_of_training(benchtool: Callable, tmp_path: Path) -> None:
    src = relay(tmp_path / "ME", [*SPLITS.items(), ("a0016", "train")])
    done = benchtool("data", "prepare", "me", src, tmp_path / "out")
    assert done.code == 0
    name = "a0016-jmac_MG_0795.jpg"
    assert f"leak: a0016 is in train ({name}) and in test ({name}): left out of train" in " ".join(done.err.split())
    assert "train 10 of 2 scenes" in done.out and "test 5 of 1 scene" in done.out


@pytest.mark.slow
def test_the_whole_of_me_published(tmp_path: Path, linked: Put) -> None:
    layout = me_published.layout(publish(tmp_path / "ME", published_splits().items(), linked, "{}-x".format), None)
    assert Counter(draft.split for draft in layout.drafts) == {"train": 17_675, "val": 750, "test": 5_905}
    assert not layout.missing and not layout.failures and not layout.made["leaks"]


def test_the_whole_of_me_in_encs_layout(tmp_path: Path, linked: Put, real_data: Path) -> None:
    import csv

    with open(real_data / "splits" / "me_split.csv") as stream:
        listed = [(row["id"], {"valid": "val"}.get(row["split"], row["split"]), row["name"]) for row in csv.DictReader(stream)]
    names = {scene: name for scene, _, name in listed}
    layout = me_published.layout(relay(tmp_path / "ME", [(scene, split) for scene, split, _ in listed], linked, names.get), None)
    assert Counter(split for split, _ in {(d.split, d.scene) for d in layout.drafts}) == {"train": 3_535, "val": 150, "test": 1_181}
    assert Counter(draft.split for draft in layout.drafts) == {"train": 17_675, "val": 750, "test": 5_905}
    assert [text[:40] for text in layout.made["leaks"]] == ["a0016 is in train (a0016-jmac_MG_0795.jp"] and not layout.missing


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    src = publish(tmp_path / "ME", SPLITS.items())
    (src / "training" / "INPUT_IMAGES" / "a0002-dgw_005_P1.jpg").unlink()
    (src / "testing" / "expert_b_testing_set" / "a0016-jmac_MG_0795.jpg").unlink()
    for path in (src / "testing" / "expert_d_testing_set").iterdir():
        path.unlink()
    (src / "testing" / "expert_d_testing_set").rmdir()
    (src / "validation" / "GT_IMAGES" / "a0024-kme 0012.jpg").unlink()
    write_image(src / "training" / "INPUT_IMAGES" / "thumbnail_0.jpg", np.zeros((4, 4, 3), np.uint8))
    write_image(src / "training" / "INPUT_IMAGES" / "a0001-x.jpg", np.zeros((4, 4, 3), np.uint8))
    out = prepare("me", src, tmp_path / "out", jobs=1)
    missing = out.dataset.facts.made["missing"]
    assert {
        "train: a0002 has no P1", "test: a0016 has no target of expert_b", "testing/expert_d_testing_set (targets of expert_d)",
        "val: a0024 has no target at all, and is left out",
    } <= set(missing)  # fmt: skip
    assert sorted(Path(f.item).name for f in out.failures) == ["a0001-x.jpg", "thumbnail_0.jpg"]
    assert Counter(s.split for s in out.dataset.samples) == {"train": 9, "test": 5}


def test_scenes_in_another_split_than_published_are_said(tmp_path: Path) -> None:
    src = publish(tmp_path / "ME", [*SPLITS.items(), ("a0003", "test")], name=lambda scene: NAMES.get(scene, f"{scene}-x"))
    moved = prepare("me", src, tmp_path / "out", jobs=1)
    assert not any("scene a0001" in text for text in moved.dataset.facts.made["missing"])
    assert "scene a0003 (train): it is in test" in moved.dataset.facts.made["missing"]


def test_names_that_contradict_the_pictures_are_refused(tmp_path: Path) -> None:
    src = publish(tmp_path / "ME", SPLITS.items())
    for path in sorted((src / "training" / "INPUT_IMAGES").glob("*_N1.[Jj]*")):
        other = path.with_name(path.name.replace("_N1.", "_P1."))
        other.rename(path.with_name("kept")), path.rename(other), path.with_name("kept").rename(path)
    with pytest.raises(UserError, match="train: by brightness the exposures are N1.5, P1, 0, N1, P1.5"):
        prepare("me", src, tmp_path / "out", jobs=1)


def test_pictures_in_no_order_are_refused(tmp_path: Path) -> None:
    src = relay(tmp_path / "ME", SPLITS.items(), put=lambda path, token: put_flat(path, "0"))
    with pytest.raises(UserError, match="in no order of brightness"):
        prepare("me", src, tmp_path / "out", jobs=1)


@pytest.mark.parametrize("exp", ["Exp4", "Exp1"])
def test_a_missing_exposure_folder_cannot_be_told_from_the_others(tmp_path: Path, exp: str) -> None:
    src = relay(tmp_path / "ME", SPLITS.items())
    (src / "train" / "input" / exp).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"train: no scene has all five exposures.*train/input/{exp}"):
        prepare("me", src, tmp_path / "out", jobs=1)


def test_neither_layout(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(UserError, match=r"neither training/INPUT_IMAGES .* render-me RAWS OUT"):
        prepare("me", tmp_path / "src", tmp_path / "out")


def test_a_rendered_dataset_is_not_taken_for_the_published_one(tmp_path: Path) -> None:
    src = publish(tmp_path / "ME", SPLITS.items())
    (src / "dataset.json").write_text("{}")
    with pytest.raises(UserError, match="is a dataset already"):
        prepare("me", src, tmp_path / "out")
