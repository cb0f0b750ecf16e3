"""`benchtool report`, as typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import write_run

BLOCKED = """
import sys
for name in ("torch", "rawpy", "pyiqa", "cv2"):
    sys.modules[name] = None
from benchtool.cli.main import run
run(sys.argv[1:])
"""


def test_published_table_with_a_hint_where_nothing_is_measured(
    benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = benchtool("report", "--table", 1)
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("ENC Table 1") and "Nothing measured yet" in done.out
    assert [line.split()[:2] for line in done.out.splitlines() if line.startswith("I-SID")] == [["I-SID", "22.59"], ["I-SID", "26.09"]]


def test_runs_of_the_working_folder_are_the_default(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path / "runs" / "clahe")
    monkeypatch.chdir(tmp_path)
    assert "CLAHE, approximate: ME from runs/clahe" in benchtool("report", "--table", 1).out


def test_several_results_folders(benchtool: Callable, tmp_path: Path) -> None:
    write_run(tmp_path / "one" / "clahe")
    write_run(tmp_path / "two" / "sid", "sid", "sid")
    done = benchtool("report", "--table", 1, "--results", tmp_path / "one", "--results", tmp_path / "two", "--format", "json")
    measured = {row["label"] for row in json.loads(done.out)["rows"] if row["cells"][0]["measured"]}
    assert measured == {"CLAHE, approximate", "SID"}


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [(".md", "## ENC"), (".tex", "% needs"), (".csv", "paper,"), (".json", "{"), (".html", "<!doctype"), (".txt", "ENC T")],
)
def test_out_writes_the_format_of_its_suffix(suffix: str, begins: str, benchtool: Callable, tmp_path: Path) -> None:
    out = tmp_path / "new" / f"table{suffix}"
    done = benchtool("report", "--table", 1, "--results", tmp_path, "--out", out)
    assert done.code == 0 and done.out == "" and str(out) in done.err
    assert out.read_text().startswith(begins)


def test_format_wins_over_the_suffix(benchtool: Callable, tmp_path: Path) -> None:
    benchtool("report", "--table", 1, "--results", tmp_path, "--out", tmp_path / "table.txt", "--format", "csv")
    assert (tmp_path / "table.txt").read_text().startswith("paper,")


def test_list_names_every_table(benchtool: Callable) -> None:
    done = benchtool("report", "--list")
    assert done.code == 0 and "enc: Huang et al." in done.out
    assert all(f"--table {n} " in done.out for n in range(1, 7))
    assert re.search("--table fig9 +Figure 9: face detection", done.out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--paper", "ecn", "--table", 1), "unknown paper 'ecn'; did you mean 'enc'?"),
        (("--table", 7), "ENC has no table '7'; it has 1, 2, 3, 4, 5, 6"),
        (("--table", 1, "--format", "jsn"), "did you mean 'json'?"),
        (("--table", 1, "--results", "no-such-folder"), "--results no-such-folder: no such folder"),
        (("--table", 1, "--out", "table.pdf"), "--out table.pdf: choose its --format"),
        ((), "--table N"),
        (("--table", 1, "--by", "expert", "--differences"), "two views of a table; ask for one"),
        (("--table", 1, "--by", "expert", "--against", "SID"), "two views of a table; ask for one"),
        (("--table", 1, "--differences"), "no column of the table has measured figures of two methods"),
        (("--table", 1, "--against", "I-SDI"), "did you mean 'I-SID'?"),
        (("--table", 1, "--by", "scene"), "unknown breakdown 'scene'"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments: tuple, said: str, benchtool: Callable) -> None:
    done = benchtool("report", *arguments)
    assert done.code == 2 and done.out == ""
    assert said in done.err and len(done.err.splitlines()) == 1


def test_a_malformed_run_is_named_loudly_and_the_rest_is_shown(benchtool: Callable, tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "bad")
    (tmp_path / "bad" / "scores.parquet").write_text("not parquet")
    done = benchtool("report", "--table", 1, "--results", tmp_path)
    assert done.code == 1
    assert "could not be read" in done.err and str(tmp_path / "bad" / "scores.parquet") in done.err
    assert "Could not be read" in done.out and "CLAHE, approximate: ME from" in done.out


def test_works_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    command = [sys.executable, "-c", BLOCKED, "report", "--table", "1", "--results", str(tmp_path), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {row["label"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["SID"]["parameters"]["built"] == 7_760_163
    assert rows["CLAHE, approximate"]["cells"][0]["measured"]["images"] == 12


def test_views_of_a_table(benchtool: Callable, tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", scenes=8)
    write_run(tmp_path / "sid", "sid", "sid", scenes=8, seed=1)

    def records(*arguments: str) -> list[dict]:
        done = benchtool("report", "--table", 1, "--results", tmp_path, "--format", "json", *arguments)
        assert done.code == 0, done.err
        return json.loads(done.out)["records"]

    assert {(r["row"], r["against"]) for r in records("--differences")} == {("SID", "CLAHE, approximate"), ("CLAHE, approximate", "SID")}
    assert {(r["row"], r["against"]) for r in records("--against", "CLAHE, approximate")} == {("SID", "CLAHE, approximate")}
    assert {r["value"] for r in records("--by", "exposure")} == {-1.5, -1.0, 0.0, 1.0, 1.5, "all"}
    assert "minus CLAHE, approximate" in benchtool("report", "--table", 1, "--results", tmp_path, "--against", "CLAHE, approximate").out


def test_help_explains_the_views(benchtool: Callable) -> None:
    out = " ".join(benchtool("report", "--help").out.split())
    assert "benchtool report --table 1 --differences --against SID" in out and "benchtool report --table 1 --by exposure" in out


def test_figures_are_drawn_beside_the_table(benchtool: Callable, tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "clahe", "clahe")
    done = benchtool("report", "--table", 1, "--results", tmp_path / "runs", "--figures", tmp_path / "figures")
    assert done.code == 0 and "ENC Table 1" in done.out
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"enc-1-exposures-me-psnr.png", "enc-1-exposures-me-psnr.pdf", "enc-1-parameters-me-v2-ssim.pdf"} <= drawn
    assert all(f"wrote {tmp_path / 'figures' / name}" in done.err for name in drawn)
    assert "not drawn: sheet" in done.err and "not drawn: runtime" in done.err
