"""`data prepare` of the datasets that come as pairs of folders: small layouts of each, whole and broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, open_dataset, write_dataset
from benchtool.datasets.dped import Options as DPED
from benchtool.datasets.prepare import Outcome, prepare


def put(folder: Path, *names: str) -> None:
    """Small pictures of these names, no two alike."""
    for name in names:
        write_image(folder / name, np.full((6, 8, 3), sum((folder / name).as_posix().encode()) % 251, np.uint8))


def made(name: str, src: Path, **options: object) -> Outcome:
    return prepare(name, src, src.parent / f"{src.name}-out", options=options, jobs=1)


def pairs(outcome: Outcome) -> dict[str, tuple[str, str, str]]:
    """Sample -> (split, input, target), paths below the root."""
    return {s.sample: (s.split, s.inputs[0].path.partition(":")[2], s.targets[0].path.partition(":")[2]) for s in outcome.dataset.samples}


def missing(outcome: Outcome) -> list[str]:
    return outcome.dataset.facts.made["missing"]


def test_folder_joins_by_name_and_draws_a_split(tmp_path: Path) -> None:
    src = tmp_path / "my pairs (1)"
    put(src / "Input", "door (2).JPG", "sea.jpg", "only here.png", *(f"{k}.png" for k in range(8)))
    put(src / "target", "door (2).jpg", "sea.PNG", "only there.png", *(f"{k}.png" for k in range(8)))
    out = made("folder", src, val=2, test=3)
    assert Counter(split for split, *_ in pairs(out).values()) == {"train": 5, "val": 2, "test": 3}
    assert pairs(out)["door (2)"][1:] == ("Input/door (2).JPG", "target/door (2).jpg")
    assert missing(out) == ["target: nothing for Input's only here", "Input: nothing for target's only there"]
    assert out.dataset.facts.made["split"] == "drawn with seed 0" and out.dataset.facts.variant == "own"
    other = prepare("folder", src, tmp_path / "other", options={"val": 2, "test": 3, "seed": 1}, jobs=1)
    assert {n: p[0] for n, p in pairs(out).items()} != {n: p[0] for n, p in pairs(other).items()}


def test_folder_with_splits_of_its_own(tmp_path: Path) -> None:
    for split in ("Train", "valid", "testing"):
        put(tmp_path / "src" / split / "low", "1.png")
        put(tmp_path / "src" / split / "high", "1.png")
    out = made("folder", tmp_path / "src", input="low", target="high", role="expert_c")
    assert {name: pair[0] for name, pair in pairs(out).items()} == {"train_1": "train", "val_1": "val", "test_1": "test"}
    assert out.dataset.facts.default_target == "expert_c" and {t.role for s in out.dataset.samples for t in s.targets} == {"expert_c"}
    with pytest.raises(UserError, match="role 'friend' is unknown"):
        prepare("folder", tmp_path / "src", tmp_path / "o2", options={"input": "low", "target": "high", "role": "friend"}, jobs=1)


def test_folder_says_which_split_is_not_whole(tmp_path: Path) -> None:
    put(tmp_path / "src" / "train" / "input", "1.png")
    put(tmp_path / "src" / "train" / "target", "1.png")
    put(tmp_path / "src" / "test" / "input", "1.png")
    out = made("folder", tmp_path / "src")
    assert set(pairs(out)) == {"train_1"} and missing(out) == ["test/target (the test split)"]


def test_folder_beside_one_that_is_no_split(tmp_path: Path) -> None:
    for name in ("input", "target"):
        put(tmp_path / "src" / name, "1.png", "2.png", "3.png")
    (tmp_path / "src" / "test").mkdir()
    assert len(pairs(made("folder", tmp_path / "src"))) == 3


def test_two_files_of_one_name_are_failures(tmp_path: Path) -> None:
    put(tmp_path / "src" / "input", "1.png", "1.JPG", "2.png", "3&.png", "4.png", "5.png")
    put(tmp_path / "src" / "target", "1.png", "2.png", "3&.png", "4.png", "5.png")
    out = made("folder", tmp_path / "src")
    assert set(pairs(out)) == {"1", "2", "4", "5"}
    assert sorted(Path(f.item).name for f in out.failures) == ["1.png", "3&"]


def lol_v1(folder: Path) -> Path:
    for part, names in (("our485", ("2.png", "5.png", "7 (1).png")), ("eval15", ("1.png", "22.png"))):
        put(folder / part / "low", *names)
        put(folder / part / "high", *names)
    return folder


def lol_v2(folder: Path) -> Path:
    for part, count in (("Train", 3), ("Test", 2)):
        put(folder / "Real_captured" / part / "Low", *(f"low{k:05}.png" for k in range(count)))
        put(folder / "Real_captured" / part / "Normal", *(f"normal{k:05}.png" for k in range(count)))
        for kind in ("Low", "Normal"):
            put(folder / "Synthetic" / part / kind, *(f"r{k}t.png" for k in range(count)))
    return folder


def test_lol_v1(tmp_path: Path) -> None:
    out = made("lol", lol_v1(tmp_path / "LOL"), val=1)
    assert Counter(split for split, *_ in pairs(out).values()) == {"train": 2, "val": 1, "test": 2}
    assert pairs(out)["test_22"] == ("test", "eval15/low/22.png", "eval15/high/22.png") and out.dataset.facts.variant == "v1"
    assert "train: 3 pairs of 485" in out.notes and "test: 2 pairs of 15" in out.notes


def test_lol_v2_in_one_folder_has_to_be_chosen(tmp_path: Path) -> None:
    src = lol_v2(tmp_path / "LOL-v2")
    with pytest.raises(UserError, match="holds v2-real and v2-synthetic; say which with -s version=v2-real"):
        made("lol", src)
    real = made("lol", src, version="v2-real")
    assert pairs(real)["train_00001"] == ("train", "Real_captured/Train/Low/low00001.png", "Real_captured/Train/Normal/normal00001.png")
    synthetic = prepare("lol", src, tmp_path / "other", options={"version": "v2-synthetic"}, jobs=1)
    assert pairs(synthetic)["test_r1t"] == ("test", "Synthetic/Test/Low/r1t.png", "Synthetic/Test/Normal/r1t.png")
    assert (real.dataset.facts.variant, synthetic.dataset.facts.variant) == ("v2-real", "v2-synthetic")
    with pytest.raises(UserError, match="v1 is not in it; there are v2-real and v2-synthetic"):
        prepare("lol", src, tmp_path / "o3", options={"version": "v1"}, jobs=1)


def test_lol_that_is_not_whole(tmp_path: Path) -> None:
    src = lol_v1(tmp_path / "LOL")
    (src / "our485" / "high" / "5.png").unlink()
    (src / "eval15" / "high").rename(src / "eval15" / "bright")
    out = made("lol", src)
    assert missing(out) == ["the test folder", "high: nothing for low's 5"] and set(pairs(out)) == {"train_2", "train_7 (1)"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither our485 and eval15"):
        made("lol", tmp_path / "empty")


def test_brighten(tmp_path: Path) -> None:
    put(tmp_path / "zip" / "BrighteningTrain" / "low", "1.png", "2 (1).png", "3.png")
    put(tmp_path / "zip" / "BrighteningTrain" / "high", "1.png", "2 (1).png")
    out = made("brighten", tmp_path / "zip")
    assert pairs(out)["2 (1)"] == ("test", "BrighteningTrain/low/2 (1).png", "BrighteningTrain/high/2 (1).png")
    assert missing(out) == ["high: nothing for low's 3"] and "not the paper's numbers of samples: test 2 of 1,000" in out.notes
    with pytest.raises(UserError, match="'low' beside 'high' is not in it"):
        made("brighten", tmp_path / "zip" / "BrighteningTrain" / "low")


def test_lcdp(tmp_path: Path) -> None:
    place = tmp_path / "src" / "lcdp_dataset"
    for prefix, count in (("", 3), ("valid-", 2), ("test-", 1)):
        for kind in ("input", "gt"):
            put(place / f"{prefix}{kind}", *(f"a{k} (x).png" for k in range(count)))
    out = made("lcdp", tmp_path / "src")
    assert Counter(split for split, *_ in pairs(out).values()) == {"train": 3, "val": 2, "test": 1}
    assert pairs(out)["val_a0 (x)"][1:] == ("lcdp_dataset/valid-input/a0 (x).png", "lcdp_dataset/valid-gt/a0 (x).png")
    assert any("train 3 of 1,415, val 2 of 100, test 1 of 218" in note for note in out.notes)
    (place / "valid-gt").rename(place / "other")
    part = prepare("lcdp", tmp_path / "src", tmp_path / "o2", jobs=1)
    assert missing(part) == ["valid-input and valid-gt (the val split)"] and len(pairs(part)) == 4
    with pytest.raises(UserError, match="'input' beside 'gt'"):
        prepare("lcdp", place / "gt", tmp_path / "o3", jobs=1)


def dped(folder: Path, phones: tuple[str, ...] = ("iphone", "sony", "blackberry"), count: int = 6) -> Path:
    for phone in phones:
        for place, n in (("training_data", count), ("test_data/patches", count // 2)):
            for camera in (phone, "canon"):
                put(folder / phone / place / camera, *(f"{k}.jpg" for k in range(n)))
    return folder


def test_dped_draws_as_many_as_the_paper_has(tmp_path: Path) -> None:
    src = dped(tmp_path / "zip" / "dped").parent
    out = made("dped", src, train=3, test=2, val=1)
    assert Counter((s.split, s.subset) for s in out.dataset.samples) == {
        (split, phone): n for phone in ("iphone", "sony", "blackberry") for split, n in (("train", 3), ("val", 1), ("test", 2))
    }
    assert any("which pairs ENC used is not published" in note for note in out.notes)
    assert all(a.rpartition("/")[2] == b.rpartition("/")[2] and "canon" in b for _, a, b in pairs(out).values())
    again = prepare("dped", src, tmp_path / "o2", options={"train": 3, "test": 2, "val": 1}, jobs=1)
    other = prepare("dped", src, tmp_path / "o3", options={"train": 3, "test": 2, "val": 1, "seed": 5}, jobs=1)
    assert out.dataset.facts.fingerprint == again.dataset.facts.fingerprint and set(pairs(out)) != set(pairs(other))
    assert len(prepare("dped", src, tmp_path / "o4", options={"train": 0, "test": 0}, jobs=1).dataset.samples) == 27


def test_dped_validates_on_pairs_besides_those_of_the_paper(tmp_path: Path) -> None:
    src = dped(tmp_path / "dped", ("sony",), count=12)

    def drawn(number: int, **options: int) -> dict[str, set[str]]:
        out = prepare("dped", src, tmp_path / f"o{number}", options=options, jobs=1).dataset
        assert ("ours" in out.facts.made.get("validation", "")) == any(s.split == "val" for s in out.samples)
        return {split: {s.sample for s in out.samples if s.split == split} for split in ("train", "val", "test")}

    none, besides, few, whole = drawn(0, train=8, val=0), drawn(1, train=8, val=3), drawn(2, train=8), drawn(3)
    assert (len(none["train"]), len(none["val"])) == (8, 0)
    assert besides["train"] == none["train"] and len(besides["val"]) == 3 and besides["test"] == none["test"]
    assert few["train"] == none["train"] and len(few["val"]) == 4, "as many of 50 as there are besides"
    assert (len(whole["train"]), len(whole["val"])) == (11, 1), "a tenth where there are fewer than the paper has"
    assert DPED(val=0).train == DPED().train == 2_048 and DPED().val == 50


def test_dped_that_is_not_whole(tmp_path: Path) -> None:
    src = dped(tmp_path / "dped", ("sony",))
    (src / "sony" / "test_data" / "patches" / "canon").rename(src / "gone")
    (src / "sony" / "training_data" / "sony" / "0.jpg").unlink()
    out = made("dped", src)
    assert set(missing(out)) == {
        "the phone iphone", "the phone blackberry", "sony: test_data/patches with sony and canon", "sony, sony: nothing for canon's 0",
    }  # fmt: skip
    assert {"sony, train: 4 pairs of the 2,048 wanted", "sony, val: 1 pairs of the 50 wanted"} <= set(out.notes) and len(pairs(out)) == 5
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="a folder iphone, sony or blackberry is not in it"):
        made("dped", tmp_path / "empty")


def test_deepupe(tmp_path: Path) -> None:
    put(tmp_path / "src" / "test" / "Input", "p 1.JPG", "p2.png")
    put(tmp_path / "src" / "test" / "expert", "p 1.png")
    out = made("deepupe", tmp_path / "src")
    assert pairs(out) == {"p 1": ("test", "test/Input/p 1.JPG", "test/expert/p 1.png")}
    assert missing(out) == ["expert: nothing for Input's p2"]
    with pytest.raises(UserError, match="a folder input or low or under beside gt"):
        made("deepupe", tmp_path / "src" / "test" / "Input")


def fivek(folder: Path) -> Path:
    put(folder / "input", "a0001-jmac (1).jpg", "a0002-2004-03-29 08-27-22 CRW_5754.JPG", "a4501-x.png", "a0017-x.png")
    put(folder / "expertC", "a0001-jmac (1).tif", "a0002-other name.jpg", "a4501-x.png", "a0017-x.png", "a0003-x.png")
    put(folder / "a", "a0001-jmac.jpg")
    return folder


def test_fivek_from_folders(tmp_path: Path) -> None:
    out = made("fivek", fivek(tmp_path / "fivek"))
    splits = {name: split for name, (split, *_) in pairs(out).items()}
    assert splits == {"a0001": "train", "a0002": "train", "a0017": "train", "a4501": "test"}
    assert {s.scene: [t.role for t in s.targets] for s in out.dataset.samples}["a0001"] == ["expert_a", "expert_c"]
    assert "input: photograph a0003" in missing(out) and "expert_a: photograph a0002" in missing(out)
    assert any("4 of 5,000 photographs" in note for note in out.notes)
    me = prepare("fivek", tmp_path / "fivek", tmp_path / "o2", options={"split": "me", "expert": "a"}, jobs=1)
    assert "a0017" not in pairs(me) and me.dataset.facts.default_target == "expert_a"
    assert any("1 photographs are in none of ME's lists" in note for note in me.notes)


def test_fivek_keeps_some_for_validation_where_asked(tmp_path: Path) -> None:
    src = fivek(tmp_path / "fivek")

    def kept(val: int, seed: int = 0) -> set[str]:
        out = prepare("fivek", src, tmp_path / f"{val}-{seed}", options={"val": val, "seed": seed}, jobs=1)
        assert pairs(out)["a4501"][0] == "test" and len(pairs(out)) == 4
        return {name for name, (split, *_) in pairs(out).items() if split == "val"}

    assert kept(0) == set() and len(kept(2)) == 2
    assert len(set.union(*(kept(1, seed) for seed in range(4)))) > 1


def test_fivek_refused(tmp_path: Path) -> None:
    src = fivek(tmp_path / "fivek")
    with pytest.raises(UserError, match="expert b is not in it; there are expert_a, expert_c"):
        made("fivek", src, expert="b")
    put(src / "input", "b0001.jpg", "a0001-twice.png")
    assert sorted(Path(f.item).name for f in made("fivek", src).failures) == ["a0001-twice.png", "b0001.jpg"]
    (src / "input").rename(src / "inside")
    with pytest.raises(UserError, match="a folder of inputs"):
        prepare("fivek", src, tmp_path / "o2", jobs=1)


def test_fivek_refuses_prophoto(tmp_path: Path) -> None:
    import tifffile

    put(tmp_path / "src" / "input", "a0001-x.jpg")
    (tmp_path / "src" / "tiff16_c").mkdir()
    pixels = np.zeros((6, 8, 3), np.uint16)
    tifffile.imwrite(tmp_path / "src" / "tiff16_c" / "a0001-x.tif", pixels, photometric="rgb", iccprofile=b"\0" * 128 + b"ProPhoto RGB")
    with pytest.raises(UserError, match="ProPhoto RGB.*render-me"):
        made("fivek", tmp_path / "src")


def make_me(folder: Path) -> Dataset:
    """An ME dataset of three scenes at two exposures each, with two experts."""
    samples = []
    put(folder, *(f"{scene}{end}.png" for scene in ("a0001", "a4501", "mine") for end in ("_0", "_P1", "_c", "_e")))
    for scene, split in (("a0001", "train"), ("a4501", "val"), ("mine", "test")):
        targets = tuple(Image(f"me:{scene}_{e}.png", "0" * 64, 8, 6, role=f"expert_{e}") for e in "ce")
        for token, ev in (("0", 0.0), ("P1", 1.0)):
            samples.append(Sample(f"{scene}_{token}", scene, split, (Image(f"me:{scene}_{token}.png", "1" * 64, 8, 6, ev),), targets))
    return write_dataset(folder, Facts("me", "rendered-adobe", {"me": "."}, licence="terms", citation="afifi2021msec"), samples)


def test_fivek_from_a_rendered_me(tmp_path: Path) -> None:
    make_me(tmp_path / "me")
    out = prepare("fivek", tmp_path / "me", tmp_path / "out", options={"expert": "e"}, jobs=1).dataset
    assert {s.sample: s.split for s in out.samples} == {"a0001_0": "train", "a4501_0": "test", "mine_0": "test"}
    assert out.facts.default_target == "expert_e" and out.facts.variant == "rendered-adobe" and out.facts.roots == {"me": "../me"}
    with pytest.raises(UserError, match="no photograph in it has a 0 EV image and a target of expert b"):
        prepare("fivek", tmp_path / "me", tmp_path / "o2", options={"expert": "b"}, jobs=1)


@pytest.mark.parametrize("name", ["brighten", "deepupe", "dped", "fivek", "folder", "lcdp", "lol"])
def test_an_empty_folder_gives_one_clear_line(benchtool: Callable, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = benchtool("data", "prepare", name, tmp_path / "empty", tmp_path / "out")
    assert done.code == 2 and str(tmp_path / "empty") in done.err and len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_broken_pictures_cost_their_pair_alone(benchtool: Callable, tmp_path: Path) -> None:
    src = lol_v1(tmp_path / "LOL")
    (src / "eval15" / "low" / "1.png").write_bytes(b"no picture")
    done = benchtool("data", "prepare", "lol", src, tmp_path / "out")
    assert done.code == 1 and "eval15/low/1.png" in done.err and "the rest is done" in done.err
    assert {s.sample for s in open_dataset(tmp_path / "out").samples if s.split == "test"} == {"test_22"}
