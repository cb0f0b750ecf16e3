"""`benchtool data` end to end: raws become ME, interrupted work continues to the same bytes, what fails is named."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchtool.core.images import header, read_image
from benchtool.core.manifest import open_dataset
from benchtool.rendering.dng_writer import Camera, write_dng
from benchtool.rendering.experts import write_expert

WIDTH, HEIGHT = 61, 42  # neither is a multiple of 10: 0.3 of it must be rounded up
CAMERA = Camera("Test", np.linalg.inv([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]))


def make_raw(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    """A grey ramp from left to right, differing by the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(200, 3000 + len(path.stem) * 10 + ord(path.stem[-1]), width + 8)
    mosaic = np.tile(ramp, (height + 8, 1)).astype(np.uint16)
    write_dng(path, mosaic, camera=CAMERA, pattern="RGGB", black=64, white=4095, neutral=(1, 1, 1), crop=(4, 4, width, height))


def make_expert(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_expert(path, np.tile(np.linspace(0, 1, width)[None, :, None], (height, 1, 3)))


def files(folder: Path) -> dict[str, bytes]:
    """Every file but the journal, whose times differ."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".journal.jsonl"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "benchtool", *map(str, arguments)]


@pytest.fixture
def raws(tmp_path: Path) -> Path:
    """Five raws of FiveK (three for training, one to validate, one to test) in its archive's layout, with experts."""
    folder = tmp_path / "five k"
    for stem in ("a0001-x", "a0002-x (1)", "a0003-x", "a0016-x", "a0024-x"):
        make_raw(folder / "raw_photos/HQa1to700/photos" / f"{stem}.dng")
        for expert in "abcde":
            make_expert(folder / f"tiff16_{expert}" / f"{stem}.tif")
    return folder


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample raws, through the command line."""
    folder = tmp_path_factory.mktemp("samples") / "raws"
    subprocess.run(command("data", "sample-raws", folder), check=True, capture_output=True)
    return folder


def test_fivek_becomes_me_as_published(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    done = benchtool("data", "render-me", raws, tmp_path / "me", "--jobs", 2)
    assert done.code == 0, done.err
    assert "train 15 of 3 scenes, val 5 of 1 scene, test 5 of 1 scene" in done.out
    assert "not the whole of ME: train 15 of 17,675" in done.err
    me = open_dataset(tmp_path / "me")
    assert (me.facts.variant, me.facts.default_target) == ("rendered-adobe", "expert_c")
    assert {s.scene: s.split for s in me.samples} == {"a0001": "train", "a0002": "train", "a0003": "train", "a0024": "val", "a0016": "test"}
    names = {str(p.relative_to(tmp_path / "me")) for p in (tmp_path / "me").rglob("*.[jJ]*[gG]")}
    places = [("training", s) for s in ("a0001-x", "a0002-x (1)", "a0003-x")] + [("validation", "a0024-x"), ("testing", "a0016-x")]
    expected = {f"{folder}/INPUT_IMAGES/{s}_{token}.JPG" for folder, s in places for token in ("N1.5", "N1", "0", "P1", "P1.5")}
    expected |= {f"{folder}/GT_IMAGES/{s}.jpg" for folder, s in places if folder != "testing"}
    assert names == expected | {f"testing/expert_{e}_testing_set/a0016-x.jpg" for e in "abcde"}
    for s in me.samples:
        assert len(s.targets) == (5 if s.split == "test" else 1)
        for image in (*s.inputs, *s.targets):
            assert header(me.path(image))[:2] == (image.width, image.height) == (math.ceil(0.3 * WIDTH), math.ceil(0.3 * HEIGHT))
    darkest_first = sorted((s for s in me.samples if s.scene == "a0001"), key=lambda s: s.exposure)
    means = [read_image(me.path(s.inputs[0])).mean() for s in darkest_first]
    assert means == sorted(means) and means[0] < means[-1] - 30
    lines = [json.loads(line) for line in (tmp_path / "me" / "renderings.jsonl").read_text().splitlines()]
    assert [line["stem"] for line in lines] == sorted({s.sample.rpartition("_")[0] for s in me.samples})
    assert lines[0]["full_size"] == [WIDTH, HEIGHT] and lines[0]["raw"] == "raw_photos/HQa1to700/photos/a0001-x.dng"
    assert {"mode", "quality", "libraw", "crop", "black", "white", "matrix_source", "wb_source", "baseline_exposure"} <= lines[0].keys()


def test_published_jpegs(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    """Quality 75, 4:2:0, no profile, no EXIF."""
    from PIL import Image, JpegImagePlugin

    assert benchtool("data", "render-me", raws, tmp_path / "me").code == 0
    reference = tmp_path / "reference.jpg"
    Image.new("RGB", (32, 32)).save(reference, quality=75)
    for name in ("testing/INPUT_IMAGES/a0016-x_P1.JPG", "testing/expert_b_testing_set/a0016-x.jpg"):
        with Image.open(tmp_path / "me" / name) as image, Image.open(reference) as same:
            assert image.quantization == same.quantization and JpegImagePlugin.get_sampling(image) == 2
            assert "icc_profile" not in image.info and not image.getexif()


@pytest.mark.parametrize(
    ("options", "suffix", "size", "variant"),
    [
        (("--scale", "1"), "JPG", (WIDTH, HEIGHT), "rendered-adobe"),
        (("--scale", "0.5"), "JPG", (31, 21), "rendered-adobe"),
        (("--long-edge", "30"), "JPG", None, "rendered-adobe"),
        (("--format", "png", "--mode", "linear"), "png", (19, 13), "rendered-linear"),
        (("--quality", "fast"), "JPG", (19, 13), "rendered-adobe"),
    ],
)
def test_options_take_effect(
    benchtool: Callable, raws: Path, tmp_path: Path, options: tuple[str, ...], suffix: str, size: tuple | None, variant: str
) -> None:
    plain = benchtool("data", "render-me", raws, tmp_path / "plain")
    done = benchtool("data", "render-me", raws, tmp_path / "me", *options)
    assert plain.code == done.code == 0, done.err
    me = open_dataset(tmp_path / "me")
    assert {s.inputs[0].path.rpartition(".")[2] for s in me.samples} == {suffix}
    found = {(i.width, i.height) for s in me.samples for i in (*s.inputs, *s.targets)}
    assert found == {size} if size else {max(f) for f in found} == {30}
    assert me.facts.variant == variant
    assert me.facts.fingerprint != open_dataset(tmp_path / "plain").facts.fingerprint
    recorded = {**me.facts.made, "scale": str(me.facts.made["scale"]).removesuffix(".0"), "long_edge": str(me.facts.made["long_edge"])}
    assert all(recorded[name[2:].replace("-", "_")] == value for name, value in zip(options[::2], options[1::2]))


def test_own_raws_without_experts_get_a_seeded_split(benchtool: Callable, tmp_path: Path) -> None:
    for i in range(10):
        make_raw(tmp_path / "own raws" / f"IMG {i}.dng")
    done = benchtool("data", "render-me", tmp_path / "own raws", tmp_path / "me")
    assert done.code == 0 and "10 of 10 raws have no target of expert C" in done.err and "whole of ME" not in done.err
    me = open_dataset(tmp_path / "me")
    assert {split: c["scenes"] for split, c in me.facts.counts.items()} == {"train": 7, "val": 1, "test": 2}
    assert not any(s.targets for s in me.samples) and me.facts.made["without_expert_c"] == 10
    assert benchtool("data", "render-me", tmp_path / "own raws", tmp_path / "other", "--seed", 1).code == 0
    assert {s.sample: s.split for s in open_dataset(tmp_path / "other").samples} != {s.sample: s.split for s in me.samples}


def test_jobs_do_not_change_a_byte(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    for jobs in (1, 3):
        assert benchtool("data", "render-me", raws, tmp_path / str(jobs), "--jobs", jobs).code == 0
    assert files(tmp_path / "1") == files(tmp_path / "3")


def test_bad_raws_are_listed_and_the_rest_is_done(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    photos = raws / "raw_photos/HQa1to700/photos"
    whole = (photos / "a0002-x (1).dng").read_bytes()
    (photos / "a0002-x (1).dng").write_bytes(whole[: len(whole) // 2])
    (photos / "a0003-x.dng").write_text("this is no raw")
    done = benchtool("data", "render-me", raws, tmp_path / "me")
    assert done.code == 1 and "2 failed; the rest is done" in done.err
    assert "a0002-x (1): " in done.err and "a0003-x: " in done.err and "Traceback" not in done.err
    me = open_dataset(tmp_path / "me")
    assert {s.scene for s in me.samples} == {"a0001", "a0016", "a0024"}
    assert not list((tmp_path / "me").rglob("a0002*")) and not list((tmp_path / "me").rglob("a0003*"))
    (photos / "a0002-x (1).dng").write_bytes(whole)
    make_raw(photos / "a0003-x.dng")
    assert benchtool("data", "render-me", raws, tmp_path / "me").code == 0
    assert benchtool("data", "render-me", raws, tmp_path / "at once").code == 0
    assert files(tmp_path / "me") == files(tmp_path / "at once")


def test_nothing_but_bad_raws(benchtool: Callable, tmp_path: Path) -> None:
    (tmp_path / "raws").mkdir()
    (tmp_path / "raws" / "a.dng").write_text("no")
    done = benchtool("data", "render-me", tmp_path / "raws", tmp_path / "me")
    assert done.code == 1 and "no dataset" in done.err and not (tmp_path / "me" / "dataset.json").exists()


def test_an_expert_of_another_size_is_refused_not_stretched(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    make_expert(raws / "tiff16_c" / "a0001-x.tif", HEIGHT, WIDTH)
    make_expert(raws / "tiff16_b" / "a0016-x.tif", WIDTH + 1, HEIGHT)
    (raws / "tiff16_d" / "a0016-x.tif").write_bytes(b"II*\0")
    for _ in range(2):  # and said again when there is nothing left to do
        done = benchtool("data", "render-me", raws, tmp_path / "me")
        assert done.code == 1
        assert f"a0001-x: expert_c: a0001-x.tif of tiff16_c is {HEIGHT} x {WIDTH}, the raw renders {WIDTH} x {HEIGHT}" in done.err
        assert "a0016-x: expert_b" in done.err and "a0016-x: expert_d" in done.err
        me = open_dataset(tmp_path / "me")
        assert len(me.samples) == 25 and me.facts.made["without_expert_c"] == 1
        targets = {s.scene: [t.role for t in s.targets] for s in me.samples}
        assert targets["a0001"] == [] and targets["a0016"] == ["expert_a", "expert_c", "expert_e"] and targets["a0002"] == ["expert_c"]
    make_expert(raws / "tiff16_c" / "a0001-x.tif")
    make_expert(raws / "tiff16_b" / "a0016-x.tif")
    make_expert(raws / "tiff16_d" / "a0016-x.tif")
    assert benchtool("data", "render-me", raws, tmp_path / "me").code == 0
    assert all(s.target("expert_c") for s in open_dataset(tmp_path / "me").samples)


def test_photos_that_are_no_part_of_me(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    make_raw(raws / "a0017-x.dng")
    done = benchtool("data", "render-me", raws, tmp_path / "me")
    assert done.code == 0 and "1 FiveK photos are no part of ME and were left out: a0017" in done.err
    assert open_dataset(tmp_path / "me").facts.made["fivek_not_in_me"] == ["a0017"] and not list((tmp_path / "me").rglob("a0017*"))
    shutil.rmtree(raws / "raw_photos")
    assert benchtool("data", "render-me", raws, tmp_path / "none").code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("render-me", "{empty}", "{out}"), "no raw files"),
        (("render-me", "{raws}", "{out}", "--scale", "0.5", "--long-edge", "100"), "exclude each other"),
        (("render-me", "{raws}", "{out}", "--resume", "--restart"), "exclude each other"),
        (("render-me", "{raws}", "{out}", "--resume"), "nothing to resume"),
        (("render-me", "{raws}", "{out}", "--mode", "adob"), "adob"),
        (("render-me", "{raws}", "{raws}/tiff16_a/a0001-x.tif"), "is a file"),
        (("prepare", "me-v3", "{raws}", "{out}"), "did you mean 'me-v2'"),
        (("prepare", "me", "{raws}", "{out}"), "render-me RAWS OUT"),
        (("prepare", "me-v2", "{raws}", "{out}"), "not a dataset"),
        (("prepare", "me-v2", "{raws}", "{raws}/tiff16_a/a0001-x.tif"), "is a file"),
    ],
)
def test_wrong_calls(benchtool: Callable, raws: Path, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"raws": raws, "out": tmp_path / "out", "empty": tmp_path / "empty"}
    done = benchtool("data", *(a.format(**places) for a in arguments))
    assert done.code == 2 and says in done.err
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_other_settings_ask_for_restart_which_removes_only_what_was_made(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    out = tmp_path / "me"
    assert benchtool("data", "render-me", raws, out).code == 0
    before = files(out)
    refused = benchtool("data", "render-me", raws, out, "--mode", "linear", "--format", "png")
    assert refused.code == 2 and "mode adobe (now linear)" in refused.err and "--restart" in refused.err and files(out) == before
    (out / "training" / "INPUT_IMAGES" / "mine.txt").write_text("keep")
    assert benchtool("data", "render-me", raws, out, "--format", "png", "--restart").code == 0
    assert (out / "training" / "INPUT_IMAGES" / "mine.txt").read_text() == "keep" and not list(out.rglob("*.[jJ][pP][gG]"))
    (out / "training" / "INPUT_IMAGES" / "mine.txt").unlink()
    assert benchtool("data", "render-me", raws, tmp_path / "fresh", "--format", "png").code == 0
    assert files(out) == files(tmp_path / "fresh")


def test_a_folder_of_something_else_is_left_alone(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    (tmp_path / "me" / "training").mkdir(parents=True)
    for option in ((), ("--restart",)):
        done = benchtool("data", "render-me", raws, tmp_path / "me", *option)
        assert done.code == 2 and "did not make" in done.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".journal.jsonl").write_text('{"x": 1}\n')
    for option in ((), ("--restart",)):
        done = benchtool("data", "render-me", raws, tmp_path / "other", *option)
        assert done.code == 2 and "another command" in done.err


def test_lost_damaged_and_changed_files_are_made_again_and_nothing_else(benchtool: Callable, raws: Path, tmp_path: Path) -> None:
    out = tmp_path / "me"
    assert benchtool("data", "render-me", raws, out).code == 0
    before = files(out)
    untouched = out / "testing" / "INPUT_IMAGES" / "a0016-x_0.JPG"
    age = untouched.stat().st_mtime_ns
    (out / "training" / "INPUT_IMAGES" / "a0001-x_0.JPG").unlink()
    (out / "training" / "GT_IMAGES" / "a0003-x.jpg").write_bytes(b"cut")
    os.utime(raws / "raw_photos/HQa1to700/photos/a0016-x.dng")  # copied anew, say: same content
    done = benchtool("data", "render-me", raws, out, "--resume")
    assert done.code == 0 and "3 of 5 raws are rendered already" in done.err
    assert files(out) == before and untouched.stat().st_mtime_ns == age
    make_raw(raws / "raw_photos/HQa1to700/photos/a0016-x.dng", WIDTH, HEIGHT - 2)
    assert benchtool("data", "render-me", raws, out).code == 1, "its experts are of another size now"
    assert not list(out.glob("testing/expert_*/*")), "targets of the earlier raw must not stay"


def test_more_raws_later_move_between_splits_whole(benchtool: Callable, tmp_path: Path) -> None:
    own, out = tmp_path / "own", tmp_path / "me"
    for i in range(4):
        make_raw(own / f"s{i}.dng")
    assert benchtool("data", "render-me", own, out).code == 0
    for i in range(4, 12):
        make_raw(own / f"s{i}.dng")
    assert benchtool("data", "render-me", own, out).code == 0
    assert benchtool("data", "render-me", own, tmp_path / "at once").code == 0
    assert files(out) == files(tmp_path / "at once")


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that has may not have been asked for its exit code."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # between the two questions
        return False


def interrupted(raws: Path, out: Path, how: signal.Signals) -> tuple[int, str]:
    """Start rendering, send a signal to the group once a raw is done; returns exit code and standard error.

    No worker may outlive it.
    """
    journal = out / ".journal.jsonl"
    arguments = command("data", "render-me", raws, out, "--scale", 1, "--jobs", 2)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        wait_for(lambda: journal.exists() and journal.read_bytes().count(b'{"item"') >= 1)
        workers = psutil.Process(run.pid).children(recursive=True)
        if how is signal.SIGINT:
            os.killpg(run.pid, how)  # as a terminal does
        else:
            run.send_signal(how)
        _, said = run.communicate(timeout=300)
    wait_for(lambda: not any(map(runs, workers)))
    assert journal.read_bytes().count(b'{"item"') < 10, "was too late to interrupt anything"
    assert not (out / "dataset.json").exists(), "unfinished work must not look finished"
    return run.returncode, said


@pytest.fixture(scope="module")
def uninterrupted(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted") / "me"
    subprocess.run(command("data", "render-me", samples, out, "--scale", 1), check=True, capture_output=True)
    return out


def test_sample_raws_make_a_whole_dataset(uninterrupted: Path) -> None:
    me = open_dataset(uninterrupted)
    assert me.facts.variant == "sample" and "NASA" in me.facts.licence and "bychkovsky" not in me.facts.citation
    assert me.facts.made["without_expert_c"] == 0 and all(c["samples"] >= 5 for c in me.facts.counts.values())
    assert all(len(s.targets) == (5 if s.split == "test" else 1) for s in me.samples)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_interrupted_work_continues_to_the_same_bytes(samples: Path, uninterrupted: Path, tmp_path: Path, how: signal.Signals) -> None:
    code, said = interrupted(samples, tmp_path / "me", how)
    if how is signal.SIGINT:
        assert code == 130 and "run the same command again" in said and "Traceback" not in said
    done = subprocess.run(command("data", "render-me", samples, tmp_path / "me", "--scale", 1), capture_output=True, text=True)
    assert done.returncode == 0 and "rendered already" in done.stderr
    assert files(tmp_path / "me") == files(uninterrupted)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_full_disk(benchtool: Callable, samples: Path, uninterrupted: Path, small_disk: Path) -> None:
    out = small_disk / "me"
    done = benchtool("data", "render-me", samples, out, "--scale", 1)
    assert done.code == 2 and "No space left" in done.err and "same command again" in done.err and "Traceback" not in done.err
    assert not (out / "dataset.json").exists() and not list(out.rglob(".tmp-*"))
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert benchtool("data", "render-me", samples, out, "--scale", 1).code == 0
    assert files(out) == files(uninterrupted)


def test_me_v2_through_the_command_line(benchtool: Callable, uninterrupted: Path, tmp_path: Path) -> None:
    done = benchtool("data", "prepare", "me-v2", uninterrupted, tmp_path / "me-v2")
    assert done.code == 0 and "me-v2 (sample), 40 samples" in done.out
    view = open_dataset(tmp_path / "me-v2")
    for s in view.split("train"):
        assert read_image(view.path(s.inputs[0])).shape == read_image(view.path(s.targets[0])).shape
