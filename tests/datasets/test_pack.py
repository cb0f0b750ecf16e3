"""`data pack`: training reads the same bits from it; one that is stale, cut off, hostile or another's is refused; a kill leaves none."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from made_training import make_dataset

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, open_dataset, write_dataset
from benchtool.datasets import loading, packed
from benchtool.datasets.loading import Pace, Patches, batches
from benchtool.datasets.pack import pack
from benchtool.datasets.packed import NAME, Pack, find

FIELDS = ("inputs", "targets", "exposures")


def patches(dataset: Dataset, **changes: object) -> Patches:
    settings = {"seed": 3, "stage": "train", "patch": 8, "augment": ["hflip", "rot90"], "target": "expert_c"}
    return Patches(dataset, **(settings | changes))


def everything(data: Patches, pace: Pace, last: int = 6, workers: int = 0) -> list[dict]:
    return [part for step in batches(data, pace, 0, last, workers) for part in step]


def same(one: list[dict], two: list[dict]) -> bool:
    pairs = list(zip(one, two, strict=True))
    return all(a["samples"] == b["samples"] and all(torch.equal(a[f], b[f]) for f in FIELDS) for a, b in pairs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    dataset = make_dataset(folder, scenes=(2, 1, 1), size=(22, 18))
    done = pack(dataset, patch=8, jobs=1)
    assert (done.images, done.failures, done.size) == (6, [], (folder / NAME).stat().st_size), "the target is the shot at 0 EV"
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "copy")


def test_the_same_bits_as_from_files_which_are_not_opened(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(whole)
    for pace, patch in ((Pace(2, crops=3), 8), (Pace(3), None)):
        expected = everything(patches(dataset, patch=patch, augment=["hflip"]), pace)
        with monkeypatch.context() as context:
            context.setattr(loading, "read_image", None)
            data = patches(dataset, patch=patch, augment=["hflip"], pack=find(dataset))
            assert same(everything(data, pace), expected)
    one, two = patches(dataset), patches(dataset, pack=find(dataset))
    one[0, 0], two[0, 0]  # its handle is open here, and is not passed on
    assert same(everything(one, Pace(2), 2), everything(two, Pace(2), 2, workers=1))


def test_what_is_stored(whole: Path) -> None:
    dataset = open_dataset(whole)
    train = dataset.split("train")
    images = {i.sha256: i for s in train for i in (*s.inputs, *s.targets)}
    with h5py.File(whole / NAME) as file:
        assert set(file) == set(images), "the training split alone, each content once"
        for sha256, stored in file.items():
            assert stored.chunks == (4, 4, 3) and stored.compression is None
            assert np.array_equal(stored[()], read_image(dataset.path(images[sha256])))


def test_images_that_are_not_in_it_come_from_files(folder: Path) -> None:
    dataset = open_dataset(folder)
    with h5py.File(folder / NAME, "a") as file:
        del file[dataset.split("train")[0].targets[0].sha256]
    assert same(everything(patches(dataset, pack=Pack(dataset)), Pace(2)), everything(patches(dataset), Pace(2)))


def cut_off(path: Path) -> None:
    with open(path, "rb+") as stream:
        stream.truncate(path.stat().st_size // 2)


def edited(change: Callable[[h5py.File, str], None]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        with h5py.File(path, "a") as file:
            name = next(iter(file))
            change(file, name)

    return edit


def replaced(**options: object) -> Callable[[Path], None]:
    def change(file: h5py.File, name: str) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return edited(change)


def linked(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/")


SHAPE = (18, 22, 3)
BROKEN: list[tuple[str, Callable[[Path], None], str]] = [
    ("cut off", cut_off, "cannot be opened, cut off perhaps"),
    ("text", lambda path: path.write_text("no HDF5"), "cannot be opened"),
    ("version", edited(lambda f, _: f.attrs.update(schema=99)), "is no pack of this version"),
    ("huge", replaced(shape=(10**9, 10**9, 3), dtype="u1", chunks=(64, 64, 3)), "does not hold .* as the manifest describes it"),
    ("kind", replaced(shape=SHAPE, dtype=h5py.string_dtype()), "does not hold"),
    ("filtered", replaced(shape=SHAPE, dtype="u1", chunks=(4, 4, 3), compression="gzip"), "does not hold"),
    ("elsewhere", replaced(shape=SHAPE, dtype="u1", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]), "does not hold"),
    ("link", edited(linked), "does not hold"),
]  # fmt: skip


@pytest.mark.parametrize(("breaks", "says"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_pack_that_is_not_whole_or_hostile(folder: Path, breaks: Callable[[Path], None], says: str) -> None:
    breaks(folder / NAME)
    dataset = open_dataset(folder)
    with pytest.raises(UserError, match=f"{NAME} {says}.*; pack again .benchtool data pack .*, or delete it to read from files"):
        everything(patches(dataset, pack=find(dataset)), Pace(6), 1)


def test_a_pack_of_other_data(folder: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", scenes=(3, 1, 1), size=(22, 18))
    shutil.copy(folder / NAME, other.folder)
    with pytest.raises(UserError, match="train.h5 was made of other data than .*other holds now; pack again"):
        find(other)
    dataset = open_dataset(folder)
    write_dataset(folder, dataset.facts, dataset.samples[1:])
    with pytest.raises(UserError, match="was made of other data"):
        find(open_dataset(folder))
    assert find(make_dataset(tmp_path / "none", scenes=(1, 0, 0))) is None


def test_changed_and_missing_images_are_all_named_and_nothing_is_written(benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path, scenes=(2, 1, 0), size=(22, 18))
    write_image(tmp_path / "train0_N1.5.png", np.zeros((18, 22, 3), np.uint8))
    (tmp_path / "train1_P1.5.png").unlink()
    (tmp_path / "val0.png").unlink()  # which is not packed
    done = benchtool("data", "pack", tmp_path, "--jobs", 1)
    said = " ".join(done.err.split())
    assert done.code == 1 and "2 images could not be packed, so" in said
    assert "here:train0_N1.5.png:" in said and "has changed since the manifest was written" in said
    assert "here:train1_P1.5.png:" in said and "no such file" in said
    assert not list(tmp_path.glob("*.h5")) and not list(tmp_path.glob(".tmp-*"))


def test_what_interrupts_it_leaves_the_pack_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / NAME).read_bytes()

    def interrupted(*_: object, **__: object) -> list:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchtool.datasets.pack.run_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack(open_dataset(folder))
    assert (folder / NAME).read_bytes() == before and not list(folder.glob(".tmp-*"))


def test_targets_room_and_the_command(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_dataset(tmp_path, scenes=(1, 0, 0), size=(22, 18))
    second = [dataclasses.replace(s, targets=(*s.targets, dataclasses.replace(s.inputs[0], ev=None, role="label"))) for s in made.samples]
    write_dataset(tmp_path, made.facts, second)
    done = benchtool("data", "pack", tmp_path, "--patch", 10, "--target", "label", "--jobs", 1)
    assert done.code == 0 and "train.h5: 3 images, " in done.out, "inputs, which are the labels here, and no expert"
    with h5py.File(tmp_path / NAME) as file:
        assert {stored.chunks for stored in file.values()} == {(5, 5, 3)}
    with pytest.raises(UserError, match="no training sample has a target 'expert_a'; they have expert_c, label"):
        pack(open_dataset(tmp_path), targets=["expert_a"])
    monkeypatch.setattr(packed, "MAX_PIXELS", 22 * 18 - 1)
    with pytest.raises(UserError, match="does not hold"):
        Pack(open_dataset(tmp_path)).image(second[0].inputs[0], "srgb8")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 9))
    with pytest.raises(UserError, match="would take 0.0 GiB at least, 0.0 are free"):
        pack(open_dataset(tmp_path))
