"""`benchtool bench retouch`: the figures are those of its steps, and are projected to all of COCO."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from benchtool.core.images import read_image, write_image
from benchtool.datasets.coco_retouch import COCO
from benchtool.workflows import bench_retouch


def test_figures(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_retouch, "SIZE", (128, 96))
    monkeypatch.setattr(bench_retouch, "time_clustering", partial(bench_retouch.time_clustering, 2_000, 20))
    write_image(tmp_path / "cup.png", data.coffee())
    done = benchtool("bench", "retouch", tmp_path / "cup.png", "--repeats", 1, "--json", tmp_path / "out.json")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "out.json").read_text())
    (row,) = result["photographs"].values()
    assert result["default"] == "quarter" and result["clustering"]["clusters"] == 20 and result["clustering"]["histograms"] == 2_000
    tried = 500 * 5 * (2 + 64 + 16)
    for solve, found in result["solves"].items():
        assert found["pair_s"] == pytest.approx(row["pair"][solve]) and solve in done.out
        seconds = COCO * (row["histogram"] + row["pair"][solve]) + tried * row["candidate"] + result["clustering"]["cpu_s"]
        assert found["hours"] == pytest.approx(seconds / 2 / 3600)
    psnr = [result["solves"][solve]["psnr"] for solve in ("quarter", "half")]
    assert 20 < psnr[0] < psnr[1] < 60 and "psnr" not in result["solves"]["full"]


def test_a_bad_photograph_is_one_clear_line(benchtool: Callable, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    done = benchtool("bench", "retouch", tmp_path / "text.jpg")
    assert done.code == 2 and "text.jpg" in done.err and "Traceback" not in done.err


def test_pictures_are_cut_not_squeezed(tmp_path: Path) -> None:
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 134:267] = 200  # the 4:3 middle
    write_image(tmp_path / "wide.png", wide)
    (path,) = bench_retouch._pictures([tmp_path / "wide.png"], tmp_path / "cut")
    found = read_image(path)
    assert found.shape == (480, 640, 3) and found[100:380, 20:620].min() > 190


def test_made_histograms_are_of_many_kinds() -> None:
    found = bench_retouch.made_histograms(500, 64)
    assert found.shape == (500, 64) and (found >= 0).all() and found.sum(axis=1).min() > 0
    assert len(np.unique(found.argmax(axis=1))) > 30
