"""What the number of a cell is: its mean, interval, rank and difference, and when it may be compared with the paper's."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from filled_tables import ENC, MSEC, cell, measured_panels, measured_rows, table_1
from made_runs import METRICS, expert_rows, run_time, score_rows, write_run

from benchtool.datasets.me_split import published_splits
from benchtool.papers.load import Library, load
from benchtool.papers.model import ME, ME_V2, Edition, Group, Metric, Panel, Row, Table, trained
from benchtool.report import terminal
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.statistics import scene_interval
from benchtool.report.table import Report, ranks, rounded, signed

EXPERTS = tuple(f"expert_{expert}" for expert in "abcde")


@pytest.mark.parametrize(("group", "evs"), [("under", (-1.5, -1.0)), ("over", (0.0, 1.0, 1.5)), ("all", (-1.5, -1.0, 0.0, 1.0, 1.5))])
@pytest.mark.parametrize("metric", METRICS)
def test_a_cell_is_the_mean_over_the_groups_images(group: str, evs: tuple, metric: str, tmp_path: Path) -> None:
    rows = write_run(tmp_path / "clahe", scenes=7, seed=3)
    name = metric.split(":")[0]
    chosen = [r for r in rows if r["metric"] == name and r["exposure"] in evs]
    found = cell(table_1(tmp_path), "CLAHE, approximate", "me", group, name).measured
    assert found.mean == pytest.approx(np.mean([r["value"] for r in chosen]), abs=1e-12)
    assert (found.samples, found.failures, found.scenes) == (7 * len(evs), 0, 7)
    values, scenes = np.array([r["value"] for r in chosen]), np.array([r["scene"] for r in chosen])
    assert found.interval == scene_interval([(values, scenes)])


def test_every_measured_number_comes_from_a_scores_file(tmp_path: Path) -> None:
    """summary.json's means are not believed, and rows without a run stay empty."""
    write_run(tmp_path / "clahe", means={"psnr:rgb-u8": {"all": 99.0, "under": 99.0, "over": 99.0}})
    report = table_1(tmp_path)
    assert measured_rows(report) == {"CLAHE, approximate"} and measured_rows(report, "me-v2") == set()
    assert cell(report, "CLAHE, approximate", "me", "all", "psnr").measured.mean < 30


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
    write_run(tmp_path / "sid", "sid", "sid", **run)
    report = fill(ENC, table, read_results([tmp_path]))
    found = cell(report, "SID", "me", "all", "psnr")
    assert report.blocks[0].comparable is shown
    if shown:
        assert found.delta == pytest.approx(found.measured.mean - 19.04)
    else:
        assert found.delta is None and found.measured is not None
    unknown = edition.fingerprint is None
    assert any("names of the paper's data are known" in text for text in report.footnotes) is unknown


PUBLISHED_ME = sorted(scene for scene, split in published_splits().items() if split == "test")


def published_rows(dataset: str) -> list[dict]:
    """Scores of every test image of ME, or ME-v2, as published."""
    named = {f"a{9000 + number}": scene for number, scene in enumerate(PUBLISHED_ME)}
    rows = score_rows(dataset, len(PUBLISHED_ME))
    return [row | {"scene": named[row["scene"]], "sample": row["sample"].replace(row["scene"], named[row["scene"]])} for row in rows]


@pytest.mark.parametrize("dataset", ["me", "me-v2"])
def test_published_me_is_known_by_its_scenes_and_their_number(dataset: str, tmp_path: Path) -> None:
    """Paper, measured value, difference and interval side by side in Table 1; not where a scene, or an image, is another."""
    rows = published_rows(dataset)
    write_run(tmp_path / "whole" / "sid", "sid", "sid", dataset, rows=rows, variant="published", trained={"dataset": dataset})
    report = table_1(tmp_path / "whole")
    found = cell(report, "SID", dataset, "all", "psnr")
    assert found.delta == pytest.approx(found.measured.mean - float(found.published)) and found.measured.interval
    assert any("the paper's by their scenes" in text for text in report.footnotes)
    another = [row | {"scene": "a0001" if row["scene"] == PUBLISHED_ME[-1] else row["scene"]} for row in rows]
    for name, others in (("another", another), ("fewer", [row for row in rows if row["sample"] != rows[0]["sample"]])):
        write_run(tmp_path / name / "sid", "sid", "sid", dataset, rows=others, variant="published", trained={"dataset": dataset})
        report = table_1(tmp_path / name)
        assert cell(report, "SID", dataset, "all", "psnr").delta is None
        assert any("Not the paper's" in text for text in report.footnotes)
    write_run(tmp_path / "rendered" / "sid", "sid", "sid", dataset, rows=rows, variant="rendered-adobe", trained={"dataset": dataset})
    assert cell(table_1(tmp_path / "rendered"), "SID", dataset, "all", "psnr").delta is None


def test_the_scenes_of_published_me() -> None:
    assert ME.scenes == ME_V2.scenes == hashlib.sha256("\n".join(PUBLISHED_ME).encode()).hexdigest()
    assert (ME.samples, ME_V2.samples) == (5 * len(PUBLISHED_ME), 4 * len(PUBLISHED_ME))


def test_a_difference_to_the_paper_has_the_measured_interval(tmp_path: Path) -> None:
    edition = Edition("published", "a" * 64)
    table = ENC.table("1")
    table = dataclasses.replace(table, panels=tuple(dataclasses.replace(p, edition=edition) for p in table.panels))
    write_run(tmp_path / "sid", "sid", "sid", variant="published", fingerprint="a" * 64)
    found = cell(fill(ENC, table, read_results([tmp_path])), "SID", "me", "all", "psnr")
    assert found.delta_interval.low == pytest.approx(found.measured.interval.low - 19.04)
    assert found.delta_interval.high == pytest.approx(found.measured.interval.high - 19.04)


def test_failures_are_counted_and_shown(tmp_path: Path) -> None:
    rows = score_rows("me", 6)
    rows[0] |= {"status": "failed", "value": None, "reason": "prediction is missing"}
    write_run(tmp_path / "clahe", rows=rows)
    report = table_1(tmp_path)
    found = cell(report, "CLAHE, approximate", "me", "under", "psnr")
    assert (found.measured.samples, found.measured.failures) == (12, 1)
    assert found.measured.mean == pytest.approx(np.mean([r["value"] for r in rows[1:30] if r["exposure"] < 0]))
    text = report.footnotes[found.measured_notes[0] - 1]
    assert text.startswith("1 of 12 images have no value (1 failed; the first: prediction is missing)")
    assert cell(report, "CLAHE, approximate", "me", "over", "psnr").measured_notes == []


def test_infinite_values_are_told_from_missing_ones(tmp_path: Path) -> None:
    rows = score_rows("me", 6)
    rows[0] |= {"status": "n/a", "value": None, "reason": "needs a file"}
    rows[1] |= {"value": np.inf}
    rows[5] |= {"value": np.inf}
    write_run(tmp_path / "clahe", rows=rows)
    write_run(tmp_path / "sid", "sid", "sid", rows=[{**r, "value": np.inf} for r in score_rows("me", 6)])
    report = table_1(tmp_path)
    found = cell(report, "CLAHE, approximate", "me", "under", "psnr")
    assert (found.measured.samples, found.measured.failures) == (12, 3)
    assert [report.footnotes[n - 1] for n in found.measured_notes] == [
        "1 of 12 images have no value (none failed; the first: needs a file) and are left out of the mean.",
        "2 of 12 images are infinite (no difference to the target) and left out of the mean, which lowers it.",
    ]
    nothing = cell(report, "SID", "me", "all", "psnr")
    assert (nothing.measured, nothing.absent) == (None, "n/a")
    assert [report.footnotes[n - 1] for n in nothing.measured_notes] == ["No value: infinite: no difference to the target."]


def test_what_cannot_be_measured_is_not_a_gap(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=[{**r, "status": "n/a", "value": None, "reason": "needs a file"} for r in score_rows("me", 6)])
    report = table_1(tmp_path)
    found = cell(report, "CLAHE, approximate", "me", "all", "psnr")
    assert found.measured is None and found.absent == "n/a"
    assert report.footnotes[found.measured_notes[0] - 1] == "No value: needs a file."


def test_few_scenes_have_no_interval_and_that_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", scenes=4)
    report = table_1(tmp_path)
    assert cell(report, "CLAHE, approximate", "me", "all", "psnr").measured.interval is None
    assert "No intervals where there are fewer than 5 scenes, and no measured figure is ranked there." in report.warnings


def test_subsets_and_means_of_groups(tmp_path: Path) -> None:
    """As in ENC's Table 4: subsets count once each, however many images they hold."""
    psnr = Metric("psnr", "PSNR", "psnr:rgb-u8", 2)
    groups = (Group("LOL", "lol"), Group("SICE", "sice"), Group("Average", "average", mean_of=("lol", "sice")))
    panel = Panel("Mix", "mix", "label", groups, (psnr,), trained_on="another")
    table = Table("9", "mixed", "", "enc", (trained("SID", "sid", "sid"),), (panel,))
    rows = []
    for subset, value, count in (("lol", 10.0, 5), ("sice", 20.0, 45)):
        for n in range(count):
            same = {"expert": "label", "status": "ok", "reason": None, "metric_version": "1", "metric": "psnr", "variant": "rgb-u8"}
            rows.append({"scene": f"{subset}{n}", "sample": f"{subset}{n}", "exposure": None, "subset": subset, "value": value, **same})
    write_run(tmp_path / "sid", "sid", "sid", "mix", rows=rows, trained={"dataset": "another"}, target="label")
    report = fill(Library(ENC.paper, {}, ()), table, read_results([tmp_path]))
    assert [c.measured.mean for c in report.lines[0].cells] == [10.0, 20.0, 15.0]
    assert [c.measured.samples for c in report.lines[0].cells] == [5, 45, 50]


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
    line = next(line for line in report.lines if line.row.label == "CLAHE, approximate")
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
    found = next(line for line in report.lines if line.row.label == "CLAHE, approximate").cells[index].measured
    of = [[r["value"] for r in rows if (r["metric"], r["expert"]) == ("psnr", e) and r["exposure"] < 0 and r["value"]] for e in EXPERTS]
    assert [len(values) for values in of] == [12, 4, 12, 12, 12] and (found.samples, found.failures) == (12, 8)
    assert found.mean == pytest.approx(np.mean([np.mean(values) for values in of]), abs=1e-12)


def test_the_average_needs_all_experts(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", rows=expert_rows("me", 6, EXPERTS[:2]), target="expert_a+expert_b", protocol="msec")
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert measured_panels(report) == ["Expert A", "Expert B"]


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
    clahe, sid = (cell(report, row, "me", "under", "psnr") for row in ("CLAHE, approximate", "SID"))
    assert (clahe.measured_rank, sid.measured_rank) == ("best", "second")
    assert clahe.published_rank is None and cell(report, "I-DRBN-4", "me", "under", "psnr").published_rank == "best"


def test_published_numbers_are_not_ranked_where_some_are_missing(tmp_path: Path) -> None:
    report = fill(MSEC, MSEC.table("1"), read_results([tmp_path]))
    assert all(found.published_rank is None for line in report.lines for found in line.cells)
    complete = dataclasses.replace(ENC.table("1"), missing="Some were not legible.")
    assert cell(fill(ENC, complete, read_results([])), "I-SID", "me", "over", "psnr").published_rank == "best"
    library = Library(ENC.paper, {p: v for p, v in ENC.published.items() if (p.row, p.metric) != ("CLAHE", "psnr")}, ())
    torn = fill(library, complete, read_results([]))
    assert cell(torn, "CLAHE", "me", "over", "psnr").missing and cell(torn, "I-SID", "me", "over", "psnr").published_rank is None
    assert cell(torn, "I-DRBN", "me", "over", "ssim").published_rank == "best"


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
    clahe, sid = (cell(report, row, "me", "all", "psnr") for row in ("CLAHE, approximate", "SID"))
    assert clahe.measured.interval.high > sid.measured.interval.low  # which of themselves say nothing of the two
    assert (clahe.places, sid.places) == places
    assert (clahe.measured_rank, sid.measured_rank) == ("second", "best")  # after rounding, as ever


def test_too_few_scenes_are_not_ranked(tmp_path: Path) -> None:
    report = two_methods(tmp_path, 5.0, scenes=4)
    for row in ("CLAHE, approximate", "SID"):
        found = cell(report, row, "me", "all", "psnr")
        assert found.measured and found.places is None and found.measured_rank is None
    assert any("no measured figure is ranked" in text for text in report.warnings)


def test_a_lone_method_has_no_rank(tmp_path: Path) -> None:
    write_run(tmp_path / "clahe", scenes=8)
    found = cell(table_1(tmp_path), "CLAHE, approximate", "me", "all", "psnr")
    assert found.measured.interval and found.places is None


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
    assert {label: found.runtime.seconds for label, found in cells.items() if found.runtime} == {
        "BPDHE, approximate": 0.5,
        "LIME, approximate": 0.004,
    }
    assert (cells["LIME"].published, cells["LIME, approximate"].measured, cells["LIME, approximate"].measured_rank) == ("0.56", None, None)
    notes = [report.footnotes[n - 1] for n in report.columns[number].notes]
    assert any("1280 x 720 pixels, by Wonder 9000 with 2 CPU threads" in text for text in notes)
    niid_run(tmp_path, "npe", runtime=run_time(2.0, "Other"))
    cells = fill(niid, niid.table("1"), read_results([tmp_path])).lines
    assert [len(line.cells[number].measured_notes) for line in cells if line.cells[number].runtime] == [1, 1, 1]


def test_eleven_methods_of_four_metrics_are_ranked_in_every_column(tmp_path: Path) -> None:
    """How long it takes for all of ME is what `benchtool bench report` says."""
    four = [("psnr", "psnr:rgb-u8"), ("ssim", "ssim:gray-uniform7"), ("loe", "loe:full"), ("gauss", "ssim:rgb-gauss")]
    panel = dataclasses.replace(ENC.table("1").panels[0], metrics=tuple(Metric(key, key, variant, 2) for key, variant in four))
    rows = tuple(Row(f"M{n}", f"method-{n}", unlike="") for n in range(11))
    table = dataclasses.replace(ENC.table("1"), panels=(panel,), rows=rows, parameters=None)
    scores = score_rows("me", 60)
    scores += [{**r, "metric": m, "variant": v} for r in scores[:300] for m, v in (("loe", "full"), ("ssim", "rgb-gauss"))]
    for n in range(11):
        write_run(tmp_path / f"{n}", f"method-{n}", rows=[{**r, "value": r["value"] + n * 0.01} for r in scores])
    report = fill(Library(ENC.paper, {}, ()), table, read_results([tmp_path]))
    text = terminal.render(report)
    assert len(report.contests) == 12 and text.count("(11)") == text.count("(1)") - 1 == 12  # the legend has a "(1)" too
