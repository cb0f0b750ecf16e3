"""ME-v2 is ME seen differently: the paper's counts, the middle exposure as target, the same files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchtool.core.catalog import facts
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_bytes
from benchtool.core.manifest import Facts, Image, Sample, open_dataset, write_dataset
from benchtool.datasets.me_files import TOKENS, input_path, target_path
from benchtool.datasets.me_split import published_splits
from benchtool.datasets.me_v2 import view

ME = Facts(name="me", variant="rendered-adobe", roots={"me": "."}, licence="FiveK's", citation="afifi2021msec")


def me_samples(splits: dict[str, str]) -> list[Sample]:
    """ME's manifest without its files."""
    samples = []
    for scene, split in splits.items():
        stem = f"{scene}-some_name (1)"
        target = Image(f"me:{target_path(stem, split, 'expert_c', 'jpg')}", sha256_bytes(stem.encode()), 30, 20, role="expert_c")
        for ev, token in TOKENS.items():
            path = input_path(stem, split, ev, "jpg")
            image = Image(f"me:{path}", sha256_bytes(path.encode()), 30, 20, ev)
            samples.append(Sample(f"{stem}_{token}", scene, split, (image,), (target,)))
    return samples


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all of me")
    write_dataset(folder / "me", ME, me_samples(published_splits()))
    return folder


def test_the_whole_set_has_the_papers_counts(whole: Path) -> None:
    me = open_dataset(whole / "me")
    assert {split: c["samples"] for split, c in me.facts.counts.items()} == facts("datasets", "me").counts
    made = view(whole / "me", whole / "views" / "me-v2")
    assert {split: c["samples"] for split, c in made.facts.counts.items()} == {"train": 14_140, "val": 600, "test": 4_724}
    assert {split: c["samples"] for split, c in made.facts.counts.items()} == facts("datasets", "me-v2").counts
    assert {split: c["scenes"] for split, c in made.facts.counts.items()} == {"train": 3_535, "val": 150, "test": 1_181}
    assert made.facts.roots == {"me": "../../me"} and made.facts.made["from"]["fingerprint"] == me.facts.fingerprint
    assert sorted(p.name for p in (whole / "views" / "me-v2").iterdir()) == ["dataset.json", "manifest.parquet"], "nothing is copied"
    inputs = {s.sample: s.inputs for s in me.samples}
    for s in made.samples:
        stem, _, token = s.sample.rpartition("_")
        assert token != "0" and s.inputs == inputs[s.sample]
        assert s.targets == (dataclasses.replace(inputs[f"{stem}_0"][0], role="middle"),)


def test_a_photo_without_its_middle_is_left_out_and_said(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    samples = [s for s in me_samples({"a0001": "train", "a0002": "train"}) if s.sample != "a0002-some_name (1)_0"]
    write_dataset(tmp_path / "me", ME, samples)
    assert {s.scene for s in view(tmp_path / "me", tmp_path / "v2").samples} == {"a0001"}
    assert "1 photos have no middle exposure" in capfd.readouterr().err


def test_two_photos_of_one_scene_keep_their_own_middle(tmp_path: Path) -> None:
    samples = [dataclasses.replace(s, scene="cup") for s in me_samples({"cup1": "train", "cup2": "train"})]
    write_dataset(tmp_path / "me", ME, samples)
    made = view(tmp_path / "me", tmp_path / "v2")
    assert len(made.samples) == 8
    assert all(s.targets[0].path.split("/")[-1].split("_0.")[0] in s.sample for s in made.samples)


def test_roots_are_followed(tmp_path: Path) -> None:
    """ME itself may keep its images elsewhere."""
    (tmp_path / "images").mkdir()
    write_dataset(tmp_path / "a" / "me", dataclasses.replace(ME, roots={"me": "../../images"}), me_samples({"a0001": "train"}))
    made = view(tmp_path / "a" / "me", tmp_path / "v2")
    assert made.facts.roots == {"me": "../images"}


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a dataset"):
        view(tmp_path, tmp_path / "v2")
    write_dataset(tmp_path / "me", ME, me_samples({"a0001": "train"}))
    with pytest.raises(UserError, match="holds the dataset 'me'"):
        view(tmp_path / "me", tmp_path / "me")
    view(tmp_path / "me", tmp_path / "v2")
    view(tmp_path / "me", tmp_path / "v2")
    with pytest.raises(UserError, match="is the dataset 'me-v2'"):
        view(tmp_path / "v2", tmp_path / "v3")
