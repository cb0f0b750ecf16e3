"""`data info`: counts, brightness and curves are those of the pictures; sheets are drawn whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, write_image
from benchtool.core.manifest import Facts, Image, Sample, open_dataset, write_dataset
from benchtool.datasets.adjustment import ENOUGH, LEVELS, Pair, adjustment_curve, curves
from benchtool.datasets.describe import BINS, Picture, describe, histogram, shown, spread
from tests.small_data import make_dataset


def test_counts_and_histogram_are_those_of_the_data(tmp_path: Path) -> None:
    made = make_dataset(tmp_path)
    found, failures = describe(made, jobs=1)
    assert not failures and found["samples"] == 9 and found["splits"]["test"]["exposures"] == {"-1.5": 2, "0": 2, "+1.5": 2}
    assert found["splits"]["val"]["groups"] == {"under": 1, "over": 2} and found["sizes"] == {"48 x 40": 13} and found["files"] == 13
    luma = [read_image(made.path(s.inputs[0])).reshape(-1, 3) @ (0.299, 0.587, 0.114) / 255 for s in made.samples]
    bins = np.mean([np.histogram(one, BINS, (0, 1))[0] / one.size for one in luma], axis=0)
    np.testing.assert_allclose(found["luminance"]["inputs"]["histogram"], bins, atol=2e-3)


def test_looking_at_fewer_pictures_says_so(benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path)
    done = benchtool("data", "info", tmp_path, "--json", "--pictures", 2, "--jobs", 1)
    found = json.loads(done.out)
    assert done.code == 0 and found["luminance"]["inputs"]["pictures"] == 2 and found["luminance"]["targets"]["pictures"] == 2


def test_text_names_what_is_missing_and_what_cannot_be_read(benchtool: Callable, tmp_path: Path) -> None:
    made = make_dataset(tmp_path)
    made.facts.made = {"command": "by hand", "missing": [f"scene {k}" for k in range(12)]}
    write_dataset(tmp_path, made.facts, made.samples)
    (tmp_path / "a_0.png").unlink()
    done = benchtool("data", "info", tmp_path, "--jobs", 1)
    assert done.code == 1 and "missing: scene 9\n" in done.out and "missing: 2 more" in done.out and "made: command: by hand" in done.out
    assert "a_0.png" in done.err and any(block in done.out for block in "▂▃▄▅▆▇█")


def test_linear_pictures_are_shown_brighter(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 20000, 64).astype(np.uint16)[None, :, None], 3, axis=2).repeat(8, axis=0)
    write_image(tmp_path / "a.png", ramp)
    plain, linear = (shown(Picture(tmp_path / "a.png", encoding)) for encoding in ("srgb16", "linear"))
    assert plain.max() < 0.31 and linear.max() == 1
    assert linear[0, 16, 0] == pytest.approx((ramp[0, 16, 0] / ramp[0, -1, 0]) ** (1 / 2.2), abs=0.01)
    assert histogram(Picture(tmp_path / "a.png", "srgb16"))[11:].sum() == 0


def test_curve_is_the_mean_target_at_each_value(tmp_path: Path) -> None:
    """Against a loop over values, with a value too few pixels have."""
    draw = np.random.default_rng(0)
    source = draw.integers(0, 6, (40, 50, 3)).astype(np.uint8) * 20
    target = draw.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    source[0, : ENOUGH - 1] = 200
    for name, pixels in (("in", source), ("gt", target)):
        write_image(tmp_path / f"{name}.png", pixels)
    curve = adjustment_curve(Pair(Picture(tmp_path / "in.png", "srgb8"), Picture(tmp_path / "gt.png", "srgb8")))
    value, wanted = source.max(axis=2), target.max(axis=2) / 255
    for level in range(LEVELS):
        here = wanted[value == level]
        assert (np.isnan(curve[level]) and len(here) < ENOUGH) or curve[level] == pytest.approx(here.mean(), abs=1e-6)
    assert np.isnan(curve[200]) and not np.isnan(curve[100])


def test_curves_by_group_with_their_spread(tmp_path: Path) -> None:
    """Targets of 1, 1.5 and 2 times the inputs' value: mean and percentiles over pairs are known; another group is the identity."""
    ramp = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(10, axis=0)

    def image(name: str, pixels: np.ndarray, role: str) -> Image:
        write_image(tmp_path / name, pixels)
        return Image(f"here:{name}", sha256_file(tmp_path / name), 120, 10, role=role)

    made = [("under", factor, f"u{factor}") for factor in (1, 1.5, 2)] + [("over", 1, "o")]
    samples = []
    for group, factor, name in made:
        target = image(f"{name}_gt.png", np.round(ramp * factor).astype(np.uint8), "label")
        samples.append(Sample(name, name, "train", (image(f"{name}.png", ramp, "input"),), (target,), group))
    dataset = write_dataset(tmp_path, Facts("own", "sample", {"here": "."}, {"under": [], "over": []}, "label"), samples)
    found, failures = curves(dataset, jobs=1)
    assert not failures and {group: c.pairs for group, c in found.items()} == {"over": 1, "under": 3}
    under = found["under"]
    assert under.mean[100] == pytest.approx(150 / 255, abs=1e-6)
    assert under.low[100] == pytest.approx(110 / 255) and under.high[100] == pytest.approx(190 / 255)
    assert found["over"].mean[100] == pytest.approx(100 / 255) and np.isnan(under.mean[130])


def test_sheet_and_curves_are_pictures(benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path / "me")
    (tmp_path / "me" / "c_P1.5.png").write_bytes(b"no picture")
    done = benchtool("data", "info", tmp_path / "me", "--sheet", tmp_path / "s.png", "--curves", tmp_path / "c.png", "--jobs", 1)
    assert done.code == 1 and "c_P1.5" in done.err and "3 scenes" in done.err
    assert read_image(tmp_path / "s.png").shape[0] > 300 and read_image(tmp_path / "c.png").std() > 5
    refused = benchtool("data", "info", tmp_path / "me", "--sheet", tmp_path / "s.txt", "--jobs", 1)
    assert refused.code == 2 and "s.txt" in refused.err and not (tmp_path / "s.txt").exists()


def test_spread_is_even_and_never_repeats() -> None:
    assert spread(list(range(10)), 5) == [1, 3, 5, 7, 9] and spread([1, 2], 5) == [1, 2] and spread([], 3) == []


def test_no_pairs_no_curves(benchtool: Callable, tmp_path: Path) -> None:
    made = make_dataset(tmp_path)
    write_dataset(tmp_path, made.facts, [Sample(s.sample, s.scene, s.split, s.inputs) for s in made.samples])
    done = benchtool("data", "info", tmp_path, "--curves", tmp_path / "c.png", "--jobs", 1)
    assert done.code == 2 and "no curve" in done.err and len(open_dataset(tmp_path).samples) == 9
