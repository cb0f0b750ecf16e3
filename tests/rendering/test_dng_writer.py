"""DNGs we write, read back by LibRaw: levels bit for bit, and every tag means what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rawpy
import tifffile

from benchtool.rendering.colour import SRGB_TO_XYZ
from benchtool.rendering.dng_writer import PATTERNS, Camera, write_dng

FROM_SRGB = np.array([[0.7, 0.25, 0.05], [0.1, 0.8, 0.1], [0.05, 0.2, 0.75]])
CAMERA = Camera("Test", np.diag((0.5, 1.0, 0.65)) @ FROM_SRGB @ np.linalg.inv(SRGB_TO_XYZ))


@pytest.fixture
def mosaic() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4096, (150, 202), dtype=np.uint16)


def write(path: Path, mosaic: np.ndarray, **changes: Any) -> Path:
    settings = {"camera": CAMERA, "pattern": "RGGB", "black": 64, "white": 4095, "neutral": (0.82, 1.0, 0.38)}
    write_dng(path, mosaic, **{**settings, **changes})
    return path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_libraw_reads_the_levels_and_the_pattern(tmp_path: Path, mosaic: np.ndarray, pattern: str) -> None:
    with rawpy.imread(str(write(tmp_path / "a.dng", mosaic, pattern=pattern))) as raw:
        assert np.array_equal(raw.raw_image, mosaic)
        colours = raw.color_desc.decode()
        assert "".join(colours[index] for index in raw.raw_pattern.ravel()) == pattern
        assert raw.white_level == 4095 and set(raw.black_level_per_channel) == {64}


def test_libraw_takes_white_balance_and_matrix_from_the_file(tmp_path: Path, mosaic: np.ndarray) -> None:
    with rawpy.imread(str(write(tmp_path / "a.dng", mosaic))) as raw:
        assert raw.camera_whitebalance[:3] == pytest.approx([1 / 0.82, 1, 1 / 0.38], rel=1e-5)
        assert np.allclose(raw.color_matrix[:, :3], np.linalg.inv(FROM_SRGB), atol=1e-4)
        assert raw.daylight_whitebalance[0] / raw.daylight_whitebalance[1] == pytest.approx(2, rel=1e-3)


def test_four_black_levels_go_by_place(tmp_path: Path, mosaic: np.ndarray) -> None:
    blacks = [60, 64, 66, 62]
    with rawpy.imread(str(write(tmp_path / "a.dng", mosaic, pattern="GBRG", black=blacks))) as raw:
        assert [raw.black_level_per_channel[index] for index in raw.raw_pattern.ravel()] == blacks


@pytest.mark.parametrize(("orientation", "flip"), [(1, 0), (3, 3), (6, 6), (8, 5)])
def test_orientation(tmp_path: Path, mosaic: np.ndarray, orientation: int, flip: int) -> None:
    with rawpy.imread(str(write(tmp_path / "a.dng", mosaic, orientation=orientation))) as raw:
        assert raw.sizes.flip == flip


def test_tags_libraw_does_not_use(tmp_path: Path, mosaic: np.ndarray) -> None:
    camera = Camera("Test", CAMERA.color_matrix, ((0.0, 0.0), (0.5, 0.75), (1.0, 1.0)))
    path = write(tmp_path / "a.dng", mosaic, camera=camera, crop=(7, 5, 180, 140), baseline_exposure=-0.25, noise_profile=(2e-4, 3e-8))
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages.first.tags
        assert tags["DefaultCropOrigin"].value == (7, 5) and tags["DefaultCropSize"].value == (180, 140)
        numerator, denominator = tags["BaselineExposure"].value
        assert numerator / denominator == -0.25
        assert tags["ProfileToneCurve"].value == (0, 0, 0.5, 0.75, 1, 1)
        assert tags["NoiseProfile"].value == (2e-4, 3e-8)
        assert tags["CalibrationIlluminant1"].value == 21


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, mosaic: np.ndarray) -> None:
    assert write(tmp_path / "a.dng", mosaic).read_bytes() == write(tmp_path / "b.dng", mosaic).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dng", "b.dng"]


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "RGBG"},
        {"black": 4095},
        {"black": (1, 2)},
        {"white": 70000},
        {"crop": (10, 0, 200, 100)},
        {"crop": (-1, 0, 100, 100)},
        {"crop": (0, 0, 0, 100)},
        {"mosaic": np.zeros((4, 4), np.uint8)},
        {"mosaic": np.zeros((4, 4, 3), np.uint16)},
    ],
)
def test_contradictions_are_refused(tmp_path: Path, mosaic: np.ndarray, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        write(tmp_path / "a.dng", changes.pop("mosaic", mosaic), **changes)
    assert not list(tmp_path.iterdir())
