"""Linear images: several inputs, 32-bit predictions, targets as floats, raw planes; and nothing that mixes them with display images."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from benchtool import methods
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.manifest import Dataset, Facts, Sample, write_dataset
from benchtool.evaluation.evaluate import Outcome, evaluate
from benchtool.evaluation.samples import read_inputs
from benchtool.evaluation.scores import Row, read_rows
from benchtool.evaluation.validate import validate

pytestmark = pytest.mark.usefixtures("in_process")
EVS = (-2.0, 0.0, 2.0)
FUSE = "return (inputs**2.2 / 2.0 ** exposures[:, :, None, None, None]).mean(1) * 1.001"
KALANTARI = ["psnr-mu:mu5000", "ssim-mu:mu5000", "psnr-l:linear", "ssim-l:linear"]
SCENES = {"a": ("test", data.astronaut), "b": ("test", data.chelsea), "c": ("val", data.coffee)}


@pytest.fixture
def stacks(tmp_path: Path, store: Callable) -> Dataset:
    """Three 16-bit exposures each of three scenes, and their linear radiance: floats, for scene b in 16 bits."""
    folder, samples = tmp_path / "kalantari", []
    for scene, (split, photo) in SCENES.items():
        radiance = ((photo()[100:140, 100:148] / 255) ** 2.2).astype(np.float32)
        inputs = []
        for ev in EVS:
            exposed = np.clip(radiance * 2**ev, 0, 1) ** (1 / 2.2)
            inputs.append(store(folder, f"{scene}{ev:+g}.tif", np.uint16(np.rint(exposed * 65535)), ev))
        label = np.uint16(np.rint(radiance * 65535)) if scene == "b" else radiance
        target = store(folder, f"{scene}.tif", label, role="label")
        samples.append(Sample(scene, scene, split, tuple(inputs), (target,), encoding_in="srgb16", encoding_target="linear"))
    return write_dataset(folder, Facts("kalantari", "sample", {"here": "."}, default_target="label"), samples)


@pytest.fixture
def fuse(toy: Callable) -> str:
    return toy("fuse", FUSE, inputs=3, input='"srgb16"', output='"linear"', task='"hdr"')


def run(method: str, dataset: Dataset, protocol: str = "emvnet-kalantari", **changes: Any) -> Outcome:
    given = {"metric_keys": KALANTARI, "out": dataset.folder.parent / method, **changes}
    return evaluate(method, dataset.folder, protocol=protocol, **given)


def rows_of(outcome: Outcome, **where: Any) -> list[Row]:
    return [row for row in read_rows(outcome.folder / "scores.parquet") if all(row[k] == v for k, v in where.items())]


def test_predictions_are_floats_and_scores_are_of_floats(stacks: Dataset, fuse: str) -> None:
    outcome = run(fuse, stacks)
    assert outcome.failures == [] and outcome.entry["metrics"] == KALANTARI and outcome.entry["target"] == "label"
    for row in rows_of(outcome, metric="psnr-l"):
        path = outcome.folder / "predictions" / "kalantari" / "test" / f"{row['sample']}.tif"
        output, label = tifffile.imread(path), tifffile.imread(stacks.folder / f"{row['scene']}.tif")
        inputs = np.stack([tifffile.imread(stacks.folder / f"{row['scene']}{ev:+g}.tif") / np.float32(65535) for ev in EVS])
        expected = (inputs**2.2 / 2.0 ** np.array(EVS)[:, None, None, None]).mean(0) * 1.001
        assert output.dtype == np.float32 and np.abs(output - expected).max() < 1e-6
        assert np.abs(output * 255 - np.rint(output * 255)).max() > 0.4, "not quantised"
        target = label if row["scene"] == "a" else label / np.float32(65535)
        assert row["value"] == pytest.approx(peak_signal_noise_ratio(target, np.clip(output, 0, 1), data_range=1), abs=1e-4)
        assert row["prediction_sha256"] == sha256_file(path) and row["exposure"] is None


def test_mu_law_and_ssim_are_there(stacks: Dataset, fuse: str) -> None:
    outcome = run(fuse, stacks)
    output, label = (tifffile.imread(p) for p in (outcome.folder / "predictions" / "kalantari" / "test" / "a.tif", stacks.folder / "a.tif"))
    curve = [np.log1p(5000 * np.clip(image, 0, 1)) / math.log1p(5000) for image in (output, label)]
    (row,) = rows_of(outcome, metric="psnr-mu", sample="a")
    assert row["value"] == pytest.approx(peak_signal_noise_ratio(curve[1], curve[0], data_range=1), abs=1e-3)
    assert all(0.5 < row["value"] < 1 for row in rows_of(outcome) if row["metric"].startswith("ssim"))


def test_the_whole_protocol(stacks: Dataset, fuse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHTOOL_HDRVDP2", raising=False)
    outcome = run(fuse, stacks, metric_keys=[])
    assert outcome.entry["metrics"] == [*KALANTARI, "hdrvdp2:2.2"] and outcome.failures == []
    assert outcome.entry["excluded"] == {"hdrvdp2:2.2": {"n/a": 2}}


def test_again_computes_nothing(stacks: Dataset, fuse: str) -> None:
    run(fuse, stacks)
    assert [run(fuse, stacks, keep=keep).predicted for keep in (None, 1, 0, None)] == [0, 0, 0, 2]
    left = sorted(p.name for p in (stacks.folder.parent / "fuse").rglob("*.tif"))
    assert left == ["a.tif", "b.tif"] and run(fuse, stacks).scored == 0


def test_predictions_are_compressed_without_loss(stacks: Dataset, fuse: str) -> None:
    outcome = run(fuse, stacks)
    path = outcome.folder / "predictions" / "kalantari" / "test" / "a.tif"
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    loaded, sample = methods.load(fuse), stacks.split("test")[0]
    images = torch.from_numpy(np.stack(read_inputs(stacks, sample)) / np.float32(65535)).permute(0, 3, 1, 2)[None]
    output = loaded.method.enhance(images, torch.tensor([EVS]))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(tifffile.imread(path), output)


@pytest.fixture
def bursts(tmp_path: Path, store: Callable) -> Dataset:
    """Two raw exposures of a scene as RGGB planes, 16-bit; the merged raw as planes of floats."""
    folder, random = tmp_path / "hdrplus", np.random.default_rng(0)
    planes = random.random((24, 32, 4)).astype(np.float32)
    inputs = tuple(store(folder, f"a{ev:+g}.png", np.uint16(np.rint(planes * 2**ev * 65535)), ev) for ev in (-3.0, 0.0))
    target = store(folder, "merged.tif", planes, role="merged")
    sample = Sample("a", "a", "test", inputs, (target,), encoding_in="raw-rggb", encoding_target="raw-rggb")
    return write_dataset(folder, Facts("hdrplus", "sample", {"here": "."}), [sample])


def test_raw_planes(bursts: Dataset, toy: Callable) -> None:
    merge = toy("merge", "return inputs[:, 1] * 0.9", inputs=2, input='"raw-rggb"', output='"linear"', output_channels=4)
    outcome = run(merge, bursts, "emvnet-raw", metric_keys=[])
    (row,) = rows_of(outcome, metric="psnr-l")
    planes = tifffile.imread(bursts.folder / "merged.tif")
    output = np.rint(planes * 65535) / 65535 * 0.9
    assert row["expert"] == "merged" and row["value"] == pytest.approx(peak_signal_noise_ratio(planes, output, data_range=1), abs=1e-3)
    assert tifffile.imread(outcome.folder / "predictions" / "hdrplus" / "test" / "a.tif").shape == (24, 32, 4)
    assert [r["status"] for r in rows_of(outcome)] == ["ok", "ok"] and outcome.entry["metrics"] == ["psnr-l:linear", "ssim-l:linear"]
    last = toy("last", "return inputs[:, 1] * torch.tensor([1.0, 1, 1, 0]).reshape(1, 4, 1, 1)", inputs=2, input='"raw-rggb"',
               output='"linear"', output_channels=4)  # fmt: skip
    (row,) = rows_of(run(last, bursts, "emvnet-raw", metric_keys=["psnr-l"]))
    output = np.rint(planes * 65535) / 65535 * (1, 1, 1, 0)
    assert row["value"] == pytest.approx(peak_signal_noise_ratio(planes, output, data_range=1), abs=1e-3), "the fourth plane counts"


def test_raw_files_without_planes_are_failures(bursts: Dataset, toy: Callable, store: Callable) -> None:
    image = store(bursts.folder, "flat.png", np.zeros((24, 32, 3), np.uint16))
    sample = Sample("a", "a", "test", (image,), bursts.samples[0].targets, encoding_in="raw-rggb", encoding_target="raw-rggb")
    dataset = write_dataset(bursts.folder, bursts.facts, [sample])
    one = toy("one", "return inputs[:, 0]", input='"raw-rggb"', output='"linear"', output_channels=4)
    (failure,) = run(one, dataset, "emvnet-raw", metric_keys=[]).failures
    assert failure.reason.endswith("flat.png: has 3 channels; a raw-rggb image has four planes")


def test_a_raw_to_display_method_is_scored_in_8_bits(bursts: Dataset, toy: Callable, store: Callable) -> None:
    planes = tifffile.imread(bursts.folder / "merged.tif")
    label = store(bursts.folder, "label.png", np.uint8(planes[:, :, :3] * 200).repeat(2, 0).repeat(2, 1), role="label")
    sample = Sample("a", "a", "test", bursts.samples[0].inputs, (label,), encoding_in="raw-rggb", encoding_target="srgb8")
    dataset = write_dataset(bursts.folder, Facts("hdrplus-isp", "sample", {"here": "."}), [sample])
    body = "return inputs[:, 1, :3].repeat_interleave(2, 2).repeat_interleave(2, 3)"
    isp = toy("isp", body, inputs=2, input='"raw-rggb"', output_scale=2, task='"isp"')
    outcome = run(isp, dataset, "emvnet-isp", metric_keys=[])
    assert [row["status"] for row in rows_of(outcome)] == ["ok", "ok"]
    assert list(outcome.folder.rglob("*.png")) and not list(outcome.folder.rglob("*.tif"))


def test_kinds_do_not_mix(stacks: Dataset, dataset: Dataset, fuse: str, toy: Callable) -> None:
    flat = toy("flat", "return inputs[:, 1]", inputs=3, input='"srgb16"')
    kinds = "protocol {} compares {}, {} {}; choose a protocol and metrics of one kind"
    linear, display = "linear images", "display images of 8 bits"
    cases = [
        ((fuse, stacks), {"metric_keys": ["psnr-l", "psnr"]}, kinds.format("emvnet-kalantari", linear, "psnr:rgb-u8 compares", display)),
        ((flat, stacks), {}, kinds.format("emvnet-kalantari", linear, "flat makes", display)),
        ((fuse, stacks, "enc"), {}, kinds.format("enc", display, "fuse makes", linear)),
        ((flat, stacks, "enc"), {"metric_keys": ["psnr"]}, kinds.format("enc", display, "the dataset's targets are", linear)),
        (("identity", dataset, "enc"), {"metric_keys": ["psnr-l"]}, kinds.format("enc", display, "psnr-l:linear compares", linear)),
    ]
    for arguments, changes, says in cases:
        with pytest.raises(UserError) as error:
            run(*arguments, **changes)
        assert str(error.value) == says
        assert not (arguments[1].folder.parent / arguments[0]).exists()


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_values_that_are_no_numbers_are_failures(value: str, stacks: Dataset, toy: Callable) -> None:
    bad = toy("bad", f"return inputs[:, 1] * float('{value}')", inputs=3, input='"srgb16"', output='"linear"')
    outcome = run(bad, stacks)
    assert [f.reason for f in outcome.failures] == [f"the output of Toy holds {'NaN' if value == 'nan' else 'infinity'}"] * 2


def test_a_display_target_among_linear_ones_is_a_failure(stacks: Dataset, fuse: str, store: Callable) -> None:
    label = store(stacks.folder, "d.png", np.zeros((40, 48, 3), np.uint8), role="label")
    odd = Sample("d", "d", "test", stacks.samples[0].inputs, (label,), encoding_in="srgb16", encoding_target="srgb8")
    dataset = write_dataset(stacks.folder, stacks.facts, [*stacks.samples, odd])
    outcome = run(fuse, dataset, metric_keys=["psnr-l"])
    (failure,) = outcome.failures
    assert failure.item == "d, psnr-l:linear" and failure.reason.endswith("d.png: is srgb8; linear images are compared")


def test_validation_equals_evaluation(stacks: Dataset, fuse: str) -> None:
    outcome = run(fuse, stacks, split="val", metric_keys=["psnr-mu"])
    found = validate(methods.load(fuse).method, stacks, "val", metric="psnr-mu:mu5000")
    assert outcome.entry["means"]["psnr-mu:mu5000"]["all"] == found.value
    assert found.scores == {row["sample"]: row["value"] for row in rows_of(outcome)}
