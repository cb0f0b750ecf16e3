"""`data prepare task-mix` and `niid-mix`: datasets made of others' manifests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, open_dataset, write_dataset
from benchtool.datasets.prepare import prepare


def part(folder: Path, name: str, shape: dict[tuple[str, str | None], int], role: str = "label") -> Dataset:
    """A prepared dataset of (split, subset) -> number of samples; its files lie in a folder beside it."""
    samples = []
    for (split, subset), count in shape.items():
        for k in range(count):
            stem = f"{split}_{subset or 'x'}_{k}"
            images = []
            for kind in ("input", role):
                path = folder.parent / "files" / name / f"{stem}_{kind}.png"
                write_image(path, np.full((6, 8, 3), len(samples) % 200 + (kind == "input"), np.uint8))
                images.append(Image(f"{name}:{path.name}", sha256_file(path), 8, 6, role=kind))
            samples.append(Sample(stem, stem, split, (images[0],), (images[1],), subset))
    groups = {"under": [], "over": []} if name == "sice" else {}
    facts = Facts(name, "published", {name: f"../files/{name}"}, groups, role, f"terms of {name}", f"{name}2020")
    return write_dataset(folder, facts, samples)


def test_task_mix(tmp_path: Path) -> None:
    src = tmp_path / "parts"
    part(src / "lol", "lol", {("train", None): 3, ("test", None): 2})
    part(src / "fivek", "fivek", {("train", None): 2, ("test", None): 1}, "expert_c")
    part(src / "sice", "sice", {("train", "under"): 2, ("train", "over"): 2, ("test", "over"): 1}, "middle")
    out = prepare("task-mix", src, tmp_path / "out", options={"val": 0}, jobs=1).dataset
    assert Counter((s.split, s.subset) for s in out.samples) == {
        ("train", "lol"): 3, ("test", "lol"): 2, ("train", "fivek"): 2, ("test", "fivek"): 1,
        ("train", "sice-over"): 2, ("test", "sice-over"): 1,
    }  # fmt: skip
    assert {t.role for s in out.samples for t in s.targets} == {"label"} and out.facts.default_target == "label"
    assert all(sha256_file(out.path(i)) == i.sha256 for s in out.samples for i in (*s.inputs, *s.targets))
    assert {s.subset: out.group(s) for s in out.samples} == {"lol": "lol", "fivek": "fivek", "sice-over": "sice-over"}
    assert out.facts.made["from"]["sice"]["fingerprint"] == open_dataset(src / "sice").facts.fingerprint
    assert out.facts.licence == "lol: terms of lol; fivek: terms of fivek; sice: terms of sice"


def test_every_part_of_task_mix_is_validated(tmp_path: Path) -> None:
    src = tmp_path / "parts"
    part(src / "lol", "lol", {("train", None): 150, ("test", None): 1})
    part(src / "fivek", "fivek", {("train", None): 20, ("test", None): 1}, "expert_c")
    part(src / "sice", "sice", {("train", "over"): 9, ("val", "over"): 3, ("val", "under"): 3, ("test", "over"): 1}, "middle")

    def made(number: int, **options: int) -> Dataset:
        return prepare("task-mix", src, tmp_path / f"out{number}", options=options, jobs=1).dataset

    def kept(data: Dataset) -> set[str]:
        return {s.sample for s in data.samples if s.split == "val"}

    out = made(0)
    assert Counter((s.split, s.subset) for s in out.samples) == {
        ("train", "lol"): 138, ("val", "lol"): 12, ("test", "lol"): 1, ("train", "fivek"): 18, ("val", "fivek"): 2, ("test", "fivek"): 1,
        ("train", "sice-over"): 9, ("val", "sice-over"): 3, ("test", "sice-over"): 1,
    }  # fmt: skip
    assert out.facts.made["validation"]["kept"] == {"lol": 12, "fivek": 2} and out.facts.made["options"] == {"val": 12, "seed": 0}
    assert kept(made(1)) == kept(out) != kept(made(2, seed=1))
    assert Counter(s.subset for s in made(3, val=5).samples if s.split == "val") == {"lol": 5, "fivek": 2, "sice-over": 3}


@pytest.fixture
def niid_parts(tmp_path: Path) -> Path:
    src = tmp_path / "parts"
    part(src / "lol", "lol", {("train", None): 2, ("test", None): 16})
    part(src / "sice", "sice", {("test", "under"): 17, ("test", "over"): 17}, "middle")
    part(src / "deepupe", "deepupe", {("test", None): 25})
    return src


def test_niid_mix(tmp_path: Path, niid_parts: Path) -> None:
    out = prepare("niid-mix", niid_parts, tmp_path / "out", jobs=1).dataset
    assert Counter((s.split, s.subset) for s in out.samples) == {("test", "lol"): 15, ("test", "sice"): 15, ("test", "deepupe"): 20}
    assert all("_under_" in s.sample for s in out.samples if s.subset == "sice")
    assert out.facts.variant == "not-the-papers-images" and out.facts.made["images"] == "drawn by seed: not the paper's images"
    assert prepare("niid-mix", niid_parts, tmp_path / "o2", jobs=1).dataset.facts.fingerprint == out.facts.fingerprint
    other = prepare("niid-mix", niid_parts, tmp_path / "o3", options={"seed": 1}, jobs=1).dataset
    assert other.facts.fingerprint != out.facts.fingerprint and other.facts.made["options"] == {"seed": 1}


def test_what_is_wanting_is_said(tmp_path: Path, niid_parts: Path) -> None:
    with pytest.raises(UserError, match="fivek: the dataset fivek is wanted there; make it: benchtool data prepare fivek"):
        prepare("task-mix", niid_parts, tmp_path / "out")
    (niid_parts / "deepupe").rename(tmp_path / "gone")
    part(niid_parts / "deepupe", "deepupe", {("test", None): 19})
    with pytest.raises(UserError, match="19 test images of the 20 that NIID's 50 take from deepupe"):
        prepare("niid-mix", niid_parts, tmp_path / "out")
    (niid_parts / "deepupe").rename(tmp_path / "gone2")
    part(niid_parts / "deepupe", "lcdp", {("test", None): 25})
    with pytest.raises(UserError, match="is the dataset 'lcdp', not deepupe"):
        prepare("niid-mix", niid_parts, tmp_path / "out")


def test_copy_is_refused(tmp_path: Path, niid_parts: Path) -> None:
    with pytest.raises(UserError, match="niid-mix has no images of its own"):
        prepare("niid-mix", niid_parts, tmp_path / "out", copy=True)
