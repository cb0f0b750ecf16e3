"""Differences between methods and breakdowns: the right numbers, the same in every format."""

from __future__ import annotations

import csv as csv_reader
import dataclasses
import io
import json as json_reader
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_runs import expert_rows, score_rows, write_run

from benchtool.core.errors import UserError
from benchtool.papers.load import load
from benchtool.report import csv, html, json, latex, markdown, terminal
from benchtool.report.breakdown import breakdown
from benchtool.report.differences import differences
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.statistics import scene_interval
from benchtool.report.table import Report, rounded, signed

ENC, MSEC = load("enc"), load("msec")
TEXTS = (terminal, markdown, latex, html)
METHODS = {"clahe": (None, 0.0), "sid": ("sid", 0.02), "sid-l": ("sid-l", 1.0)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """Three methods on ME, the last of which is better by far; one image of SID failed."""
    folder, random, made = tmp_path_factory.mktemp("runs"), np.random.default_rng(0), {}
    for method, (recipe, gap) in METHODS.items():
        rows = [{**r, "value": r["value"] + gap + random.normal(0, 0.2)} for r in score_rows("me", 8)]
        if method == "sid":
            rows[0] |= {"status": "failed", "value": None, "reason": "prediction is missing"}
        made[method] = write_run(folder / method, method, recipe, rows=rows)
    return {"folder": folder, **made}


@pytest.fixture
def report(runs: dict) -> Report:
    return fill(ENC, ENC.table("1"), read_results([runs["folder"]]))


def paired(one: list[dict], other: list[dict], **which: float) -> tuple[np.ndarray, np.ndarray]:
    """Differences of PSNR on the images that both have, and the images' scenes."""
    values = {r["sample"]: r["value"] for r in other if r["metric"] == "psnr"}
    rows = [r for r in one if r["metric"] == "psnr" and None not in (r["value"], values[r["sample"]]) and which.items() <= r.items()]
    return np.array([r["value"] - values[r["sample"]] for r in rows]), np.array([r["scene"] for r in rows])


def test_differences_are_over_the_images_both_have(report: Report, runs: dict) -> None:
    records = differences(report).view.records
    one = next(
        r
        for r in records
        if (r["row"], r["against"], r["dataset"], r["group"], r["metric"]) == ("SID", "CLAHE, approximate", "me", "all", "psnr")
    )
    gaps, scenes = paired(runs["sid"], runs["clahe"])
    expected = scene_interval([(gaps, scenes)])
    assert one["difference"] == pytest.approx(gaps.mean(), abs=1e-12) and (one["values"], one["scenes"]) == (39, 8)
    assert (one["low"], one["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert one["tied"] is (expected.low <= 0 <= expected.high)
    assert len(records) == 3 * 2 * 6  # ordered pairs, columns of ME


def test_the_best_is_what_others_are_compared_with(report: Report) -> None:
    grids = differences(report).view.grids
    assert [grid.title for grid in grids] == ["ME, PSNR (dB) ↑", "ME, SSIM ↑"]
    assert {head.kind for head in grids[0].heads} == {"minus SID-L"}
    assert [(row.label, row.entries[2].text == "best", row.entries[2].places) for row in grids[0].rows] == [
        ("CLAHE, approximate", False, ""), ("SID", False, ""), ("SID-L", True, ""),
    ]  # fmt: skip


def test_lower_may_be_better(runs: dict) -> None:
    table = ENC.table("1")
    panels = tuple(
        dataclasses.replace(p, metrics=tuple(dataclasses.replace(m, higher_is_better=False) for m in p.metrics)) for p in table.panels
    )
    report = fill(ENC, dataclasses.replace(table, panels=panels), read_results([runs["folder"]]))
    grid = differences(report).view.grids[0]
    assert grid.title == "ME, PSNR (dB) ↓"
    assert {head.kind for head in grid.heads} <= {"minus CLAHE, approximate", "minus SID"}
    assert {line.row.label: line.cells[4].places for line in report.lines if line.cells[4].measured} == {
        "CLAHE, approximate": (1, 2), "SID": (1, 2), "SID-L": (3, 3),
    }  # fmt: skip


def test_against_a_chosen_row(report: Report) -> None:
    viewed = differences(report, "CLAHE, approximate")
    assert {head.kind for grid in viewed.view.grids for head in grid.heads} == {"minus CLAHE, approximate"}
    assert {record["against"] for record in viewed.view.records} == {"CLAHE, approximate"}
    ties = {row.label: row.entries[2].places for row in viewed.view.grids[0].rows}
    assert ties == {"CLAHE, approximate": "", "SID": "tie", "SID-L": ""}


@pytest.mark.parametrize(
    ("against", "said"),
    [("SDI", "unknown row 'SDI'; did you mean 'SID'?"), ("I-SID", "no column of the table has measured figures of I-SID")],
)
def test_nothing_to_compare_with_is_said(against: str, said: str, report: Report) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        differences(report, against)


def test_no_differences_of_one_method(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    with pytest.raises(UserError, match="measured figures of two methods"):
        differences(fill(ENC, ENC.table("1"), read_results([tmp_path])))


def test_a_breakdown_by_exposure(report: Report, runs: dict) -> None:
    viewed = breakdown(report, "exposure")
    grid = viewed.view.grids[0]
    assert [head.group for head in grid.heads] == ["−1.5 EV", "−1 EV", "0 EV", "+1 EV", "+1.5 EV", "All"]
    assert {(head.metric, head.kind) for head in grid.heads[:-1]} == {("8 scenes", "8 images")} and grid.heads[-1].kind == "40 images"
    for record in viewed.view.records:
        method = next(m for m, label in (("clahe", "CLAHE, approximate"), ("sid", "SID"), ("sid-l", "SID-L")) if label == record["row"])
        chosen = [r for r in runs[method] if r["metric"] == record["metric"] and record["value"] in ("all", r["exposure"]) and r["value"]]
        assert record["mean"] == pytest.approx(np.mean([r["value"] for r in chosen]), abs=1e-12)
        expected = scene_interval([(np.array([r["value"] for r in chosen]), np.array([r["scene"] for r in chosen]))])
        assert (record["low"], record["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert record["images"] - record["failures"] == len(chosen) and record["scenes"] == 8
    lost = [r for r in viewed.view.records if r["failures"]]
    assert [(r["row"], r["metric"], r["value"]) for r in lost] == [("SID", "psnr", -1.5), ("SID", "psnr", "all")]
    assert viewed.footnotes[grid.rows[1].entries[0].notes[0] - 1].startswith("1 of 8 images have no value")


def test_a_breakdown_by_expert_counts_each_alike(tmp_path: Path) -> None:
    experts = [f"expert_{name}" for name in "abcde"]
    write_run(tmp_path / "clahe", rows=expert_rows("me", 6, experts), target="+".join(experts), protocol="msec")
    viewed = breakdown(fill(MSEC, MSEC.table("1"), read_results([tmp_path])), "expert")
    assert [grid.title for grid in viewed.view.grids] == ["Average of the experts, PSNR (dB) ↑"]
    assert [head.group for head in viewed.view.grids[0].heads] == [*experts, "All"]
    means = [record["mean"] for record in viewed.view.records]
    assert len(set(means)) == 6 and means[-1] == pytest.approx(np.mean(means[:-1]), abs=1e-12)
    assert {record["images"] for record in viewed.view.records} == {30}


def test_a_breakdown_by_subset(tmp_path: Path) -> None:
    rows = [{**r, "subset": "indoor" if r["exposure"] < 0 else "outdoor"} for r in score_rows("me", 6)]
    write_run(tmp_path / "clahe", rows=rows)
    records = breakdown(fill(ENC, ENC.table("1"), read_results([tmp_path])), "subset").view.records
    assert [(r["value"], r["images"]) for r in records if r["metric"] == "psnr"] == [("indoor", 12), ("outdoor", 18), ("all", 30)]


@pytest.mark.parametrize("by", ["expert", "subset"])
def test_nothing_to_break_down_is_said(by: str, report: Report) -> None:
    with pytest.raises(UserError, match=f"no measured figure of the table is of more than one {by}"):
        breakdown(report, by)
    with pytest.raises(UserError, match="did you mean 'expert'"):
        breakdown(report, "experts")


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_every_format_shows_a_views_figures(renderer, report: Report) -> None:
    viewed = differences(report, "CLAHE, approximate")
    text = renderer.render(viewed)
    assert "differences to CLAHE, approximate" in text and "paired" not in viewed.view.name and "tie" in text
    for record in viewed.view.records:
        decimals = 2 if record["metric"] == "psnr" else 4
        for name in ("difference", "low", "high"):
            shown = signed(record[name], decimals)
            assert (latex.escape(shown) if renderer is latex else shown) in text
    viewed = breakdown(report, "exposure")
    text = renderer.render(viewed)
    for record in viewed.view.records:
        assert rounded(record["mean"], 2 if record["metric"] == "psnr" else 4) in text
    assert "8 scenes" in text and "8 images" in text and "1 of 8 images have no value" in text


def test_programs_get_the_records(report: Report) -> None:
    for viewed in (differences(report), breakdown(report, "exposure")):
        found = json_reader.loads(json.render(viewed))
        assert found["records"] == viewed.view.records and found["view"] == viewed.view.name
        documented = set(re.findall(r"`(\w+)`", json.__doc__))
        assert set(found) | set(found["records"][0]) <= documented, set(found["records"][0]) - documented
        rows = list(csv_reader.DictReader(io.StringIO(csv.render(viewed))))
        assert len(rows) == len(viewed.view.records) and rows[0]["paper"] == "enc" and rows[0]["table"] == "1"
        figure = "difference" if "difference" in rows[0] else "mean"
        assert [float(row[figure]) for row in rows] == [record[figure] for record in viewed.view.records]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: the LaTeX views are not compiled")
def test_latex_of_views_compiles(report: Report, tmp_path: Path) -> None:
    sources = [latex.render(differences(report)), latex.render(breakdown(report, "exposure"))]
    packages = re.findall(r"\\usepackage\S+\}", sources[0].splitlines()[0])
    lines = [r"\documentclass[twocolumn]{article}", r"\usepackage[margin=2cm]{geometry}", *packages, r"\begin{document}"]
    (tmp_path / "table.tex").write_text("\n".join([*lines, *sources, r"\end{document}"]))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "Float too large" not in done.stdout and "multiply" not in done.stdout


@pytest.mark.parametrize("renderer", (*TEXTS, csv, json), ids=lambda m: m.__name__)
def test_images_scenes_and_failures_stand_in_every_format(renderer, report: Report) -> None:
    text = renderer.render(report)
    if renderer in TEXTS:
        text = " ".join(text.split())
        assert "16 images of 8 scenes (Under), 24 images of 8 scenes (Over), 40 images of 8 scenes (Average)" in text
        assert "left out of the mean: PSNR of SID 1 of 40." in text
        return
    if renderer is csv:
        found = [r for r in csv_reader.DictReader(io.StringIO(text)) if r["measured"] and r["metric"] != "params"]
        rows = {(r["row"], r["group"], r["metric"]): [int(r[k]) for k in ("samples", "scenes", "failures")] for r in found}
    else:
        cells = [(row["label"], cell) for row in json_reader.loads(text)["rows"] for cell in row["cells"] if cell["measured"]]
        rows = {(row, c["group"], c["metric"]): [c["measured"][k] for k in ("images", "scenes", "failures")] for row, c in cells}
    assert len(rows) == 18 and rows["SID", "under", "psnr"] == [16, 8, 1] and rows["SID", "over", "psnr"] == [24, 8, 0]
