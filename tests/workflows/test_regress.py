"""`benchtool regress`: what has moved is found, what has not is left in peace; and the committed baseline holds on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import write_run

from benchtool.core import catalog
from benchtool.workflows.regress import Figure, compare, read_baseline, read_figures, update

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
        (figure(), psnr(20.0), 1),
        (psnr(20.0), figure(means={"psnr:rgb-u8": {"all": 20.0}}), 1),
    ],
)
def test_what_has_moved(tmp_path: Path, old: Figure, new: Figure, moved: int) -> None:
    found = compare(update(tmp_path / "baseline.json", [old]), [new])
    assert len(found.moved) == moved and not found.new and not found.absent
    assert bool(found.other_data) == (old.fingerprint != new.fingerprint)


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
    assert "sid on me (sample), test, psnr:rgb-u8, all" in done.out and "sid on me (sample), test, psnr:rgb-u8, under" not in done.out
    assert json.loads(benchtool("regress", "check", *arguments, "--methods", "clahe", "--json").out)["checked"] == 4


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
    from benchtool.workflows import mini_benchmark

    monkeypatch.setattr(mini_benchmark.catalog, "PACKAGE", tmp_path / "checkout" / "benchtool")
    monkeypatch.delenv("BENCHTOOL_TEST_DATA", raising=False)
    assert mini_benchmark.default_data() is None and not mini_benchmark.at_hand(None)
    (tmp_path / "shared" / "data").mkdir(parents=True)
    assert mini_benchmark.default_data() == tmp_path / "shared" / "data" and not mini_benchmark.at_hand(tmp_path / "shared" / "data")
    monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(tmp_path))
    assert mini_benchmark.default_data() == tmp_path


def test_every_method_is_in_the_committed_baseline() -> None:
    from benchtool.workflows.mini_benchmark import methods

    untrained, learned = methods()
    figures = read_baseline(catalog.data_folder("results") / "baseline.json").figures
    assert {f.method for f in figures if f.dataset == "me"} == {*untrained, *learned}
    assert {f.method for f in figures if f.dataset == "brackets"} == set(untrained)


def test_the_committed_baseline_holds(benchtool: Callable, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Rebuilt from nothing: methods without training (the two slow ones aside), one with; on real brackets and raws where at hand."""
    from benchtool.workflows.mini_benchmark import methods

    chosen = {*methods()[0], "sid"} - {"lime", "dual"}

    try:
        data = ["--data", request.getfixturevalue("real_data")]
    except pytest.skip.Exception:
        data = []
    done = benchtool("regress", "check", "--work", tmp_path / "a work", *data, "--methods", ",".join(sorted(chosen)))
    assert done.code == 0, done.out + done.err
    assert {f.method for f in read_figures([tmp_path / "a work"])} == chosen
