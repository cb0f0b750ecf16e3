"""Whole images resized before they are cropped, and crops that are drawn again: from files, memory and packs alike."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from made_training import make_dataset
from PIL import Image as Pillow
from scipy import ndimage
from test_loading_crops import bayer, same, saved, steps

from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.core.manifest import Dataset, Facts, Sample, write_dataset
from benchtool.core.recipe_stage import Reject
from benchtool.datasets.crops import DRAWS, rejected
from benchtool.datasets.loading import Pace, Patches
from benchtool.datasets.pack import pack
from benchtool.datasets.packed import Pack


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("data"), scenes=(3, 1, 1), size=(22, 18))


def patches(dataset: Dataset, **changes: object) -> Patches:
    return Patches(dataset, **({"seed": 3, "stage": "train", "target": "expert_c"} | changes))


def images_of(data: Patches, number: int) -> list[np.ndarray]:
    sample = data.samples[number]
    return [read_image(data.dataset.path(image)) for image in (*sample.inputs, *sample.targets)]


def test_whole_images_become_squares(dataset: Dataset) -> None:
    data = patches(dataset, resize=16)
    item = data[0, 4]
    for plane, image in zip((item["inputs"][0], item["target"]), images_of(data, 4), strict=True):
        expected = np.asarray(Pillow.fromarray(image).resize((16, 16), Pillow.Resampling.BICUBIC), np.float32)
        assert plane.shape == (3, 16, 16) and np.abs(plane.transpose(1, 2, 0) * 255 - expected).max() <= 1.01


def test_sides_become_multiples_of_4(dataset: Dataset) -> None:
    data = patches(dataset, resize="multiple-of-4")
    item = data[0, 4]
    for plane, image in zip((item["inputs"][0], item["target"]), images_of(data, 4), strict=True):
        grid = np.meshgrid(*((np.arange(n) + 0.5) * m / n - 0.5 for n, m in ((20, 18), (24, 22))), indexing="ij")
        for channel in range(3):
            expected = ndimage.map_coordinates(image[:, :, channel] / 255.0, grid, order=1, mode="nearest")
            np.testing.assert_allclose(plane[channel], expected, atol=1e-6)
    fits = make_dataset(dataset.folder / "fits", scenes=(1, 0, 0), size=(24, 20))
    assert np.array_equal(patches(fits, resize="multiple-of-4")[0, 0]["inputs"], patches(fits)[0, 0]["inputs"])


@pytest.mark.parametrize("resize", [16, 40, "multiple-of-4"])
def test_crops_are_of_the_resized_image(dataset: Dataset, resize: int | str) -> None:
    whole, data = patches(dataset, resize=resize), patches(dataset, resize=resize, patch=12)
    corners = set()
    for epoch in range(8):
        large, crop = whole[epoch, 2], data[epoch, 2]
        windows = np.lib.stride_tricks.sliding_window_view(large["inputs"][0], (12, 12), (1, 2))
        (corner,) = np.argwhere((windows == crop["inputs"][0][:, None, None]).all((0, 3, 4))).tolist()
        y, x = corner
        assert np.array_equal(crop["target"], large["target"][:, y : y + 12, x : x + 12])
        corners.add((y, x))
    assert len(corners) > 4


@pytest.mark.parametrize("settings", [{"resize": 16}, {"resize": "multiple-of-4", "patch": 12}, {"patch": 12, "reject": Reject(flat=0.3)}])
def test_the_same_bits_from_files_memory_pack_and_in_workers(tmp_path: Path, settings: dict) -> None:
    dataset = make_dataset(tmp_path, scenes=(2, 0, 0), size=(22, 18))
    plain, pace = patches(dataset, **settings), Pace(2, crops=2)
    expected = steps(plain, pace, last=8)
    kept = patches(dataset, cache=10**6, **settings)
    steps(kept, pace, last=8)
    assert len(kept._kept) == 8, "all of them, resized"
    pack(dataset, 8, jobs=1)
    for data in (kept, patches(dataset, pack=Pack(dataset), **settings), pickle.loads(pickle.dumps(plain))):  # the last as workers get it
        assert all(same(a, b) for x, y in zip(expected, steps(data, pace, last=8), strict=True) for a, b in zip(x, y))
    assert all(same(a, b) for x, y in zip(expected[3:5], steps(plain, pace, 3, 5), strict=True) for a, b in zip(x, y)), "resumed"


def test_deep_images_stay_within_their_range(tmp_path: Path) -> None:
    edge = np.zeros((20, 30, 3), np.uint16)
    edge[:, 15:] = 65535
    dataset = write_dataset(
        tmp_path, Facts("d", "sample", {"here": "."}), [Sample("a", "a", "train", (saved(tmp_path, "a.png", edge),), (), None, "srgb16")]
    )
    found = Patches(dataset, 0, "t", resize=16)[0, 0]["inputs"]
    assert found.min() == 0 and found.max() == 1 and len(np.unique(found)) > 2


def test_larger_targets_stay_as_many_times_as_large(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 255, (9, 10, 3), np.uint8)
    images = saved(tmp_path, "s.png", small), saved(tmp_path, "l.png", small.repeat(2, 0).repeat(2, 1), "label")
    dataset = write_dataset(tmp_path, Facts("d", "sample", {"here": "."}), [Sample("a", "a", "train", images[:1], images[1:])])
    for resize, size in ((16, (16, 16)), ("multiple-of-4", (12, 12))):
        item = Patches(dataset, 0, "t", target="label", resize=resize)[0, 0]
        assert item["inputs"].shape[-2:] == size and item["target"].shape[-2:] == (2 * size[0], 2 * size[1])


def test_what_cannot_be_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="16 x 16 pixels are too few for the patch of 17 in stage 'train'"):
        patches(dataset, resize=16, patch=17)
    assert patches(dataset, resize="multiple-of-4", patch=20)[0, 0]["target"].shape == (3, 20, 20)
    raws = bayer(tmp_path, "label", "srgb16")
    for settings in ({"resize": 16}, {"resize": "multiple-of-4"}, {"patch": 6, "reject": Reject(flat=0.1)}):
        with pytest.raises(UserError, match="stage 't': (resize|reject) is not for raws .sample 'a'"):
            Patches(raws, 0, "t", target="label", **settings)


def test_a_crop_is_dark_bright_or_flat() -> None:
    flat = np.full((16, 16, 3), 128, np.uint8)
    assert not rejected(flat, Reject()) and rejected(flat, Reject(flat=0.01))
    assert rejected(flat, Reject(dark=0.51)) and not rejected(flat, Reject(dark=0.50))
    assert rejected(flat, Reject(bright=0.50)) and not rejected(flat, Reject(bright=0.51))
    crop = np.random.default_rng(0).random((16, 12, 3), np.float32)
    grey = crop @ [0.299, 0.587, 0.114]
    mean = np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest")).mean()
    assert rejected(crop, Reject(flat=mean * 1.001)) and not rejected(crop, Reject(flat=mean * 0.999))


def half_flat(folder: Path) -> Dataset:
    """A target flat on the left and lively on the right, and an input the other way round."""
    noise = np.random.default_rng(0).integers(0, 255, (24, 48, 3), np.uint8)
    one, other = noise.copy(), noise.copy()
    one[:, :24], other[:, 24:] = 128, 128
    images = saved(folder, "i.png", other), saved(folder, "t.png", one, "label")
    return write_dataset(folder, Facts("d", "sample", {"here": "."}), [Sample("a", "a", "train", images[:1], images[1:])])


def test_rejected_crops_are_drawn_again_by_the_target(tmp_path: Path) -> None:
    dataset, reject = half_flat(tmp_path), Reject(flat=0.06)
    plain, data = (Patches(dataset, 0, "t", 8, ["hflip"], "label", reject=r) for r in (None, reject))
    kept = 0
    for epoch in range(30):
        before, after = plain[epoch, 0], data[epoch, 0]
        assert not rejected(after["target"].transpose(1, 2, 0), reject)
        if not rejected(before["target"].transpose(1, 2, 0), reject):
            kept += 1
            assert np.array_equal(before["inputs"], after["inputs"]), "the first draw stands"
    assert 5 < kept < 30
    alone = Patches(dataset, 0, "t", 8, [], reject=reject)
    assert not any(rejected(alone[epoch, 0]["inputs"][0].transpose(1, 2, 0), reject) for epoch in range(30)), (
        "without a target, by the input"
    )


def test_drawing_again_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr("benchtool.datasets.loading.rejected", lambda *_: calls.append(1) or True)
    item = Patches(half_flat(tmp_path), 0, "t", 8, [], "label", reject=Reject(flat=9.0))[0, 0]
    assert len(calls) == DRAWS == 200 and item["inputs"].shape == (1, 3, 8, 8)
