"""`benchtool bench inference`: every method has its figures, and one that fails costs the others nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_data import make_run

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.workflows import bench_inference
from benchtool.workflows.bench_inference import Task, parse_size, time_method

FAILING = '''"""A method that cannot."""
from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Method

SPEC = MethodSpec(title="Failing", citation="", players=(), parameters=0)


class Failing(Method):
    def enhance(self, inputs, exposures=None):
        {how}
'''


def test_figures(benchtool: Callable, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    done = benchtool(
        "bench", "inference", "identity", run, "--size", "64x48", "--repeats", 2, "--device", "cpu", "--json", tmp_path / "out.json"
    )
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["packages"]["torch"] and result["failures"] == []
    identity, trained = result["methods"]
    assert (identity["source"], identity["weights"], identity["parameters"]) == ("identity", "none", 0)
    assert (trained["source"], trained["method"], trained["weights"]) == (str(run), "sid", "trained")
    assert 0 < trained["parameters"] < 100_000
    for row in result["methods"]:
        assert (row["size"], row["repeats"]) == ([64, 48], 2) and row["spread"][0] <= row["seconds"] <= row["spread"][1]
        assert row["megapixels_per_second"] == pytest.approx(64 * 48 / 1e6 / row["seconds"])
        assert row["peak_mib"] >= row["before_mib"] > 10
        assert f"{row['parameters']:,}" in done.out and row["source"] in done.out
    assert "64 x 48" in done.out and identity["device"] in done.out


def test_a_failing_method_does_not_stop_the_rest(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])
    for name, how in (("raises", "raise ValueError('too dark')"), ("dies", "import os; os._exit(7)")):
        (tmp_path / f"{name}.py").write_text(FAILING.format(how=how))
        catalog.add_plugin(tmp_path / f"{name}.py")
    done = benchtool("bench", "inference", "raises", "dies", "identity", "--size", "16x16", "--repeats", 1, "--json", tmp_path / "out.json")
    assert done.code == 1
    assert "failed: raises: ValueError: too dark" in done.err and "failed: dies: its process ended" in done.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert [row["source"] for row in result["methods"]] == ["identity"]
    assert [failure["source"] for failure in result["failures"]] == ["raises", "dies"]


def test_the_default_is_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_inference, "_alone", lambda task: {"source": task.source, "size": task.size, "repeats": task.repeats})
    result, failures = bench_inference.bench_inference([], (8, 6), "cpu", 3)
    assert [row["source"] for row in result["methods"]] == catalog.names("methods") and not failures
    assert {(row["size"], row["repeats"]) for row in result["methods"]} == {((8, 6), 3)}


def test_a_recipe_is_timed_as_the_network_it_trains() -> None:
    row = time_method(Task("i-sid", (16, 16), "cpu", 1))
    assert (row["method"], row["weights"], row["parameters"]) == ("sid-enc", "untrained", catalog.facts("methods", "sid-enc").parameters)


@pytest.mark.parametrize(
    ("arguments", "said"), [(("sdi",), "did you mean 'sid'"), (("sid", "--size", "7"), "1280x720"), (("sid", "--device", "tpu"), "tpu")]
)
def test_mistakes_are_one_clear_line(arguments: tuple, said: str, benchtool: Callable) -> None:
    done = benchtool("bench", "inference", *arguments)
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1


def test_sizes() -> None:
    assert (parse_size("640x360"), parse_size("12X8")) == ((640, 360), (12, 8))
    for text in ("640", "x", "0x4", "-3x4", "1.5x4", "4x4x4"):
        with pytest.raises(UserError, match="WIDTHxHEIGHT"):
            parse_size(text)
