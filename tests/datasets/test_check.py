"""`data check`: each thing that may be wrong is made wrong, and told of by the names of its files; a sound dataset gives no error."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from skimage import data

from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.datasets.check import show
from benchtool.datasets.check.aligned import shift
from benchtool.datasets.check.read import LUMA
from benchtool.datasets.check.run import Checked, check
from tests.small_data import make_dataset

DIFFERENT = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "microaneurysms", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip


def exposed(pixels: np.ndarray, ev: float) -> np.ndarray:
    return np.round(np.clip((pixels / 255.0) ** 2.2 * 2**ev, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def small(pixels: np.ndarray) -> np.ndarray:
    pixels = np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
    scale = 256 / max(pixels.shape[:2])
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def image(folder: Path, name: str, pixels: np.ndarray, role: str = "input", ev: float | None = None) -> Image:
    write_image(folder / name, pixels)
    return Image(f"here:{name}", sha256_file(folder / name), pixels.shape[1], pixels.shape[0], ev, role=role)


def dataset(folder: Path, samples: list[Sample]) -> Dataset:
    return write_dataset(folder, Facts("own", "sample", {"here": "."}, default_target="label"), samples)


def scene(folder: Path, name: str, split: str, pixels: np.ndarray, evs: tuple[float, ...] = (-1.5, 1.0)) -> list[Sample]:
    """A scene at these exposures, with a target."""
    target = image(folder, f"{name}_gt.png", pixels, "label")
    inputs = {ev: image(folder, f"{name}_{k}.png", exposed(pixels, ev), ev=ev) for k, ev in enumerate(evs)}
    return [Sample(f"{name}_{k}", name, split, (inputs[ev],), (target,)) for k, ev in enumerate(evs)]


def kinds(checked: Checked) -> list[tuple[str, str]]:
    return [(f.level, f.kind) for f in checked.findings]


def different_photographs() -> list[np.ndarray]:
    return [small(getattr(data, name)()) for name in DIFFERENT] + [small(data.stereo_motorcycle()[0])]


def test_different_photographs_give_no_error(tmp_path: Path) -> None:
    sound(tmp_path, different_photographs())


def test_more_different_photographs_give_no_error(tmp_path: Path, real_data: Path) -> None:
    paths = sorted((real_data / "photos" / "bsds500-val").glob("*.jpg"))[:20]
    sound(tmp_path, [small(read_image(path)) for path in paths])


def sound(tmp_path: Path, photos: list[np.ndarray]) -> None:
    """A dataset of these photographs, a scene each, has no errors; warnings are of grey ones, and of flat ones that cannot be aligned."""
    samples = [s for k, photo in enumerate(photos) for s in scene(tmp_path, f"s{k:02}", ("train", "val", "test")[k % 3], photo)]
    checked = check(dataset(tmp_path, samples), jobs=2)
    assert checked.of("error") == [] and {kind for _, kind in kinds(checked)} <= {"grey", "not aligned", "copies"}
    assert checked.files == 3 * len(photos) and checked.pairs == 2 * len(photos) and len(photos) >= 19


def test_leaked_scenes_are_errors_that_name_both_files(tmp_path: Path) -> None:
    """At another exposure under another name; the same, rotated; and under two names within a split."""
    astronaut, coffee, chelsea = (small(photo()) for photo in (data.astronaut, data.coffee, data.chelsea))
    samples = scene(tmp_path, "a", "train", astronaut) + scene(tmp_path, "b", "train", coffee) + scene(tmp_path, "c", "test", chelsea)
    samples += scene(tmp_path, "leak", "test", exposed(astronaut, -3), (0.0,))
    samples += scene(tmp_path, "turned", "val", np.ascontiguousarray(np.rot90(exposed(coffee, 0.7))), (0.0,))
    samples += scene(tmp_path, "again", "test", np.ascontiguousarray(exposed(chelsea, -2)[:, ::-1]), (0.0,))
    checked = check(dataset(tmp_path, samples), jobs=2)
    found = [f for f in json.loads(show.as_json(checked))["findings"] if f["level"] == "error"]
    assert {f["kind"] for f in found} == {"leak"}
    pairs = {frozenset(name.partition(":")[2].split("_")[0] for name in f["files"]): f["text"] for f in found}
    assert set(pairs) == {frozenset(p) for p in (("a", "leak"), ("b", "turned"), ("c", "again"))} and len(found) == 3
    assert "in two splits; the second as it is" in pairs[frozenset(("a", "leak"))]
    assert "rotated by 90 degrees" in pairs[frozenset(("b", "turned"))] and "under two names" in pairs[frozenset(("c", "again"))]
    for text in pairs.values():
        assert text.count("here:") == 2
    text = show.as_text(checked)
    assert "error: leak (3)" in text and text.splitlines()[-1].startswith("3 errors")


def test_quick_reads_headers_alone(benchtool: Callable, tmp_path: Path) -> None:
    made = make_dataset(tmp_path)
    path = made.path(made.samples[0].inputs[0])
    write_image(path, 255 - read_image(path))
    assert benchtool("data", "check", tmp_path, "--quick").code == 0
    done = benchtool("data", "check", tmp_path, "--jobs", 1, "--json")
    (found,) = (f for f in json.loads(done.out)["findings"] if f["kind"] == "changed")
    assert done.code == 1 and found["files"] == [made.samples[0].inputs[0].path] and "SHA-256 differs" in found["text"]


def test_files_missing_of_another_size_or_broken(tmp_path: Path) -> None:
    made = make_dataset(tmp_path)
    names = ["a_0.png", "b_0.png", "c_0.png"]
    (tmp_path / names[0]).unlink()
    write_image(tmp_path / names[1], np.zeros((30, 48, 3), np.uint8))
    (tmp_path / names[2]).write_bytes(b"no picture")
    found = {f.files: f.kind for f in check(made, quick=True, jobs=1).of("error")}
    assert found == {(f"here:{name}",): kind for name, kind in zip(names, ("missing", "size", "unreadable"))}


def test_links_out_of_a_root(tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "data")
    (tmp_path / "data" / "a_0.png").rename(tmp_path / "outside.png")
    (tmp_path / "data" / "a_0.png").symlink_to(tmp_path / "outside.png")
    (found,) = check(made, quick=True, jobs=1).of("error")
    assert found.files == ("here:a_0.png",) and "leads outside" in found.text


def test_exposures_out_of_order(tmp_path: Path) -> None:
    photo = small(data.coffee())
    samples = scene(tmp_path, "a", "train", photo, (-1.5, 0.0, 1.5))
    assert "exposures" not in [kind for _, kind in kinds(check(dataset(tmp_path, samples), jobs=1))]
    swapped = [dataclasses.replace(s, inputs=(dataclasses.replace(s.inputs[0], ev=-s.inputs[0].ev),)) for s in samples]
    found = [f for f in check(dataset(tmp_path, swapped), jobs=1).of("error") if f.kind == "exposures"]
    assert [f.files for f in found] == [("here:a_2.png", "here:a_1.png"), ("here:a_1.png", "here:a_0.png")]


def test_shifts_are_measured_at_any_exposure() -> None:
    photo = data.coffee().astype(np.float32) @ LUMA / 255
    for right, down in ((0.0, 0.0), (2.4, -3.3), (-7.7, 1.2)):
        moved = cv2.warpAffine(photo, np.float32([[1, 0, right], [0, 1, down]]), photo.shape[::-1], flags=cv2.INTER_CUBIC)
        for gain in (0.2, 1.0, 2.5):
            found = shift(photo, np.clip(moved * gain, 0, 1))
            assert found.clear and (found.right, found.down) == pytest.approx((right, down), abs=0.35)
    assert not shift(photo, photo[::-1, ::-1].copy()).clear


def test_shifted_and_unlike_pairs_are_warnings(tmp_path: Path) -> None:
    photo = small(data.coffee())
    moved = cv2.warpAffine(exposed(photo, -2), np.float32([[1, 0, 4], [0, 1, 0]]), photo.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    other = cv2.resize(small(data.rocket()), photo.shape[1::-1])
    target = image(tmp_path, "gt.png", photo, "label")
    names = {"same": exposed(photo, -2), "moved": moved, "other": other}
    samples = [Sample(name, "a", "train", (image(tmp_path, f"{name}.png", pixels),), (target,)) for name, pixels in names.items()]
    checked = check(dataset(tmp_path, samples), jobs=1)
    found = {f.files[0]: f for f in checked.findings}
    assert set(found) == {"here:moved.png", "here:other.png"} and checked.of("error") == []
    measured = re.search(r"shifted by ([\d.]+) pixels", found["here:moved.png"].text)
    assert found["here:moved.png"].kind == "shifted" and float(measured[1]) == pytest.approx(4, abs=0.3)
    assert found["here:other.png"].kind == "not aligned"


def test_copies_are_warnings_in_a_split_and_errors_across(tmp_path: Path) -> None:
    photos = {"a": data.astronaut(), "b": data.coffee()}
    samples = [s for name, photo in photos.items() for s in scene(tmp_path, name, "train", small(photo))]
    twin = dataclasses.replace(samples[0], sample="a_copy", inputs=(image(tmp_path, "a_copy.png", read_image(tmp_path / "a_0.png")),))
    within = check(dataset(tmp_path, [*samples, twin]), jobs=1)
    assert kinds(within) == [("warning", "copies")] and within.findings[0].files == ("here:a_0.png", "here:a_copy.png")
    across = check(dataset(tmp_path, [*samples, dataclasses.replace(twin, scene="c", split="test", targets=())]), jobs=1)
    assert kinds(across) == [("error", "copies")] and "(test)" in across.findings[0].text


def test_surprises_in_files(tmp_path: Path) -> None:
    """Grey, alpha, another profile, an orientation, and depths that are not those of the encoding."""
    photo = small(data.astronaut())
    alpha = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    alpha[0, 0, 3] = 0
    grey = np.repeat(photo[:, :, :1], 3, axis=2)
    names = {"plain": photo, "alpha": alpha, "grey": grey, "deep": photo.astype(np.uint16) * 256 + 3}
    for name, pixels in names.items():
        write_image(tmp_path / f"{name}.png", pixels)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(photo).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    for name, space in (("lab", "LAB"), ("srgb", "sRGB")):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()
        Pillow.fromarray(photo).save(tmp_path / f"{name}.png", icc_profile=profile)
    files = sorted(p.name for p in tmp_path.iterdir())
    images = [Image(f"here:{n}", sha256_file(tmp_path / n), *photo.shape[1::-1]) for n in files]
    samples = [Sample(i.path[5:-4], "a", "train", (i,)) for i in images]
    found = {f.files[0]: f for f in check(dataset(tmp_path, samples), jobs=1).findings}
    wanted = {"alpha.png": "alpha", "deep.png": "depth", "grey.png": "grey", "lab.png": "profile", "turned.jpg": "orientation"}
    assert {key: f.kind for key, f in found.items()} == {f"here:{name}": kind for name, kind in wanted.items()}
    assert all(f.level == "warning" for f in found.values())


def test_sixteen_bits_of_eight(tmp_path: Path) -> None:
    photo = small(data.astronaut())
    sample = Sample("a", "a", "train", (image(tmp_path, "a.png", photo.astype(np.uint16) * 257),), encoding_in="srgb16")
    (found,) = check(dataset(tmp_path, [sample]), jobs=1).findings
    assert found.kind == "depth" and "8-bit pixels" in found.text


def test_sizes_that_differ_in_a_sample(tmp_path: Path) -> None:
    photo = small(data.astronaut())
    sample = Sample("a", "a", "train", (image(tmp_path, "a.png", photo),), (image(tmp_path, "gt.png", photo[:-2], "label"),))
    (found,) = check(dataset(tmp_path, [sample]), jobs=1).findings
    assert found.kind == "sizes differ" and "256 x 254" in found.text


def test_card_cites_and_counts(benchtool: Callable, tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "me")
    history = {"command": "render-me", "missing": ["a0001"]}
    facts = dataclasses.replace(made.facts, citation="afifi2021msec", licence="research only", made=history)
    write_dataset(tmp_path / "me", facts, made.samples)
    (tmp_path / "me" / "a_0.png").unlink()
    done = benchtool("data", "card", tmp_path / "me", "-o", tmp_path / "CARD.md")
    text = (tmp_path / "CARD.md").read_text()
    assert done.code == 0 and "@inproceedings{afifi2021msec," in text and "research only" in text and "| command | render-me |" in text
    assert "| test | 2 | 6 | -1.5: 2, 0: 2, +1.5: 2 |" in text and "- a0001" in text and "here:a_0.png: the file is not there" in text
    assert "no hashes" in text and "no hashes" not in benchtool("data", "card", tmp_path / "me", "--full", "--jobs", 1).out


def test_a_root_that_was_moved_is_named(benchtool: Callable, tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "files")
    made.facts.roots = {"here": "../files"}
    write_dataset(tmp_path / "set", made.facts, made.samples)
    (tmp_path / "files").rename(tmp_path / "moved")
    for command in ("check", "info", "card"):
        refused = benchtool("data", command, tmp_path / "set", "--jobs", 1)
        assert refused.code == 2 and "--root here=DIR" in refused.err
        found = benchtool("data", command, tmp_path / "set", "--root", f"here={tmp_path / 'moved'}", "--jobs", 1)
        assert found.code == 0 and found.out
