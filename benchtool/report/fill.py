"""Fills a paper's table: published numbers as printed, measured ones from score files, footnotes where they belong.

A measured figure is that of a row's newest complete evaluation (which runs are a row's: `rows`). Within a panel all figures are of one
edition (the same data, fingerprint and protocol); a difference to a published number is computed only where that edition is the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from benchtool.core import catalog
from benchtool.core.protocol import has_metric
from benchtool.papers.load import Library, Place
from benchtool.papers.model import PARAMETERS, RUNTIME, UNSAID, Group, Row, Table
from benchtool.papers.model import Edition as PaperEdition
from benchtool.report.frame import Evaluation, Results, Scores
from benchtool.report.notes import attach_errata, describe
from benchtool.report.paired import ABOVE, INFINITE, MISSING, Entrant, contest
from benchtool.report.rows import OwnRow, explain, takes, targets, with_own_rows
from benchtool.report.schema import Runtime
from benchtool.report.statistics import Interval, mean
from benchtool.report.table import Block, Cell, Column, Edition, Line, Measured, Parameters, Report, ranks, rounded


def fill(library: Library, table: Table, results: Results) -> Report:
    """The table with everything there is to show in it."""
    blocks = [Block(panel) for panel in table.panels]
    columns = [Column(table.panels.index(panel), group, metric) for panel, group, metric in table.columns()]
    shown = with_own_rows(table, results)
    lines = [
        Line(row, [_cell(library, table, row, blocks, c) for c in columns], below=row.of.label if isinstance(row, OwnRow) else None)
        for row in shown.rows
    ]
    report = Report(library.paper, shown, blocks, columns, lines, unreadable=results.unreadable)
    _column_facts(report)
    report.chosen = [_choose(report, block, results) for block in blocks]
    for line in lines:
        _row_facts(report, library, line)
    for index, evaluations in enumerate(report.chosen):
        _measure(report, index, evaluations)
        explain(report, index, evaluations)
    _rank(report)
    attach_errata(report, library.errata)
    describe(report, results, report.chosen)
    report.number_footnotes()
    return report


def _cell(library: Library, table: Table, row: Row, blocks: list[Block], column: Column) -> Cell:
    """The cell with its published number."""
    place = Place(table.number, row.label, blocks[column.panel].panel.key, column.group.key, column.metric.key)
    found = library.published.get(place)
    return Cell(found.value if found else None, missing=bool(table.missing) and found is None and row in table.rows)


def _choose(report: Report, block: Block, results: Results) -> dict[int, Evaluation]:
    """Row number -> its newest evaluation, all of the edition with the most rows (of equals the one measured last)."""
    editions: dict[Edition, dict[int, Evaluation]] = {}
    for evaluation in results.evaluations:  # newest first
        entry = evaluation.entry
        edition = Edition(entry.variant, entry.fingerprint, entry.protocol_sha256)
        for number, row in enumerate(report.table.rows):
            if takes(row, block.panel, report.table.protocol_of(block.panel), evaluation):
                editions.setdefault(edition, {}).setdefault(number, evaluation)
    if not editions:
        return {}
    edition, chosen = max(editions.items(), key=lambda item: len(item[1]))
    paper, any_of_them = block.panel.edition, next(iter(chosen.values()))
    block.edition, block.scenes, block.samples = edition, any_of_them.scenes, any_of_them.entry.samples
    block.smoke = any(e.summary.trained is not None and e.summary.trained.smoke for e in chosen.values())
    scenes = any_of_them.table["scene"].unique().to_pylist()
    block.comparable = paper.holds(edition.variant, edition.fingerprint, scenes, any_of_them.entry.samples)
    if note := _sameness(paper, edition, block.comparable):
        block.notes.append(report.note(note))
    if len(roles := targets(block.panel, report.table.protocol_of(block.panel))) > 1:
        text = f"Measured: the mean of those against {', '.join(roles)}, each counting once; what needs no target is the same for each."
        block.notes.append(report.note(text))
    for other, rows in editions.items():
        if other != edition:
            report.notes.append(
                f"Also measured, not shown: {len(rows)} row{'s' * (len(rows) != 1)} of {block.panel.title} on {other.variant}, "
                f"data {other.fingerprint[:8]}, "
                f"protocol file {other.protocol_sha256[:8]}; name their folder with --results."
            )
    return dict(sorted(chosen.items()))


def _sameness(paper: PaperEdition, edition: Edition, same: bool) -> str:
    """What is to be said of whether the measured data are the paper's; empty where the fingerprint or another variant says it."""
    if edition.variant != paper.variant or paper.fingerprint:
        return ""
    if not paper.known:
        return "Neither hashes nor names of the paper's data are known, so that no difference to its figures is printed."
    if not same:
        return (
            f"Not the paper's {paper.samples:,} images, by their number or their scenes, so that no difference to its figures is printed."
        )
    return "The data are the paper's by their scenes and the number of images; of their bytes nobody published hashes."


def _row_facts(report: Report, library: Library, line: Line) -> None:
    """Whether benchtool has the row's method and recipe, and its parameters."""
    row, table = line.row, report.table
    method = row.method in catalog.entries("methods")
    recipe = row.recipe is None or row.recipe in catalog.recipe_files()
    line.available = method and recipe
    if not line.available:
        text = "Not in benchtool yet." if not method else f"Its recipe, {row.recipe}, is not in benchtool yet."
        line.notes.append(report.note(text + (f" {row.unlike}" if row.unlike not in ("", UNSAID) else "")))
    if table.parameters:
        printed = library.published.get(Place(table.number, row.label, "", "", PARAMETERS))
        built = catalog.facts("methods", row.method).enhancing if method and not row.options else 0
        line.parameters = Parameters(printed.value if printed else None, built or None)


def _column_facts(report: Report) -> None:
    """Which columns benchtool cannot measure yet."""
    for column in report.columns:
        variant = column.metric.variant
        if variant and not has_metric(variant):
            column.notes.append(report.note(f"The metric {variant} is not in benchtool yet."))


def _measure(report: Report, index: int, evaluations: Mapping[int, Evaluation]) -> None:
    """Fill the measured cells of one panel."""
    block = report.blocks[index]
    for metric in block.panel.metrics:
        columns = [number for number, column in enumerate(report.columns) if column.panel == index and column.metric == metric]
        if metric.key == RUNTIME:
            for number in columns:
                _fill_runtimes(report, number, {row: e.entry.runtime for row, e in evaluations.items() if e.entry.runtime})
        if not metric.variant:
            continue
        scores = {row: found for row, e in evaluations.items() if (found := e.scores(metric.variant)) is not None}
        for number in columns:
            _fill_column(report, number, scores, evaluations)


def _fill_column(report: Report, number: int, scores: Mapping[int, Scores], evaluations: Mapping[int, Evaluation]) -> None:
    """Fill one column, and compare its rows with each other."""
    column = report.columns[number]
    block = report.blocks[column.panel]
    wanted, entrants = targets(block.panel, report.table.protocol_of(block.panel)), {}
    for row, found in scores.items():
        one, cell = entrant(column.group, wanted, found, evaluations[row]), report.lines[row].cells[number]
        if not one.parts.any(axis=1).all():
            continue
        if not one.has_mean:
            cell.absent = "n/a"
            cell.measured_notes += [report.note(f"No value: {reason}.") for _, reason in one.left_out.values()]
            continue
        entrants[row] = one
    if not entrants:
        return
    report.contests[number] = compared = contest(entrants, column.metric.higher_is_better)
    for (row, one), interval, places in zip(entrants.items(), compared.comparison.intervals, compared.places):
        cell = report.lines[row].cells[number]
        cell.measured, cell.places = measured(one, interval, evaluations[row]), places
        cell.measured_notes += failures(report, one)
        if cell.published and block.comparable:
            cell.delta = cell.measured.mean - float(Decimal(cell.published))


def measured(one: Entrant, interval: Interval | None, evaluation: Evaluation) -> Measured:
    """The figure of a row in a column."""
    versions = tuple(sorted(one.scores.versions))
    return Measured(mean(one.pairs), interval, one.samples, one.failures, one.scenes, evaluation.run, versions)


def failures(report: Report, one: Entrant) -> list[int]:
    """The footnotes that tell of images that the mean leaves out, where there are some."""
    says = {
        MISSING: f"have no value ({one.failed or 'none'} failed; the first: {{}}) and are left out of the mean",
        INFINITE: "are infinite (no difference to the target) and left out of the mean, which lowers it",
        ABOVE: f"are {ABOVE} and left out of the mean, as the protocol has it",
    }
    found = one.left_out.items()
    return [report.note(f"{count} of {one.samples} images {says[kind].format(reason)}.") for kind, (count, reason) in found]


def _fill_runtimes(report: Report, number: int, runtimes: Mapping[int, Runtime]) -> None:
    """Run times, with the picture and the machine: a footnote of the column where all are alike, else of each."""
    notes = {}
    for row, found in runtimes.items():
        report.lines[row].cells[number].runtime = found
        notes[row] = (
            f"Measured: enhance alone, on one picture of {found.size[0]} x {found.size[1]} pixels, by {found.device} with {found.threads} "
            "CPU threads; the median of several. No difference to the paper's is printed, whose machine is another."
        )
    if len(set(notes.values())) == 1:
        report.columns[number].notes.append(report.note(next(iter(notes.values()))))
        return
    for row, text in notes.items():
        report.lines[row].cells[number].measured_notes.append(report.note(text))


def entrant(group: Group, wanted: Sequence[str], scores: Scores, evaluation: Evaluation) -> Entrant:
    """A row in the column of a group: a part for each group that its mean is of, and for each of the `wanted` targets."""
    groups = [members(key, scores, evaluation) for key in group.mean_of or (group.key,)]
    experts = [scores.experts == target for target in wanted] or [np.ones(len(scores.values), bool)]
    return Entrant(scores, np.array([mask & expert for mask in groups for expert in experts]))


def members(key: str, scores: Scores, evaluation: Evaluation) -> np.ndarray:
    """[n] bool: the samples of a group: all, those of an exposure group of the dataset, or those of a subset."""
    if key == "all":
        return np.ones(len(scores.values), bool)
    exposures = evaluation.entry.exposure_groups.get(key)
    return np.isin(scores.exposures, exposures) if exposures else scores.subsets == key


def _rank(report: Report) -> None:
    for number, column in enumerate(report.columns):
        cells = [line.cells[number] for line in report.lines]
        up, decimals = column.metric.higher_is_better, column.metric.decimals
        measured = [rounded(c.measured.mean, decimals) if c.measured and c.places else None for c in cells]
        printed = [None if any(c.missing for c in cells) else c.published for c in cells]  # the best may be among the missing
        for cell, published, own in zip(cells, ranks(printed, up), ranks(measured, up)):
            cell.published_rank, cell.measured_rank = published, own
