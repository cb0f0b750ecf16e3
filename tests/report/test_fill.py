"""Which run a row shows, and what is said around it: errata, notes, commands, what is missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from filled_tables import EMVNET, ENC, MSEC, cell, measured_panels, measured_rows, table_1
from made_runs import score_rows, write_run

from benchtool.core import protocol
from benchtool.core.errors import UserError
from benchtool.papers.load import Library
from benchtool.papers.model import Group, Metric, Panel, Row, Table, trained
from benchtool.report.breakdown import breakdown
from benchtool.report.differences import differences
from benchtool.report.fill import fill
from benchtool.report.frame import read_results


def test_published_numbers_are_as_printed(tmp_path: Path) -> None:
    report = table_1(tmp_path)
    assert cell(report, "SID", "me-v2", "over", "psnr").published == "21.1"
    assert [cell(report, row.label, "me", "under", "psnr").published for row in report.table.rows[:2]] == ["16.77", "12.13"]
    assert all(found.published for line in report.lines for found in line.cells)
    assert report.hint.startswith("Nothing measured yet (no runs found)")
    assert report.commands[0] == "benchtool evaluate clahe --data me/"


def test_the_newest_complete_evaluation_is_shown(tmp_path: Path) -> None:
    rows = write_run(tmp_path / "newer", seed=1, finished="2026-02-01T00:00:00+00:00")
    write_run(tmp_path / "older", seed=2, finished="2026-01-01T00:00:00+00:00")
    write_run(tmp_path / "broken-off", seed=3, finished="2026-03-01T00:00:00+00:00", complete=False)
    report = table_1(tmp_path)
    found = cell(report, "CLAHE, approximate", "me", "all", "psnr").measured
    assert found.run == str(tmp_path / "newer")
    assert found.mean == pytest.approx(np.mean([r["value"] for r in rows if r["metric"] == "psnr"]))
    assert any("interrupted" in note and "broken-off" in note for note in report.notes)


@pytest.mark.parametrize(
    "different",
    [
        {"method": "sid-l"},
        {"recipe": "sid-enc"},
        {"options": {"width": 8}},
        {"protocol": "msec"},
        {"split": "val"},
        {"dataset": "sice", "target": "expert_c"},
        {"trained": {"dataset": "me-v2"}},
    ],
    ids=lambda d: next(iter(d)),
)
def test_a_run_of_something_else_fills_no_cell(different: dict, tmp_path: Path) -> None:
    same = {"method": "sid", "recipe": "sid"}
    write_run(tmp_path / "same", **same)
    assert measured_rows(table_1(tmp_path / "same")) == {"SID"}
    rows = score_rows("me", 6) if "dataset" in different else None
    write_run(tmp_path / "different", rows=rows, **{**same, **different})
    report = table_1(tmp_path / "different")
    assert measured_rows(report) == set()
    assert report.hint.startswith("Nothing measured yet (1 run read, none with a complete evaluation for this table")


def test_scores_against_another_target_fill_no_cell(tmp_path: Path) -> None:
    rows = score_rows("me", 6)
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "a", rows=[{**r, "expert": "expert_a"} for r in rows], target="expert_a", finished="2027-01-01T00:00:00+00:00")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE, approximate"}
    assert cell(report, "CLAHE, approximate", "me", "all", "psnr").measured.run.endswith("clahe")
    assert measured_rows(table_1(tmp_path / "a")) == set()


def test_figures_of_different_data_never_share_a_column(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", fingerprint="a" * 64)
    write_run(tmp_path / "sid", "sid", "sid", fingerprint="a" * 64)
    write_run(tmp_path / "sid-l", "sid-l", "sid-l", fingerprint="b" * 64, variant="rendered-adobe", finished="2026-05-01T00:00:00+00:00")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE, approximate", "SID"}
    assert report.blocks[0].edition.fingerprint == "a" * 64
    assert any("1 row of ME on rendered-adobe, data bbbbbbbb" in note for note in report.notes)


@pytest.mark.parametrize("field", ["fingerprint", "variant", "protocol_sha256"])
def test_each_part_of_an_edition_keeps_figures_apart(field: str, tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", **{field: "another"})
    assert len(measured_rows(table_1(tmp_path))) == 1


def test_different_versions_of_a_metric_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", rows=score_rows("me", 6, metric_version="2"))
    report = table_1(tmp_path)
    notes = [report.footnotes[n - 1] for column in report.columns if column.panel == 0 for n in column.notes]
    assert any(text.startswith("Measured with versions 1 and 2 of psnr:rgb-u8") for text in notes)


def test_figures_of_different_versions_are_neither_ranked_nor_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", seed=1)
    write_run(tmp_path / "sid-l", "sid-l", "sid-l", seed=2, rows=[{**r, "metric_version": "2"} for r in score_rows("me", 6, 2)])
    report = table_1(tmp_path)
    found = [cell(report, row, "me", "all", "psnr") for row in ("CLAHE, approximate", "SID", "SID-L")]
    assert all(c.measured.interval and c.places is None and c.measured_rank is None for c in found)
    with pytest.raises(UserError, match="two methods by one version of its metric"):
        differences(report)
    records = {(r["row"], r["group"], r["metric"]): r for r in differences(report, "SID").view.records}
    same, other = (records[row, "all", "psnr"] for row in ("CLAHE, approximate", "SID-L"))
    assert same["difference"] == pytest.approx(found[0].measured.mean - found[1].measured.mean) and same["low"] < same["high"]
    assert (other["difference"], other["low"], other["tied"]) == (None, None, None)
    assert all(record["first_rank"] is None for record in breakdown(report, "exposure").view.records)


@pytest.mark.parametrize(("variant", "smoke"), [("sample", True), ("sample", False), ("rendered-adobe", True), ("rendered-adobe", False)])
def test_sample_scenes_and_smoke_training_are_said(variant: str, smoke: bool, tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid", scenes=6, variant=variant, trained={"smoke": smoke})
    text = " ".join(table_1(tmp_path).warnings)
    assert ("6 sample scenes" in text) is (variant == "sample")
    assert ("smoke training" in text) is smoke


def test_rows_that_benchtool_lacks_say_so(tmp_path: Path) -> None:
    ghost = Row("Ghost", "no-such-method", "no-such-recipe")
    half = Row("Half", "sid", "no-such-recipe", unlike="")
    closed = Row("Closed", "no-such-method", unlike="Its code is closed.")
    table = dataclasses.replace(ENC.table("1"), rows=(*ENC.table("1").rows, ghost, half, closed))
    report = fill(ENC, table, read_results([tmp_path]))
    texts = {line.row.label: [report.footnotes[n - 1] for n in line.notes] for line in report.lines}
    assert texts["Ghost"] == ["Not in benchtool yet."]
    assert texts["Closed"] == ["Not in benchtool yet. Its code is closed."]
    assert texts["Half"] == ["Its recipe, no-such-recipe, is not in benchtool yet."]
    assert texts["SID"] == texts["CLAHE"] == []
    assert [line.available for line in report.lines if line.row.label in ("SID", "Ghost", "Half")] == [True, False, False]


def test_parameters_stand_beside_the_printed_ones(tmp_path: Path) -> None:
    found = {line.row.label: line.parameters for line in table_1(tmp_path).lines}
    assert (found["SID"].published, found["SID"].built) == ("7.40M", 7_760_163)
    assert (found["SID-L"].published, found["SID-L"].built) == ("11.56M", 12_123_883)
    assert (found["I-SID"].published, found["I-SID"].built) == ("7.45M", 7_816_883)
    assert (found["CLAHE"].published, found["CLAHE"].built) == (None, None)
    assert (found["MSEC"].published, found["MSEC"].built) == ("7.04M", 7_015_449), "without its discriminator"


def test_errata_stand_where_they_belong(tmp_path: Path) -> None:
    report = table_1(tmp_path)

    def texts(notes: list[int]) -> str:
        return " ".join(report.footnotes[n - 1] for n in notes)

    assert "24.39" in texts(cell(report, "MSEC", "me-v2", "all", "psnr").published_notes)
    assert "0.6055" in texts(cell(report, "RetinexNet", "me", "all", "ssim").published_notes)
    assert sum(bool(found.published_notes) for line in report.lines for found in line.cells) == 2
    of_columns = {(c.panel, c.group.key, c.metric.key): texts(c.notes) for c in report.columns}
    assert all(("grey images" in text) is (key[2] == "ssim") for key, text in of_columns.items())
    assert {key[:2] for key, text in of_columns.items() if "0, +1 and +1.5 EV" in text} == {(0, "over")}
    assert "middle exposure" in texts(report.blocks[1].notes) and report.blocks[0].notes == []
    assert "2^20" in texts(report.parameter_notes)
    assert "79,416" in texts(next(line for line in report.lines if line.row.label == "Zero-DCE").parameters.notes)
    assert any("17,675" in text for text in report.notes) and any("14,144" in text for text in report.notes)


def test_footnotes_are_numbered_as_they_are_met(tmp_path: Path) -> None:
    report = table_1(tmp_path)
    first_line = [c.notes for c in report.columns if c.panel == 0]
    assert first_line[0] == [] and first_line[1] == [1] and first_line[2] == [2]
    used = {n for block in report.blocks for n in block.notes} | {n for c in report.columns for n in c.notes} | set(report.parameter_notes)
    for line in report.lines:
        used |= {*line.notes, *line.parameters.notes} | {n for c in line.cells for n in (*c.published_notes, *c.measured_notes)}
    assert used == set(range(1, len(report.footnotes) + 1))


@pytest.mark.parametrize("expert", ["a", "c"])
def test_scores_against_an_expert_are_that_experts_column(expert: str, tmp_path: Path) -> None:
    rows = [{**r, "expert": f"expert_{expert}"} for r in score_rows("me", 6)]
    write_run(tmp_path / "clahe", rows=rows, target=f"expert_{expert}", protocol="msec")
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert measured_panels(report) == [f"Expert {expert.upper()}"]
    assert measured_rows(table_1(tmp_path)) == set()


@pytest.mark.parametrize(("protocol", "titles"), [("emvnet-isp", ["E2E-ISP"]), ("emvnet-raw", [])])
def test_each_panel_is_filled_by_its_own_protocol(protocol: str, titles: list[str], tmp_path: Path) -> None:
    same = {"expert": "label", "exposure": None}
    rows = [{**r, **same} for r in score_rows("me", 6)]
    write_run(tmp_path / "run", "emvnet", "emvnet", "hdrplus-isp", rows=rows, target="label", protocol=protocol)
    assert measured_panels(fill(EMVNET, EMVNET.table("4"), read_results([tmp_path]))) == titles


def test_a_column_whose_metric_benchtool_lacks_says_so(tmp_path: Path) -> None:
    panels = tuple(dataclasses.replace(p, metrics=(*p.metrics, Metric("x", "X", "no-such-metric:a", 2))) for p in ENC.table("1").panels)
    report = fill(ENC, dataclasses.replace(ENC.table("1"), panels=panels), read_results([]))
    texts = {c.metric.key: [report.footnotes[n - 1] for n in c.notes] for c in report.columns}
    assert texts["x"] == ["The metric no-such-metric:a is not in benchtool yet."]
    assert not any("not in benchtool" in text for text in texts["psnr"])


def test_commands_name_the_protocol_the_target_and_what_is_trained_on(tmp_path: Path) -> None:
    rows = (Row("CLAHE", "clahe"), trained("SID", "sid", "sid"))

    def commands(protocol: str, **panel: str) -> list[str]:
        psnr = Metric("psnr", "PSNR", "psnr:rgb-u8", 2)
        made = Panel("ME", "me", panel.pop("target", "expert_c"), (Group("All", "all"),), (psnr,), **panel)
        return fill(Library(ENC.paper, {}, ()), Table("9", "", "", protocol, rows, (made,)), read_results([])).commands

    assert commands("enc")[0] == "benchtool evaluate clahe --data me/"
    assert commands("rsnet")[0] == "benchtool evaluate clahe --data me/ --protocol rsnet"
    assert commands("enc", target="expert_a")[0] == "benchtool evaluate clahe --data me/ --target expert_a"
    assert commands("enc", trained_on="task-mix")[1:] == [
        "benchtool train sid:task-mix --data task-mix/ --out runs/sid.task-mix",
        "benchtool evaluate runs/sid.task-mix --data me/",
    ]
    assert commands("fecnet-script")[0] == "benchtool evaluate clahe --data me/ --protocol fecnet-script"


def test_a_protocol_that_nothing_can_be_measured_by_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in protocol.FOLDER.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text().replace('"pi:pirm"', '"no-such-metric:a"'))
    monkeypatch.setattr(protocol, "FOLDER", tmp_path)
    report = fill(MSEC, MSEC.table("1"), read_results([]))
    says = "Nothing can be measured by protocol msec yet; benchtool lacks: the metric no-such-metric:a."
    assert says in report.notes and report.commands == []
    assert not any("Nothing can be measured" in note for note in table_1(tmp_path).notes)
