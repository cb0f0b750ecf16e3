"""What a run of a recipe's name shows in a table is what the recipe comes to: unaltered, after its last stage."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from filled_tables import ENC, measured_rows, table_1
from made_runs import write_run

from benchtool.report import csv, html, latex, markdown, terminal
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.table import Report

STAGES = ["train", "distil", "tune"]
FOUR = {"stages.0.epochs": [40, None], "stages.0.steps": [None, 2], "stages.0.optimizer.lr": [1e-4, 9.0], "stages.0.batch": [8, 1]}


def texts(report: Report, label: str) -> list[str]:
    """The footnotes of a row."""
    return [report.footnotes[n - 1] for line in report.lines if line.row.label == label for n in line.notes]


def i_sid(folder: Path, checkpoint: str = "tune.best", **facts: object) -> None:
    """A run of the recipe i-sid."""
    write_run(folder, "sid-enc", "i-sid", trained={"stages": STAGES, **facts}, checkpoint=checkpoint)


def test_an_altered_recipe_has_a_row_of_its_own(tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid", trained={"altered": FOUR, "steps": 2})
    report = table_1(tmp_path)
    assert measured_rows(report) == {"SID, altered recipe"}
    said = "stages.0.epochs none for 40, stages.0.steps 2 for none, stages.0.optimizer.lr 9.0 for 0.0001, and 1 more"
    assert texts(report, "SID, altered recipe") == [
        f"Trained on ME by benchtool's recipe sid, 2 steps. Altered in 4 settings: {said}.",
    ]
    own = next(line for line in report.lines if line.row.label == "SID, altered recipe")
    assert own.below == "SID" and not any(cell.published or cell.delta for cell in own.cells)
    todo = next(note for note in report.notes if "what fills them" in note)
    assert "SID (recipe sid)" in todo, "the recipe as it is would fill the row"


def test_altered_and_as_shipped_stand_side_by_side(tmp_path: Path) -> None:
    """The altered run is the newer one."""
    write_run(tmp_path / "sid", "sid", "sid")
    later = {"finished": "2026-02-01T00:00:00+00:00"}
    write_run(tmp_path / "other", "sid", "sid", seed=1, trained={"altered": {"stages.0.batch": [8, 1]}}, **later)
    report = table_1(tmp_path)
    assert measured_rows(report) == {"SID", "SID, altered recipe"} and texts(report, "SID") == []
    assert "Altered in 1 setting: stages.0.batch 1 for 8." in texts(report, "SID, altered recipe")[0]


def test_what_a_paper_did_not_train_is_altered_besides(tmp_path: Path) -> None:
    write_run(tmp_path / "dce", "zero-dce", "zero-dce", trained={"altered": {"stages.0.steps": [None, 2]}, "steps": 2})
    report = table_1(tmp_path)
    assert measured_rows(report) == {"Zero-DCE, retrained on ME, altered recipe"}
    [text] = texts(report, "Zero-DCE, retrained on ME, altered recipe")
    assert "recipe zero-dce, 2 steps. Altered in 1 setting: stages.0.steps 2 for none. The paper does not say" in text


def test_another_seed_is_the_recipe_and_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid", trained={"seed": 7})
    report = table_1(tmp_path)
    assert measured_rows(report) == {"SID"} and "seed 7" in report.sources[0]


@pytest.mark.parametrize("checkpoint", ["train.best", "distil.last"])
def test_a_stage_before_the_last_has_a_row_of_its_own(checkpoint: str, tmp_path: Path) -> None:
    """After distillation and before tuning, i-sid is the table's SID-ENC, or nothing that the paper shows."""
    i_sid(tmp_path / "run", checkpoint)
    stage = checkpoint.partition(".")[0]
    for number in ("1", "3"):
        report = fill(ENC, ENC.table(number), read_results([tmp_path]))
        shown = {line.row.label for line in report.lines if any(cell.measured for cell in line.cells)}
        assert shown <= {f"I-SID, after {stage}"} and (shown or number == "3")
    text, *others = texts(table_1(tmp_path), f"I-SID, after {stage}")
    assert f"Measured after its stage {stage}, of train, distil, tune." in text
    assert bool(others) is checkpoint.endswith(".last")


def test_the_last_stage_fills_the_row(tmp_path: Path) -> None:
    i_sid(tmp_path / "run")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"I-SID"} and texts(report, "I-SID") == []


def test_last_weights_are_accepted_and_said(tmp_path: Path) -> None:
    i_sid(tmp_path / "run", "tune.last")
    report = table_1(tmp_path)
    assert measured_rows(report) == {"I-SID"}
    assert texts(report, "I-SID") == ["Measured with tune.last, not with tune.best, which `evaluate` takes by itself."]


def test_an_earlier_version_did_not_record_it(tmp_path: Path) -> None:
    """Such a run keeps its row, marked: nothing but its age tells against it."""
    i_sid(tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    summary = json.loads(path.read_text())
    del summary["trained"]["altered"]
    path.write_text(json.dumps(summary))
    report = table_1(tmp_path)
    assert measured_rows(report) == {"I-SID"}
    assert [text for text in texts(report, "I-SID") if "did not record whether" in text]


@pytest.mark.parametrize("renderer", [terminal, markdown, html, latex, csv], ids=lambda module: module.__name__.split(".")[-1])
def test_every_format_shows_it(renderer: ModuleType, tmp_path: Path) -> None:
    keys = {"options.width": [32, "<b>\x1b[2J" + "w" * 99]}
    write_run(tmp_path / "sid", "sid", "sid", trained={"altered": keys})
    page = renderer.render(table_1(tmp_path))
    assert "SID, altered recipe" in page and "Altered in 1 setting" in page.replace("\n   ", "")
    assert "\x1b[2J" not in page and "w" * 40 not in page


def test_a_malformed_record_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "sid", "sid", "sid", trained={"altered": ["stages.0.steps"]})
    [line] = read_results([tmp_path]).unreadable
    assert "trained.altered" in line
