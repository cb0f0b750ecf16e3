"""Developing raws: agreement with LibRaw and with the DNG SDK's formulas, every kind of raw at hand, and damaged ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rawpy

from benchtool.core.errors import UserError
from benchtool.core.images import orient, resize
from benchtool.rendering import sensor as sensors
from benchtool.rendering.colour import PROPHOTO_TO_SRGB, SRGB_TO_PROPHOTO, SRGB_TO_XYZ, srgb_encode
from benchtool.rendering.develop import EXPOSURES, QUALITIES, Settings, output_size, render
from benchtool.rendering.dng_writer import PATTERNS, Camera, write_dng
from benchtool.rendering.sensor import open_raw

RAWS = ("Blackmagic.dng", "DSC_1339_wrapped.dng", "Nikon_uncompressed.nef", "RAW_KODAK_DC50.KDC", "canon_eos_6d.dng")
DEFAULT_CROP = {"Blackmagic.dng": (16, 8, 4096, 2160), "DSC_1339_wrapped.dng": (8, 4, 752, 504), "canon_eos_6d.dng": (0, 0, 1224, 816)}
CURVE = ((0.0, 0.0), (0.25, 0.36), (0.6, 0.75), (1.0, 1.0))
NEUTRAL = (0.5, 1.0, 0.7)
FROM_SRGB = np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.05, 0.2, 0.75]])
CAMERA = Camera("Test", np.diag(NEUTRAL) @ FROM_SRGB @ np.linalg.inv(SRGB_TO_XYZ), CURVE)


def psnr(image: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((image.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def libraw(path: Path, ev: float, crop: tuple[int, int, int, int] | None = None, **options: Any) -> np.ndarray:
    """One whole development by LibRaw."""
    settings = {"use_camera_wb": True, "no_auto_bright": True, "adjust_maximum_thr": 0.0, "gamma": (2.4, 12.92), "user_flip": 0, **options}
    with rawpy.imread(str(path)) as raw:
        image = raw.postprocess(exp_shift=2.0**ev, exp_preserve_highlights=0.0, highlight_mode=rawpy.HighlightMode.Clip, **settings)
    x, y, width, height = crop or (0, 0, *image.shape[1::-1])
    return image[y : y + height, x : x + width]


def smooth_mosaic(height: int, width: int, pattern: str = "RGGB", peak: int = 3900) -> np.ndarray:
    """Soft blobs of colour, 12 bits above a black level of 64."""
    y, x = np.mgrid[:height, :width] / 40
    colours = np.stack([0.5 + 0.45 * np.sin(x + y), 0.5 + 0.45 * np.sin(1.3 * x - y + 1), 0.5 + 0.45 * np.cos(x - 1.2 * y)])
    mosaic = np.empty((height, width), np.uint16)
    for place, colour in enumerate(pattern):
        row, column = divmod(place, 2)
        plane = colours["RGB".index(colour), row::2, column::2] * NEUTRAL["RGB".index(colour)]
        mosaic[row::2, column::2] = 64 + np.rint(plane * (peak - 64))
    return mosaic


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """`made(mosaic, **options)` writes a DNG of the test camera."""

    def make(mosaic: np.ndarray, name: str = "made.dng", **options: Any) -> Path:
        settings = {"camera": CAMERA, "pattern": "RGGB", "black": 64, "white": 4095, "neutral": NEUTRAL, **options}
        write_dng(tmp_path / name, mosaic, **settings)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def oracle(real_data: Path) -> Any:
    """LibRaw's developments of the DNGs at every EV, made once."""
    found: dict[str, dict[float, np.ndarray]] = {}

    def get(name: str) -> dict[float, np.ndarray]:
        if name not in found:
            found[name] = {ev: libraw(real_data / "raws" / name, ev, DEFAULT_CROP[name]) for ev in EXPOSURES}
        return found[name]

    return get


def agreement(quality: str, name: str, images: dict[float, np.ndarray], expected: dict[float, np.ndarray]) -> dict[float, float]:
    """PSNR at each EV; `pytest -rP -k agree` prints the table of docs/rendering.md."""
    found = {ev: psnr(images[ev], expected[ev]) for ev in EXPOSURES}
    print(quality, name, *(f"{value:.1f}" for value in found.values()))
    return found


EXACT = {
    "Blackmagic.dng": dict.fromkeys(EXPOSURES, 49),
    "canon_eos_6d.dng": dict.fromkeys(EXPOSURES, 49),
    "DSC_1339_wrapped.dng": {-1.5: 52, -1: 52, 0: 52, 1: 43, 1.5: 39},
}


@pytest.mark.parametrize("name", DEFAULT_CROP)
def test_exact_agrees_with_libraw_at_full_size(oracle: Any, real_data: Path, name: str) -> None:
    images = render(real_data / "raws" / name, Settings("linear", "exact", scale=1)).images
    found = agreement("exact", name, images, oracle(name))
    assert all(found[ev] >= EXACT[name][ev] for ev in EXPOSURES), found


@pytest.mark.parametrize("name", DEFAULT_CROP)
def test_reference_agrees_closer_at_full_size(oracle: Any, real_data: Path, name: str) -> None:
    images = render(real_data / "raws" / name, Settings("linear", "reference", scale=1)).images
    found = agreement("reference", name, images, oracle(name))
    assert min(found.values()) >= 51, found


@pytest.mark.parametrize("name", DEFAULT_CROP)
def test_fast_agrees_at_output_size(oracle: Any, real_data: Path, name: str) -> None:
    images = render(real_data / "raws" / name, Settings("linear", "fast")).images
    height, width = images[0.0].shape[:2]
    found = agreement("fast", name, images, {ev: resize(image, width, height) for ev, image in oracle(name).items()})
    assert min(found.values()) >= (45 if name == "Blackmagic.dng" else 39), found


@pytest.mark.parametrize("mode", ["linear", "adobe"])
@pytest.mark.parametrize("name", RAWS)
def test_every_raw_renders(real_data: Path, name: str, mode: str) -> None:
    rendering = render(real_data / "raws" / name, Settings(mode, "fast"))
    assert list(rendering.images) == list(EXPOSURES)
    width, height = output_size(*rendering.full_size, Settings())
    means = [image.mean() for image in rendering.images.values()]
    assert all(image.shape == (height, width, 3) and image.dtype == np.uint8 for image in rendering.images.values())
    assert means == sorted(means) and means[-1] > means[0] and rendering.images[0.0].std() > 5
    assert json.loads(json.dumps(rendering.facts)) == rendering.facts
    assert rendering.facts["mode"] == mode and rendering.facts["size"] == [width, height]


def test_the_white_balance_and_matrix_used_are_recorded(real_data: Path) -> None:
    facts = {name: render(real_data / "raws" / name, Settings("linear", "fast")).facts for name in RAWS[1:]}
    assert {name: (f["wb_source"], f["matrix_source"], f["quality_used"]) for name, f in facts.items()} == {
        "DSC_1339_wrapped.dng": ("camera", "file", "fast"),
        "Nikon_uncompressed.nef": ("daylight", "identity", "exact"),  # a scanner's: its camera white balance is 0, 1, 0
        "RAW_KODAK_DC50.KDC": ("camera", "identity", "fast"),
        "canon_eos_6d.dng": ("camera", "file", "exact"),  # no mosaic to demosaic fast
    }
    assert (
        facts["DSC_1339_wrapped.dng"]
        | {
            "black": [600] * 4,
            "white": 15520,
            "crop": [8, 4, 752, 504],
            "full_size": [752, 504],
            "baseline_exposure": 0.35,
            "libraw": ".".join(map(str, rawpy.libraw_version)),
        }
        == facts["DSC_1339_wrapped.dng"]
    )


def adobe_in_float(path: Path, ev: float, curve: Any = None) -> np.ndarray:
    """Mode `adobe` written out in float64 from the same camera RGB."""
    with open_raw(path) as sensor:
        camera = sensor.camera_rgb() / 65535
        prophoto = np.clip(camera @ (SRGB_TO_PROPHOTO @ sensor.matrix).T, 0, 1)
        total = ev + sensor.tags.baseline_exposure
    if total > 0:
        prophoto = np.minimum(prophoto * 2**total, 1)
    else:
        s = 2**total
        a, b = 16 / 9 * (1 - s), s - 8 / 9 * (1 - s)
        prophoto = np.where(prophoto <= 0.25, s * prophoto, (a * prophoto + b) * prophoto + 1 - a - b)
    if curve:
        from scipy.interpolate import CubicSpline

        prophoto = np.clip(CubicSpline(*zip(*curve), bc_type="natural")(prophoto), 0, 1)
    return 255 * srgb_encode(np.clip(prophoto @ PROPHOTO_TO_SRGB.T, 0, 1))


def test_adobe_mode_is_its_formula(real_data: Path) -> None:
    path = real_data / "raws" / "DSC_1339_wrapped.dng"  # BaselineExposure +0.35: totals of both signs
    images = render(path, Settings("adobe", scale=1)).images
    for ev in EXPOSURES:
        assert np.abs(images[ev] - adobe_in_float(path, ev)).max() < 1


def test_adobe_mode_with_the_profiles_curve(made: Any) -> None:
    path = made(smooth_mosaic(80, 100), baseline_exposure=0.2)
    images = render(path, Settings("adobe", tone="profile", scale=1)).images
    plain = render(path, Settings("adobe", scale=1)).images
    for ev in EXPOSURES:
        assert np.abs(images[ev] - adobe_in_float(path, ev, CURVE)).max() < 1
        assert psnr(images[ev], plain[ev]) < 40


def test_a_missing_profile_curve_is_an_error(made: Any, real_data: Path) -> None:
    with pytest.raises(UserError, match="made.dng: has no ProfileToneCurve"):
        render(made(smooth_mosaic(40, 40), camera=Camera("Test", CAMERA.color_matrix)), Settings(tone="profile"))
    with pytest.raises(UserError, match="has no ProfileToneCurve"):
        render(real_data / "raws" / "RAW_KODAK_DC50.KDC", Settings(tone="profile"))


def test_clipped_white_stays_white_in_adobe_mode_only(made: Any) -> None:
    mosaic = smooth_mosaic(80, 80, peak=2500)
    mosaic[20:60, 20:60] = 4095
    white = (slice(30, 50), slice(30, 50))
    path = made(mosaic)
    assert render(path, Settings("adobe", scale=1)).images[-1.5][white].min() >= 254
    linear = render(path, Settings("linear", scale=1)).images[-1.5][white]
    assert abs(linear.mean() - 255 * srgb_encode(np.float64(2**-1.5))) < 1  # about 161


@pytest.mark.parametrize("mode", ["linear", "adobe"])
def test_baseline_exposure_counts_in_adobe_mode_only(made: Any, mode: str) -> None:
    mosaic = smooth_mosaic(60, 60)
    plain, more = (render(made(mosaic, baseline_exposure=baseline), Settings(mode, scale=1)).images for baseline in (0.0, 1.0))
    if mode == "adobe":
        np.testing.assert_array_equal(more[0.0], plain[1.0])
    else:
        np.testing.assert_array_equal(more[0.0], plain[0.0])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_in_each_quality(made: Any, pattern: str) -> None:
    path = made(smooth_mosaic(121, 160, pattern), pattern=pattern, black=(64, 60, 70, 66), crop=(3, 5, 141, 100))
    expected = libraw(path, 0.0, (3, 5, 141, 100))
    for quality in QUALITIES:
        rendering = render(path, Settings("linear", quality, scale=1))
        assert rendering.facts["quality_used"] == quality
        assert psnr(rendering.images[0.0], expected) > 45


def test_fast_halves_only_for_small_outputs(made: Any) -> None:
    path = made(smooth_mosaic(204, 303), crop=(1, 1, 301, 201))
    expected = libraw(path, 0.0, (1, 1, 301, 201))
    for scale in (0.3, 0.5, 0.51, 0.9):
        image = render(path, Settings("linear", "fast", scale=scale)).images[0.0]
        assert psnr(image, resize(expected, *image.shape[1::-1])) > 45


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(made: Any, orientation: int) -> None:
    crop = (2, 4, 60, 40)
    path = made(smooth_mosaic(50, 70), orientation=orientation, crop=crop)
    rendering = render(path, Settings("linear", scale=1))
    np.testing.assert_allclose(rendering.images[0.0], orient(libraw(path, 0.0, crop), orientation), atol=1)
    assert rendering.full_size == ((40, 60) if orientation >= 5 else (60, 40))
    assert rendering.facts["orientation"] == orientation
    whole = made(smooth_mosaic(50, 70), orientation=orientation)
    np.testing.assert_allclose(render(whole, Settings("linear", scale=1)).images[0.0], libraw(whole, 0.0, user_flip=None), atol=1)


def test_a_model_known_to_libraw_gets_its_matrix(tmp_path: Path) -> None:
    """A raw without any tags, known by its size alone (a Casio's): neither its matrix nor its white balance is in the file."""
    width, height = 1621, 1208
    levels = np.tile((120 + 90 * np.sin(np.arange(width) / 90)).astype(np.uint8), (height, 1))
    levels[:, 1::2] //= 2
    data = np.zeros(2_937_856, np.uint8)
    data[: levels.size] = levels.ravel()
    path = tmp_path / "casio.raw"
    path.write_bytes(data.tobytes())
    rendering = render(path, Settings("linear", scale=1))
    assert (rendering.facts["matrix_source"], rendering.facts["wb_source"]) == ("libraw", "daylight")
    expected = libraw(path, 0.0, use_camera_wb=False, user_flip=None)
    assert psnr(rendering.images[0.0], expected) > 49
    assert expected.reshape(-1, 3).std(axis=0).min() > 5


def test_published_sizes() -> None:
    """Sizes of ME's published images, against the default sizes of the cameras they come from."""
    published = {(3072, 2048): (922, 615), (4256, 2832): (1277, 850), (3916, 2634): (1175, 791), (3008, 2000): (903, 600)}
    assert {full: output_size(*full, Settings()) for full in published} == published
    assert output_size(10, 20, Settings(scale=0.1)) == (1, 2)
    assert output_size(3008, 2000, Settings(scale=1)) == (3008, 2000)
    assert output_size(3008, 2000, Settings(long_edge=512)) == (512, 341)
    assert output_size(2000, 3008, Settings(long_edge=512)) == (341, 512)
    assert output_size(300, 200, Settings(long_edge=512)) == (300, 200)


def test_output_is_resized_as_displayed(made: Any) -> None:
    path = made(smooth_mosaic(100, 140))
    full, small = (render(path, Settings("linear", scale=scale)).images[1.0] for scale in (1, 0.3))
    np.testing.assert_array_equal(small, resize(full, 42, 30))
    assert render(path, Settings("linear", long_edge=70)).images[1.0].shape == (50, 70, 3)


@pytest.mark.parametrize("mode", ["linear", "adobe"])
def test_an_exposure_does_not_depend_on_the_others_or_on_threads(real_data: Path, mode: str) -> None:
    path = real_data / "raws" / "DSC_1339_wrapped.dng"
    all_of_them = render(path, Settings(mode)).images
    threads = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        for ev in EXPOSURES:
            np.testing.assert_array_equal(render(path, Settings(mode, evs=(ev,))).images[ev], all_of_them[ev])
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("percent", [30, 60, 95])
@pytest.mark.parametrize("name", RAWS)
def test_a_cut_raw_is_refused(real_data: Path, tmp_path: Path, name: str, percent: int) -> None:
    data = (real_data / "raws" / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * percent // 100])
    refused(tmp_path / name, "cut off")


def refused(path: Path, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        render(path, Settings())
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_what_is_no_raw_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.dng").write_text("This is not a raw.\n" * 100)
    (tmp_path / "empty.dng").touch()
    refused(tmp_path / "text.dng", "not a raw file")
    refused(tmp_path / "empty.dng", "empty")
    refused(tmp_path / "missing.dng", "no such file")
    refused(tmp_path, "cannot be read")


def test_a_crop_is_refused_where_it_leaves_the_picture(made: Any) -> None:
    path = made(smooth_mosaic(40, 40), crop=(4, 4, 32, 32))
    data = path.read_bytes()
    path.write_bytes(data.replace((32).to_bytes(4, "little") * 2, (99).to_bytes(4, "little") * 2))
    refused(path, "DefaultCrop")


def test_damage_that_libraw_only_mentions_is_an_error(real_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Zeros inside a lossy tile: libjpeg warns on standard error, and LibRaw goes on with grey."""
    data = bytearray((real_data / "raws" / "canon_eos_6d.dng").read_bytes())
    data[260_000:262_000] = bytes(2000)
    (tmp_path / "hole.dng").write_bytes(data)
    refused(tmp_path / "hole.dng", "the data are damaged .Corrupt JPEG data")
    assert capfd.readouterr().err == ""


def test_other_words_on_standard_error_are_passed_on(capfd: pytest.CaptureFixture) -> None:
    with sensors._damage_is_an_error():
        os.write(2, b"something else\n")
    assert capfd.readouterr().err == "something else\n"


def test_a_header_with_too_many_pixels_is_refused(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(smooth_mosaic(40, 40))
    monkeypatch.setattr(sensors, "MAX_PIXELS", 1599)
    refused(path, "40 x 40 pixels are over the limit")
    monkeypatch.setattr(sensors, "MAX_BYTES", 100)
    refused(path, "more than any raw")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "adob"}, "unknown mode 'adob'; did you mean 'adobe'"),
        ({"quality": "best"}, "unknown quality"),
        ({"tone": "curve"}, "unknown tone"),
        ({"mode": "linear", "tone": "profile"}, "part of mode 'adobe'"),
        ({"evs": ()}, "exposures"),
        ({"evs": (0.0, 4.0)}, r"at most \+3 EV"),
        ({"evs": (0.0, 0.0)}, "different"),
        ({"evs": (float("nan"),)}, "exposures"),
        ({"scale": 0}, "scale 0"),
        ({"scale": 1.5}, "scale 1.5"),
        ({"long_edge": 0}, "long edge 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Settings(**settings)


def test_the_renderer_is_light() -> None:
    heavy = ("torch", "pandas", "pyiqa", "skimage", "scipy", "matplotlib")
    code = f"import sys, benchtool.rendering.develop; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
