"""`benchtool regress`: what has moved is found, what has not is left in peace; and the committed baseline holds on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_data
from made_runs import write_run
from PIL import Image

from benchtool.core import catalog
from benchtool.core.images import write_image
from benchtool.workflows import mini_benchmark, steps
from benchtool.workflows.regress import compare, update
from benchtool.workflows.regress_figures import Figure, read_baseline, read_figures

MEANS = {"psnr:rgb-u8": {"all": 20.0, "under": 19.0}, "ssim:gray-uniform7": {"all": 0.8, "under": 0.7}}
SMOKE = {"dataset": "me", "variant": "sample", "smoke": True}


def figure(**changes: object) -> Figure:
    base = {
        "method": "clahe", "recipe": None, "options": {}, "kind": "deterministic", "smoke": False, "dataset": "me", "variant": "sample",
        "fingerprint": "f", "split": "test", "protocol": "enc", "target": "expert_c", "checkpoint": None, "samples": 5,
        "means": MEANS, "versions": dict.fromkeys(MEANS, "1"),
    }  # fmt: skip
    return Figure.model_validate(base | changes)


def psnr(value: float, **changes: object) -> Figure:
    return figure(means={"psnr:rgb-u8": {"all": value, "under": 19.0}}, **changes)


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        (psnr(20.0), psnr(20.0 + 5e-7), 0),
        (psnr(20.0), psnr(20.0 + 2e-6), 1),
        (psnr(20.0), psnr(float("nan")), 1),
        (psnr(20.0, kind="trained", smoke=True), psnr(20.09, kind="trained", smoke=True), 0),
        (psnr(20.0, kind="trained", smoke=True), psnr(19.89, kind="trained", smoke=True), 1),
        (psnr(20.0), psnr(20.05, fingerprint="other"), 0),
        (psnr(20.0), psnr(20.2, fingerprint="other"), 1),
        (psnr(20.0), psnr(20.0, versions={"psnr:rgb-u8": "2"}), 1),
        (psnr(20.0, kind="trained"), psnr(20.05, kind="trained", failures=25), 1),
        (psnr(20.0, failures=2), psnr(20.0, failures=1), 0),
        (psnr(20.0), psnr(20.0, excluded={"psnr:rgb-u8": {"n/a": 1}}), 1),
        (psnr(20.0, excluded={"psnr:rgb-u8": {"infinite": 2}}), psnr(20.0, excluded={"psnr:rgb-u8": {"infinite": 2}}), 0),
        (psnr(20.0, excluded={"psnr:rgb-u8": {"infinite": 2}}), psnr(20.0, excluded={"psnr:rgb-u8": {"failed": 2}}), 1),
        (psnr(20.0), psnr(20.0, samples=4), 1),
        (figure(), psnr(20.0), 1),
        (psnr(20.0), figure(means={"psnr:rgb-u8": {"all": 20.0}}), 1),
    ],
)
def test_what_has_moved(tmp_path: Path, old: Figure, new: Figure, moved: int) -> None:
    found = compare(update(tmp_path / "baseline.json", [old]), [new])
    assert len(found.moved) == moved and not found.new and not found.absent
    assert bool(found.other_data) == (old.fingerprint != new.fingerprint)


def test_every_move_is_told(tmp_path: Path) -> None:
    trained = {"kind": "trained", "smoke": True}
    baseline = update(tmp_path / "baseline.json", [psnr(20.0), psnr(20.0, method="sid", **trained), psnr(20.0, method="he")])
    now = [psnr(20.05, fingerprint="other"), psnr(20.09, method="sid", **trained), psnr(20.0 + 5e-7, method="he", fingerprint="other")]
    found = compare(baseline, now)
    assert not found.moved and [str(one) for one in found.tolerated] == [
        "clahe on me (sample), test, psnr:rgb-u8, all: 20.000000 -> 20.050000 (+0.050000, allowed 0.1); other bytes",
        "sid on me (sample), test, psnr:rgb-u8, all: 20.000000 -> 20.090000 (+0.090000, allowed 0.1)",
    ]


def test_strict_excuses_no_bytes(tmp_path: Path) -> None:
    trained = {"kind": "trained", "smoke": True}
    baseline = update(tmp_path / "baseline.json", [psnr(20.0), psnr(20.0, method="sid", **trained)])
    now = [psnr(20.05, fingerprint="other"), psnr(20.05, method="sid", fingerprint="other", **trained)]
    found = compare(baseline, now, strict=True)
    assert [(one.figure.method, one.tolerance) for one in found.moved] == [("clahe", 1e-6)]
    assert [one.figure.method for one in found.tolerated] == ["sid"]


def test_other_data_of_the_same_name_is_no_alarm(tmp_path: Path) -> None:
    baseline = update(tmp_path / "baseline.json", [figure(), figure(method="he"), figure(method="sid")])
    for mine in ({"fingerprint": "mine", "samples": 90}, {"protocol": "enc-y"}, {"split": "train"}, {"variant": "own"}):
        others = [figure(method="gc", **mine), psnr(3.0, method="he", **mine)]
        found = compare(baseline, [figure(), *others])
        assert [str(one) for one in found.moved] == [f"{name} on me (sample), test: is no longer measured" for name in ("he", "sid")]
        found = compare(baseline, others)
        assert not found.moved and not found.checked and len(found.absent) == 3 and len(found.new) == 2


@pytest.mark.parametrize("fingerprint", ["f", "another processor's"])
def test_a_method_that_vanishes_is_missed(tmp_path: Path, fingerprint: str) -> None:
    """Whatever the bytes that this processor rendered; of data that nothing was measured on nothing is missed."""
    baseline = update(tmp_path / "baseline.json", [figure(), figure(method="he"), figure(method="he", dataset="brackets")])
    found = compare(baseline, [figure(fingerprint=fingerprint)])
    assert [str(one) for one in found.moved] == ["he on me (sample), test: is no longer measured"]
    assert [one.dataset for one in found.absent] == ["brackets"]


@pytest.mark.parametrize(
    ("metric", "allowed"),
    [
        ("psnr:rgb-u8", 0.1), ("psnr:gray", 0.1), ("psnr-mu:ntire", 0.1), ("pu21-psnr:absolute", 0.1), ("ssim:matlab", 0.005),
        ("niqe:live", 0.005), ("loe:full", 25), ("loe:bimef100", 25), ("loe:npe50", 6.25), ("gone:plugin", 0.005),
    ],
)  # fmt: skip
def test_what_a_trained_method_may_move(tmp_path: Path, metric: str, allowed: float) -> None:
    """By the metric's unit where the variant has no tolerance of its own; nothing trained gives the same figure to 1e-6."""
    baseline = update(tmp_path / "baseline.json", [figure()])
    assert baseline.tolerance("trained", metric) == allowed and baseline.tolerance("deterministic", metric) == 1e-6
    baseline.tolerances["trained"] |= {metric: 0.3}
    assert baseline.tolerance("trained", metric) == 0.3


def test_figures_come_and_go(tmp_path: Path) -> None:
    baseline = update(tmp_path / "baseline.json", [figure(), figure(method="identity"), figure(dataset="sice")])
    found = compare(baseline, [figure(), figure(method="sid")])
    assert [str(m) for m in found.moved] == ["identity on me (sample), test: is no longer measured"]
    assert [f.method for f in found.new] == ["sid"] and [f.dataset for f in found.absent] == ["sice"] and found.checked == 4
    assert compare(baseline, [figure()], methods=["clahe"]).moved == []


def test_update_keeps_other_figures_and_tolerances(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    update(path, [psnr(20.0), figure(method="identity")])
    raw = json.loads(path.read_text())
    raw["tolerances"]["deterministic"]["psnr:rgb-u8"] = 0.5
    path.write_text(json.dumps(raw))
    update(path, [psnr(21.0)])
    kept = read_baseline(path)
    assert {f.method: f.means["psnr:rgb-u8"]["all"] for f in kept.figures} == {"clahe": 21.0, "identity": 20.0}
    assert [len(compare(kept, [psnr(value)], methods=["clahe"]).moved) for value in (21.4, 21.6)] == [0, 1]


def test_through_the_command_line(benchtool: Callable, tmp_path: Path) -> None:
    runs, baseline = tmp_path / "my runs", tmp_path / "baseline.json"
    write_run(runs / "clahe", means=MEANS)
    write_run(runs / "sid", method="sid", recipe="sid", trained=SMOKE, means=MEANS)
    arguments = ["--results", runs, "--baseline", baseline]
    assert benchtool("regress", "check", *arguments).code == 2, "no baseline yet"
    assert "2 evaluations written" in benchtool("regress", "update", *arguments).out
    done = benchtool("regress", "check", *arguments)
    assert done.code == 0 and "8 figures checked" in done.out and "0 moved" in done.out
    lower = {**MEANS, "psnr:rgb-u8": {"all": 19.5, "under": 19.05}}
    write_run(runs / "clahe", means=lower)
    write_run(runs / "sid", method="sid", recipe="sid", trained=SMOKE, means=lower)
    done = benchtool("regress", "check", *arguments)
    assert done.code == 1 and "3 moved" in done.out
    assert "clahe on me (sample), test, psnr:rgb-u8, all: 20.000000 -> 19.500000 (-0.500000, allowed 1e-06)" in done.out
    moved, tolerated = done.out.split("1 within what is allowed, yet not the same:")
    assert "sid on me (sample), test, psnr:rgb-u8, all" in moved and "sid on me (sample), test, psnr:rgb-u8, under" in tolerated
    assert json.loads(benchtool("regress", "check", *arguments, "--methods", "clahe", "--json").out)["checked"] == 4


def test_failures_are_read_and_told(benchtool: Callable, tmp_path: Path) -> None:
    """They fail the check though the means of what is left have not moved."""
    runs, baseline = tmp_path / "runs", tmp_path / "baseline.json"
    arguments = ["--results", runs, "--baseline", baseline]
    write_run(runs / "clahe", means={**MEANS, "psnr:rgb-u8": {"all": 20.0, "under": None}}, excluded={"psnr:rgb-u8": {"infinite": 12}})
    assert benchtool("regress", "update", *arguments).code == 0 and benchtool("regress", "check", *arguments).code == 0
    (kept,) = read_baseline(baseline).figures
    assert (kept.failures, kept.excluded, kept.means["psnr:rgb-u8"]) == (0, {"psnr:rgb-u8": {"infinite": 12}}, {"all": 20.0})
    write_run(runs / "clahe", means=MEANS, failures=25, excluded={"psnr:rgb-u8": {"infinite": 12, "failed": 25}})
    done = benchtool("regress", "check", *arguments)
    assert done.code == 1 and "2 moved" in done.out
    assert "\n  clahe on me (sample), test: 25 of 30 samples failed, 0 in the baseline\n" in done.out
    assert "\n  clahe on me (sample), test, psnr:rgb-u8: 25 scores left out of the mean (failed), 0 in the baseline\n" in done.out


def test_nothing_checked_is_an_error(benchtool: Callable, tmp_path: Path) -> None:
    runs, empty, baseline = tmp_path / "runs", tmp_path / "empty", tmp_path / "b.json"
    empty.mkdir()
    write_run(runs / "clahe", means=MEANS, fingerprint="mine")
    update(baseline, [figure(method="he")])
    for folder, says in ((empty, "holds no complete evaluation"), (runs, f"none of the 1 evaluations in {runs} is in {baseline}")):
        for more in ([], ["--json"], ["--strict"]):
            done = benchtool("regress", "check", "--results", folder, "--baseline", baseline, *more)
            assert done.code == 2 and done.out == "" and done.err.startswith("benchtool: nothing was checked: "), more
            assert says in done.err and done.err.count("\n") == 1


def test_strict_on_the_command_line(benchtool: Callable, tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "clahe", means={"psnr:rgb-u8": {"all": 20.05, "under": 19.0}})
    update(tmp_path / "b.json", [psnr(20.0, samples=30)])
    arguments = ["regress", "check", "--results", tmp_path / "runs", "--baseline", tmp_path / "b.json"]
    done = benchtool(*arguments)
    assert done.code == 0 and "1 within what is allowed, yet not the same" in done.out and "(+0.050000, allowed 0.1)" in done.out
    assert len(json.loads(benchtool(*arguments, "--json").out)["tolerated"]) == 1
    done = benchtool(*arguments, "--strict")
    assert done.code == 1 and "(+0.050000, allowed 1e-06); the data's bytes are others" in done.out


def brighter(pixels: np.ndarray) -> np.ndarray:
    """As a renderer with 0.5 % more gain would."""
    return np.clip(np.rint(pixels * 1.005), 0, 255).astype(np.uint8)


def jittered(pixels: np.ndarray) -> np.ndarray:
    """As another processor would: a few pixels are a level more or less."""
    chosen = np.random.default_rng(0).random(pixels.shape)
    return np.where(chosen < 0.002, pixels ^ 1, pixels).astype(np.uint8)


def test_levels_of_rendered_images(tmp_path: Path) -> None:
    found = mini_benchmark.levels(small_data.make_dataset(tmp_path).folder)
    assert found.means["images"] == {"-1.5 EV": 3, "0 EV": 3, "1.5 EV": 3, "expert_c": 3, "expert_e": 1}
    for group, ending in {"-1.5 EV": "N1.5", "0 EV": "0", "1.5 EV": "P1.5", "expert_c": "c", "expert_e": "e"}.items():
        images = [np.asarray(Image.open(path), float) for path in sorted(tmp_path.glob(f"*_{ending}.png"))]
        for channel, colour in enumerate(("red", "green", "blue")):
            assert found.means[f"mean:{colour}"][group] == pytest.approx(np.mean([i[..., channel].mean() for i in images]))
            assert found.means[f"std:{colour}"][group] == pytest.approx(np.mean([i[..., channel].std() for i in images]))


@pytest.mark.parametrize(("change", "code"), [(jittered, 0), (brighter, 1)])
def test_another_renderer_fails_by_itself(
    benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable, code: int
) -> None:
    """The figures of the methods stay: what is caught is caught by the images."""

    def build(*_: object) -> None:
        small_data.make_dataset(tmp_path / "work" / "mini" / "me", size=(100, 150))
        write_run(tmp_path / "work" / "mini" / "runs" / "clahe", means=MEANS)

    monkeypatch.setattr(steps, "run_steps", build)
    arguments = ["--work", tmp_path / "work", "--baseline", tmp_path / "b.json", "--methods", "clahe"]
    assert "2 evaluations written" in benchtool("regress", "update", *arguments).out
    done = benchtool("regress", "check", *arguments)
    assert done.code == 0 and "rendered images" not in done.out
    monkeypatch.setattr(small_data, "write_image", lambda path, pixels: write_image(path, change(pixels)))
    done = benchtool("regress", "check", *arguments)
    assert done.code == code and "rendered images on me (sample), all, mean:red, 0 EV: " in done.out and "clahe" not in done.out
    assert ("allowed 0.01); the renderer no longer gives the same images" in done.out) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--results", "nowhere"], "no such folder"),
        (["--methods", "clahee"], "clahe"),
        (["--data", "."], "are not in it"),
    ],
)
def test_refused(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.chdir(tmp_path)
    update(tmp_path / "b.json", [figure()])
    done = benchtool("regress", "check", "--baseline", "b.json", *arguments)
    assert done.code == 2 and says in done.err


def test_two_runs_of_the_same_are_refused(benchtool: Callable, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / "runs" / name, means=MEANS)
    done = benchtool("regress", "update", "--results", tmp_path / "runs", "--baseline", tmp_path / "b.json")
    assert done.code == 2 and "both hold clahe on me" in done.err


def test_real_data_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mini_benchmark.catalog, "PACKAGE", tmp_path / "checkout" / "benchtool")
    monkeypatch.delenv("BENCHTOOL_TEST_DATA", raising=False)
    assert mini_benchmark.default_data() is None and not mini_benchmark.at_hand(None)
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert mini_benchmark.default_data() == tmp_path / "shared" / "data" and not mini_benchmark.at_hand(tmp_path / "shared" / "data")
    monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(tmp_path))
    assert mini_benchmark.default_data() == tmp_path


def test_every_method_is_in_the_committed_baseline() -> None:
    untrained, learned = mini_benchmark.methods()
    figures = read_baseline(catalog.data_folder("results") / "baseline.json").figures
    assert {f.method for f in figures if f.dataset == "me" and f.kind != "rendered"} == {*untrained, *learned}
    assert {(f.dataset, f.variant) for f in figures if f.kind == "rendered"} == {("me", "sample"), ("me", "rendered-adobe")}
    assert {f.method for f in figures if f.dataset == "brackets"} == set(untrained)


def test_the_committed_baseline_holds(benchtool: Callable, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Rebuilt from nothing: methods without training (the two slow ones aside), one with; on real brackets and raws where at hand."""
    chosen = {*mini_benchmark.methods()[0], "sid"} - {"lime", "dual"}

    try:
        data = ["--data", request.getfixturevalue("real_data")]
    except pytest.skip.Exception:
        data = []
    done = benchtool("regress", "check", "--work", tmp_path / "a work", *data, "--methods", ",".join(sorted(chosen)))
    assert done.code == 0, done.out + done.err
    assert {f.method for f in read_figures([tmp_path / "a work"])} == chosen
