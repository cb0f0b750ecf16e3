"""What holds for every variant of every metric: odd images have a defined outcome, never a crash, a wrong number or a changed input.

Where a package or model file is missing its metrics are n/a throughout, which the expectations allow; a full installation is checked
by the same tests.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from benchtool import metrics
from benchtool.core import catalog
from benchtool.core.images import write_image
from benchtool.evaluation.score import Measured, score_images

KEYS = [
    f"{name}:{variant}"
    for name in catalog.names("metrics") if catalog.entry("metrics", name).origin is None
    for variant in catalog.facts("metrics", name).variants
]  # fmt: skip
TARGET = data.astronaut()[20:148, 150:342].copy()
NOISE = np.random.default_rng(0).normal(0, 1, TARGET.shape)


@pytest.fixture(autouse=True)
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """NIQE's model, where the real data is at hand."""
    with contextlib.suppress(pytest.skip.Exception):
        monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(request.getfixturevalue("real_data")))


def noisy(sigma: float) -> np.ndarray:
    return np.clip(TARGET + sigma * NOISE, 0, 255).astype(np.uint8)


def fitting(key: str, image: np.ndarray) -> np.ndarray:
    """An 8-bit image as the metric takes it: itself, or linear light, in cd/m2 for the `absolute` variants."""
    if not metrics.find(key).spec.linear:
        return image
    return ((image / 255) ** 2.2 * (300 if key.endswith("absolute") else 1)).astype(np.float32)


def measured(key: str, output: np.ndarray, target: np.ndarray, source: np.ndarray | None = None) -> Measured:
    images = {"output": output, "target": target, "source": target if source is None else source}
    for image in images.values():
        image.setflags(write=False)
    return score_images(metrics.find(key), images)


def available(key: str) -> bool:
    """Whether the metric can be computed here at all."""
    return measured(key, fitting(key, noisy(8)), fitting(key, TARGET)).status == "ok"


@pytest.mark.parametrize("key", KEYS)
def test_an_ordinary_pair(key: str) -> None:
    """A number, or the reason in one line of what to install or set."""
    found = measured(key, fitting(key, noisy(8)), fitting(key, TARGET))
    if found.status == "n/a":
        assert any(word in found.reason for word in ("install", "put it into", "set $")) and "\n" not in found.reason
        pytest.skip(found.reason)
    assert found.status == "ok" and math.isfinite(found.value), found.reason
    json.dumps(dict(found.facts), allow_nan=False)


@pytest.mark.parametrize("key", KEYS)
def test_the_direction_is_as_stated(key: str) -> None:
    if not available(key):
        pytest.skip("cannot be computed here")
    target = fitting(key, TARGET)
    near, far = (measured(key, fitting(key, noisy(sigma)), target).value for sigma in (4, 40))
    assert (near > far) == metrics.find(key).spec.higher_is_better and near != far


@pytest.mark.parametrize("key", KEYS)
def test_other_sizes(key: str) -> None:
    found = measured(key, fitting(key, noisy(8))[1:], fitting(key, TARGET))
    if not metrics.find(key).spec.needs:
        assert found.status in ("ok", "n/a")
        return
    assert found.status == "failed" and "of one size, not 127 x 192 x 3 and 128 x 192 x 3" in found.reason


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("role", ["output", "target"])
def test_pixels_that_are_no_numbers(key: str, bad: float, role: str) -> None:
    images = {"output": ((noisy(8) / 255) ** 2.2 * 300).astype(np.float32), "target": ((TARGET / 255) ** 2.2 * 300).astype(np.float32)}
    images[role][5, 6, 1] = bad
    found = measured(key, images["output"], images["target"])
    assert found.status == "n/a" and found.value is None
    linear = metrics.find(key).spec.linear
    assert (f"1 values of the {role} are NaN or infinite" if linear else "defined for 8-bit images; the output is float32") in found.reason


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 200), (200, 1), *((side, side) for side in (2, 7, 11, 33, 64, 96, 104))])
def test_small_images(key: str, height: int, width: int) -> None:
    """n/a with the smallest size that is defined, or a number, which is the best there is for equal images."""
    target = fitting(key, np.resize(TARGET, (height, width, 3)))
    for output in (target, fitting(key, np.resize(noisy(8), (height, width, 3)))):
        found = measured(key, output, target)
        assert found.status in ("ok", "n/a"), found.reason
        if found.status == "n/a" and available(key):
            assert "needs at least" in found.reason and f"the image is {width} x {height}" in found.reason


@pytest.mark.parametrize("key", KEYS)
def test_images_of_one_colour(key: str) -> None:
    """What saturated and black pictures are: a number or n/a, equal or not."""
    for level, other in ((0, 0), (255, 255), (0, 255), (255, 0)):
        output, target = (fitting(key, np.full_like(TARGET, value)) for value in (level, other))
        found = measured(key, output, target)
        assert found.status in ("ok", "n/a"), found.reason
        assert found.status == "n/a" or not math.isnan(found.value)


@pytest.mark.parametrize("key", KEYS)
def test_other_arrays(key: str) -> None:
    """The metrics take H x W x 3 of their own type; what files hold is brought to that before them, nothing is guessed here."""
    output, target = fitting(key, noisy(8)), fitting(key, TARGET)
    raw = metrics.find(key).spec.linear
    for bad in ((lambda rgb: rgb[:, :, 0]), (lambda rgb: rgb[:, :, :1]), (lambda rgb: rgb[:0])):
        found = measured(key, bad(output), bad(target))
        assert found.status == "failed" and "must be H x W x 3" in found.reason
    four = measured(key, *(np.dstack([rgb, rgb[:, :, 0]]) for rgb in (output, target)))
    assert four.status in (("ok", "n/a") if raw else ("failed",)), "the linear ones may take the four planes of raw images"
    deep = measured(key, output.astype(np.uint16), target.astype(np.uint16))
    assert deep.status == "n/a" and ("8-bit" in deep.reason or "32-bit floats" in deep.reason)


@pytest.mark.parametrize("key", KEYS)
def test_views_and_read_only_arrays(key: str) -> None:
    if not available(key):
        pytest.skip("cannot be computed here")
    output, target = fitting(key, noisy(8)), fitting(key, TARGET)
    before = output.copy(), target.copy()
    whole = measured(key, output, target)
    turned = [np.asfortranarray(image) for image in (output, target)]
    padded = [np.pad(image, ((3, 5), (7, 2), (0, 0)))[3:-5, 7:-2] for image in (output, target)]
    reversed_twice = [image[:, :, ::-1].copy()[:, :, ::-1] for image in (output, target)]
    for images in (turned, padded, reversed_twice):
        assert measured(key, *images).value == pytest.approx(whole.value, rel=1e-6)
    assert np.array_equal(output, before[0]) and np.array_equal(target, before[1]), "the images are not changed"


@pytest.mark.parametrize("name", sorted({key.partition(":")[0] for key in KEYS}))
def test_facts_and_docstring(name: str) -> None:
    """Each says what it is, what it is not, who said so, and which way is better."""
    spec = catalog.facts("metrics", name)
    assert spec.title and spec.version and spec.source and set(spec.needs) <= {"target", "source"} and spec.decimals > 0
    assert all(len(what) > 10 for what in spec.variants.values()) and isinstance(spec.unit, str)
    said = ast.get_docstring(ast.parse(catalog.entry("metrics", name).source.read_text()))
    assert "not" in said and ("Higher is better" in said or "Lower is better" in said or name == "vif-source" or name == "vif")


# ------------------------------------------------------------------------------------------------ files, by `metrics measure`


@pytest.fixture
def measure(tmp_path: Path, benchtool: Callable) -> Callable[..., dict]:
    """`measure("out", "ref")`: every metric of files or folders against one reference; image -> key -> score."""

    def run(output: str, reference: str) -> dict:
        where = (tmp_path / reference, "--source", tmp_path / reference)
        done = benchtool("metrics", "measure", tmp_path / output, *where, "--metrics", ",".join(KEYS), "--jobs", "1", "--json")
        assert done.out, done.err
        found = {image["name"]: image["scores"] for image in json.loads(done.out, parse_constant=pytest.fail)["images"]}
        assert all(scores.keys() == set(KEYS) for scores in found.values())
        assert done.code == int(any(score["status"] == "failed" for scores in found.values() for score in scores.values()))
        return found

    return run


def values(scores: dict) -> dict:
    return {key: (score["status"], score["value"]) for key, score in scores.items()}


def test_grey_alpha_and_sixteen_bit_files(tmp_path: Path, measure: Callable) -> None:
    """They are measured as the 8-bit RGB they stand for."""
    grey, reference = noisy(8)[:, :, 0], TARGET[:, :, 0]
    for name, plane in (("output", grey), ("target", reference)):
        write_image(tmp_path / f"plain-{name}.png", np.repeat(plane[:, :, None], 3, axis=2))
        deep = np.minimum(plane.astype(int) * 257 + 100, 65535).astype(np.uint16)
        write_image(tmp_path / f"deep-{name}.png", np.repeat(deep[:, :, None], 3, axis=2))
        Image.fromarray(plane).save(tmp_path / f"grey-{name}.png")
        Image.fromarray(np.dstack([plane] * 3 + [plane // 2])).save(tmp_path / f"alpha-{name}.png")
        Image.fromarray(np.dstack([plane, plane // 2])).save(tmp_path / f"grey-alpha-{name}.png")
    expected = values(measure("plain-output.png", "plain-target.png")["plain-output"])
    for kind in ("deep", "grey", "alpha", "grey-alpha"):
        found = measure(f"{kind}-output.png", f"{kind}-target.png")[f"{kind}-output"]
        assert values(found) == expected, kind
    for key in KEYS:
        assert expected[key][0] == "n/a" if metrics.find(key).spec.linear else expected[key][0] in ("ok", "n/a")


def test_a_folder_of_odd_files(tmp_path: Path, measure: Callable) -> None:
    """One damaged, one of another size, one of one pixel, one with NaN: each has its outcome, and the good one its numbers."""
    output, broken = noisy(8), ((noisy(8) / 255) ** 2.2).astype(np.float32)
    broken[0, 0, 0] = math.nan
    for name, one, other in (("good", output, TARGET), ("size", output[2:], TARGET), ("pixel", output[:1, :1], TARGET[:1, :1])):
        write_image(tmp_path / "out" / f"{name}.png", one)
        write_image(tmp_path / "ref" / f"{name}.png", other)
    write_image(tmp_path / "out" / "nan.tif", broken)
    write_image(tmp_path / "ref" / "nan.tif", ((TARGET / 255) ** 2.2).astype(np.float32))
    for name, length in (("cut", 3000), ("empty", 0)):
        write_image(tmp_path / "ref" / f"{name}.png", TARGET)
        (tmp_path / "out" / f"{name}.png").write_bytes((tmp_path / "ref" / f"{name}.png").read_bytes()[:length])
    (tmp_path / "out" / "text.jpg").write_text("hello")
    write_image(tmp_path / "ref" / "text.jpg", TARGET)
    found = measure("out", "ref")
    alone = {key: measured(key, output, TARGET) for key in KEYS}
    assert values(found["good"]) == {key: (one.status, one.value) for key, one in alone.items()}
    for name in ("cut", "empty", "text"):
        assert all(score["status"] == "failed" and f"{name}." in score["reason"] for score in found[name].values()), name
    for key in KEYS:
        needs = metrics.find(key).spec.needs
        assert found["size"][key]["status"] == ("failed" if needs else found["good"][key]["status"]), key
        assert found["pixel"][key]["status"] in ("ok", "n/a") and found["nan"][key]["status"] == "n/a", key
