"""The sample raws: without noise, LibRaw's own development returns the photograph; FiveK's layout; the same bytes again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import orient
from benchtool.datasets.sample_raws import EXPERTS, RAWS, SENSORS, SHOTS, build, exposed, photograph, retouched, scene
from benchtool.rendering.develop import Settings, render
from benchtool.rendering.dng_writer import PATTERNS
from benchtool.rendering.experts import read_expert


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample raws without noise."""
    out = tmp_path_factory.mktemp("clean")
    build(out, noise=False)
    return out


def developed(path: Path) -> np.ndarray:
    """LibRaw's development of `path`, cropped to DefaultCrop and turned upright: float H x W x 3 in [0, 1]."""
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages.first.tags
        (x, y), (width, height), orientation = (tags[name].value for name in ("DefaultCropOrigin", "DefaultCropSize", "Orientation"))
    with rawpy.imread(str(path)) as raw:
        image = raw.postprocess(
            use_camera_wb=True, no_auto_bright=True, adjust_maximum_thr=0.0, gamma=(2.4, 12.92), output_bps=16, user_flip=0
        )
    return orient(image[y : y + height, x : x + width], orientation) / 65535


@pytest.mark.parametrize("stem", SHOTS)
def test_development_returns_the_photograph(clean: Path, stem: str) -> None:
    difference = developed(clean / RAWS / f"{stem}.dng") - photograph(SHOTS[stem])
    assert -10 * np.log10(np.mean(difference**2)) >= 30
    assert np.abs(difference.mean(axis=(0, 1)) * 255).max() < 1


def test_linear_rendering_returns_the_photograph(clean: Path) -> None:
    from benchtool.rendering import develop

    patterns = {shot.pattern: stem for stem, shot in SHOTS.items()}
    for stem in patterns.values():
        rendering = develop.render(clean / RAWS / f"{stem}.dng", develop.Settings(mode="linear", evs=(0.0,), scale=1.0))
        difference = rendering.images[0.0] / 255 - photograph(SHOTS[stem])
        assert -10 * np.log10(np.mean(difference**2)) >= 30
        assert np.abs(difference.mean(axis=(0, 1)) * 255).max() < 1


def test_variety() -> None:
    assert len(SHOTS) >= 8
    assert {shot.pattern for shot in SHOTS.values()} == set(PATTERNS)
    for attribute in ("neutral", "black", "white", "baseline", "origin", "orientation", "sensor"):
        assert len({getattr(shot, attribute) for shot in SHOTS.values()}) >= 2
    assert min(shot.baseline for shot in SHOTS.values()) < 0 and 0 in {shot.baseline for shot in SHOTS.values()}
    assert len({scene(shot) for shot in SHOTS.values()}) == 5
    for shot in SHOTS.values():
        height, width = photograph(shot).shape[:2]
        assert (width, height) == shot.box[2:] and 512 <= max(width, height) <= 768


def test_layout_is_fiveks(clean: Path) -> None:
    raws = sorted((clean / "raw_photos").glob("HQa*to*/photos/*"))
    assert [path.stem for path in raws] == sorted(SHOTS)
    assert all(re.fullmatch(r"a\d{4}-.+\.dng", path.name) for path in raws)
    index = json.loads((clean / "sample-raws.json").read_text())
    assert index["variant"] == "sample"
    assert index["scenes"]["a9005-bike"] == index["scenes"]["a9010-shelves"] == "motorcycle"
    assert sorted(index["scenes"]) == sorted(SHOTS)


def test_experts_have_the_displayed_size_and_c_is_the_photograph(clean: Path) -> None:
    for stem, shot in SHOTS.items():
        picture = photograph(shot)
        images = {expert: read_expert(clean / f"tiff16_{expert}" / f"{stem}.tif") for expert in EXPERTS}
        assert {image.shape for image in images.values()} == {picture.shape}
        assert np.abs(images["c"] - picture).max() * 255 < 0.05
        distances = [np.sqrt(np.mean((image - picture) ** 2)) * 255 for expert, image in images.items() if expert != "c"]
        assert 2 < min(distances) and max(distances) < 25  # different, and mildly so


def test_retouching_does_what_it_says() -> None:
    grey = np.full((2, 2, 3), 0.5)
    colour = np.broadcast_to([0.6, 0.4, 0.2], (2, 2, 3))
    ends = np.stack([np.zeros((2, 3)), np.ones((2, 3))])
    for expert in EXPERTS.values():
        assert np.allclose(retouched(ends, expert), ends)  # black and white stay
    assert retouched(grey, EXPERTS["a"]).min() > 0.5 > retouched(grey, EXPERTS["d"]).max()
    spread = np.ptp(colour[0, 0])
    assert np.ptp(retouched(colour, EXPERTS["d"])[0, 0]) < spread < np.ptp(retouched(colour, EXPERTS["a"])[0, 0])
    warm, cool = retouched(grey, EXPERTS["b"])[0, 0], retouched(grey, EXPERTS["e"])[0, 0]
    assert warm[0] > warm[2] and cool[0] < cool[2]
    assert np.allclose(retouched(colour, EXPERTS["c"]), colour)


def test_noise_has_the_variance_the_tag_states() -> None:
    shot = SHOTS["a9010-shelves"]
    flat = np.full((400, 400, 3), 0.5)
    noise = (shot.shot_noise, 1e-5)
    noisy, (x, y, width, height) = exposed(flat, shot, noise, np.random.default_rng(0))
    still, _ = exposed(flat, shot, None, None)
    assert (width, height) == (400, 400) and (x, y) == shot.origin
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        scale = shot.white - shot.black
        level = (still[row::2, column::2].mean() - shot.black) / scale
        spread = (noisy[row::2, column::2].astype(float) - still[row::2, column::2]).std() / scale
        assert spread == pytest.approx(np.sqrt(noise[0] * level + noise[1]), rel=0.03)


def test_sensors_see_all_of_srgb() -> None:
    for sensor in SENSORS.values():
        assert np.allclose(sensor.from_srgb.sum(axis=1), 1) and sensor.from_srgb.min() >= 0


def test_an_interrupted_build_continues_and_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchtool.datasets.sample_raws.SHOTS", dict(list(SHOTS.items())[:3]))
    build(tmp_path / "whole")
    build(tmp_path / "part")
    first, second, third = sorted((tmp_path / "part" / RAWS).iterdir())
    (tmp_path / "part" / "sample-raws.json").unlink()
    second.unlink()
    (tmp_path / "part" / "tiff16_b" / f"{third.stem}.tif").unlink()
    kept = first.stat().st_mtime_ns
    build(tmp_path / "part")
    assert first.stat().st_mtime_ns == kept
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file() and path.name[0] != "."]
    assert len(files) == 3 * 6 + 1
    for path in files:
        assert sha256_file(tmp_path / "whole" / path) == sha256_file(tmp_path / "part" / path), path


def test_seed_and_noise_change_the_raws_alone(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stem = "a9001-astronaut"
    monkeypatch.setattr("benchtool.datasets.sample_raws.SHOTS", {stem: SHOTS[stem]})
    build(tmp_path / "0", seed=0)
    build(tmp_path / "1", seed=1)
    raws = {sha256_file(out / RAWS / f"{stem}.dng") for out in (clean, tmp_path / "0", tmp_path / "1")}
    experts = {sha256_file(out / "tiff16_a" / f"{stem}.tif") for out in (clean, tmp_path / "0", tmp_path / "1")}
    assert len(raws) == 3 and len(experts) == 1
    with pytest.raises(UserError, match="other settings"):
        build(tmp_path / "0", seed=1)


def test_out_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        build(tmp_path / "file")


@pytest.mark.parametrize("percent", [30, 60, 95])
def test_a_cut_sample_is_refused(clean: Path, tmp_path: Path, percent: int) -> None:
    """LibRaw renders grey rows of such a file without complaint; none of them may become a picture."""
    for stem in SHOTS:
        whole = (clean / RAWS / f"{stem}.dng").read_bytes()
        path = tmp_path / f"{stem}.dng"
        path.write_bytes(whole[: len(whole) * percent // 100])
        with pytest.raises(UserError, match="cut off"):
            render(path, Settings())
