"""What must not stand under a published name has a row of ours: retrained networks, approximations, imported weights."""

from __future__ import annotations

import dataclasses
from json import dumps, loads
from pathlib import Path
from types import ModuleType

import pytest
from filled_tables import ENC, cell, measured_rows, table_1
from made_runs import score_rows, write_run

from benchtool.core.errors import UserError
from benchtool.papers.load import load
from benchtool.papers.model import Edition, Row, Table
from benchtool.report import csv, html, json, latex, markdown, terminal
from benchtool.report.differences import differences
from benchtool.report.figures.points import evaluation_of, name_of
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.grid import by_panel
from benchtool.report.table import Line, Report


def retrained(folder: Path, dataset: str = "me", **same: object) -> None:
    """Zero-DCE, trained for a step by its recipe."""
    write_run(folder, "zero-dce", "zero-dce", dataset, trained={"steps": 1}, **same)


def line_of(report: Report, label: str) -> Line:
    return next(line for line in report.lines if line.row.label == label)


def texts(report: Report, line: Line) -> str:
    return " ".join(report.footnotes[n - 1] for n in line.notes)


def same_data() -> Table:
    """ENC's first table, were the runs' data the paper's."""
    table = ENC.table("1")
    return dataclasses.replace(table, panels=tuple(dataclasses.replace(p, edition=Edition("sample", "f" * 64)) for p in table.panels))


def test_retrained_figures_stand_below_the_published_ones_without_a_difference(tmp_path: Path) -> None:
    retrained(tmp_path / "zero-dce")
    write_run(tmp_path / "sid", "sid", "sid")
    report = fill(ENC, same_data(), read_results([tmp_path]))
    labels = [line.row.label for line in report.lines]
    assert measured_rows(report) == {"Zero-DCE, retrained on ME", "SID"}
    assert labels.index("Zero-DCE, retrained on ME") == labels.index("Zero-DCE") + 1
    own, published = line_of(report, "Zero-DCE, retrained on ME"), line_of(report, "Zero-DCE")
    assert all(cell.measured is None and cell.delta is None and cell.published for cell in published.cells)
    assert all(cell.published is None and cell.delta is None and not cell.missing for cell in own.cells)
    assert cell(report, "SID", "me", "all", "psnr").delta is not None
    assert "Trained on ME by benchtool's recipe zero-dce, 1 step. The paper does not say whether" in texts(report, own)
    assert published.notes == []


def test_each_dataset_has_a_retrained_row_shown_in_its_panel_alone(tmp_path: Path) -> None:
    retrained(tmp_path / "me")
    retrained(tmp_path / "me-v2", "me-v2")
    report = table_1(tmp_path)
    titles = {dataset: [row.label for row in grid.rows if ", " in row.label] for dataset, grid in zip(("me", "me-v2"), by_panel(report))}
    assert titles == {"me": ["Zero-DCE, retrained on ME"], "me-v2": ["Zero-DCE, retrained on ME-v2"]}
    me, me_v2 = (line_of(report, f"Zero-DCE, retrained on {title}") for title in ("ME", "ME-v2"))
    assert me.notes[0] < me_v2.notes[0]


@pytest.mark.parametrize("renderer", [terminal, markdown, html, latex, csv, json], ids=lambda module: module.__name__.split(".")[-1])
def test_every_format_has_the_row_and_its_reason(renderer: ModuleType, tmp_path: Path) -> None:
    retrained(tmp_path / "zero-dce")
    write_run(tmp_path / "clahe")
    page = " ".join(renderer.render(table_1(tmp_path)).split())
    assert "Zero-DCE, retrained on ME" in page and "does not say whether it took released weights" in page
    assert "CLAHE, approximate" in page and "The paper gives no parameters" in page


def test_an_algorithm_of_unknown_settings_is_approximate(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    report = fill(ENC, same_data(), read_results([tmp_path]))
    assert measured_rows(report) == {"CLAHE, approximate"}
    own = line_of(report, "CLAHE, approximate")
    assert own.below == "CLAHE" and all(cell.delta is None for cell in own.cells)
    assert texts(report, own).startswith("The paper gives no parameters")


@pytest.mark.parametrize(("unlike", "label"), [("", "CLAHE"), ("Closed.", "CLAHE, approximate"), (None, "CLAHE, approximate")])
def test_a_row_says_whether_it_is_measured_as_printed(unlike: str | None, label: str, tmp_path: Path) -> None:
    """A table's author who says nothing gets a row of our own."""
    write_run(tmp_path / "clahe")
    row = Row("CLAHE", "clahe") if unlike is None else Row("CLAHE", "clahe", unlike=unlike)
    report = fill(ENC, dataclasses.replace(same_data(), rows=(row,)), read_results([tmp_path]))
    assert measured_rows(report) == {label}
    assert (cell(report, label, "me", "all", "psnr").delta is not None) is (unlike == "")


def test_rows_of_ours_take_part_in_ranks_and_figures(tmp_path: Path) -> None:
    retrained(tmp_path / "zero-dce", scenes=8)
    write_run(tmp_path / "sid", "sid", "sid", scenes=8, seed=1)
    report, results = table_1(tmp_path), read_results([tmp_path])
    assert cell(report, "Zero-DCE, retrained on ME", "me", "all", "psnr").places is not None
    shown = {line.row.label for line in report.lines if evaluation_of(report, results, 0, line)}
    assert shown == {"Zero-DCE, retrained on ME", "SID"}


def test_ours_of_a_paper_is_not_anybodys_in_figures(tmp_path: Path) -> None:
    niid = load("niid")
    rows = [{**r, "expert": "label", "exposure": None} for r in score_rows("me", 6)]
    trained = {"dataset": "coco-retouch"}
    write_run(tmp_path / "niid", "niid", "niid", "niid-mix", rows=rows, trained=trained, target="label", protocol="niid")
    report = fill(niid, niid.table("1"), read_results([tmp_path]))
    named = [name_of(report, line) for line in report.lines if line.row.method == "niid"]
    assert named == ["NIID (ours)", "NIID (ours, retrained on NIID's retouched COCO)"]


def test_against_a_row_measured_under_another_name(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", seed=1)
    with pytest.raises(UserError, match="'CLAHE, approximate'"):
        differences(table_1(tmp_path), "CLAHE")


def imported(folder: Path, method: str, digit: str = "a", **options: object) -> None:
    """A run of imported weights."""
    write_run(folder, method)
    summary = loads((folder / "summary.json").read_text())
    files = [{"name": "weights.pth", "sha256": digit * 64, "bytes": 3}]
    summary |= {"imported": {"files": files, "matched": "by names"}, "options": options}
    (folder / "summary.json").write_text(dumps(summary))


def test_imported_weights_have_a_row_of_their_own(tmp_path: Path) -> None:
    """Beside the row of the recipe that would train them, which stays empty; marked with the file; without a published figure."""
    imported(tmp_path / "own", "zero-dce")
    imported(tmp_path / "port", "retinexnet", "b", skip="concat")
    imported(tmp_path / "other", "lime")  # the table has no such method
    plain, report = fill(ENC, ENC.table("1"), read_results([])), table_1(tmp_path)
    assert measured_rows(report) == {"Zero-DCE, imported weights", "RetinexNet, imported weights"}
    assert [line.row.label for line in report.lines if line.below is None] == [line.row.label for line in plain.lines]
    assert len(report.lines) == len(plain.lines) + 2
    line = next(line for line in report.lines if line.row.label == "Zero-DCE, imported weights")
    assert [report.footnotes[n - 1] for n in line.notes] == ["Measured with imported weights: weights.pth, sha256 aaaaaaaa."]
    assert all(cell.published is None and not cell.missing and cell.delta is None for cell in line.cells)
    assert any("(imported weights: weights.pth, sha256 bbbbbbbb)" in source for source in report.sources)
    assert "Zero-DCE, imported weights" in terminal.render(report)
    lacking = dataclasses.replace(ENC.table("1"), missing="Not known.")
    shown = next(line for line in fill(ENC, lacking, read_results([tmp_path])).lines if line.below)
    assert not any(cell.missing for cell in shown.cells), "the paper has no such row to be missing"


def test_imported_weights_are_marked_in_a_row_of_weights_as_released(tmp_path: Path) -> None:
    imported(tmp_path / "own", "clahe")
    report = table_1(tmp_path)
    [source] = report.sources
    assert source.startswith("CLAHE: ") and "(imported weights: weights.pth, sha256 aaaaaaaa)" in source
    [line] = [line for line in report.lines if line.row.label == "CLAHE"]
    assert "Measured with imported weights: weights.pth, sha256 aaaaaaaa." in [report.footnotes[n - 1] for n in line.notes]
    assert len(report.lines) == len(ENC.table("1").rows)


def to_fill(report: Report) -> str:
    return next((text for text in report.notes if "what fills them" in text), "")


def test_rows_without_figures_say_what_fills_them(tmp_path: Path) -> None:
    text = to_fill(table_1(tmp_path))
    assert "CLAHE (method clahe)" in text and "I-SID (recipe i-sid)" in text and "`benchtool reproduce enc:1 --dry-run`" in text
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid")
    text = to_fill(table_1(tmp_path))
    assert "I-SID (recipe i-sid)" in text and " SID (" not in text and "CLAHE" not in text


def test_a_row_of_released_weights_says_that_they_are_imported(tmp_path: Path) -> None:
    library = load("niid")
    text = to_fill(fill(library, library.table("1"), read_results([tmp_path])))
    assert "RetinexNet (imported weights of retinexnet)" in text and "MSR (method msr" in text and "NPE" not in text


def test_runs_by_another_protocol_are_said(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", protocol="rsnet")
    assert "1 run read, none with a complete evaluation for this table: by protocol rsnet, not enc" in table_1(tmp_path).hint
