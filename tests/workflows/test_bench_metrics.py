"""`benchtool bench metrics`: ours and theirs are measured in the same run, and docs/metrics.md has the table the command prints."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchtool import metrics
from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.workflows import bench_metrics, made_weights, metric_peers, metric_table
from benchtool.workflows.bench_metrics import parse_sizes, plan
from benchtool.workflows.metric_peers import CASES
from benchtool.workflows.metric_table import table

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without model files."""
    for name in ("BENCHTOOL_MODELS", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.delenv("BENCHTOOL_TEST_DATA", raising=False)


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(bench_metrics, "CASES", {name: CASES[name] for name in names})


def test_figures(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_models: None) -> None:
    only(monkeypatch, "ssim:gray-uniform7", "loe:full", "niqe:live")
    monkeypatch.setattr(made_weights, "MAKERS", {})
    done = benchtool("bench", "metrics", "--sizes", "0.05", "--repeats", 2, "--json", tmp_path / "out.json")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["threads"] == 1 and result["packages"]["scikit-image"]
    ssim, pairs, loe, niqe = result["rows"]
    for row in (ssim, pairs):
        ours, theirs = row["ours"]["runs"], row["theirs"]["runs"]
        assert len(ours) == len(theirs) == 2 and ours[0]["value"] != ours[1]["value"]  # another photograph each time
        assert row["ours"]["median_cpu_s"] == statistics.median(run["cpu_seconds"] for run in ours)
        assert row["times_faster"] == statistics.median(b["cpu_seconds"] / a["cpu_seconds"] for a, b in zip(ours, theirs))
        assert row["largest_difference"] == max(abs(a["value"] - b["value"]) for a, b in zip(ours, theirs)) < 1e-6
        assert f"{row['largest_difference']:.1e}" in done.out or row["largest_difference"] == 0
    assert (pairs["megapixels"], loe["megapixels"]) == (0.01, 0.05) and "theirs" not in loe and loe["ours"]["runs"][0]["value"] > 0
    assert "modelparameters.mat not found" in niqe["ours"]["missing"] and "largest_difference" not in niqe
    assert "(1) model file modelparameters.mat not found\n" in done.out and str(tmp_path) not in done.out


def test_missing_weights_are_made(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_models: None) -> None:
    """Time and memory without value or difference; and nothing stays, here or in the user's folders, that a score could find."""
    monkeypatch.setattr(bench_metrics, "CASES", {"niqe:live": replace(CASES["niqe:live"], peer=None)})
    document = tmp_path / "doc.md"
    document.write_text(f"before\n{metric_table.BEGIN}\nold\n{metric_table.END}\nafter\n")
    before = dict(os.environ), dict(models.MODEL_FILES)
    done = benchtool("bench", "metrics", "--sizes", "0.05", "--repeats", 1, "--json", tmp_path / "out.json", "--into", document)
    assert done.code == 0, done.err
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    (run,) = row["ours"]["runs"]
    assert row["made_weights"] == ["niqe"] and run["value"] is None and run["cpu_seconds"] > 0 and "largest_difference" not in row
    assert "(1) made weights: time and memory only\n" in done.out and " (1) " in done.out.splitlines()[1]
    assert (dict(os.environ), dict(models.MODEL_FILES)) == before and not (tmp_path / "empty").exists()
    text = document.read_text()
    assert text.startswith(f"before\n{metric_table.BEGIN}\nMeasured on 20") and text.endswith(f"\n{metric_table.END}\nafter\n")
    assert "--repeats 1`" in text and "| niqe:live | - | 0.05 |" in text and "old" not in text


def test_made_weights_are_refused_by_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_models: None) -> None:
    """Even where somebody points at their folder; in the process that uses them they are found, beside what this machine has."""
    for name in ("musiq", "alexnet"):  # 350 MB, of the same way
        monkeypatch.setitem(made_weights.MAKERS, name, lambda path: path.write_bytes(b"made") and None)
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path / "mine"))
    own = tmp_path / "mine" / "modelparameters.mat"
    own.write_bytes(b"the user's")
    assert made_weights.missing(models.MODEL_FILES) == {"nrqm", "lpips", "musiq", "alexnet"}
    folder = tmp_path / "made"
    paths = made_weights.made(folder, made_weights.missing(models.MODEL_FILES))
    monkeypatch.setenv("BENCHTOOL_MODELS", str(folder))
    for name in paths:
        with pytest.raises(UserError, match="not found"):
            models.require(name)
    monkeypatch.setenv("BENCHTOOL_MODELS", str(own.parent))
    monkeypatch.setattr(models, "MODEL_FILES", dict(models.MODEL_FILES))
    made_weights.use(folder, paths)
    assert {name: models.require(name) for name in paths} == paths
    assert models.find("niqe").read_bytes() == b"the user's"
    with pytest.raises(UserError, match="SHA-256 differs"):
        models.require("niqe")


def test_documents_without_the_marks_are_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "doc.md"
    for text in ("nothing", metric_table.BEGIN, f"{metric_table.BEGIN}{metric_table.BEGIN}{metric_table.END}"):
        document.write_text(text)
        with pytest.raises(UserError, match="needs the lines"):
            metric_table.put_into(document, {})
        assert document.read_text() == text
    with pytest.raises(UserError, match="cannot be read"):
        metric_table.put_into(tmp_path / "absent.md", {})


TAKES_TOO_MUCH = """
import sys
import numpy as np
from pathlib import Path
from benchtool.workflows import bench_metrics

bench_metrics.MEMORY = 2e9
bench_metrics._confine(Path(sys.argv[1]), {})
np.ones(3_000_000_000, np.uint8)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_memory_has_a_limit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKES_TOO_MUCH, str(tmp_path)], capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    assert done.returncode == 1 and "MemoryError" in done.stderr


def test_a_peer_that_fails_costs_its_own_figures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "psnr:rgb-u8")
    monkeypatch.setattr(bench_metrics, "measure", _peers_die)
    (row,) = bench_metrics.bench_metrics([0.05], 1)["rows"]
    assert row["theirs"] == {"missing": "its process ended; out of memory?"} and row["ours"]["runs"][0]["value"] > 10


def _peers_die(metric: str, peer: bool, pictures: Path, made: bool) -> metric_peers.Run:
    return os._exit(7) if peer else metric_peers.measure(metric, peer, pictures)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.peer and "pyiqa" not in case.peer.title])
def test_peers_measure_the_same(name: str) -> None:
    output, reference = bench_metrics._pair("chelsea", 0.01)
    ours = metrics.find(name).score(output, reference, reference).value
    assert CASES[name].peer.value(output, reference) == pytest.approx(ours, abs=1e-6 if name != "loe:full" else 1e-9)


def test_made_pictures_have_the_size_and_no_flat_region() -> None:
    output, target = bench_metrics._pair("coffee", 0.5)
    assert output.shape == (577, 866, 3) and output.mean() > target.mean() + 5
    window = np.ones((7, 7), np.uint8)
    assert (cv2.erode(target, window) == cv2.dilate(target, window)).mean() < 1e-3
    assert np.array_equal(bench_metrics._pair("coffee", 0.5)[0], output)


def test_what_ran_long_enough_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "loe:bimef100")
    monkeypatch.setattr(bench_metrics, "ENOUGH", 0.0)
    monkeypatch.setattr(bench_metrics, "LONG", 0.0)
    (row,) = bench_metrics.bench_metrics([0.05], 3)["rows"]
    assert len(row["ours"]["runs"]) == len(row["theirs"]["runs"]) == 1
    assert row["ours"]["extra_mb"] == row["ours"]["runs"][0]["extra_bytes"] / 1e6, "nor a second time at the beginning"


TAKES_MEMORY = """
import sys
import numpy as np
from pathlib import Path
from benchtool.workflows import bench_metrics, metric_peers

made = []

def take(output, reference):
    made.append(int(np.ones(20_000_000, np.uint8).sum()))
    return made[-1]

metric_peers.CASES["psnr:rgb-u8"] = metric_peers.Case(metric_peers.Peer("takes memory", take))
metric_peers.SHORT = 3.0
run = metric_peers.measure("psnr:rgb-u8", True, bench_metrics._save(Path(sys.argv[1]), bench_metrics._pair("coffee", 0.05)))
print(run.value, run.calls, len(made), run.extra_bytes)
"""


def test_memory_beyond_the_pictures(tmp_path: Path) -> None:
    """In a process of its own, as the benchmark has it: one that has given memory back takes it again unseen."""
    command = [sys.executable, "-c", TAKES_MEMORY, str(tmp_path / "pair.npy")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0, done.stderr
    value, calls, made, extra = done.stdout.split()
    assert float(value) == 20_000_000 and int(calls) == int(made) > 1  # the short ones are repeated
    assert extra == "None" or 18_000_000 < int(extra) < 30_000_000


def test_peers_are_not_asked_beyond_their_limits() -> None:
    rows = {(row.metric, row.megapixels): row.has_peer for row in plan([0.5, 24])}
    assert rows["loe:full", 0.01] and not rows["loe:full", 24] and rows["psnr:rgb-u8", 24]
    assert rows["ssim:rgb-gauss", 0.5] and not rows["ssim:rgb-gauss", 24]
    assert ("ma:nrqm", 2) in rows and ("ma:nrqm", 24) not in rows


def test_the_documentation_has_the_table_of_the_command() -> None:
    """Its numbers are those of a machine; columns, metrics, peers and sizes are those of the code."""
    unmeasured = [
        {"metric": row.metric, "megapixels": row.megapixels, "ours": {}}
        | ({"peer": CASES[row.metric].peer.title, "theirs": {}} if row.has_peer else {})
        | ({"why_no_larger": case.why} if (case := CASES[row.metric]).why and row.megapixels == case.up_to else {})
        for row in plan(bench_metrics.SIZES)
    ]
    section = DOCS.read_text().partition("## Speed and agreement")[2].partition("\n## ")[0].splitlines()
    documented, expected = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        for lines in (section, table({"rows": unmeasured}, markdown=True))
    ]
    assert documented[:2] == expected[:2]
    first = [[[re.sub(r"\(\d\)", "(a note)", cell) for cell in cells[:3]] for cells in rows] for rows in (documented, expected)]
    assert first[0] == first[1] and len(expected) > 25
    assert all(len(cells) == len(metric_table.HEADER) for cells in documented)
    assert "benchtool bench metrics" in "\n".join(section)


def test_cells() -> None:
    row = {"metric": "m", "megapixels": 12.0, "ours": {"runs": [], "median_cpu_s": 0.0123, "extra_mb": 4.4}}
    row |= {"peer": "p", "theirs": {"runs": [], "median_cpu_s": 12.3, "extra_mb": None}, "times_faster": 1000.4, "largest_difference": 0.0}
    line = table({"rows": [row]}, markdown=True)[-1]
    assert line == "| m | p | 12 | 12.3 | 12,300 | 1,000 | 0 | 4 | - |"
    rows = [row | {"why_no_larger": "hours"}, row | {"made_weights": ["x"], "theirs": {"missing": "gone; do"}}]
    lines = table({"rows": rows}, markdown=True)
    assert lines[2] == "| m | p | 12 (1) | 12.3 | 12,300 | 1,000 | 0 | 4 | - |"
    assert lines[3] == "| m | p | 12 | 12.3 (2) | n/a (3) | 1,000 | 0 | 4 | - |"
    assert lines[5::2] == ["(1) hours", "(2) made weights: time and memory only", "(3) gone"]


def test_sizes(benchtool: Callable) -> None:
    assert parse_sizes("12,0.5,12") == [0.5, 12]
    for text in ("", "a", "0.01", "60", "1,,2", "nan"):
        with pytest.raises(UserError, match="megapixels from 0.05 to 50"):
            parse_sizes(text)
    done = benchtool("bench", "metrics", "--sizes", "0.01")
    assert done.code == 2 and done.err.count("\n") == 1
