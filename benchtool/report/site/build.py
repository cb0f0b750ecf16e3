"""Builds the site: every page into a temporary folder, which takes the place of OUT when all is there."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from benchtool import __version__
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import atomic_folder, read_json, write_bytes, write_json, write_text
from benchtool.core.manifest import Dataset, open_dataset
from benchtool.core.pool import Failure
from benchtool.core.protocol import protocol_names, read_protocol
from benchtool.core.provenance import git_state
from benchtool.report.frame import Results
from benchtool.report.site import scenes
from benchtool.report.site.bibliography import references, write_bibliography
from benchtool.report.site.choose import Edition
from benchtool.report.site.distribution import write_distributions
from benchtool.report.site.subjects import ALL, MetricView, Subject, metric_view, subjects
from benchtool.report.site.tables import TablePage, fill_tables, write_tables
from benchtool.report.statistics import mean
from benchtool.report.table import rounded

FOLDER = Path(__file__).resolve().parent
MARKER = "benchtool-site.json"  # says that a folder is a site, which may be replaced
OWN_FILES = ("site.css", "tables.js")
CHAPTERS = (
    ("tables", "Tables", "index.html#tables"),
    ("measured", "Measured", "index.html#measured"),
    ("scenes", "Scenes", "scenes/index.html"),
    ("methods", "Methods", "methods.html"),
    ("bibliography", "Bibliography", "bibliography.html"),
)


@dataclass(frozen=True)
class Site:
    """What was built.

    Attributes:
        index: the page to open.
        distributions: pages of them.
        missing: a line for each edition whose images were not given.
        failures: what could not be shown.
    """

    index: Path
    tables: int
    evaluations: int
    distributions: int
    scenes: int
    missing: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Cell:
    """A mean on the first page, and where it leads."""

    text: str
    href: str | None = None


@dataclass(frozen=True)
class EvaluationRow:
    """An evaluation on the first page; `cells` are in the order of its edition's metrics."""

    label: str
    cells: list[Cell]
    images: int
    failures: int
    training: str
    finished: str


@dataclass(frozen=True)
class EditionView:
    """Evaluations of the same data and protocol on the first page."""

    title: str
    says: str
    metrics: list[MetricView]
    rows: list[EvaluationRow]


def environment(command: Sequence[str] = ()) -> jinja2.Environment:
    """The site's templates: autoescaping, and strict about what is not given. `command` is what the site says it was made with."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    state = git_state()
    commit = state["commit"][:12] + (" with changes" if state["dirty"] else "") if state else ""
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    found.globals.update(
        chapters=CHAPTERS, made={"version": __version__, "date": date, "commit": commit, "command": shlex.join(["benchtool", *command])}
    )
    return found


def open_datasets(folders: Sequence[Path], roots: Mapping[str, str]) -> list[Dataset]:
    """Open the datasets, each with those of `roots` that it has.

    Raises:
        UserError: as `open_dataset`; or a root that none of them has.
    """
    opened, known = [], set()
    for folder in folders:
        own = _root_names(folder)
        opened.append(open_dataset(folder, {name: place for name, place in roots.items() if name in own}))
        known |= own
    for name in roots:
        if name not in known:
            have = ", ".join(sorted(known)) or "none"
            raise UserError(f"--root {name}=...: no dataset given with --data has this root; they have {have}")
    return opened


def _root_names(folder: Path) -> set[str]:
    path = folder / "dataset.json"
    facts = read_json(path) if path.is_file() else {}
    return set(facts.get("roots", ())) if isinstance(facts, dict) else set()


def build_site(out: Path, results: Results, datasets: Sequence[Dataset], *, per_kind: int | None = 20, command: Sequence[str] = ()) -> Site:
    """Write the whole site to `out`; an older one there is replaced once the new one is complete.

    Args:
        datasets: those of the evaluations, for their pictures; matched by fingerprint.
        per_kind: worst, median and best scenes of each method; every scene where None.
        command: arguments of the command line that asked for it.

    Raises:
        UserError: `out` holds something that is not a site.
    """
    failures: list[Failure] = []
    pages_of = environment(command)
    with atomic_folder(out, MARKER) as folder:
        for name in OWN_FILES:
            write_bytes(folder / "static" / name, (FOLDER / "static" / name).read_bytes())
        shown = scenes.write_scenes(folder, results.evaluations, datasets, per_kind=per_kind, environment=pages_of, failures=failures)
        evaluated = subjects(results.evaluations, shown)
        tables = fill_tables(results, evaluated)
        distributions = write_distributions(folder, evaluated, pages_of)
        write_tables(folder, tables, pages_of, results, datasets)
        write_bibliography(folder, references(tables), pages_of)
        _write_methods(folder, evaluated, pages_of)
        missing = _missing(evaluated, datasets)
        _write_index(folder, results, tables, evaluated, len(shown), missing, pages_of)
        counts = {"tables": len(tables), "evaluations": len(evaluated), "distributions": distributions, "scenes": len(shown)}
        write_json(folder / MARKER, {"schema": 1, "benchtool": __version__, "made": pages_of.globals["made"]["date"], **counts})
    return Site(Path(out) / "index.html", **counts, missing=missing, failures=failures)


def _write_methods(out: Path, evaluated: Sequence[Subject], pages_of: jinja2.Environment) -> None:
    used = [subject.evaluation.summary.method for subject in evaluated]
    methods = [(name, catalog.facts("methods", name), used.count(name)) for name in catalog.names("methods")]
    write_text(out / "methods.html", pages_of.get_template("methods.html.j2").render(root="", here="methods", methods=methods) + "\n")


def _write_index(
    out: Path,
    results: Results,
    tables: Sequence[TablePage],
    evaluated: Sequence[Subject],
    scenes_shown: int,
    missing: Sequence[str],
    pages_of: jinja2.Environment,
) -> None:
    papers: dict[str, tuple[Any, list[TablePage]]] = {}
    for page in tables:
        papers.setdefault(page.report.paper.name, (page.report.paper, []))[1].append(page)
    by_edition: dict[Edition, list[Subject]] = {}
    for subject in evaluated:
        by_edition.setdefault(subject.edition, []).append(subject)
    warnings = [f"Could not be read: {line}" for line in results.unreadable]
    warnings += [f"{folder} on {dataset}: its evaluation was interrupted and is not shown." for folder, dataset in results.unfinished]
    protocols = [name for name in protocol_names() if any(edition.protocol == name for edition in by_edition)]
    text = pages_of.get_template("index.html.j2").render(
        root="",
        here="index",
        pages=tables,
        papers=list(papers.values()),
        subjects=evaluated,
        editions=[_edition_view(edition, found) for edition, found in by_edition.items()],
        warnings=warnings,
        missing=missing,
        scenes=scenes_shown,
        protocols=[(name, read_protocol(name)) for name in protocols],
    )
    write_text(out / "index.html", text + "\n")


def _edition_view(edition: Edition, found: Sequence[Subject]) -> EditionView:
    entry = found[0].evaluation.entry
    target = f", target {edition.target}" if edition.target else ""
    says = (
        f"{edition.variant}, {edition.split} split, protocol {edition.protocol}{target}; "
        f"{found[0].evaluation.scenes:,} scenes, {entry.samples:,} images, data {edition.fingerprint[:8]}"
    )
    keys = list(dict.fromkeys(key for subject in found for key in subject.metrics))
    return EditionView(edition.dataset, says, [metric_view(key) for key in keys], [edition_row(subject, keys) for subject in found])


def edition_row(subject: Subject, keys: Sequence[str]) -> EvaluationRow:
    """An evaluation on the first page, with its means over all images by the metric variants `keys`."""
    entry, trained, failed = subject.evaluation.entry, subject.evaluation.summary.trained, 0
    cells = []
    for key in keys:
        if (scores := subject.evaluation.scores(key)) is None:
            cells.append(Cell("–"))
            continue
        one = subject.entrant(ALL, scores)
        failed = max(failed, one.failed)
        text = rounded(mean(one.pairs), metric_view(key).decimals).replace("-", "−") if one.has_mean else "n/a"
        cells.append(Cell(text, subject.href(key)))
    training = f"{'smoke, ' if trained.smoke else ''}{trained.dataset}, {trained.steps:,} steps, seed {trained.seed}" if trained else "–"
    return EvaluationRow(subject.label, cells, entry.samples, failed, training, f"{entry.finished:%Y-%m-%d %H:%M}")


def _missing(evaluated: Sequence[Subject], datasets: Sequence[Dataset]) -> list[str]:
    """A line for each edition whose dataset was not given."""
    given = {dataset.facts.fingerprint for dataset in datasets}
    lines = {
        f"Inputs and targets of {e.dataset} ({e.variant}, data {e.fingerprint[:8]}) are not shown: its folder was not given. "
        "Build the site again with --data FOLDER."
        for e in (subject.edition for subject in evaluated)
        if e.fingerprint not in given
    }
    return sorted(lines)
