"""`benchtool bench render`: every variant is timed, in its own process, and the figures are consistent."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchtool.rendering.colour import SRGB_TO_XYZ
from benchtool.rendering.dng_writer import Camera, write_dng
from benchtool.workflows import bench_render


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    mosaic = np.random.default_rng(0).integers(100, 4000, (96, 128), dtype=np.uint16)
    path = tmp_path / "small.dng"
    write_dng(path, mosaic, camera=Camera("Test", np.linalg.inv(SRGB_TO_XYZ)), pattern="RGGB", black=64, white=4095, neutral=(1, 1, 1))
    return path


def test_figures(benchtool: Callable, raw: Path, tmp_path: Path) -> None:
    done = benchtool("bench", "render", raw, "--repeats", 2, "--json", tmp_path / "out.json")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["threads"] == 1 and result["packages"]["rawpy"]
    (found,) = result["raws"]
    assert found["raw"] == "small.dng" and list(found["variants"]) == list(bench_render.DESCRIPTION)
    naive, floor = (found["variants"][name]["median_cpu_s"] for name in ("naive", "floor"))
    for name, row in found["variants"].items():
        assert name in done.out
        assert len(row["seconds"]) == len(row["cpu_seconds"]) == 2 and row["peak_mib"] > 10
        assert row["median_s"] == pytest.approx(statistics.median(row["seconds"]), abs=1e-4)
        assert row["median_cpu_s"] == pytest.approx(statistics.median(row["cpu_seconds"]), abs=1e-4)
        assert row["faster_than_naive"] == pytest.approx(naive / row["median_cpu_s"], rel=0.05, abs=0.02)
        assert row["of_floor"] == pytest.approx(row["median_cpu_s"] / floor, rel=0.05, abs=0.02)


def test_a_bad_raw_is_one_clear_line(benchtool: Callable, tmp_path: Path) -> None:
    (tmp_path / "text.dng").write_text("no raw at all")
    done = benchtool("bench", "render", tmp_path / "text.dng")
    assert done.code == 2 and "text.dng: LibRaw" in done.err and "not a raw file" in done.err and "Traceback" not in done.err


def test_the_synthetic_raw_is_a_camera_of_12_megapixels(tmp_path: Path) -> None:
    from benchtool.rendering.develop import Settings, render

    rendering = render(bench_render._synthetic_raw(tmp_path / "synthetic.dng"), Settings("linear", "fast"))
    assert rendering.full_size == bench_render._SYNTHETIC
    assert rendering.facts["quality_used"] == "fast" and rendering.images[0.0].std() > 20
