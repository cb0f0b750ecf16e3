"""The scene pages of the site: for every method its worst, median and best scenes, with pictures, error maps and metrics.

A page a scene under `scenes/EDITION/`, its files beside it in a folder, and `scenes/index.html`, the gallery of them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from benchtool.core.files import write_bytes, write_text
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.pool import Failure, run_batch
from benchtool.report.frame import Evaluation
from benchtool.report.schema import printable
from benchtool.report.site import pictures
from benchtool.report.site.choose import Edition, chosen_scenes, deciding_metric, editions, file_names, scene_values
from benchtool.report.site.scene_view import SampleView, Scored, deciding_value, metric_table, samples_of, score_rows, titles
from benchtool.report.site.shown import QUALITY, SUBSAMPLING, SceneTask, Shown, Source, picture_scene, sources_of

STATIC = Path(__file__).parent / "static"
OWN_FILES = ("viewer.js", "viewer.css")


@dataclass(frozen=True)
class ScenePage:
    """A page of a scene.

    Attributes:
        href: relative to the site's folder.
        chosen_for: method label -> `worst`, `median`, `best`.
        samples: names, in the order of the page.
        anchors: sample -> its address, `href#place`.
    """

    title: str
    href: str
    dataset: str
    scene: str
    chosen_for: dict[str, list[str]]
    samples: list[str]
    anchors: dict[str, str]


@dataclass(frozen=True)
class Shelf:
    """An edition with all that its pages have in common.

    Attributes:
        methods: label -> evaluation.
        dataset, samples: what was measured on, None and empty where it was not given; then `problem` says what to do.
        values: label -> (metric variant that scenes are chosen by, scene -> value).
    """

    edition: Edition
    methods: dict[str, Evaluation]
    dataset: Dataset | None
    samples: dict[str, Sample]
    problem: str
    scored: Scored
    values: dict[str, tuple[str, dict[str, float]]]
    pages: list[ScenePage] = field(default_factory=list)
    thumbs: set[str] = field(default_factory=set)

    def badges(self, page: ScenePage) -> list[dict[str, Any]]:
        """What the scene was chosen for, a badge a method."""
        found = []
        for label, kinds in page.chosen_for.items():
            metric, values = self.values[label]
            found.append({"label": label, "kinds": kinds, "value": deciding_value(metric, values[page.scene])})
        return found


def write_scenes(
    out: Path,
    evaluations: Sequence[Evaluation],
    datasets: Sequence[Dataset],
    *,
    per_kind: int | None,
    environment: jinja2.Environment,
    failures: list[Failure],
    jobs: int | None = None,
) -> list[ScenePage]:
    """Write the scenes' pages, their pictures and the gallery.

    Args:
        out: the site's folder.
        per_kind: how many worst, median and best scenes of each method; every scene where None.
        environment: autoescaping; has this package's templates, and `base.html.j2`.
        failures: what could not be shown is appended; it is said on its page too.
    """
    for name in OWN_FILES:
        write_bytes(out / "static" / name, (STATIC / name).read_bytes())
    shelves = [_shelf(edition, methods, datasets, per_kind) for edition, methods in editions(evaluations).items()]
    plans = {}
    for shelf in shelves:
        samples = samples_of(shelf.scored)
        for index, page in enumerate(shelf.pages):
            stem = page.href.removesuffix(".html")
            task = SceneTask(out / stem, tuple((a.rpartition("#")[2], _sources(shelf, name)) for name, a in page.anchors.items()))
            plans[stem.removeprefix("scenes/")] = (shelf, index, samples[page.scene], task)

    def write(name: str, shown: list[list[Shown]], problem: str = "") -> None:
        shelf, index, rows, _ = plans[name]
        _write_page(out, shelf, index, rows, shown, problem, environment)
        failures.extend(Failure(f"{name}: {view.source.label}", view.note) for views in shown for view in views if view.failed)
        if any(view.file for views in shown for view in views):
            shelf.thumbs.add(shelf.pages[index].scene)

    items = [(name, task) for name, (*_, task) in plans.items()]
    for failure in run_batch(picture_scene, items, write, label="scenes", jobs=jobs, unit="scene") if items else ():
        write(failure.item, [[] for _ in plans[failure.item][2]], failure.reason)
        failures.append(failure)
    gallery = environment.get_template("gallery.html.j2").render(root="../", shelves=shelves)
    write_text(out / "scenes" / "index.html", gallery + "\n")
    return [page for shelf in shelves for page in shelf.pages]


def _shelf(edition: Edition, methods: dict[str, Evaluation], datasets: Sequence[Dataset], per_kind: int | None) -> Shelf:
    chosen = chosen_scenes(methods, per_kind)
    scored = score_rows(methods, list(chosen))
    metrics = {label: deciding_metric(evaluation) for label, evaluation in methods.items()}
    values = {label: (metric, scene_values(methods[label], metric)) for label, metric in metrics.items() if metric}
    dataset, problem = _find(edition, datasets)
    manifest = {sample.sample: sample for sample in dataset.samples} if dataset else {}
    shelf = Shelf(edition, methods, dataset, manifest, problem, scored, values)
    files, samples = file_names(chosen), samples_of(scored)
    for scene, reasons in chosen.items():
        names = [row["sample"] for row in samples[scene]]
        places, href = file_names(names), f"scenes/{edition.folder}/{files[scene]}.html"
        anchors = {name: f"{href}#{places[name]}" for name in names}
        shelf.pages.append(ScenePage(printable(scene), href, edition.dataset, scene, reasons, names, anchors))
    return shelf


def _find(edition: Edition, datasets: Sequence[Dataset]) -> tuple[Dataset | None, str]:
    """The edition's dataset, or None and what to do about it."""
    named = [d for d in datasets if d.facts.name == edition.dataset]
    for dataset in named:
        if dataset.facts.fingerprint == edition.fingerprint:
            return dataset, ""
    which = f"{edition.dataset} ({edition.variant}, fingerprint {edition.fingerprint[:8]})"
    other = f" The {edition.dataset} that was given has the fingerprint {named[0].facts.fingerprint[:8]}: other images." if named else ""
    return None, f"Inputs and targets are not shown: the dataset {which} was not given.{other} Build the site with --data FOLDER."


def _sources(shelf: Shelf, name: str) -> tuple[Source, ...]:
    return tuple(sources_of(shelf.edition, shelf.methods, name, shelf.samples.get(name), shelf.dataset))


def _write_page(
    out: Path,
    shelf: Shelf,
    index: int,
    rows: Sequence[Mapping[str, Any]],
    shown: Sequence[list[Shown]],
    problem: str,
    environment: jinja2.Environment,
) -> None:
    page = shelf.pages[index]
    samples = [
        SampleView(
            id=page.anchors[row["sample"]].rpartition("#")[2],
            name=printable(row["sample"]),
            title=title,
            subset=printable(row["subset"] or ""),
            metrics=metric_table(shelf.methods, shelf.scored, row["sample"]),
            shown=views,
        )
        for row, title, views in zip(rows, titles(rows), shown)
    ]
    text = environment.get_template("scene.html.j2").render(
        root="../../",
        page=page,
        edition=shelf.edition,
        badges=shelf.badges(page),
        samples=samples,
        problems=[text for text in (shelf.problem, f"Its pictures could not be made: {problem}" if problem else "") if text],
        folder=page.href.rpartition("/")[2].removesuffix(".html"),
        before=shelf.pages[index - 1] if index else None,
        after=shelf.pages[index + 1] if index + 1 < len(shelf.pages) else None,
        limit=pictures.ERROR_LIMIT,
        error_ramp=pictures.gradient(pictures.error_palette()),
        signed_ramp=pictures.gradient(pictures.signed_palette()[1:]),
        copies=f"quality {QUALITY}, {SUBSAMPLING}",
    )
    write_text(out / page.href, text + "\n")
