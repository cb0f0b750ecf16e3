"""Fills a paper's table: published numbers as printed, measured ones from score files, footnotes where they belong.

A measured figure is that of a row's newest complete evaluation. Within a panel all figures are of one edition (the same
data, fingerprint and protocol); a difference to a published number is computed only where that edition is the paper's.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from benchtool.core import catalog
from benchtool.core.protocol import has_metric
from benchtool.papers.load import Library, Place
from benchtool.papers.model import PARAMETERS, Group, Panel, Row, Table
from benchtool.report.frame import Evaluation, Results, Scores
from benchtool.report.notes import attach_errata, describe
from benchtool.report.statistics import mean, scene_interval
from benchtool.report.table import Block, Cell, Column, Edition, Line, Measured, Parameters, Report, ranks, rounded


def fill(library: Library, table: Table, results: Results) -> Report:
    """The table with everything there is to show in it."""
    blocks = [Block(panel) for panel in table.panels]
    columns = [Column(table.panels.index(panel), group, metric) for panel, group, metric in table.columns()]
    lines = [Line(row, [_cell(library, table, row, blocks, c) for c in columns]) for row in table.rows]
    report = Report(library.paper, table, blocks, columns, lines, unreadable=results.unreadable)
    _column_facts(report)
    chosen = [_choose(report, block, results) for block in blocks]
    for line in lines:
        _row_facts(report, library, line)
        for index, (block, evaluations) in enumerate(zip(blocks, chosen)):
            if (evaluation := evaluations.get(table.rows.index(line.row))) is not None:
                _measure(report, line, index, block, evaluation)
    _rank(report)
    attach_errata(report, library.errata)
    describe(report, results, chosen)
    report.number_footnotes()
    return report


def _cell(library: Library, table: Table, row: Row, blocks: list[Block], column: Column) -> Cell:
    """The cell with its published number."""
    place = Place(table.number, row.label, blocks[column.panel].panel.key, column.group.key, column.metric.key)
    found = library.published.get(place)
    return Cell(found.value if found else None, missing=bool(table.missing) and found is None)


def matches(row: Row, panel: Panel, protocol: str, evaluation: Evaluation) -> bool:
    """Whether an evaluation is one of this row, for this panel."""
    summary, entry = evaluation.summary, evaluation.entry
    if (summary.method, summary.recipe, summary.options) != (row.method, row.recipe, dict(row.options)):
        return False
    if (entry.dataset, entry.split, entry.target, entry.protocol) != (panel.dataset, panel.split, panel.target, protocol):
        return False
    trained_on = summary.trained.dataset if summary.trained else None
    return trained_on == ((panel.trained_on or panel.dataset) if row.recipe else None)


def _choose(report: Report, block: Block, results: Results) -> dict[int, Evaluation]:
    """Row number -> its newest evaluation, all of the edition with the most rows (of equals the one measured last)."""
    editions: dict[Edition, dict[int, Evaluation]] = {}
    for evaluation in results.evaluations:  # newest first
        entry = evaluation.entry
        edition = Edition(entry.variant, entry.fingerprint, entry.protocol_sha256)
        for number, row in enumerate(report.table.rows):
            if matches(row, block.panel, report.table.protocol_of(block.panel), evaluation):
                editions.setdefault(edition, {}).setdefault(number, evaluation)
    if not editions:
        return {}
    edition, chosen = max(editions.items(), key=lambda item: len(item[1]))
    paper, any_of_them = block.panel.edition, next(iter(chosen.values()))
    block.edition, block.scenes, block.samples = edition, any_of_them.scenes, any_of_them.entry.samples
    block.smoke = any(e.summary.trained is not None and e.summary.trained.smoke for e in chosen.values())
    block.comparable = (paper.variant, paper.fingerprint) == (edition.variant, edition.fingerprint)
    if edition.variant == paper.variant and paper.fingerprint is None:
        text = "The fingerprint of the paper's data is not known, so that no difference to its figures is printed."
        block.notes.append(report.note(text))
    for other, rows in editions.items():
        if other != edition:
            report.notes.append(
                f"Also measured, not shown: {len(rows)} rows of {block.panel.title} on {other.variant}, data {other.fingerprint[:8]}, "
                f"protocol file {other.protocol_sha256[:8]}; name their folder with --results."
            )
    return chosen


def _row_facts(report: Report, library: Library, line: Line) -> None:
    """Whether benchtool has the row's method and recipe, and its parameters."""
    row, table = line.row, report.table
    method = row.method in catalog.entries("methods")
    recipe = row.recipe is None or row.recipe in catalog.recipe_files()
    line.available = method and recipe
    if not line.available:
        line.notes.append(report.note("Not in benchtool yet." if not method else f"Its recipe, {row.recipe}, is not in benchtool yet."))
    if table.parameters:
        printed = library.published.get(Place(table.number, row.label, "", "", PARAMETERS))
        built = catalog.facts("methods", row.method).parameters if method and not row.options else 0
        line.parameters = Parameters(printed.value if printed else None, built or None)


def _column_facts(report: Report) -> None:
    """Which columns benchtool cannot measure yet."""
    for column in report.columns:
        variant = column.metric.variant
        if variant and not has_metric(variant):
            column.notes.append(report.note(f"The metric {variant} is not in benchtool yet."))


def _measure(report: Report, line: Line, index: int, block: Block, evaluation: Evaluation) -> None:
    """Fill the measured cells of one row in one panel."""
    for metric in block.panel.metrics:
        cells = [(c, cell) for c, cell in zip(report.columns, line.cells) if c.panel == index and c.metric == metric]
        scores = evaluation.scores(metric.variant) if metric.variant else None
        if scores is None:
            continue
        for column, cell in cells:
            _fill_cell(report, cell, column.group, scores, evaluation)
            if cell.measured and cell.published and block.comparable:
                cell.delta = cell.measured.mean - float(Decimal(cell.published))


def _fill_cell(report: Report, cell: Cell, group: Group, scores: Scores, evaluation: Evaluation) -> None:
    masks = [_members(key, scores, evaluation) for key in group.mean_of or (group.key,)]
    if not all(mask.any() for mask in masks):
        return
    together = np.logical_or.reduce(masks)
    valid = ~np.isnan(scores.values)
    failures = int((together & ~valid).sum())
    if not all((mask & valid).any() for mask in masks):
        cell.absent = "n/a"
        cell.measured_notes.append(report.note(f"No value: {scores.reason}."))
        return
    parts = [(scores.values[mask & valid], scores.scenes[mask & valid]) for mask in masks]
    cell.measured = Measured(
        mean=mean(parts),
        interval=scene_interval(parts),
        samples=int(together.sum()),
        failures=failures,
        scenes=len(np.unique(scores.scenes[together])),
        run=evaluation.run,
        versions=tuple(sorted(scores.versions)),
    )
    if failures:
        why = f"{int((together & scores.failed).sum())} failed" if (together & scores.failed).any() else "none failed"
        text = f"{failures} of {int(together.sum())} images have no value ({why}; the first: {scores.reason}) and are left out of the mean."
        cell.measured_notes.append(report.note(text))


def _members(key: str, scores: Scores, evaluation: Evaluation) -> np.ndarray:
    """[n] bool: the samples of a group: all, those of an exposure group of the dataset, or those of a subset."""
    if key == "all":
        return np.ones(len(scores.values), bool)
    exposures = evaluation.entry.exposure_groups.get(key)
    return np.isin(scores.exposures, exposures) if exposures else scores.subsets == key


def _rank(report: Report) -> None:
    for number, column in enumerate(report.columns):
        cells = [line.cells[number] for line in report.lines]
        up, decimals = column.metric.higher_is_better, column.metric.decimals
        measured = [rounded(c.measured.mean, decimals) if c.measured else None for c in cells]
        printed = [None if any(c.missing for c in cells) else c.published for c in cells]  # the best may be among the missing
        for cell, published, own in zip(cells, ranks(printed, up), ranks(measured, up)):
            cell.published_rank, cell.measured_rank = published, own
