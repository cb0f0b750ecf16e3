"""`benchtool metrics`: files and folders measured, what cannot be measured named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchtool.core import catalog
from benchtool.core.images import read_image, write_image

PHOTO = data.chelsea()[:60, :80]
DARK = (PHOTO * 0.6).astype(np.uint8)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`out/` and `ref/` share the stems a, b (equal images), c (another size); d and e have no partner."""
    for folder, images in (
        ("out", {"a.png": DARK, "b.png": PHOTO, "c.png": PHOTO[:50], "d.png": PHOTO, ".hidden.png": PHOTO}),
        ("ref", {"a.tif": PHOTO, "b.png": PHOTO, "c.png": PHOTO, "e.png": PHOTO}),
    ):
        for name, pixels in images.items():
            write_image(tmp_path / folder / name, pixels)
    (tmp_path / "out" / "notes.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list(benchtool: Callable) -> None:
    done = benchtool("metrics", "list")
    assert done.code == 0 and "loe:bimef100" in done.out and re.search(r"ssim:gray-uniform7 +1 +target +higher", done.out)
    vif = catalog.facts("metrics", "vif")
    assert re.search(rf"vif:output-reference +{vif.version} .*\n  source: {re.escape(vif.source)}\n", done.out) and vif.version != "1"
    listed = {metric["name"]: metric for metric in json.loads(benchtool("metrics", "list", "--json").out)}
    assert listed["psnr"]["unit"] == "dB" and listed["psnr"]["needs"] == ["target"] and listed["psnr"]["higher_is_better"]
    assert next(iter(listed["ssim"]["variants"])) == "rgb-gauss" and not listed["niqe"]["higher_is_better"]


def test_two_files(here: Path, benchtool: Callable) -> None:
    done = benchtool("metrics", "measure", "out/a.png", "ref/a.tif", "--metrics", "psnr, ssim:gray-uniform7,psnr", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [metric["key"] for metric in found["metrics"]] == ["psnr:rgb-u8", "ssim:gray-uniform7"]
    (image,) = found["images"]
    assert image["scores"]["psnr:rgb-u8"]["value"] == pytest.approx(peak_signal_noise_ratio(PHOTO, DARK), abs=1e-6)
    grey = [cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in (PHOTO, DARK)]
    assert image["scores"]["ssim:gray-uniform7"]["value"] == pytest.approx(structural_similarity(*grey), abs=1e-6)
    shown = benchtool("metrics", "measure", "out/a.png", "ref/a.tif")
    assert f"{peak_signal_noise_ratio(PHOTO, DARK):.2f}" in shown.out and "ssim:rgb-gauss" in shown.out


def test_a_reference_nobody_compares_with_is_said_and_left_aside(here: Path, benchtool: Callable) -> None:
    """Neither read nor matched; one that is missing as well is a mistake all the same."""
    done = benchtool("metrics", "measure", "ref", "out", "--metrics", "niqe", "--jobs", "1", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and done.err.count("the target out is not used: none of niqe:live compares with it\n") == 1
    assert found["unused"] == {"target": "out"} and [image["name"] for image in found["images"]] == ["a", "b", "c", "e"]
    assert not found["unmatched"] and not any("target" in image for image in found["images"])
    arguments = ("metrics", "measure", "out/a.png", "--source", "out/a.png", "ref/a.tif", "--metrics", "niqe,loe,psnr")
    assert "not used" not in benchtool(*arguments).err, "some metric compares with it"
    wrong = benchtool("metrics", "measure", "out/a.png", "ref/a.tif", "--metrics", "niqe,loe")
    assert wrong.code == 2 and "loe:full: compares with the source, the image the output was made from; name it with --source" in wrong.err


def test_the_mean_of_nothing_is_none(here: Path, benchtool: Callable) -> None:
    (image,), means, excluded = (
        json.loads(benchtool("metrics", "measure", "out/b.png", "ref/b.png", "--json").out)[key] for key in ("images", "means", "excluded")
    )
    assert image["scores"]["psnr:rgb-u8"]["value"] == "inf"
    assert means == {"psnr:rgb-u8": None, "ssim:rgb-gauss": 1} and excluded == {"psnr:rgb-u8": {"infinite": 1}}
    shown = benchtool("metrics", "measure", "out", "out", "--metrics", "psnr", "--jobs", "1").out
    assert re.search(r"\nmean +-\n", shown) and "left out of the mean of psnr:rgb-u8: 4 infinite" in shown


def test_infinite_though_different_is_said(here: Path, benchtool: Callable) -> None:
    tinted = PHOTO.copy()
    tinted[:, :, 2] //= 2
    write_image(here / "tinted.png", tinted)
    done = benchtool("metrics", "measure", "tinted.png", "out/b.png", "--metrics", "psnr:per-channel")
    assert "1 infinite though the images differ:\n  tinted, psnr:per-channel: red and green equal\n" in done.err and "inf" in done.out
    assert "infinite though" not in benchtool("metrics", "measure", "out/b.png", "out/b.png", "--metrics", "psnr:per-channel").err


def test_other_sizes_are_told_as_they_are_seen(here: Path, benchtool: Callable) -> None:
    """Width first, what to do, no class of Python; what compares with nothing of that size is measured."""
    arguments = ("metrics", "measure", "out/c.png", "ref/c.png", "--source", "out/c.png", "--metrics", "psnr,loe", "--json")
    done = benchtool(*arguments)
    scores = json.loads(done.out)["images"][0]["scores"]
    assert done.code == 1 and scores["loe:full"]["value"] == 0
    told = "the target is 80 x 60 pixels, the output 80 x 50; nothing is resized: bring both to one size first"
    assert scores["psnr:rgb-u8"]["reason"] == told and f"1 failed:\n  c, psnr:rgb-u8: {told}\n" in done.err


def test_the_source_is_another_image_than_the_target(here: Path, benchtool: Callable) -> None:
    write_image(here / "inverted.png", 255 - DARK)
    arguments = ("metrics", "measure", "out/a.png", "ref/a.tif", "--source", "inverted.png", "--metrics", "psnr,loe", "--json")
    scores = json.loads(benchtool(*arguments).out)["images"][0]["scores"]
    assert scores["loe:full"]["value"] > 5000 and scores["psnr:rgb-u8"]["value"] == pytest.approx(peak_signal_noise_ratio(PHOTO, DARK))


def test_folders(here: Path, benchtool: Callable) -> None:
    arguments = ("metrics", "measure", "out", "ref", "--metrics", "psnr,ssim", "--jobs", "1")
    done = benchtool(*arguments, "--json")
    assert done.code == 1
    found = json.loads(done.out, parse_constant=pytest.fail)
    scores = {image["name"]: image["scores"]["psnr:rgb-u8"] for image in found["images"]}
    assert list(scores) == ["a", "b", "c"]
    assert scores["b"]["value"] == "inf" and scores["b"]["facts"]["identical"]
    assert scores["c"]["status"] == "failed" and scores["c"]["value"] is None and "one size" in scores["c"]["reason"]
    assert found["means"]["psnr:rgb-u8"] == scores["a"]["value"] == pytest.approx(peak_signal_noise_ratio(PHOTO, DARK))
    assert found["excluded"] == {"psnr:rgb-u8": {"failed": 1, "infinite": 1}, "ssim:rgb-gauss": {"failed": 1}}
    assert found["unmatched"] == {"output": ["out/d.png"], "target": ["ref/e.png"]}
    assert found["unsupported"] == {"output": ["out/notes.txt"]}
    assert "1 of output of a type that is not read, left out:\n  out/notes.txt\n" in done.err
    assert "2 failed:\n  c, psnr:rgb-u8 and 1 more: the target is 80 x 60 pixels" in done.err and "out/d.png" in done.err
    shown = benchtool(*arguments)
    assert shown.code == 1 and "left out of the mean of psnr:rgb-u8: 1 failed, 1 infinite" in shown.out
    assert "inf" in shown.out and "failed" in shown.out


def test_an_image_called_mean_is_not_the_mean(tmp_path: Path, benchtool: Callable) -> None:
    for name, pixels in (("out/mean", DARK), ("out/other", PHOTO // 2), ("ref/mean", PHOTO), ("ref/other", PHOTO)):
        write_image(tmp_path / f"{name}.png", pixels)
    arguments = ("metrics", "measure", tmp_path / "out", tmp_path / "ref", "--metrics", "psnr", "--jobs", "1")
    values = [peak_signal_noise_ratio(PHOTO, output) for output in (DARK, PHOTO // 2)]
    shown = re.findall(r"^(mean|other) +([0-9.]+)$", benchtool(*arguments).out, re.MULTILINE)
    assert shown == [(name, f"{value:.2f}") for name, value in zip(("mean", "other", "mean"), (*values, np.mean(values)))]
    found = json.loads(benchtool(*arguments, "--json").out)
    assert [image["scores"]["psnr:rgb-u8"]["value"] for image in found["images"]] == pytest.approx(values)
    assert found["means"]["psnr:rgb-u8"] == pytest.approx(np.mean(values))


def test_damaged_files_are_told_once_each(here: Path, benchtool: Callable) -> None:
    """Not once a metric; what is the same for many images is told once."""
    for name in ("a.png", "b.png"):
        (here / "out" / name).write_bytes(b"not an image")
    write_image(here / "out" / "e.png", PHOTO[:50])
    done = benchtool("metrics", "measure", "out", "ref", "--metrics", "psnr,ssim,psnr:gray", "--jobs", "1")
    assert done.code == 1
    count, *lines = done.err[done.err.index("12 failed:") :].splitlines()
    assert count == "12 failed:" and len(lines) == 3 and "and 1 more, psnr:rgb-u8 and 2 more: the target is 80 x 60" in lines[2]
    for name, line in zip("ab", lines):
        assert line.startswith(f"  {name}, psnr:rgb-u8 and 2 more: ") and f"{name}.png: not a readable image" in line


def test_an_unreadable_file_fails_what_needs_it(here: Path, benchtool: Callable) -> None:
    (here / "ref" / "a.tif").write_bytes(b"not an image")
    arguments = ("ref", "--source", "out", "--metrics", "psnr,loe", "--jobs", "1", "--json")
    done = benchtool("metrics", "measure", "out", *arguments)
    scores = json.loads(done.out)["images"][0]["scores"]
    assert scores["psnr:rgb-u8"]["status"] == "failed" and "a.tif: not a readable image" in scores["psnr:rgb-u8"]["reason"]
    assert scores["loe:full"]["status"] == "ok" and done.code == 1


def test_undefined_is_not_failed(here: Path, benchtool: Callable) -> None:
    write_image(here / "dot.png", PHOTO[:1, :1])
    done = benchtool("metrics", "measure", "dot.png", "dot.png", "--metrics", "psnr,ssim")
    assert done.code == 0 and "1 n/a:\n  dot, ssim:rgb-gauss: ssim:rgb-gauss needs at least 11 x 11 pixels" in done.err
    assert "inf" in done.out


def test_what_no_image_has_is_said_once(here: Path, benchtool: Callable) -> None:
    done = benchtool("metrics", "measure", "ref", "--metrics", "niqe", "--jobs", "1")
    assert done.code == 0 and "4 n/a:\n  a and 3 more, niqe:live: niqe needs at least 192 x 96 or 96 x 192 pixels" in done.err
    assert "left out of the mean of niqe:live: 4 n/a" in done.out and done.err.count("niqe:live:") == 1


def test_grey_alpha_and_sixteen_bits(here: Path, benchtool: Callable) -> None:
    grey = PHOTO[:, :, 0]
    Image.fromarray(grey).save("grey.png")
    alpha = np.full(grey.shape, 9, np.uint8)
    Image.fromarray(np.dstack([grey, grey, grey, alpha])).save("alpha.png")
    write_image(here / "deep.png", np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint16) * 257 + 100)
    for other in ("alpha.png", "deep.png"):
        (image,) = json.loads(benchtool("metrics", "measure", "grey.png", other, "--metrics", "psnr", "--json").out)["images"]
        assert image["scores"]["psnr:rgb-u8"]["value"] == "inf", other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("out/a.png", "--metrics", "psnr"),
            "psnr:rgb-u8: compares with the target, what the output should look like; name it after the output",
        ),
        (("out/a.png", "--metrics", "niqe", "ref/z.tif"), "ref/z.tif: no such file or folder"),
        (("out/a.png", "ref/a.tif", "--metrics", "pnsr"), "unknown metric 'pnsr'; did you mean 'psnr'?"),
        (("out/a.png", "ref/a.tif", "--metrics", ","), "name at least one"),
        (("out", "ref/a.tif"), "give files, or folders, not one of each"),
        (("out/a.png", "ref/z.tif"), "ref/z.tif: no such file or folder"),
        (("out", "."), "has the same name without its suffix"),
    ],
)
def test_refused(here: Path, benchtool: Callable, arguments: tuple[str, ...], message: str) -> None:
    done = benchtool("metrics", "measure", *arguments)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1


def test_two_files_of_one_stem(here: Path, benchtool: Callable) -> None:
    write_image(here / "ref" / "a.png", PHOTO)
    done = benchtool("metrics", "measure", "out", "ref")
    assert done.code == 2 and "ref/a.png and ref/a.tif: files are matched by their names without suffix" in done.err


def test_a_plugin_measures(here: Path, benchtool: Callable) -> None:
    Path("brightness.py").write_text(
        "from benchtool.core.spec import MetricSpec, Score\n"
        'SPEC = MetricSpec("B", {"mean": "mean level"}, (), True, "", "1", "a test")\n'
        "def score(output, target, source, variant): return Score(float(output.mean()) if output.any() else float('nan'))\n"
    )
    write_image(here / "out" / "black.png", np.zeros_like(PHOTO))
    done = benchtool("--plugin", "brightness.py", "metrics", "measure", "out", "--metrics", "brightness", "--jobs", "1", "--json")
    scores = {image["name"]: image["scores"]["brightness:mean"] for image in json.loads(done.out, parse_constant=pytest.fail)["images"]}
    assert scores["a"]["value"] == pytest.approx(read_image(here / "out" / "a.png").mean())
    assert scores["black"]["status"] == "failed" and scores["black"]["reason"] == "brightness:mean is not a number"


def test_radiance_files_for_the_hdr_metrics(tmp_path: Path, benchtool: Callable) -> None:
    """Read as linear floats, alone and in folders beside TIFFs."""
    linear = ((PHOTO / 255) ** 2.2).astype(np.float32)
    for folder, pixels in (("out", linear * np.float32(0.5)), ("ref", linear)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.hdr"), pixels[:, :, ::-1])
    write_image(tmp_path / "ref" / "b.tif", linear)
    write_image(tmp_path / "out" / "b.tif", linear)
    stored = [read_image(tmp_path / folder / "a.hdr").astype(float) for folder in ("out", "ref")]
    expected = peak_signal_noise_ratio(*stored, data_range=1)
    for out, ref in (("out/a.hdr", "ref/a.hdr"), ("out", "ref")):
        done = benchtool("metrics", "measure", tmp_path / out, tmp_path / ref, "--metrics", "psnr-l,psnr", "--jobs", "1", "--json")
        assert done.code == 0, done.err
        scores = json.loads(done.out)["images"][0]["scores"]
        assert scores["psnr-l:linear"]["value"] == pytest.approx(expected, abs=1e-4) and scores["psnr:rgb-u8"]["status"] == "n/a"
