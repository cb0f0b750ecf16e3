"""Several crops a decode, memory shared by workers, raws in four planes with labels of twice the size, and mixed bit depths."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from made_training import make_dataset
from test_hdrplus import burst

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, read_picture, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.datasets import loading
from benchtool.datasets.crops import AUGMENTATIONS
from benchtool.datasets.loading import Pace, Patches, batches
from benchtool.datasets.pack import pack
from benchtool.datasets.packed import Pack
from benchtool.datasets.prepare import prepare

FIELDS = ("inputs", "targets", "exposures")
TURNS = list(AUGMENTATIONS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("data"), scenes=(5, 1, 1), size=(22, 18))


def patches(dataset: Dataset, **changes: object) -> Patches:
    settings = {"seed": 3, "stage": "train", "patch": 8, "augment": ["hflip", "vflip", "rot90"], "target": "expert_c"}
    return Patches(dataset, **(settings | changes))


def steps(data: Patches, pace: Pace, first: int = 0, last: int = 12, workers: int = 0) -> list[list[dict]]:
    return list(batches(data, pace, first, last, workers))


def same(one: dict, two: dict) -> bool:
    return one["samples"] == two["samples"] and all(torch.equal(one[f], two[f]) for f in FIELDS)


def all_same(one: list[list[dict]], two: list[list[dict]]) -> bool:
    return all(same(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))


def test_a_group_of_steps_shares_its_samples_and_the_first_crop_is_that_of_a_single_one(dataset: Dataset) -> None:
    data = patches(dataset)
    single, several = steps(data, Pace(2, accumulate=2), last=6), steps(data, Pace(2, accumulate=2, crops=3), last=18)
    assert all_same(several[::3], single), "crop 0 is today's"
    for group in range(0, 18, 3):
        first, second, third = several[group : group + 3]
        for part in range(2):
            assert first[part]["samples"] == second[part]["samples"] == third[part]["samples"]
            assert not torch.equal(first[part]["inputs"], second[part]["inputs"])
            assert not torch.equal(second[part]["inputs"], third[part]["inputs"])
        assert len({name for part in first for name in part["samples"]}) == 4, "no step sees a picture twice"


def test_every_crop_is_drawn_anew_and_of_input_and_target_alike(dataset: Dataset) -> None:
    data = patches(dataset, augment=[])
    corners: list[set] = [set() for _ in range(3)]
    images = [read_image(dataset.path(i)) for i in (*data.samples[1].inputs, *data.samples[1].targets)]
    for epoch in range(12):
        for number, crop in enumerate(data.crops((epoch, 1), 3)):
            found = [
                (y, x)
                for y, x in np.ndindex(11, 15)
                if all(np.array_equal(c, i[y : y + 8, x : x + 8]) for c, i in zip((crop["inputs"][0], crop["target"]), images))
            ]
            assert len(found) == 1
            corners[number].add((epoch, found[0]))
    assert all(len({corner for _, corner in of_crop}) > 6 for of_crop in corners) and not set.intersection(*corners)


def test_an_epoch_has_so_many_more_steps() -> None:
    assert Pace(2, accumulate=2, crops=4).steps(15) == 12 and Pace(2, crops=4, limit=5).steps(15) == 5
    groups = list(Pace(4, crops=3, limit=5).groups(15, 1, 9))
    assert [(g.epoch, g.number, list(g.crops)) for g in groups] == [(0, 0, [1, 2]), (0, 1, [0, 1]), (1, 0, [0, 1, 2]), (1, 1, [0])]


def test_workers_beginning_within_a_group_and_processes_change_nothing(dataset: Dataset) -> None:
    data, pace = patches(dataset), Pace(2, accumulate=2, crops=3)
    whole = steps(data, pace)
    for first in (1, 2, 3, 7, 10):
        assert all_same(whole[first:], steps(data, pace, first)), first
    assert all_same(whole[4:11], steps(data, pace, 4, 11, workers=2))
    shares = [steps(data, dataclasses.replace(pace, batch=1, rank=rank, world=2)) for rank in (0, 1)]
    for one, *parts in zip(whole, *shares, strict=True):
        for k in range(2):
            assert one[k]["samples"] == parts[0][k]["samples"] + parts[1][k]["samples"]
            assert all(torch.equal(one[k][f], torch.cat([p[k][f] for p in parts])) for f in FIELDS)


def test_each_image_is_decoded_once_for_all_its_crops(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(loading, "read_image", lambda path: (read.append(path), read_image(path))[1])
    steps(patches(dataset), Pace(3, crops=5), last=25)
    assert len(read) == 2 * 15


def test_workers_share_the_images_in_memory(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = steps(patches(dataset), Pace(3), last=10)
    data = patches(dataset, cache=10**6)
    assert all_same(steps(data, Pace(3), last=5, workers=1), expected[:5])
    assert len(data._kept) == 20, "what workers read is there for this process"
    monkeypatch.setattr(loading, "read_image", None)
    assert all_same(steps(data, Pace(3), last=10), expected)
    small = patches(dataset, cache=3 * 22 * 18 * 3 - 1)
    monkeypatch.undo()
    assert all_same(steps(small, Pace(3), last=10), expected) and len(small._kept) == 2


def test_bit_depths_may_be_mixed_and_16_bits_are_kept(tmp_path: Path) -> None:
    draw, samples = np.random.default_rng(0), []
    for number, kind in enumerate((np.uint8, np.uint16)):
        pixels = draw.integers(0, np.iinfo(kind).max, (9, 7, 3), kind)
        samples.append(Sample(str(number), str(number), "train", (saved(tmp_path, f"{number}.png", pixels),), (), None, "srgb16"))
    dataset = write_dataset(tmp_path, Facts("d", "sample", {"here": "."}), samples)
    for data in (Patches(dataset, 0, "t"), Patches(dataset, 0, "t", cache=10**6)):
        for (batch,) in (*steps(data, Pace(2), last=2), *steps(data, Pace(1), last=4)):
            for name, image in zip(batch["samples"], batch["inputs"]):
                pixels = read_image(tmp_path / f"{name}.png")
                expected = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
                assert np.array_equal(image[0].numpy(), expected.transpose(2, 0, 1))


def saved(folder: Path, name: str, pixels: np.ndarray, role: str = "input") -> Image:
    write_image(folder / name, pixels)
    return Image(f"here:{name}", sha256_file(folder / name), pixels.shape[1], pixels.shape[0], role=role)


SIZE = (12, 16)  # of the planes: height, width


def bayer(folder: Path, role: str, encoding: str, labels: int = 2) -> Dataset:
    """Raws whose every value says where in the mosaic it is; as target the whole mosaic in three channels, or planes again."""
    mosaic = np.arange(4 * SIZE[0] * SIZE[1], dtype=np.uint16).reshape(2 * SIZE[0], 2 * SIZE[1])
    planes = np.stack([mosaic[0::2, 0::2], mosaic[0::2, 1::2], mosaic[1::2, 0::2], mosaic[1::2, 1::2]], axis=2)
    target = planes if encoding == "raw-rggb" else np.repeat(mosaic[:: 2 // labels, :: 2 // labels, None], 3, axis=2)
    images = saved(folder, "short.tif", planes), saved(folder, "long.tif", 65535 - planes)
    sample = Sample("a", "a", "train", images, (saved(folder, "t.tif", target, role),), None, "raw-rggb", encoding)
    return write_dataset(folder, Facts("d", "sample", {"here": "."}, default_target=role), [sample])


def values(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.float64) * 65535).round().astype(int)


def mosaic_of(planes: np.ndarray) -> np.ndarray:
    """[4, h, w] -> [2h, 2w], by the order of the planes alone."""
    return torch.nn.functional.pixel_shuffle(torch.from_numpy(planes.astype(np.float64)), 2)[0].numpy().astype(int)


@pytest.mark.parametrize("packs", [False, True], ids=["files", "pack"])
def test_turned_raws_keep_every_colour_in_its_plane_and_every_place_at_its_label(tmp_path: Path, packs: bool) -> None:
    dataset = bayer(tmp_path, "label", "srgb16")
    stored = (pack(dataset, 6, jobs=1), Pack(dataset))[1] if packs else None
    data = Patches(dataset, 0, "t", 6, TURNS, "label", pack=stored)
    assert data.scale == 2
    turned, columns = set(), 2 * SIZE[1]
    for epoch in range(80):
        item = data[epoch, 0]
        (short, long), label = values(item["inputs"]), values(item["target"])
        assert short.shape == (4, 6, 6) and label.shape == (3, 12, 12) and np.array_equal(short, 65535 - long)
        assert np.array_equal(mosaic_of(short), label[0]), "each value at its own place"
        rows, cols = short // columns, short % columns
        red, blue = (rows[0] % 2, cols[0] % 2), (rows[3] % 2, cols[3] % 2)
        assert not np.any(red) and np.all(blue), "red stays red, blue blue"
        greens = {((r % 2).item(0), (c % 2).item(0)) for r, c in zip(rows[1:3], cols[1:3])}
        assert greens == {(0, 1), (1, 0)}
        turned.add((int(label[0, 0, 1] - label[0, 0, 0]), int(label[0, 1, 0] - label[0, 0, 0])))
    pairs = [(one, other) for one in (1, -1) for other in (columns, -columns)]
    assert turned == {*pairs, *((y, x) for x, y in pairs)}, "all 8 positions"


def test_raws_are_not_moved_where_they_are_not_turned(tmp_path: Path) -> None:
    dataset = bayer(tmp_path, "label", "srgb16")
    for data in (Patches(dataset, 0, "t", 6, [], "label"), Patches(dataset, 0, "t", None, [], "label")):
        for epoch in range(10):
            item = data[epoch, 0]
            assert np.array_equal(mosaic_of(values(item["inputs"])[0]), values(item["target"])[0])
            assert (values(item["inputs"])[0, 0, 0, 0] % 2) == 0


def test_raw_targets_are_turned_alike(tmp_path: Path) -> None:
    data = Patches(bayer(tmp_path, "merged", "raw-rggb"), 0, "t", 5, TURNS, "merged")
    assert data.scale == 1
    for epoch in range(20):
        item = data[epoch, 0]
        assert item["inputs"].shape == (2, 4, 5, 5) and np.array_equal(item["inputs"][0], item["target"])


def test_what_cannot_be_turned_or_cropped_together_is_refused(tmp_path: Path) -> None:
    dataset = bayer(tmp_path / "a", "label", "srgb16")
    for patch in (12, None):
        with pytest.raises(UserError, match="raws can be turned only in crops smaller than they are .sample 'a': 16 x 12.; give a smaller"):
            Patches(dataset, 0, "t", patch, ["hflip"], "label")
    with pytest.raises(UserError, match="to raws belong raws of their size, or pictures twice as large"):
        Patches(bayer(tmp_path / "b", "label", "srgb16", labels=1), 0, "t", 6, [], "label")
    grey = saved(tmp_path / "a", "grey.png", np.zeros((12, 16, 3), np.uint8))
    three = dataclasses.replace(dataset, samples=[dataclasses.replace(dataset.samples[0], inputs=(grey,), targets=())])
    with pytest.raises(UserError, match="grey.png: has 3 channels; a raw-rggb image has four planes"):
        steps(Patches(three, 0, "t"), Pace(1), last=1)


def test_targets_whole_times_as_large(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    small = draw.integers(0, 255, (10, 12, 3), np.uint8)
    samples = []
    for name, times in (("a", 3), ("b", 2)):
        large = small.repeat(times, 0).repeat(times, 1)
        images = saved(tmp_path, "small.png", small), saved(tmp_path, f"{name}.png", large, "label")
        samples.append(Sample(name, name, "train", images[:1], images[1:]))
    dataset = write_dataset(tmp_path, Facts("d", "sample", {"here": "."}), samples)
    data = Patches(dataclasses.replace(dataset, samples=samples[:1]), 0, "t", 4, TURNS, "label")
    assert data.scale == 3
    for epoch in range(12):
        item = data[epoch, 0]
        assert np.array_equal(item["inputs"][0].repeat(3, 1).repeat(3, 2), item["target"])
    with pytest.raises(UserError, match=r"targets are 3 times .a. and 2 times .b. as large"):
        Patches(dataset, 0, "t", 4, [], "label")


def test_hdrplus_isp_from_its_bursts_to_a_batch(tmp_path: Path) -> None:
    for name in ("0006_20160721_163256_525", "33TJ_20150606_224837_294"):
        burst(tmp_path / "src", name)
    out = prepare("hdrplus-isp", tmp_path / "src", tmp_path / "out", options={"test": 1}, jobs=1)
    assert not out.failures and len(out.dataset.split("train")) == 1
    data = Patches(out.dataset, 0, "train", 32, [], "label")
    ((batch,),) = steps(data, Pace(1, crops=1), last=1)
    assert batch["inputs"].shape == (1, 2, 4, 32, 32) and batch["targets"].shape == (1, 3, 64, 64)
    (sample,) = data.samples
    planes, label = read_picture(out.dataset.path(sample.inputs[0])).pixels, read_image(out.dataset.path(sample.targets[0]))
    crop, picture = values(batch["inputs"][0, 0].numpy()), (batch["targets"][0].numpy() * 255).round().astype(np.uint8)
    height, width = planes.shape[:2]
    places = [(y, x) for y, x in np.ndindex(height - 31, width - 31) if np.array_equal(planes[y, x], crop[:, 0, 0])]
    (place,) = [(y, x) for y, x in places if np.array_equal(planes[y : y + 32, x : x + 32], crop.transpose(1, 2, 0))]
    y, x = 2 * place[0], 2 * place[1]
    assert np.array_equal(label[y : y + 64, x : x + 64], picture.transpose(1, 2, 0))
    assert batch["exposures"].tolist() == [[0, pytest.approx(sample.inputs[1].ev)]]
    turned = steps(Patches(out.dataset, 0, "train", 32, TURNS, "label"), Pace(1, crops=4), last=4)
    assert {step[0]["targets"].shape for step in turned} == {(1, 3, 64, 64)}


def test_real_hdr_patches_come_in_16_bits(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "stacks" / "hdr-patches"
    dataset = prepare("ntire-hdr", source, tmp_path / "out", options={"val": 1, "test": 1}, jobs=1).dataset
    data = Patches(dataset, 0, "train", None, [], "label")
    ((batch,),) = steps(data, Pace(2), last=1)
    assert batch["inputs"].shape[:3] == (2, 3, 3)
    for name, inputs, target in zip(batch["samples"], batch["inputs"], batch["targets"]):
        sample = next(s for s in data.samples if s.sample == name)
        pixels = read_image(dataset.path(sample.targets[0]))
        assert pixels.dtype == np.uint16 and np.array_equal(values(target.numpy()), pixels.transpose(2, 0, 1))
        shots = [read_image(dataset.path(image)) for image in sample.inputs]
        assert np.array_equal((inputs.numpy() * 255).round(), np.stack(shots).transpose(0, 3, 1, 2))
