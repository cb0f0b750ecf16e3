"""What a protocol does to images on their way: reduced to 512 pixels, targets resized, values above 100 dB, kinds that do not mix."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.images import read_image, resize
from benchtool.core.manifest import Dataset, Facts, Sample, write_dataset
from benchtool.evaluation import predictions, reduced
from benchtool.evaluation.evaluate import Outcome, evaluate
from benchtool.evaluation.predict import predict
from benchtool.evaluation.scores import Row, read_rows
from benchtool.methods.base import Method
from benchtool.report.frame import read_results
from benchtool.report.site.build import edition_row
from benchtool.report.site.distribution import views
from benchtool.report.site.subjects import subjects

pytestmark = pytest.mark.usefixtures("in_process")


def run(method: str, dataset: Dataset, protocol: str, **changes: Any) -> Outcome:
    given = {"metric_keys": ["psnr"], "target": "expert_c", "out": dataset.folder.parent / method, **changes}
    return evaluate(method, dataset.folder, protocol=protocol, **given)


def rows_of(outcome: Outcome, **where: Any) -> list[Row]:
    return [row for row in read_rows(outcome.folder / "scores.parquet") if all(row[k] == v for k, v in where.items())]


class Gamma(Method):
    """Brightens, and keeps what it saw."""

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        self.seen = inputs, exposures
        return inputs[:, 0] ** 0.5


@pytest.mark.parametrize(
    ("size", "small"), [((615, 922), (342, 512)), ((701, 1052), (342, 512)), ((2000, 1000), (512, 256)), ((100, 200), (256, 512))]
)
def test_the_reduced_size(size: tuple[int, int], small: tuple[int, int]) -> None:
    """MATLAB's imresize(image, 512 / long side): ceil of both sides."""
    assert reduced.reduced_size(*size) == small


def test_the_method_sees_a_reduced_image_and_its_change_reaches_the_whole_one() -> None:
    photo = np.ascontiguousarray(data.chelsea()[:, :300])
    method = Gamma()
    output = predict(method, [photo], [-1.0], side=120)
    inputs, exposures = method.seen
    assert inputs.shape == (1, 1, 3, 120, 120) and exposures.tolist() == [[-1.0]] and output.shape == photo.shape
    expected = np.clip(resize(photo / np.float32(255), 120, 120), 0, 1)
    assert np.abs(inputs[0, 0].permute(1, 2, 0).numpy() - expected).max() < 1e-6
    whole = predict(method, [photo])
    plain = cv2.resize(predict(method, [np.uint8(np.rint(expected * 255))]), (300, 300), interpolation=cv2.INTER_CUBIC)
    assert peak_signal_noise_ratio(whole, output) > peak_signal_noise_ratio(whole, plain) + 3, "the guide keeps the detail"


def test_small_images_are_enlarged_and_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced, "upsample", lambda *images: pytest.fail("nothing to guide"))
    photo, method = np.ascontiguousarray(data.chelsea()[:40, :60]), Gamma()
    output = predict(method, [photo], side=120)
    assert method.seen[0].shape == (1, 1, 3, 80, 120)
    assert output.shape == photo.shape and peak_signal_noise_ratio(predict(method, [photo]), output) > 35


def test_a_method_of_another_size_cannot_be_guided() -> None:
    class Half(Method):
        def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
            return inputs[:, 0, :, ::2, ::2]

    with pytest.raises(UserError, match="it must keep it"):
        predict(Half(), [np.zeros((30, 40, 3), np.uint8)], side=20)


def test_reduced_predictions_are_never_taken_for_ordinary_ones(dataset: Dataset) -> None:
    ordinary, small = run("identity", dataset, "enc"), run("identity", dataset, "msec")
    assert (ordinary.entry["predictions"], small.entry["predictions"]) == ("predictions/me/test", "predictions/me/test-512")
    assert (small.predicted, small.scored) == (6, 6)
    for sample in dataset.split("test"):
        image = read_image(dataset.folder / f"{sample.sample}.png")
        assert np.array_equal(read_image(ordinary.folder / "predictions" / "me" / "test" / f"{sample.sample}.png"), image)
        assert not np.array_equal(read_image(small.folder / "predictions" / "me" / "test-512" / f"{sample.sample}.png"), image)
    journals = [json.loads((small.folder / outcome.entry["predictions"] / ".journal.jsonl").read_text().splitlines()[0])
                for outcome in (ordinary, small)]  # fmt: skip
    assert journals[0]["made_by"] != journals[1]["made_by"], "a journal that was moved is not believed"
    assert [run("identity", dataset, protocol).predicted for protocol in ("enc", "msec")] == [0, 0]


def test_a_method_with_its_own_path_is_not_reduced_twice(dataset: Dataset, toy: Callable) -> None:
    outcome = run(toy("own", "return inputs[:, 0]", inference=512), dataset, "msec")
    assert outcome.entry["predictions"] == "predictions/me/test" and outcome.entry["excluded"] == {"psnr:rgb-u8": {"infinite": 2}}
    assert run("own", dataset, "enc").predicted == 0, "its ordinary predictions"


def test_only_one_display_image_of_one_size_is_reduced(dataset: Dataset, toy: Callable) -> None:
    with pytest.raises(UserError, match="protocol msec enhances at 512 pixels, which is for one display image of one size; double is not"):
        run(toy("double", "return inputs[:, 0].repeat_interleave(2, 2).repeat_interleave(2, 3)", output_scale=2), dataset, "msec")


@pytest.fixture
def double(toy: Callable) -> str:
    return toy("double", "return inputs[:, 0].repeat_interleave(2, 2).repeat_interleave(2, 3)", output_scale=2)


def test_a_target_of_another_size_is_a_named_failure(dataset: Dataset, double: str) -> None:
    outcome = run(double, dataset, "enc", metric_keys=["psnr", "loe"])
    assert {f.item for f in outcome.failures} == {f"{s.sample}, {m}" for s in dataset.split("test") for m in ("psnr:rgb-u8", "loe:full")}
    assert outcome.failures[0].reason == "the expert_c image is 48 x 40, the output 96 x 80; only equal sizes are compared"
    assert outcome.entry["failures"] == 6 and outcome.entry["means"] == {"psnr:rgb-u8": {}, "loe:full": {}}


def test_targets_are_resized_where_the_protocol_says_so(dataset: Dataset, double: str) -> None:
    outcome = run(double, dataset, "fecnet-script", metric_keys=[])
    assert outcome.entry["metrics"] == ["psnr:rgb-u8", "ssim:gray-uniform7"] and not outcome.failures
    for row in rows_of(outcome, metric="psnr"):
        output = read_image(outcome.folder / "predictions" / "me" / "test" / f"{row['sample']}.png")
        target = cv2.resize(read_image(dataset.folder / f"{row['scene']}_c.png"), (96, 80))  # OpenCV's default, as in the script
        assert row["value"] == pytest.approx(peak_signal_noise_ratio(target, output))
        assert json.loads(row["facts"])["target_resized"] == [48, 40]
    assert run(double, dataset, "fecnet-script", metric_keys=[]).scored == 0
    assert run(double, dataset, "enc").entry["failures"] == 6, "scores of resized targets are no others'"


def test_scores_that_needed_no_resizing_are_shared(dataset: Dataset) -> None:
    run("identity", dataset, "enc")
    assert run("identity", dataset, "fecnet-script").scored == 0
    other = run("identity", dataset, "fecnet-script", out=dataset.folder.parent / "other")
    assert other.scored == 6 and run("identity", dataset, "enc", out=other.folder).scored == 0


@pytest.fixture
def close(tmp_path: Path, store: Callable) -> Dataset:
    """An image equal to its target, one with an error of one level in one pixel, and a dark one."""
    photo = data.chelsea()[:240, :240].clip(1, 254)
    near = photo.copy()
    near[0, 0, 0] += 1  # 48.13 + 10 log10(240 x 240 x 3) = 100.5 dB
    samples = []
    for name, image in {"equal": photo, "near": near, "far": photo // 2}.items():
        targets = (store(tmp_path / "me", "target.png", photo, role="expert_c"),)
        samples.append(Sample(name, name, "test", (store(tmp_path / "me", f"{name}.png", image),), targets))
    return write_dataset(tmp_path / "me", Facts("me", "sample", {"here": "."}), samples)


def odd(folder: Path, store: Callable, size: tuple[int, int]) -> Dataset:
    """One test sample of (height, width), its target lighter."""
    photo = data.chelsea()[: size[0], : size[1]]
    image, target = store(folder, "in.png", photo // 2), store(folder, "out.png", photo, role="expert_c")
    return write_dataset(folder, Facts("me", "sample", {"here": "."}), [Sample("a", "a", "test", (image,), (target,))])


def test_sides_are_brought_to_multiples_of_4_where_the_protocol_says_so(tmp_path: Path, store: Callable) -> None:
    dataset = odd(tmp_path / "me", store, (45, 50))
    stored = run("identity", dataset, "enc", metric_keys=["psnr", "loe"])
    outcome = run("identity", dataset, "enc-released", metric_keys=["psnr", "loe"])
    assert outcome.entry["predictions"] == "predictions/me/test-multiple-of-4" and outcome.predicted == 1 and not outcome.failures
    large = [cv2.resize(read_image(dataset.folder / name).astype(np.float32) / 255, (52, 48)) for name in ("in.png", "out.png")]
    source, target = ((255 * image).round().astype(np.uint8) for image in large)
    output = read_image(outcome.folder / "predictions" / "me" / "test-multiple-of-4" / "a.png")
    assert output.shape == (48, 52, 3) and np.abs(output.astype(int) - source).max() <= 1
    (row,) = rows_of(outcome, metric="psnr", protocol="enc-released")
    assert row["value"] == pytest.approx(peak_signal_noise_ratio(target, output), abs=0.01)
    assert json.loads(row["facts"])["resized_to_multiple"] == [50, 45]
    (order,) = rows_of(outcome, metric="loe", protocol="enc-released")
    assert order["value"] == 0, "the source is resized too"
    assert row["value"] != rows_of(stored, metric="psnr", protocol="enc")[0]["value"]
    assert run("identity", dataset, "enc-released").scored == run("identity", dataset, "enc").scored == 0


def test_what_has_such_sides_is_left_as_it_is(tmp_path: Path, store: Callable, double: str) -> None:
    dataset = odd(tmp_path / "me", store, (44, 52))
    first = run("identity", dataset, "enc")
    outcome = run("identity", dataset, "enc-released")
    assert outcome.scored == 0 and outcome.entry["means"] == first.entry["means"]
    with pytest.raises(
        UserError, match="enc-released enhances at multiples of 4 pixels, which is for one display image of one size; double"
    ):
        run(double, dataset, "enc-released")


def test_values_above_100_db_are_left_out_and_counted(close: Dataset) -> None:
    outcome = run("identity", close, "fecnet-script", metric_keys=["psnr", "loe"])
    values = {row["sample"]: row["value"] for row in rows_of(outcome, metric="psnr")}
    assert values["near"] == pytest.approx(100.5, abs=0.05) and values["equal"] == np.inf
    assert outcome.entry["means"]["psnr:rgb-u8"]["all"] == values["far"]
    assert outcome.entry["excluded"] == {"psnr:rgb-u8": {"infinite": 1, "above 100 dB": 1}}
    assert run("identity", close, "enc").entry["means"]["psnr:rgb-u8"]["all"] == pytest.approx((values["near"] + values["far"]) / 2)


def test_the_sites_means_are_those_of_the_summary(close: Dataset) -> None:
    means = {name: run("identity", close, name).entry["means"]["psnr:rgb-u8"]["all"] for name in ("fecnet-script", "enc")}
    found = subjects(read_results([close.folder.parent / "identity"]).evaluations, [])
    pages = {subject.edition.protocol: next(iter(views(subject))) for subject in found}
    assert {name: dict(page.numbers)["Mean, dB"] for name, page in pages.items()} == {name: f"{mean:.2f}" for name, mean in means.items()}
    script, enc = (dict(pages[name].numbers) for name in means)
    assert (script["Infinite"], script["Above 100 dB"], enc["Infinite"]) == ("1", "1", "1") and "Above 100 dB" not in enc
    listed = {image.name: (image.value, image.reason) for image in pages["fecnet-script"].images}
    assert listed["equal"] == ("∞", "infinite: no difference to the target") and listed["near"] == ("100.51", "above 100 dB")
    assert {(row.label, row.cells[0].text) for row in (edition_row(subject, subject.metrics) for subject in found)} == {
        ("identity", f"{mean:.2f}") for mean in means.values()
    }


def test_the_limit_is_for_decibels_alone(dataset: Dataset, toy: Callable) -> None:
    outcome = run(toy("inverse", "return 1 - inputs[:, 0]"), dataset, "fecnet-script", metric_keys=["loe"])
    assert outcome.entry["means"]["loe:full"]["all"] > 100 and outcome.entry["excluded"] == {}


def test_inputs_of_every_kind_of_file(tmp_path: Path, store: Callable) -> None:
    """Grey becomes three channels, 16 bits are rounded, alpha is dropped: in inputs as in targets."""
    folder, photo = tmp_path / "me", data.chelsea()[:40, :48]
    grey = photo[:, :, :1].repeat(3, axis=2)
    files = {
        "grey": (store(folder, "grey.png", grey), grey),
        "deep": (store(folder, "deep.png", photo.astype(np.uint16) * 257 + 100), photo),
        "alpha": (store(folder, "alpha.png", np.dstack([photo, photo[:, :, 0]])), photo),
    }
    cv2.imwrite(str(folder / "grey.png"), grey[:, :, 0])
    files["grey"] = (dataclasses.replace(files["grey"][0], sha256=sha256_file(folder / "grey.png")), grey)
    samples = [
        Sample(name, name, "test", (image,), (dataclasses.replace(image, role="expert_c"),), encoding_in="srgb16", encoding_target="srgb16")
        for name, (image, _) in files.items()
    ]
    outcome = run("identity", write_dataset(folder, Facts("me", "sample", {"here": "."}), samples), "enc")
    assert [row["value"] for row in rows_of(outcome)] == [np.inf] * 3
    for name, (_, pixels) in files.items():
        assert np.array_equal(read_image(outcome.folder / "predictions" / "me" / "test" / f"{name}.png"), pixels)


def test_nan_outputs_are_failures(dataset: Dataset, toy: Callable) -> None:
    dark = toy("dark", "return inputs[:, 0] if inputs.mean() > 0.3 else inputs[:, 0] * float('nan')")
    outcome = run(dark, dataset, "enc")
    means = {s.sample: read_image(dataset.folder / f"{s.sample}.png").mean() / 255 for s in dataset.split("test")}
    bad = {name for name, value in means.items() if value <= 0.3}
    assert 0 < len(bad) < 6 and {f.item for f in outcome.failures} == bad == {r["sample"] for r in rows_of(outcome, status="failed")}
    assert all(f.reason == "the output of Toy holds NaN" for f in outcome.failures)


def test_all_samples_failing(dataset: Dataset, toy: Callable) -> None:
    outcome = run(toy("broken", "raise RuntimeError('no')"), dataset, "enc", keep=0)
    assert (outcome.predicted, outcome.scored, len(outcome.failures)) == (0, 0, 6) and outcome.entry["complete"]
    assert outcome.entry["failures"] == 6 and outcome.entry["means"] == {"psnr:rgb-u8": {}}
    assert {row["reason"] for row in rows_of(outcome)} == {"RuntimeError: no"}


def test_a_sample_with_other_inputs_is_a_failure(dataset: Dataset) -> None:
    samples = {s.sample: s for s in dataset.samples}
    samples["b_0"] = dataclasses.replace(samples["b_0"], inputs=samples["b_0"].inputs * 2)
    outcome = run("identity", write_dataset(dataset.folder, dataset.facts, samples.values()), "enc")
    assert [(f.item, f.reason) for f in outcome.failures] == [("b_0", "identity takes 1 image(s) of srgb8; sample 'b_0' has 2 of srgb8")]


def test_what_an_input_that_is_no_display_image_is_not_compared_with(dataset: Dataset, toy: Callable) -> None:
    samples = [dataclasses.replace(s, encoding_in="linear") for s in dataset.samples]
    dataset = write_dataset(dataset.folder, dataset.facts, samples)
    outcome = run(toy("develop", "return inputs[:, 0]", input='"linear"'), dataset, "enc", metric_keys=["psnr", "loe"])
    assert {r["reason"] for r in rows_of(outcome, metric="loe")} == {"1 inputs of linear: none of them is an image to compare with"}
    assert outcome.entry["excluded"]["loe:full"] == {"n/a": 6}


def test_identity_names_what_is_seen_only_where_reduced() -> None:
    """A method's identity at full size is of its name, options, weights and files alone."""
    from benchtool import methods
    from benchtool.core.catalog import entry
    from benchtool.core.files import sha256_bytes
    from benchtool.core.source_files import source_sha256

    decisive = ["identity", {}, None, source_sha256(entry("methods", "identity"))]
    loaded = methods.load("identity")
    assert predictions.identity(loaded) == sha256_bytes(json.dumps(decisive, sort_keys=True).encode())
    assert predictions.identity(loaded, 512) == sha256_bytes(json.dumps([*decisive, 512], sort_keys=True).encode())
