"""Which run a cell shows, what its number is, and when it may be compared with the paper's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import METRICS, expert_rows, run_time, score_rows, write_run

from benchtool.core import protocol
from benchtool.papers.load import Library, load
from benchtool.papers.model import Edition, Group, Metric, Panel, Row, Table
from benchtool.report import terminal
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.statistics import scene_interval
from benchtool.report.table import Cell, Report, ranks, rounded, signed

ENC = load("enc")


def table_1(folder: Path) -> Report:
    return fill(ENC, ENC.table("1"), read_results([folder]))


def cell(report: Report, row: str, dataset: str, group: str, metric: str) -> Cell:
    line = next(line for line in report.lines if line.row.label == row)
    for column, found in zip(report.columns, line.cells):
        if (report.blocks[column.panel].panel.dataset, column.group.key, column.metric.key) == (dataset, group, metric):
            return found
    raise AssertionError("no such column")


def measured_rows(report: Report, dataset: str = "me") -> set[str]:
    return {line.row.label for line in report.lines if cell(report, line.row.label, dataset, "all", "psnr").measured}


@pytest.mark.parametrize(("group", "evs"), [("under", (-1.5, -1.0)), ("over", (0.0, 1.0, 1.5)), ("all", (-1.5, -1.0, 0.0, 1.0, 1.5))])
@pytest.mark.parametrize("metric", METRICS)
def test_a_cell_is_the_mean_over_the_groups_images(group: str, evs: tuple, metric: str, tmp_path: Path) -> None:
    rows = write_run(tmp_path / "clahe", scenes=7, seed=3)
    name = metric.split(":")[0]
    chosen = [r for r in rows if r["metric"] == name and r["exposure"] in evs]
    found = cell(table_1(tmp_path), "CLAHE", "me", group, name).measured
    assert found.mean == pytest.approx(np.mean([r["value"] for r in chosen]), abs=1e-12)
    assert (found.samples, found.failures, found.scenes) == (7 * len(evs), 0, 7)
    values, scenes = np.array([r["value"] for r in chosen]), np.array([r["scene"] for r in chosen])
    assert found.interval == scene_interval([(values, scenes)])


def test_every_measured_number_comes_from_a_scores_file(tmp_path: Path) -> None:
    """summary.json's means are not believed, and rows without a run stay empty."""
    write_run(tmp_path / "clahe", means={"psnr:rgb-u8": {"all": 99.0, "under": 99.0, "over": 99.0}})
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE"} and measured_rows(report, "me-v2") == set()
    assert cell(report, "CLAHE", "me", "all", "psnr").measured.mean < 30


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
    found = cell(report, "CLAHE", "me", "all", "psnr").measured
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
    assert report.hint.startswith("Nothing measured yet (1 run read, none with a complete evaluation for this table)")


def test_scores_against_another_target_fill_no_cell(tmp_path: Path) -> None:
    rows = score_rows("me", 6)
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "a", rows=[{**r, "expert": "expert_a"} for r in rows], target="expert_a", finished="2027-01-01T00:00:00+00:00")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE"}
    assert cell(report, "CLAHE", "me", "all", "psnr").measured.run.endswith("clahe")
    assert measured_rows(table_1(tmp_path / "a")) == set()


def test_figures_of_different_data_never_share_a_column(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", fingerprint="a" * 64)
    write_run(tmp_path / "sid", "sid", "sid", fingerprint="a" * 64)
    write_run(tmp_path / "sid-l", "sid-l", "sid-l", fingerprint="b" * 64, variant="rendered-adobe", finished="2026-05-01T00:00:00+00:00")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE", "SID"}
    assert report.blocks[0].edition.fingerprint == "a" * 64
    assert any("1 rows of ME on rendered-adobe, data bbbbbbbb" in note for note in report.notes)


@pytest.mark.parametrize("field", ["fingerprint", "variant", "protocol_sha256"])
def test_each_part_of_an_edition_keeps_figures_apart(field: str, tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", **{field: "another"})
    assert len(measured_rows(table_1(tmp_path))) == 1


@pytest.mark.parametrize(
    ("edition", "run", "shown"),
    [
        (Edition("published", "a" * 64), {"variant": "published", "fingerprint": "a" * 64}, True),
        (Edition("published", "a" * 64), {"variant": "published", "fingerprint": "b" * 64}, False),
        (Edition("published", "a" * 64), {"variant": "sample", "fingerprint": "a" * 64}, False),
        (Edition("published", None), {"variant": "published", "fingerprint": "a" * 64}, False),
    ],
)
def test_a_difference_only_for_the_papers_own_data(edition: Edition, run: dict, shown: bool, tmp_path: Path) -> None:
    table = ENC.table("1")
    table = dataclasses.replace(table, panels=tuple(dataclasses.replace(p, edition=edition) for p in table.panels))
    write_run(tmp_path / "clahe", **run)
    report = fill(ENC, table, read_results([tmp_path]))
    found = cell(report, "CLAHE", "me", "all", "psnr")
    assert report.blocks[0].comparable is shown
    if shown:
        assert found.delta == pytest.approx(found.measured.mean - 15.38)
    else:
        assert found.delta is None and found.measured is not None
    unknown = edition.fingerprint is None
    assert any("fingerprint of the paper's data is not known" in text for text in report.footnotes) is unknown


def test_no_difference_in_table_1_today(tmp_path: Path) -> None:
    """Nobody has told us the fingerprint of the published ME."""
    write_run(tmp_path / "clahe", variant="published")
    assert all(found.delta is None for line in table_1(tmp_path).lines for found in line.cells)


def test_failures_are_counted_and_shown(tmp_path: Path) -> None:
    rows = score_rows("me", 6)
    rows[0] |= {"status": "failed", "value": None, "reason": "prediction is missing"}
    write_run(tmp_path / "clahe", rows=rows)
    report = table_1(tmp_path)
    found = cell(report, "CLAHE", "me", "under", "psnr")
    assert (found.measured.samples, found.measured.failures) == (12, 1)
    assert found.measured.mean == pytest.approx(np.mean([r["value"] for r in rows[1:30] if r["exposure"] < 0]))
    text = report.footnotes[found.measured_notes[0] - 1]
    assert text.startswith("1 of 12 images have no value (1 failed; the first: prediction is missing)")
    assert cell(report, "CLAHE", "me", "over", "psnr").measured_notes == []


def test_what_cannot_be_measured_is_not_a_gap(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=[{**r, "status": "n/a", "value": None, "reason": "needs a file"} for r in score_rows("me", 6)])
    report = table_1(tmp_path)
    found = cell(report, "CLAHE", "me", "all", "psnr")
    assert found.measured is None and found.absent == "n/a"
    assert report.footnotes[found.measured_notes[0] - 1] == "No value: needs a file."


def test_different_versions_of_a_metric_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe")
    write_run(tmp_path / "sid", "sid", "sid", rows=score_rows("me", 6, metric_version="2"))
    report = table_1(tmp_path)
    notes = [report.footnotes[n - 1] for column in report.columns if column.panel == 0 for n in column.notes]
    assert any(text.startswith("Measured with versions 1 and 2 of psnr:rgb-u8") for text in notes)


@pytest.mark.parametrize(("variant", "smoke"), [("sample", True), ("sample", False), ("rendered-adobe", True), ("rendered-adobe", False)])
def test_sample_scenes_and_smoke_training_are_said(variant: str, smoke: bool, tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid", scenes=6, variant=variant, trained={"smoke": smoke})
    text = " ".join(table_1(tmp_path).warnings)
    assert ("6 sample scenes" in text) is (variant == "sample")
    assert ("smoke training" in text) is smoke


def test_few_scenes_have_no_interval_and_that_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", scenes=4)
    report = table_1(tmp_path)
    assert cell(report, "CLAHE", "me", "all", "psnr").measured.interval is None
    assert "No intervals where there are fewer than 5 scenes, and no measured figure is ranked there." in report.warnings


def test_rows_that_benchtool_lacks_say_so(tmp_path: Path) -> None:
    ghost = Row("Ghost", "no-such-method", "no-such-recipe")
    half = Row("Half", "sid", "no-such-recipe")
    table = dataclasses.replace(ENC.table("1"), rows=(*ENC.table("1").rows, ghost, half))
    report = fill(ENC, table, read_results([tmp_path]))
    texts = {line.row.label: [report.footnotes[n - 1] for n in line.notes] for line in report.lines}
    assert texts["Ghost"] == ["Not in benchtool yet."]
    assert texts["Half"] == ["Its recipe, no-such-recipe, is not in benchtool yet."]
    assert texts["SID"] == texts["CLAHE"] == []
    assert [line.available for line in report.lines if line.row.label in ("SID", "Ghost", "Half")] == [True, False, False]


def test_parameters_stand_beside_the_printed_ones(tmp_path: Path) -> None:
    found = {line.row.label: line.parameters for line in table_1(tmp_path).lines}
    assert (found["SID"].published, found["SID"].built) == ("7.40M", 7_760_163)
    assert (found["SID-L"].published, found["SID-L"].built) == ("11.56M", 12_123_883)
    assert (found["I-SID"].published, found["I-SID"].built) == ("7.45M", 7_816_883)
    assert (found["CLAHE"].published, found["CLAHE"].built) == (None, None)


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


def test_best_and_second_are_of_rounded_numbers() -> None:
    assert ranks(["21.1", "20.00", "21.10", "19"], True) == ["best", "second", "best", None]
    assert ranks(["2", "1", None], False) == ["second", "best", None]
    assert ranks(["1.0", None], True) == [None, None]
    assert [rounded(v, 2) for v in (1.005, -0.001, 21.1)] == ["1.00", "0.00", "21.10"]
    assert [signed(v, 2) for v in (0.456, -0.456, -0.001)] == ["+0.46", "−0.46", "±0.00"]


def test_published_and_measured_are_ranked_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=[{**r, "value": 30.0} for r in score_rows("me", 6)])
    write_run(tmp_path / "sid", "sid", "sid", rows=[{**r, "value": 20.0} for r in score_rows("me", 6)])
    report = table_1(tmp_path)
    clahe, sid = (cell(report, row, "me", "under", "psnr") for row in ("CLAHE", "SID"))
    assert (clahe.measured_rank, sid.measured_rank) == ("best", "second")
    assert clahe.published_rank is None and cell(report, "I-DRBN-4", "me", "under", "psnr").published_rank == "best"


def test_subsets_and_means_of_groups(tmp_path: Path) -> None:
    """As in ENC's Table 4: subsets count once each, however many images they hold."""
    psnr = Metric("psnr", "PSNR", "psnr:rgb-u8", 2)
    groups = (Group("LOL", "lol"), Group("SICE", "sice"), Group("Average", "average", mean_of=("lol", "sice")))
    panel = Panel("Mix", "mix", "label", groups, (psnr,), trained_on="another")
    table = Table("9", "mixed", "", "enc", (Row("SID", "sid", "sid"),), (panel,))
    rows = []
    for subset, value, count in (("lol", 10.0, 5), ("sice", 20.0, 45)):
        for n in range(count):
            same = {"expert": "label", "status": "ok", "reason": None, "metric_version": "1", "metric": "psnr", "variant": "rgb-u8"}
            rows.append({"scene": f"{subset}{n}", "sample": f"{subset}{n}", "exposure": None, "subset": subset, "value": value, **same})
    write_run(tmp_path / "sid", "sid", "sid", "mix", rows=rows, trained={"dataset": "another"}, target="label")
    report = fill(Library(ENC.paper, {}, ()), table, read_results([tmp_path]))
    assert [c.measured.mean for c in report.lines[0].cells] == [10.0, 20.0, 15.0]
    assert [c.measured.samples for c in report.lines[0].cells] == [5, 45, 50]


MSEC, EMVNET = load("msec"), load("emvnet")


def measured_panels(report: Report) -> list[str]:
    """Titles of the panels with a measured figure."""
    found = {report.columns[n].panel for line in report.lines for n, cell in enumerate(line.cells) if cell.measured}
    return [report.blocks[index].panel.title for index in sorted(found)]


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


def test_published_numbers_are_not_ranked_where_some_are_missing(tmp_path: Path) -> None:
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert all(found.published_rank is None for line in report.lines for found in line.cells)
    complete = dataclasses.replace(ENC.table("1"), missing="Some were not legible.")
    assert cell(fill(ENC, complete, read_results([])), "I-SID", "me", "over", "psnr").published_rank == "best"
    library = Library(ENC.paper, {p: v for p, v in ENC.published.items() if (p.row, p.metric) != ("CLAHE", "psnr")}, ())
    torn = fill(library, complete, read_results([]))
    assert cell(torn, "CLAHE", "me", "over", "psnr").missing and cell(torn, "I-SID", "me", "over", "psnr").published_rank is None
    assert cell(torn, "I-DRBN", "me", "over", "ssim").published_rank == "best"


def test_a_column_whose_metric_benchtool_lacks_says_so(tmp_path: Path) -> None:
    panels = tuple(dataclasses.replace(p, metrics=(*p.metrics, Metric("x", "X", "no-such-metric:a", 2))) for p in ENC.table("1").panels)
    report = fill(ENC, dataclasses.replace(ENC.table("1"), panels=panels), read_results([]))
    texts = {c.metric.key: [report.footnotes[n - 1] for n in c.notes] for c in report.columns}
    assert texts["x"] == ["The metric no-such-metric:a is not in benchtool yet."]
    assert not any("not in benchtool" in text for text in texts["psnr"])


def test_commands_name_the_protocol_the_target_and_what_is_trained_on(tmp_path: Path) -> None:
    rows = (Row("CLAHE", "clahe"), Row("SID", "sid", "sid"))

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


EXPERTS = tuple(f"expert_{expert}" for expert in "abcde")


def against_experts(folder: Path, **same: object) -> list[dict]:
    """One evaluation of CLAHE by protocol msec, PI included."""
    rows = expert_rows("me", 6, EXPERTS)
    rows = [{**r, "variant": "rgb-gauss"} if r["metric"] == "ssim" else r for r in rows]
    rows += [{**r, "metric": "pi", "variant": "pirm", "value": 3.0 + r["exposure"]} for r in rows if r["metric"] == "psnr"]
    return write_run(folder, rows=rows, target="+".join(EXPERTS), protocol="msec", **same)


def test_one_evaluation_against_five_experts_fills_every_panel(tmp_path: Path) -> None:
    rows = [r for r in against_experts(tmp_path / "clahe") if r["metric"] == "psnr"]
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert measured_panels(report) == [panel.title for panel in report.table.panels]
    line = next(line for line in report.lines if line.row.label == "CLAHE")
    found = {(report.blocks[c.panel].panel.title, c.group.key, c.metric.key): cell.measured for c, cell in zip(report.columns, line.cells)}
    means = []
    for title, expert in zip((panel.title for panel in report.table.panels), EXPERTS):
        means.append(np.mean([r["value"] for r in rows if r["expert"] == expert and r["exposure"] < 0]))
        assert found[title, "under", "psnr"].mean == pytest.approx(means[-1], abs=1e-12)
    average = found["Average of the experts", "under", "psnr"]
    assert average.mean == pytest.approx(np.mean(means), abs=1e-12)
    assert (average.samples, average.scenes, average.failures) == (12, 6, 0)
    parts = [[r for r in rows if r["expert"] == expert and r["exposure"] < 0] for expert in EXPERTS]
    interval = scene_interval([(np.array([r["value"] for r in part]), np.array([r["scene"] for r in part])) for part in parts])
    assert (average.interval.low, average.interval.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found["Without reference", "over", "pi"].mean == pytest.approx(3 + 2.5 / 3)


def test_experts_count_alike_however_many_images_failed_against_one(tmp_path: Path) -> None:
    rows = against_experts(tmp_path / "clahe")
    lost = [r for r in rows if r["metric"] == "psnr" and r["expert"] == "expert_b" and r["exposure"] < 0][:8]
    for row in lost:
        row |= {"status": "n/a", "value": None, "reason": "no such target"}
    write_run(tmp_path / "clahe", rows=rows, target="+".join(EXPERTS), protocol="msec")
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    index = next(n for n, c in enumerate(report.columns) if report.blocks[c.panel].panel.part == "average" and c.group.key == "under")
    found = next(line for line in report.lines if line.row.label == "CLAHE").cells[index].measured
    of = [[r["value"] for r in rows if (r["metric"], r["expert"]) == ("psnr", e) and r["exposure"] < 0 and r["value"]] for e in EXPERTS]
    assert [len(values) for values in of] == [12, 4, 12, 12, 12] and (found.samples, found.failures) == (12, 8)
    assert found.mean == pytest.approx(np.mean([np.mean(values) for values in of]), abs=1e-12)


def test_the_average_needs_all_experts(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=expert_rows("me", 6, EXPERTS[:2]), target="expert_a+expert_b", protocol="msec")
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert measured_panels(report) == ["Expert A", "Expert B"]


def two_methods(folder: Path, gap: float, scenes: int = 8) -> Report:
    """CLAHE, and SID better by `gap` dB on average, both varying from image to image."""
    random = np.random.default_rng(0)
    rows = [r for r in score_rows("me", scenes)]
    write_run(folder / "clahe", rows=rows)
    write_run(folder / "sid", "sid", "sid", rows=[{**r, "value": r["value"] + gap + random.normal(0, 0.3)} for r in rows])
    return table_1(folder)


@pytest.mark.parametrize(("gap", "places"), [(0.8, ((2, 2), (1, 1))), (0.06, ((1, 2), (1, 2)))])
def test_ranks_are_ties_where_the_difference_includes_zero(gap: float, places: tuple, tmp_path: Path) -> None:
    report = two_methods(tmp_path, gap)
    clahe, sid = (cell(report, row, "me", "all", "psnr") for row in ("CLAHE", "SID"))
    assert clahe.measured.interval.high > sid.measured.interval.low  # which of themselves say nothing of the two
    assert (clahe.places, sid.places) == places
    assert (clahe.measured_rank, sid.measured_rank) == ("second", "best")  # after rounding, as ever


def test_too_few_scenes_are_not_ranked(tmp_path: Path) -> None:
    report = two_methods(tmp_path, 5.0, scenes=4)
    for row in ("CLAHE", "SID"):
        found = cell(report, row, "me", "all", "psnr")
        assert found.measured and found.places is None and found.measured_rank is None
    assert any("no measured figure is ranked" in text for text in report.warnings)


def test_a_lone_method_has_no_rank(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", scenes=8)
    found = cell(table_1(tmp_path), "CLAHE", "me", "all", "psnr")
    assert found.measured.interval and found.places is None


def test_a_difference_to_the_paper_has_the_measured_interval(tmp_path: Path) -> None:
    edition = Edition("published", "a" * 64)
    table = ENC.table("1")
    table = dataclasses.replace(table, panels=tuple(dataclasses.replace(p, edition=edition) for p in table.panels))
    write_run(tmp_path / "clahe", variant="published", fingerprint="a" * 64)
    found = cell(fill(ENC, table, read_results([tmp_path])), "CLAHE", "me", "all", "psnr")
    assert found.delta_interval.low == pytest.approx(found.measured.interval.low - 15.38)
    assert found.delta_interval.high == pytest.approx(found.measured.interval.high - 15.38)


def niid_run(folder: Path, method: str, **entry: object) -> None:
    """A method of NIID's Table 1."""
    rows = [{**r, "expert": "label", "exposure": None} for r in score_rows("me", 6)]
    write_run(folder / method, method, None, "niid-mix", rows=rows, target="label", protocol="niid", **entry)


def test_run_times_stand_beside_the_printed_ones(tmp_path: Path) -> None:
    niid = load("niid")
    niid_run(tmp_path, "bpdhe", runtime=run_time(0.5))
    niid_run(tmp_path, "lime", runtime=run_time(0.004))
    niid_run(tmp_path, "npe")
    report = fill(niid, niid.table("1"), read_results([tmp_path]))
    number = next(n for n, column in enumerate(report.columns) if column.metric.key == "runtime")
    cells = {line.row.label: line.cells[number] for line in report.lines}
    assert {label: found.runtime.seconds for label, found in cells.items() if found.runtime} == {"BPDHE": 0.5, "LIME": 0.004}
    assert (cells["LIME"].published, cells["LIME"].measured, cells["LIME"].measured_rank) == ("0.56", None, None)
    notes = [report.footnotes[n - 1] for n in report.columns[number].notes]
    assert any("1280 x 720 pixels, by Wonder 9000 with 2 CPU threads" in text for text in notes)
    niid_run(tmp_path, "npe", runtime=run_time(2.0, "Other"))
    cells = fill(niid, niid.table("1"), read_results([tmp_path])).lines
    assert [len(line.cells[number].measured_notes) for line in cells if line.cells[number].runtime] == [1, 1, 1]


def test_eleven_methods_of_four_metrics_are_ranked_in_every_column(tmp_path: Path) -> None:
    """How long it takes for all of ME is what `benchtool bench report` says."""
    four = [("psnr", "psnr:rgb-u8"), ("ssim", "ssim:gray-uniform7"), ("loe", "loe:full"), ("gauss", "ssim:rgb-gauss")]
    panel = dataclasses.replace(ENC.table("1").panels[0], metrics=tuple(Metric(key, key, variant, 2) for key, variant in four))
    rows = tuple(Row(f"M{n}", f"method-{n}") for n in range(11))
    table = dataclasses.replace(ENC.table("1"), panels=(panel,), rows=rows, parameters=None)
    scores = score_rows("me", 60)
    scores += [{**r, "metric": m, "variant": v} for r in scores[:300] for m, v in (("loe", "full"), ("ssim", "rgb-gauss"))]
    for n in range(11):
        write_run(tmp_path / f"{n}", f"method-{n}", rows=[{**r, "value": r["value"] + n * 0.01} for r in scores])
    report = fill(Library(ENC.paper, {}, ()), table, read_results([tmp_path]))
    text = terminal.render(report)
    assert len(report.contests) == 12 and text.count("(11)") == text.count("(1)") - 1 == 12  # the legend has a "(1)" too


def imported(folder: Path, method: str, digit: str = "a", **options: object) -> None:
    """A run of imported weights."""
    write_run(folder, method)
    summary = json.loads((folder / "summary.json").read_text())
    files = [{"name": "weights.pth", "sha256": digit * 64, "bytes": 3}]
    summary |= {"imported": {"files": files, "matched": "by names"}, "options": options}
    (folder / "summary.json").write_text(json.dumps(summary))


def test_imported_weights_have_a_row_of_their_own(tmp_path: Path) -> None:
    """Beside the row of the recipe that would train them, which stays empty; marked with the file; without a published figure."""
    imported(tmp_path / "own", "zero-dce")
    imported(tmp_path / "port", "retinexnet", "b", skip="concat")
    imported(tmp_path / "other", "lime")  # the table has no such method
    plain, report = fill(ENC, ENC.table("1"), read_results([])), table_1(tmp_path)
    assert measured_rows(report) == {"Zero-DCE, imported weights", "RetinexNet, imported weights"}
    assert [line.row.label for line in report.lines][: len(plain.lines)] == [line.row.label for line in plain.lines]
    assert len(report.lines) == len(plain.lines) + 2
    line = next(line for line in report.lines if line.row.label == "Zero-DCE, imported weights")
    assert [report.footnotes[n - 1] for n in line.notes] == ["Measured with imported weights: weights.pth, sha256 aaaaaaaa."]
    assert all(cell.published is None and not cell.missing and cell.delta is None for cell in line.cells)
    assert any("(imported weights: weights.pth, sha256 bbbbbbbb)" in source for source in report.sources)
    assert "Zero-DCE, imported weights" in terminal.render(report)
    lacking = dataclasses.replace(ENC.table("1"), missing="Not known.")
    shown = fill(ENC, lacking, read_results([tmp_path])).lines[-1]
    assert not any(cell.missing for cell in shown.cells), "the paper has no such row to be missing"


def test_imported_weights_are_marked_in_a_row_of_weights_as_released(tmp_path: Path) -> None:
    imported(tmp_path / "own", "clahe")
    report = table_1(tmp_path)
    [source] = report.sources
    assert source.startswith("CLAHE: ") and "(imported weights: weights.pth, sha256 aaaaaaaa)" in source
    [line] = [line for line in report.lines if line.row.label == "CLAHE"]
    assert "Measured with imported weights: weights.pth, sha256 aaaaaaaa." in [report.footnotes[n - 1] for n in line.notes]
    assert len(report.lines) == len(ENC.table("1").rows)
