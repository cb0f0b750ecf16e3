"""Training patches: the same whatever the workers and processes, crops and flips that fit together, clear refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_training import make_dataset

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, Image, open_dataset
from benchtool.datasets.loading import AUGMENTATIONS, Pace, Patches, batches, keys

FIELDS = ("inputs", "targets", "exposures")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("data"), scenes=(5, 1, 1), size=(22, 18))


def patches(dataset: Dataset, **changes: object) -> Patches:
    settings = {"seed": 3, "stage": "train", "patch": 8, "augment": ["hflip", "vflip", "rot180"], "target": "expert_c"}
    return Patches(dataset, **(settings | changes))


def everything(data: Patches, pace: Pace, first: int = 0, last: int = 6, workers: int = 0) -> list[dict]:
    return [part for step in batches(data, pace, first, last, workers) for part in step]


def same(one: dict, two: dict) -> bool:
    return one["samples"] == two["samples"] and all(torch.equal(one[f], two[f]) for f in FIELDS)


def test_workers_and_where_it_starts_change_nothing(dataset: Dataset) -> None:
    data, pace = patches(dataset), Pace(batch=2, accumulate=2)
    alone = everything(data, pace)
    assert len(alone) == 12 and alone[0]["inputs"].shape == (2, 1, 3, 8, 8) and alone[0]["targets"].shape == (2, 3, 8, 8)
    assert all(same(a, b) for a, b in zip(alone, everything(data, pace, workers=2), strict=True))
    assert all(same(a, b) for a, b in zip(alone[8:], everything(data, pace, first=4), strict=True))


def test_two_processes_share_what_one_with_the_doubled_batch_sees(dataset: Dataset) -> None:
    data = patches(dataset)
    whole = everything(data, Pace(batch=4))
    shares = [everything(data, Pace(batch=2, rank=rank, world=2)) for rank in (0, 1)]
    for one, parts in zip(whole, zip(*shares), strict=True):
        assert one["samples"] == parts[0]["samples"] + parts[1]["samples"]
        assert all(torch.equal(one[f], torch.cat([p[f] for p in parts])) for f in FIELDS)


def test_accumulated_parts_make_the_larger_batch(dataset: Dataset) -> None:
    data = patches(dataset)
    whole, parts = everything(data, Pace(batch=4)), everything(data, Pace(batch=2, accumulate=2))
    assert [p["samples"] for p in whole] == [a["samples"] + b["samples"] for a, b in zip(parts[::2], parts[1::2])]


def test_an_epoch_sees_each_sample_once_and_drops_the_rest(dataset: Dataset) -> None:
    data = patches(dataset)
    assert len(data) == 15
    pace = Pace(batch=2, accumulate=2)
    assert pace.steps(15) == 3 and Pace(batch=4, limit=2).steps(15) == 2
    seen = [key for part in keys(data, pace, 0, 6) for key in part]
    for epoch in (0, 1):
        numbers = [number for e, number in seen if e == epoch]
        assert len(numbers) == len(set(numbers)) == 12
    assert {n for e, n in seen if e == 0} != {n for e, n in seen if e == 1}, "what is dropped differs from epoch to epoch"
    with pytest.raises(UserError, match="15 training samples do not fill one step of 4 .batch. x 2 .accumulate. x 2"):
        Pace(batch=4, accumulate=2, world=2).steps(15)


def test_seed_stage_and_epoch_change_order_and_crops(dataset: Dataset) -> None:
    data = patches(dataset)
    assert data.order(0).tolist() == patches(dataset).order(0).tolist() != data.order(1).tolist()
    assert data.order(0).tolist() != patches(dataset, seed=4).order(0).tolist() != patches(dataset, stage="tune").order(0).tolist()
    once = [data[epoch, 0]["inputs"] for epoch in range(6)]
    assert any(not np.array_equal(once[0], other) for other in once[1:])
    for other in (patches(dataset, seed=4), patches(dataset, stage="tune")):
        assert any(not np.array_equal(once[epoch], other[epoch, 0]["inputs"]) for epoch in range(6))


def test_crops_are_of_the_image_and_of_the_target_alike(dataset: Dataset) -> None:
    data = patches(dataset, augment=[])
    corners = set()
    for epoch in range(40):
        item = data[epoch, 1]
        sample = data.samples[1]
        images = [read_image(dataset.path(i)) for i in (*sample.inputs, *sample.targets)]
        crops = [_pixels(plane) for plane in (item["inputs"][0], item["target"])]
        found = [
            (top, left)
            for top in range(18 - 8 + 1)
            for left in range(22 - 8 + 1)
            if all(np.array_equal(crop, image[top : top + 8, left : left + 8]) for crop, image in zip(crops, images))
        ]
        assert len(found) == 1, "one window of both images, bit for bit"
        corners.add(found[0])
        assert item["exposures"].tolist() == [sample.exposure] and item["sample"] == sample.sample
    assert {0, 10} <= {top for top, _ in corners} and {0, 14} <= {left for _, left in corners}, "up to the borders"


def _pixels(plane: np.ndarray) -> np.ndarray:
    return (plane * 255).round().astype(np.uint8).transpose(1, 2, 0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_augmentation_comes_half_the_time_and_leaves_the_others_as_they_were(dataset: Dataset, name: str) -> None:
    turned: dict[str, Callable] = {
        "hflip": lambda x: np.flip(x, -1),
        "vflip": lambda x: np.flip(x, -2),
        "rot180": lambda x: np.flip(x, (-1, -2)),
        "rot90": lambda x: np.rot90(x, 1, (-2, -1)),
    }
    plain, data = patches(dataset, augment=[]), patches(dataset, augment=[name])
    count = 0
    for epoch in range(60):
        before, after = plain[epoch, 2], data[epoch, 2]
        applied = not np.array_equal(before["inputs"], after["inputs"])
        change = turned[name] if applied else lambda x: x
        assert all(np.array_equal(change(before[field]), after[field]) for field in ("inputs", "target"))
        count += applied
    assert 15 <= count <= 45


def test_exposures_and_targets_are_as_asked(dataset: Dataset) -> None:
    assert {s.exposure for s in patches(dataset, exposures=[0.0, 1.5]).samples} == {0.0, 1.5}
    assert everything(patches(dataset, target=None), Pace(2), 0, 1)[0]["targets"] is None
    with pytest.raises(UserError, match=r"no training sample has an exposure of -1 EV"):
        patches(dataset, exposures=[-1.0])
    with pytest.raises(UserError, match="sample 'train0_0' has no target 'expert_a' .it has expert_c."):
        patches(dataset, target="expert_a")


def test_without_known_exposures_there_are_none(dataset: Dataset) -> None:
    blind = [dataclasses.replace(s, inputs=tuple(dataclasses.replace(i, ev=None) for i in s.inputs)) for s in dataset.samples]
    assert everything(patches(dataclasses.replace(dataset, samples=blind)), Pace(2), 0, 1)[0]["exposures"] is None
    mixed = patches(dataclasses.replace(dataset, samples=[*blind[:1], *dataset.samples[1:]]))
    assert np.isnan(mixed[0, 0]["exposures"]).all()


def test_a_patch_larger_than_an_image_names_it(dataset: Dataset) -> None:
    with pytest.raises(UserError, match=r"here:train0_0.png: 22 x 18 pixels are too few for the patch of 20 .*sample 'train0_0'"):
        patches(dataset, patch=20)


def test_whole_images(dataset: Dataset) -> None:
    assert patches(dataset, patch=None)[0, 0]["inputs"].shape == (1, 3, 18, 22)


def moved_to_b(images: tuple[Image, ...]) -> tuple[Image, ...]:
    return tuple(dataclasses.replace(image, path=f"b:{image.path[5:]}") for image in images)


def test_images_of_different_sizes(tmp_path: Path) -> None:
    made = make_dataset(tmp_path, scenes=(2, 0, 0), size=(22, 18))
    odd = make_dataset(tmp_path / "b", scenes=(1, 0, 0), size=(30, 20))
    other = [
        dataclasses.replace(s, sample=f"odd{s.sample}", inputs=moved_to_b(s.inputs), targets=moved_to_b(s.targets)) for s in odd.samples
    ]
    both = Dataset(tmp_path, made.facts, [*made.samples, *other], {"here": tmp_path, "b": tmp_path / "b"})
    assert len(everything(patches(both), Pace(3), 0, 3)) == 3, "crops make them equal"
    with pytest.raises(UserError, match="images of different sizes in one batch"):
        everything(patches(both, patch=None, augment=[]), Pace(9), 0, 1)
    with pytest.raises(UserError, match="images trained on together have one size"):
        patches(dataclasses.replace(both, samples=[dataclasses.replace(made.samples[0], targets=other[0].targets)]))


def test_a_changed_or_missing_image_is_named_from_a_worker_too(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, scenes=(2, 0, 0), size=(22, 18))
    write_image(tmp_path / "train0.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(UserError, match="^here:train0.png: is not the image the manifest was written for"):
        everything(patches(dataset), Pace(6), 0, 1, workers=1)
    (tmp_path / "train0.png").unlink()
    with pytest.raises(UserError, match="train0.png: no such file"):
        everything(patches(dataset), Pace(6), 0, 1)


def test_the_test_split_is_never_opened(tmp_path: Path) -> None:
    make_dataset(tmp_path, scenes=(1, 1, 2), size=(22, 18))
    dataset = open_dataset(tmp_path)
    data = patches(dataset)
    assert {s.split for s in data.samples} == {"train"}
    nothing = dataclasses.replace(dataset, samples=[s for s in dataset.samples if s.split == "test"])
    with pytest.raises(UserError, match="no train split"):
        patches(nothing)


def test_the_cache_reads_each_image_once_and_keeps_to_its_bound(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(path: Path) -> np.ndarray:
        read.append(path)
        return read_image(path)

    monkeypatch.setattr("benchtool.datasets.loading.read_image", counted)
    plain = everything(patches(dataset), Pace(15), 0, 2)
    assert len(read) == 2 * 2 * 15
    size = 22 * 18 * 3
    for images in (20, 5):  # all of them (5 scenes of a target and three inputs), and fewer
        data = patches(dataset, cache=images * size + 7)
        assert same(everything(data, Pace(15), 0, 1)[0], plain[0])
        read.clear()
        assert same(everything(data, Pace(15), 1, 2)[0], plain[1])
        assert bool(read) == (images < 20) and len(data._kept) == images
