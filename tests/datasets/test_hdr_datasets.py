"""`data prepare kalantari` and `ntire-hdr`: small layouts, broken variants, and the real patches where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import open_dataset
from benchtool.datasets.loading import Patches
from benchtool.datasets.ntire_hdr import read_numbers
from benchtool.datasets.prepare import prepare

NAMES = ("262A2615.tif", "262A2616 (1).TIF", "262A2617.tif")


def scene(folder: Path, stops: str = "0.000\n2.000\n4.000\n") -> Path:
    """A scene as in Kalantari's archive: 16-bit shots, stops, Radiance target."""
    hdr = np.linspace(0, 1, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
    for k, name in enumerate(NAMES):
        write_image(folder / name, (np.clip(hdr * 4**k, 0, 1) ** (1 / 2.2) * 65535).astype(np.uint16))
    (folder / "exposure.txt").write_text(stops)
    cv2.imwrite(str(folder / "HDRImg.hdr"), hdr[:, :, ::-1])
    return folder


def kalantari(folder: Path) -> Path:
    for number in ("001", "002", "003"):
        scene(folder / "Training" / number, "0\n3\n6\n" if number == "003" else "0.000\n2.000\n4.000\n")
    scene(folder / "Test" / "PAPER" / "BarbequeDay")
    scene(folder / "Test" / "EXTRA" / "001")
    return folder


def test_kalantari(tmp_path: Path) -> None:
    out = prepare("kalantari", kalantari(tmp_path / "SIG17 (HDR)"), tmp_path / "out", options={"val": 1}, jobs=1)
    assert not out.failures and sorted(s.split for s in out.dataset.samples) == ["test", "test", "train", "train", "val"]
    by_name = {s.sample: s for s in out.dataset.samples}
    assert set(by_name) == {"train_001", "train_002", "train_003", "test_PAPER_BarbequeDay", "test_EXTRA_001"}
    one, wide = by_name["test_PAPER_BarbequeDay"], by_name["train_003"]
    assert [i.ev for i in one.inputs] == [-2, 0, 2] and [i.ev for i in wide.inputs] == [-3, 0, 3] and one.subset == "paper"
    assert [i.path.rpartition("/")[2] for i in one.inputs] == ["262A2615.tif", "262A2616 (1).TIF", "262A2617.tif"]
    assert (one.encoding_in, one.encoding_target) == ("srgb16", "linear") and one.targets[0].path.endswith("BarbequeDay/HDRImg.hdr")
    assert (one.targets[0].width, one.targets[0].height) == (8, 6)
    assert any("train 2 of 74, test 2 of 15" in note for note in out.notes)
    shot, target = (read_image(out.dataset.path(i)) for i in (one.inputs[1], one.targets[0]))
    linear = (shot / 65535.0) ** 2.2 / 4  # in the scale of the darkest, as the module says
    assert shot.dtype == np.uint16 and target.dtype == np.float32 and np.allclose(linear[target < 0.2], target[target < 0.2], atol=0.01)
    assert Patches(out.dataset, 0, "train", target="label")[0, 0]["inputs"].shape == (3, 3, 6, 8)


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda f: (f / "exposure.txt").unlink(), "no exposure.txt"),
        (lambda f: (f / "HDRImg.hdr").unlink(), "no hdrimg.hdr"),
        (lambda f: (f / "262A2617.tif").unlink(), "2 .tif of 3"),
        (lambda f: (f / "exposure.txt").write_text("0\n2\n"), "three ascending exposures"),
        (lambda f: (f / "exposure.txt").write_text("0\n4\n2\n"), "three ascending exposures"),
        (lambda f: (f / "exposure.txt").write_text("0\n2\nnan\n"), "three ascending exposures"),
        (lambda f: (f / "exposure.txt").write_text("a few stops"), "are not numbers"),
        (lambda f: (f / "HDRImg.hdr").write_bytes(b"no radiance"), "not a readable image"),
        (lambda f: (f / "262A2615.tif").write_bytes(b"II*\0"), "not a readable image"),
    ],
)
def test_a_broken_scene_costs_itself_alone(benchtool: Callable, tmp_path: Path, breaks: Callable, says: str) -> None:
    src = kalantari(tmp_path / "src")
    breaks(src / "Training" / "002")
    done = benchtool("data", "prepare", "kalantari", src, tmp_path / "out")
    assert done.code == 1 and "Training/002" in done.err and says in " ".join(done.err.split())
    assert {s.sample for s in open_dataset(tmp_path / "out").samples if s.split == "train"} == {"train_001", "train_003"}


def test_kalantari_of_one_half(tmp_path: Path) -> None:
    src = kalantari(tmp_path / "src")
    (src / "Training").rename(tmp_path / "gone")
    out = prepare("kalantari", src, tmp_path / "out", jobs=1)
    assert out.dataset.facts.made["missing"] == ["Training (the train split)"]
    with pytest.raises(UserError, match="Training .* or Test .* is not in it"):
        prepare("kalantari", src / "Test", tmp_path / "o2")


def patch(folder: Path, stops: object = (-3, -1, 1)) -> Path:
    """A scene as in ADNet's patches."""
    for name in ("0.png", "1.png", "2.png"):
        write_image(folder / name, np.full((6, 8, 3), 40 * (int(name[0]) + 1), np.uint8))
    write_image(folder / "gt.png", np.full((6, 8, 3), 4000, np.uint16))
    np.save(folder / "exposures.npy", np.array(stops))
    np.save(folder / "alignratio.npy", np.float64(6806.4))
    return folder


def test_ntire_real_patches(real_data: Path, tmp_path: Path) -> None:
    out = prepare("ntire-hdr", real_data / "stacks" / "hdr-patches", tmp_path / "out", options={"val": 1, "test": 1}, jobs=1)
    assert not out.failures and len(out.dataset.samples) == 4 and not out.dataset.facts.made["missing"]
    for sample in out.dataset.samples:
        assert [i.ev for i in sample.inputs] == [-2, 0, 2] and sample.encoding_target == "linear"
        medium, target = (read_image(out.dataset.path(i)) for i in (sample.inputs[1], sample.targets[0]))
        assert target.dtype == np.uint16 and (target.shape, medium.dtype) == (medium.shape, np.uint8)
        well = (medium > 30) & (medium < 225)
        scale = out.dataset.facts.made["alignratio"][sample.scene]
        assert np.median(target[well] / scale / (medium[well] / 255)) == pytest.approx(1, abs=0.01)  # the gamma and the scale are as said
    batch = Patches(out.dataset, 0, "train", patch=64, target="label")[0, 0]
    assert batch["inputs"].shape == (3, 3, 64, 64) and batch["exposures"].tolist() == [-2, 0, 2]


def test_ntire_broken_scenes(benchtool: Callable, tmp_path: Path) -> None:
    src = tmp_path / "patches"
    for name in ("000", "001", "002", "good (1)"):
        patch(src / name)
    (patch(src / "lacks") / "1.png").unlink()
    patch(src / "falls", (1, 0, 2)), patch(src / "two", (0, 1)), patch(src / "nan", (0, np.nan, 2))
    np.save(patch(src / "pickled") / "exposures.npy", np.array([{}, 1, 2], object), allow_pickle=True)
    (patch(src / "text") / "exposures.npy").write_text("-3 -1 1")
    (patch(src / "large") / "exposures.npy").write_bytes(bytes(10_000))
    (src / "000" / "alignratio.npy").unlink()
    done = benchtool("data", "prepare", "ntire-hdr", src, tmp_path / "out")
    said = " ".join(done.err.split())
    assert done.code == 1 and "missing: 000: alignratio.npy" in said
    for name, why in {
        "lacks": "no 1.png", "falls": "do not ascend", "two": "not 3 numbers", "nan": "are not finite", "pickled": "holds object",
        "text": "not an array file", "large": "is larger than 3 numbers are",
    }.items():  # fmt: skip
        assert any(line.strip().startswith(f"{name}: ") and why in line for line in done.err.splitlines()), name
    assert {s.scene for s in open_dataset(tmp_path / "out").samples} == {"000", "001", "002", "good (1)"}


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path) -> None:
    with open(tmp_path / "a.npy", "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    with pytest.raises(UserError, match="not 3 numbers"):
        read_numbers(tmp_path / "a.npy", 3)


def test_ntire_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(UserError, match="a folder of 0.png, 1.png, 2.png, gt.png and exposures.npy is not in it"):
        prepare("ntire-hdr", tmp_path / "src", tmp_path / "out")
