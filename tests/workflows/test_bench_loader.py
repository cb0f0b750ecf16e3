"""`benchtool bench loader`: every way of reading has its figures, and each reads as it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchtool.datasets import loading
from benchtool.workflows import bench_loader as bench
from benchtool.workflows.bench_loader import DESCRIPTION, Settings, make_dataset


def test_figures(benchtool: Callable, tmp_path: Path) -> None:
    small = ["--pictures", 4, "--size", "48x40", "--patch", 16, "--batch", 2, "--workers", 0, "--crops", 3, "--seconds", 0, "--repeats", 2]
    done = benchtool("bench", "loader", *small, "--json", tmp_path / "out.json")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["bench"], result["size"], result["crops"]) == ("loader", [48, 40], 3) and result["packages"]["torch"]
    assert result["bytes"]["HDF5"] > 4 * 2 * 48 * 40 * 3 > result["bytes"]["JPEG"] > 0
    assert list(result["variants"]) == list(DESCRIPTION)
    for name, row in result["variants"].items():
        assert 0 < row["spread"][0] <= row["crops_per_second"] <= row["spread"][1]
        assert row["of_folder"] == pytest.approx(row["crops_per_second"] / result["variants"]["folder"]["crops_per_second"])
        assert f"{name} " in done.out
    assert "4 pairs of 48 x 40" in done.out and "JPEG, 3 crops a decode" in done.out


def test_what_each_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4 pairs in batches of 2, in one process: two batches or groups of each; memory reads an epoch, then two batches more."""
    done = {"decoded": 0, "cut": 0}
    found = []

    def counted(what: str, real: Callable) -> Callable:
        def call(*arguments: object) -> object:
            done[what] += 1
            return real(*arguments)

        return call

    def timed(*arguments: object, **more: object) -> float:
        before = dict(done)
        rate = real(*arguments, **more)
        found.append({what: done[what] - before[what] for what in done})
        return rate

    real = bench.crops_per_second
    monkeypatch.setattr(loading, "read_image", counted("decoded", loading.read_image))
    monkeypatch.setattr(loading, "_cut", counted("cut", loading._cut))
    monkeypatch.setattr(bench, "crops_per_second", timed)
    bench.bench_loader(Settings(4, (48, 40), 16, 2, 0, 3, seconds=0, repeats=1))
    assert dict(zip(DESCRIPTION, found, strict=True)) == {
        "folder": {"decoded": 8, "cut": 8},
        "crops": {"decoded": 8, "cut": 24},
        "pack": {"decoded": 0, "cut": 8},
        "pack-crops": {"decoded": 0, "cut": 24},
        "memory": {"decoded": 8, "cut": 16},
    }


def test_pictures_are_photographs_of_the_asked_size(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, 5, (700, 450))
    images = [loading.read_image(dataset.path(i)) for s in dataset.split("train") for i in (*s.inputs, *s.targets)]
    assert {image.shape for image in images} == {(450, 700, 3)}
    assert len({image.tobytes() for image in images}) == 10 and min(image.std() for image in images) > 5
