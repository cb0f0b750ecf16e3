"""`benchtool enhance`: the tree is kept, inputs are safe, everything left out is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data
from small_data import make_run

from benchtool import methods
from benchtool.core.images import read_picture
from benchtool.evaluation.predict import predict
from benchtool.methods.sid import SID

PHOTO = data.chelsea()[:40, :60]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`my photos/` with a JPEG, and below it a PNG of 16 bits with alpha and a text; a PNG beside it."""
    (tmp_path / "my photos" / "deep er").mkdir(parents=True)
    Image.fromarray(PHOTO).save(tmp_path / "my photos" / "one.JPG", quality=95)
    alpha = (np.arange(PHOTO[:, :, 0].size, dtype=np.uint16) * 27).reshape(PHOTO.shape[:2])
    deep = np.dstack([PHOTO[:, :, ::-1].astype(np.uint16) * 257 + 5, alpha])
    cv2.imwrite(str(tmp_path / "my photos" / "deep er" / "two.png"), deep)
    (tmp_path / "my photos" / "deep er" / "notes.txt").write_text("text")
    (tmp_path / "my photos" / ".hidden.png").write_text("hidden")
    Image.fromarray(PHOTO[::-1]).save(tmp_path / "three.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_tree_bit_depth_and_alpha(here: Path, benchtool: Callable) -> None:
    before = files(here)
    done = benchtool("enhance", "my photos", "three.png", "-m", "identity", "-o", "out put")
    assert done.code == 0, done.err
    assert done.out == "out put: 3 enhanced by identity\n"
    assert "1 skipped:\n  my photos/deep er/notes.txt: not an image of type" in done.err and "hidden" not in done.err
    assert sorted(files(here / "out put")) == ["deep er/two.png", "one.JPG", "three.png"]
    for name in ("deep er/two.png", "three.png"):
        source = here / name if name == "three.png" else here / "my photos" / name
        assert np.array_equal(read_picture(here / "out put" / name).pixels, read_picture(source).pixels)
    assert read_picture(here / "out put" / "deep er/two.png").pixels.dtype == np.uint16
    jpeg = read_picture(here / "out put" / "one.JPG").pixels.astype(int)
    assert np.abs(jpeg - read_picture(here / "my photos" / "one.JPG").pixels).mean() < 2
    assert {name: content for name, content in files(here).items() if not name.startswith("out put")} == before


def test_a_run_enhances_as_it_predicts(here: Path, benchtool: Callable) -> None:
    run = make_run(here / "run")
    assert benchtool("enhance", "three.png", "-m", "run", "-o", "out", "--checkpoint", "train.best", "--device", "cpu").code == 0
    expected = predict(methods.load(str(run)).method, [read_picture(here / "three.png").pixels])
    assert np.array_equal(read_picture(here / "out" / "three.png").pixels, expected)
    done = benchtool("enhance", "three.png", "-m", "run", "-o", "out", "--checkpoint", "train.last")
    assert done.code == 2 and "train/last.safetensors: no such checkpoint" in done.err


def test_orientation_and_format(here: Path, benchtool: Callable) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PHOTO).save(here / "turned.png", exif=exif)
    done = benchtool("enhance", "turned.png", "my photos", "-m", "identity", "-o", "out", "--format", "jpg")
    assert done.code == 0
    assert sorted(files(here / "out")) == ["deep er/two.jpg", "one.jpg", "turned.jpg"]
    assert "note: out/deep er/two.jpg: a JPEG does not hold alpha and 16 bits, as two.png does" in done.err
    with Image.open(here / "out" / "turned.jpg") as image:
        assert image.size == (40, 60) and image.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(image).astype(int) - np.rot90(PHOTO, -1)).mean() < 4
    Image.fromarray(PHOTO).save(here / "four.webp", lossless=True)
    assert benchtool("enhance", "four.webp", "-m", "identity", "-o", "same").code == 0
    assert np.array_equal(read_picture(here / "same" / "four.png").pixels, PHOTO)


def test_what_is_there_is_kept_unless_told(here: Path, benchtool: Callable) -> None:
    (here / "out").mkdir()
    (here / "out" / "three.png").write_text("mine")
    done = benchtool("enhance", "my photos", "three.png", "-m", "identity", "-o", "out")
    assert done.code == 0 and done.out == "out: 2 enhanced by identity, 1 there already (--overwrite makes them anew)\n"
    assert (here / "out" / "three.png").read_text() == "mine"
    assert benchtool("enhance", "three.png", "-m", "identity", "-o", "out", "--overwrite").out == "out: 1 enhanced by identity\n"
    assert np.array_equal(read_picture(here / "out" / "three.png").pixels, PHOTO[::-1])


def test_inputs_are_never_written_over(here: Path, benchtool: Callable) -> None:
    (here / "links").mkdir()
    os.link(here / "three.png", here / "links" / "three.png")
    (here / "symlinks").mkdir()
    (here / "symlinks" / "three.png").symlink_to(here / "three.png")
    (here / "same folder").symlink_to(here)
    before = files(here)
    for arguments in (
        ("my photos", "-o", "my photos"),
        ("three.png", "-o", "."),
        ("three.png", "-o", "links"),
        ("three.png", "-o", "symlinks"),
        ("three.png", "-o", "same folder"),
        ("three.png", "my photos/one.JPG", "-o", "my photos/deep er/.."),
    ):
        for overwrite in ((), ("--overwrite",)):
            done = benchtool("enhance", *arguments, "-m", "identity", *overwrite)
            assert done.code == 2 and "inputs are never written over" in done.err and done.err.count("\n") == 1
    assert files(here) == before


def test_output_inside_the_input_folder_is_not_enhanced_again(here: Path, benchtool: Callable) -> None:
    for expected in ("2 enhanced by identity\n", "0 enhanced by identity, 2 there already (--overwrite makes them anew)\n"):
        done = benchtool("enhance", "my photos", "-m", "identity", "-o", "my photos/enhanced")
        assert done.code == 0 and done.out == f"my photos/enhanced: {expected}"


def test_failures_are_listed_and_the_rest_is_done(here: Path, benchtool: Callable) -> None:
    content = (here / "my photos" / "one.JPG").read_bytes()
    (here / "my photos" / "cut.jpg").write_bytes(content[: len(content) // 2])
    Image.fromarray(PHOTO).convert("CMYK").save(here / "my photos" / "print.jpg")
    done = benchtool("enhance", "my photos", "-m", "identity", "-o", "out")
    assert done.code == 1 and done.out == "out: 2 enhanced by identity\n"
    assert "2 failed:\n  my photos/cut.jpg: " in done.err and "\n  my photos/print.jpg: its colours are CMYK" in done.err
    assert sorted(files(here / "out")) == ["deep er/two.png", "one.JPG"]


def test_user_errors_are_one_line(here: Path, benchtool: Callable) -> None:
    Image.fromarray(PHOTO).save(here / "my photos" / "three.png")
    for arguments, says in {
        ("absent.png", "-o", "out"): "absent.png: no such file or folder",
        ("my photos/deep er/notes.txt", "-o", "out"): "no image in my photos/deep er/notes.txt",
        ("three.png", "-o", "out.png"): "out.png: give a folder",
        ("three.png", "-o", "three.png"): "three.png: give a folder",
        ("three.png", "my photos", "-o", "out"): "three.png and my photos/three.png would both be written to out/three.png",
        ("three.png", "-o", "out", "--device", "abacus"): "--device abacus: not available here",
    }.items():
        done = benchtool("enhance", *arguments, "-m", "identity")
        assert done.code == 2 and says in done.err and done.err.count("\n") == 1
    assert benchtool("enhance", "three.png", "-m", "sid", "-o", "out").code == 2
    assert not (here / "out").exists()


def test_tiles_of_an_exact_method(here: Path, benchtool: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same picture, and the network sees no more than a tile; alpha and 16 bits stay."""
    seen = []
    enhance = SID.enhance
    monkeypatch.setattr(SID, "enhance", lambda self, inputs, exposures: seen.append(inputs.shape[-2:]) or enhance(self, inputs, exposures))
    make_run(here / "run")
    pixels = data.astronaut()[:225, :241, ::-1].astype(np.uint16) * 257
    cv2.imwrite(str(here / "large.png"), np.dstack([pixels, pixels[:, :, 0]]))
    assert benchtool("enhance", "large.png", "-m", "run", "-o", "whole", "--device", "cpu").code == 0
    assert seen == [(225, 241)]
    del seen[:]
    done = benchtool("enhance", "large.png", "-m", "run", "-o", "tiled", "--tile", 224, "--device", "cpu")
    assert done.code == 0 and done.out == "tiled: 1 enhanced by sid\n" and "note" not in done.err
    assert max(height * width for height, width in seen) == 224 * 224
    whole, tiled = (read_picture(here / folder / "large.png").pixels.astype(int) for folder in ("whole", "tiled"))
    assert tiled.shape == (225, 241, 4) and np.abs(tiled - whole).max() <= 1 and whole[..., :3].std() > 100


def test_tiles_that_change_the_result_have_to_be_forced(here: Path, benchtool: Callable) -> None:
    Image.fromarray(data.chelsea()[:100, :150]).save(here / "large.png")
    for arguments, says in {
        (
            "-m",
            "clahe",
            "--tile",
            128,
        ): "--tile: clahe depends on the whole image, or on its size, so tiles give another result: leave --tile out, or add --force",
        ("-m", "clahe", "--force"): "--force: says that --tile may change the result",
        ("-m", "identity", "--tile", 10): "--tile 10: tiles have at least 64 pixels a side",
    }.items():
        done = benchtool("enhance", "large.png", "three.png", "-o", "out", *arguments)
        assert done.code == 2 and says in done.err and done.err.count("\n") == 1
        assert not (here / "out").exists()
    assert benchtool("enhance", "large.png", "three.png", "-m", "clahe", "-o", "whole").code == 0
    done = benchtool("enhance", "large.png", "three.png", "-m", "clahe", "-o", "out", "--tile", 64, "--force")
    assert done.code == 0 and "note: 1 enhanced in tiles (--force), which is not what clahe makes of the whole picture" in done.err
    before, after = files(here / "whole"), files(here / "out")
    assert before["three.png"] == after["three.png"] and before["large.png"] != after["large.png"]
