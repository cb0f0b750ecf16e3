"""The words around a table: errata at their places, where measured figures come from, and what to think of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchtool.core import catalog
from benchtool.core.protocol import DEFAULT, read_protocol
from benchtool.papers.model import PARAMETERS, Erratum, Panel
from benchtool.report.frame import Evaluation, Results
from benchtool.report.rows import OwnRow
from benchtool.report.statistics import DRAWS, MIN_SCENES
from benchtool.report.table import Block, Column, Report

SPREAD = f"± is half of the mean's 95 % interval, from {DRAWS:,} bootstrap draws of whole scenes."
PLACES = (
    "In brackets are the ranks a measured figure may have: 1 + how many others are better, to how many there are - how many are worse. "
    "Better and worse are those alone whose paired difference has a 95 % interval (the same scenes drawn for both; each pair by itself) "
    "without 0: the best figure is no certain winner unless it has (1)."
)
EMPHASIS = "The best figure of a column is bold, the second underlined, published and measured ones apart."


def attach_errata(report: Report, errata: Sequence[Erratum]) -> None:
    """Put each erratum of the table where it belongs: table, panel, column, row or cell."""
    for erratum in errata:
        if report.table.number not in erratum.tables:
            continue
        if erratum.row is None and not erratum.names_column:
            report.notes.append(erratum.text)
            continue
        for notes in _places(report, erratum):
            notes.append(report.note(erratum.text))
        for line in (line for line in report.lines if line.row.label == erratum.row and erratum.counted is not None):
            line.parameters.counted = erratum.counted


def _places(report: Report, erratum: Erratum) -> list[list[int]]:
    """The lists of footnote numbers an erratum goes to."""
    columns = [number for number, column in enumerate(report.columns) if _covers(erratum, report, column)]
    lines = [line for line in report.lines if line.row.label == erratum.row]
    if erratum.row is None:
        if erratum.metric == PARAMETERS:
            return [report.parameter_notes]
        if erratum.group or erratum.metric:
            return [report.columns[number].notes for number in columns]
        return [block.notes for block in report.blocks if block.panel.key == erratum.dataset]
    if not erratum.names_column:
        return [line.notes for line in lines]
    if erratum.metric == PARAMETERS:
        return [line.parameters.notes for line in lines]
    return [line.cells[number].published_notes for line in lines for number in columns]


def _covers(erratum: Erratum, report: Report, column: Column) -> bool:
    place = (report.blocks[column.panel].panel.key, column.group.key, column.metric.key)
    return all(wanted in (None, found) for wanted, found in zip((erratum.dataset, erratum.group, erratum.metric), place))


def describe(report: Report, results: Results, chosen: Sequence[Mapping[int, Evaluation]]) -> None:
    """Say what was measured on what, from which runs, and what a reader must not conclude from it."""
    measured = [block for block in report.blocks if block.edition]
    _sources(report, chosen)
    _missing(report)
    by_protocol = _panels(report)
    for name in by_protocol:
        if lacking := read_protocol(name).lacking:
            report.notes.append(f"Nothing can be measured by protocol {name} yet; benchtool lacks: {'; '.join(lacking)}.")
    for folder, dataset in results.unfinished:
        report.notes.append(f"{folder} on {dataset}: its evaluation was interrupted; the same `benchtool evaluate` finishes it.")
    if not by_protocol:
        report.hint = "`benchtool evaluate` measures no figure of this table."
        return
    if todo := _unfilled(report):
        every = f"`benchtool reproduce {report.paper.name}:{report.table.number} --dry-run`"
        report.notes.append(f"Without measured figures, and what fills them: {', '.join(todo)}; {every} lists the commands.")
    if not measured:
        found = "no runs found"
        if results.runs:
            found = f"{_count(results.runs, 'run')} read, none with a complete evaluation for this table"
            datasets = {panel.dataset for panels in by_protocol.values() for panel in panels}
            others = {e.entry.protocol for e in results.evaluations if e.entry.dataset in datasets} - set(by_protocol)
            found += f": by protocol {', '.join(sorted(others))}, not {', '.join(by_protocol)}" if others else ""
        report.commands = _commands(report)
        report.hint = f"Nothing measured yet ({found})." + (" To fill the table:" if report.commands else "")
        return
    warning = _warning(measured)
    if warning:
        report.warnings.append(warning)
    cells = [cell.measured for line in report.lines for cell in line.cells if cell.measured]
    if any(cell.interval is None for cell in cells):
        report.warnings.append(f"No intervals where there are fewer than {MIN_SCENES} scenes, and no measured figure is ranked there.")
    _same_versions(report)


def lead(report: Report) -> list[str]:
    """What stands above a table: the paper, the protocol, and what was measured on."""
    paper = report.paper
    lines = [f"{paper.authors}, {paper.title}, {paper.venue}.", *_protocols(report)]
    measured = [_edition(block) for block in report.blocks if block.edition]
    lines += [f"Measured on {'; '.join(measured)}."] if measured else []
    counted: dict[str, list[str]] = {}
    for index, block in enumerate(report.blocks):
        counted.setdefault(_counted(report, index), []).append(block.panel.title)
    return lines + [f"{', '.join(titles)}: measured figures are of {text}" for text, titles in counted.items() if text]


def legend(report: Report) -> list[str]:
    """What the signs of a table mean, where it has them."""
    if report.view:
        return report.view.legend
    cells = [cell for line in report.lines for cell in line.cells]
    lines = [SPREAD] if any(cell.measured and cell.measured.interval for cell in cells) else []
    if any(cell.delta is not None and cell.measured.interval for cell in cells):
        lines.append("A difference to a printed figure has the measured figure's ±: the printed one's is not known.")
    return lines + ([PLACES] if any(cell.places for cell in cells) else [])


def emphasis(report: Report) -> list[str]:
    """What bold and underlined mean, where there are such figures."""
    return [] if report.view else [EMPHASIS]


def _counted(report: Report, index: int) -> str:
    """How many images and scenes the measured figures of a panel's columns are of, and how many of them the means leave out."""
    found: dict[str, tuple[int, int]] = {}
    failures: dict[tuple[str, str], tuple[int, int]] = {}
    for number, column in enumerate(report.columns):
        for line in report.lines:
            measured = line.cells[number].measured
            if column.panel != index or measured is None:
                continue
            most = found.get(column.group.title, (0, 0))
            found[column.group.title] = (max(most[0], measured.samples), max(most[1], measured.scenes))
            if measured.failures:
                place = (column.metric.title, line.row.label)
                failures[place] = max(failures.get(place, (0, 0)), (measured.failures, measured.samples))
    if not found:
        return ""
    counts = ", ".join(f"{_count(images, 'image')} of {_count(scenes, 'scene')} ({group})" for group, (images, scenes) in found.items())
    failed = ", ".join(f"{metric} of {label} {some} of {all_}" for (metric, label), (some, all_) in failures.items())
    return f"{counts}; left out of the mean: {failed or 'none'}."


def _edition(block: Block) -> str:
    edition = block.edition
    size = f"{_count(block.scenes, 'scene')}, {_count(block.samples, 'image')}"
    return f"{block.panel.title} {edition.variant} ({size}, data {edition.fingerprint[:8]})"


def _panels(report: Report) -> dict[str, list[Panel]]:
    """The table's panels by their protocol, those left out of which the paper alone has figures."""
    panels: dict[str, list[Panel]] = {}
    for panel in report.table.panels:
        if any(metric.variant for metric in panel.metrics):
            panels.setdefault(report.table.protocol_of(panel), []).append(panel)
    return panels


def _protocols(report: Report) -> list[str]:
    """A line a protocol: what of the table is measured by it, as what."""
    lines, by_protocol = [], _panels(report)
    for name, panels in by_protocol.items():
        metrics = {m.title: m.variant for panel in panels for m in panel.metrics if m.variant}
        where = f" ({', '.join(panel.title for panel in panels)})" if len(by_protocol) > 1 else ""
        said = ", ".join(f"{title} is {variant}" for title, variant in metrics.items())
        lines.append(f"Protocol {name}{where}: {said}; means over images.")
    return lines


def _missing(report: Report) -> None:
    cells = [cell for line in report.lines for cell in line.cells]
    if absent := sum(cell.missing for cell in cells):
        report.notes.append(f"{absent} of {len(cells)} cells lack the paper's number and say so: missing. {report.table.missing}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _warning(measured: Sequence[Block]) -> str | None:
    """For figures of sample scenes or of smoke training, which show that things run and no more."""
    samples = [block.scenes for block in measured if block.edition.variant == "sample"]
    smoke = any(block.smoke for block in measured)
    if not samples and not smoke:
        return None
    origin = [_count(max(samples), "sample scene")] if samples else []
    origin += ["smoke training"] if smoke else []
    return f"Measured figures come from {' and '.join(origin)}: they show that everything works, not how good a method is."


def _sources(report: Report, chosen: Sequence[Mapping[int, Evaluation]]) -> None:
    for number, line in enumerate(report.lines):
        told = []
        for block, evaluations in zip(report.blocks, chosen):
            if number in evaluations:
                told.append(f"{block.panel.title} from {evaluations[number].run}{_training(evaluations[number])}")
        if told:
            report.sources.append(f"{line.row.label}: {'; '.join(told)}")


def _training(evaluation: Evaluation) -> str:
    trained, imported = evaluation.summary.trained, evaluation.summary.imported
    if imported is not None:
        return f" (imported weights: {', '.join(f'{file.name}, sha256 {file.sha256[:8]}' for file in imported.files)})"
    if trained is None:
        return ""
    kind = "smoke training, " if trained.smoke else ""
    return f" ({kind}{_count(trained.steps, 'step')}, seed {trained.seed}, {evaluation.entry.checkpoint})"


def _same_versions(report: Report) -> None:
    """A footnote on columns whose rows were measured with different versions of the metric."""
    for number, column in enumerate(report.columns):
        cells = [line.cells[number] for line in report.lines]
        versions = sorted({version for cell in cells if cell.measured for version in cell.measured.versions})
        if len(versions) > 1:
            text = f"Measured with versions {' and '.join(versions)} of {column.metric.variant}, which may differ"
            column.notes.append(report.note(f"{text}: no ranks, and no differences between them; evaluate again."))


def _unfilled(report: Report) -> list[str]:
    """The rows that benchtool could fill and has not, each with the method, recipe or weights that would."""
    measured = [line.row for line in report.lines if any(cell.measured for cell in line.cells)]
    filled = {(row.of if isinstance(row, OwnRow) and row.nearest else row).label for row in measured}
    found = []
    for row in (line.row for line in report.lines if line.available and line.below is None and line.row.label not in filled):
        options = "".join(f" -s {key}={value}" for key, value in row.options.items())
        learned = bool(catalog.facts("methods", row.method).players)
        what = f"recipe {row.recipe}" if row.recipe else f"imported weights of {row.method}" if learned else f"method {row.method}{options}"
        found.append(f"{row.label} ({what})")
    return found


def _commands(report: Report) -> list[str]:
    """Commands for the first row that needs no training and for the first that does; none where no row is available."""
    panel = report.table.panels[0]
    name, data, source = report.table.protocol_of(panel), panel.dataset, panel.trained_on or panel.dataset
    protocol = read_protocol(name)
    if protocol.lacking:
        return []
    how = f"--data {data}/" + (f" --protocol {name}" if name != DEFAULT else "")
    roles = protocol.roles(data)  # all are measured unless told otherwise
    how += f" --target {panel.target}" if roles and panel.target and panel.target not in roles else ""
    rows = [line.row for line in report.lines if line.available]
    commands = [f"benchtool evaluate {row.method} {how}" for row in rows if row.recipe is None][:1]
    for recipe in [row.recipe for row in rows if row.recipe][:1]:
        run = f"runs/{recipe}.{source}"
        commands += [f"benchtool train {recipe}:{source} --data {source}/ --out {run}", f"benchtool evaluate {run} {how}"]
    return commands
