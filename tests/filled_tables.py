"""Filled tables for the tests of reports, and what they look for in them."""

from __future__ import annotations

from pathlib import Path

from benchtool.papers.load import load
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.table import Cell, Report

ENC, MSEC, EMVNET = load("enc"), load("msec"), load("emvnet")


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


def measured_panels(report: Report) -> list[str]:
    """Titles of the panels with a measured figure."""
    found = {report.columns[n].panel for line in report.lines for n, cell in enumerate(line.cells) if cell.measured}
    return [report.blocks[index].panel.title for index in sorted(found)]
