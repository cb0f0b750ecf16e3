"""What every `benchtool data prepare NAME SRC OUT` shares: hashing, counting, copying, and writing the manifest.

A dataset's own file finds its samples: `layout(src, options) -> Layout`, with an `Options` dataclass where it has options; or, where
it is made of another dataset's manifest alone, `view(src, out, options) -> Dataset`; or, where it makes images of its own,
`build(src, out, options, jobs) -> Outcome`. Nothing is left out in silence: what a layout
lacks, and every file that cannot be read, is said by name.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchtool.core import catalog
from benchtool.core.archives import is_archive
from benchtool.core.errors import UserError, unknown
from benchtool.core.files import Journal, atomic_path, clear_temporary, inside, read_json, sha256_file
from benchtool.core.images import header
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.core.pool import Failure, run_batch
from benchtool.core.provenance import version
from benchtool.core.spec import DatasetSpec

JOURNAL = ".prepare.jsonl"
COPIES = "files"  # folder of OUT for `--copy`
NAMED = 10  # as many missing things are named one by one


@dataclass(frozen=True)
class File:
    """An image file of a sample that is yet to be read.

    Attributes:
        root: name of the layout's root; path: relative to it, with forward slashes.
        role, ev, seconds: as `core.manifest.Image`.
    """

    path: str
    role: str = "input"
    ev: float | None = None
    seconds: float | None = None
    root: str = ""


@dataclass(frozen=True)
class Draft:
    """A sample whose files are yet to be read; fields as `core.manifest.Sample`."""

    sample: str
    scene: str
    split: str
    inputs: tuple[File, ...]
    targets: tuple[File, ...] = ()
    subset: str | None = None
    encoding_in: str = "srgb8"
    encoding_target: str = "srgb8"


@dataclass
class Layout:
    """What a dataset's file found in a folder.

    Attributes:
        title: which of the known layouts it is, for people.
        drafts: its samples.
        roots: name -> folder; a File without a root is in the first.
        variant: as `Facts.variant`.
        failures: files that could not be read while looking.
        missing: what should be there and is not, each by name.
        notes: what a user should know.
        groups, default_target, licence, citation: instead of the SPEC's, where given.
        made: kept in `dataset.json`, such as a seed or a rule.
    """

    title: str
    drafts: list[Draft]
    roots: dict[str, Path]
    variant: str = "published"
    failures: list[Failure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: dict[str, list[float]] | None = None
    default_target: str | None = None
    licence: str | None = None
    citation: str | None = None
    made: dict[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """What `prepare` did: the dataset (None where nothing could be read), what failed, what should be known."""

    dataset: Dataset | None
    failures: list[Failure]
    notes: list[str]


def prepare(
    name: str, src: Path, out: Path, *, options: Mapping[str, Any] | None = None, copy: bool = False, jobs: int | None = None
) -> Outcome:
    """Find the dataset `name` in `src` and write its manifest to `out`; the same call continues interrupted work.

    Args:
        options: by name, of the dataset's `Options`.
        copy: copy the images into `out`, so that `src` is no longer needed.
        jobs: worker processes that read headers and hash.

    Raises:
        UserError: no such dataset or option, `src` is of no layout that is known, or `out` holds something else.
    """
    module, spec = catalog.load("datasets", name), catalog.facts("datasets", name)
    if not any(hasattr(module, way) for way in ("layout", "view", "build")):
        raise UserError(f"'{name}' is made from raws: benchtool data render-{name} RAWS OUT")
    if is_archive(src):
        raise UserError(f"{src}: is an archive; unpack it first: benchtool data unpack {src} FOLDER, then give FOLDER")
    if not Path(src).is_dir():
        raise UserError(f"{src}: no such folder; give the folder that holds {spec.title}")
    chosen = read_options(name, options or {})
    check_place(out, name)
    if hasattr(module, "build"):
        if copy:
            raise UserError(f"--copy: {name} makes images of its own; there are none to copy")
        return module.build(Path(src), Path(out), chosen, jobs)
    if hasattr(module, "view") and (not hasattr(module, "layout") or (Path(src) / "dataset.json").is_file()):
        if copy:
            raise UserError(f"--copy: {name} has no images of its own; copy those of {src}")
        return Outcome(module.view(Path(src), Path(out), chosen), [], [])
    layout = module.layout(Path(src), chosen)
    _roles_are_known(layout)
    read, failures = _read(layout, Path(out), copy, jobs)
    failures = [*layout.failures, *failures]
    samples = [
        _sample(draft, layout, read) for draft in layout.drafts if all(_key(layout, f) in read for f in (*draft.inputs, *draft.targets))
    ]
    notes = [f"layout: {layout.title}", *layout.notes, *_count_notes(spec, samples), *_missing_notes(layout)]
    if not samples:
        return Outcome(None, failures, notes)
    facts = _facts(name, spec, layout, Path(out), chosen, copy)
    dataset = write_dataset(Path(out), facts, samples)
    (Path(out) / JOURNAL).unlink(missing_ok=True)
    return Outcome(dataset, failures, notes)


def read_options(name: str, given: Mapping[str, Any]) -> Any:
    """The dataset's `Options` with these values, None where it has none.

    Raises:
        UserError: an unknown option (the nearest known one is named), or a value it cannot take.
    """
    known = getattr(catalog.load("datasets", name), "Options", None)
    names = [f.name for f in dataclasses.fields(known)] if known else []
    for option in given:
        if option not in names:
            raise unknown(f"option of {name}", option, names) if names else UserError(f"{name} has no options, so no '{option}'")
    if known is None:
        return None
    try:
        return TypeAdapter(known).validate_python(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"option {'.'.join(map(str, first['loc']))} of {name}: {first['msg']}") from None


def check_place(out: Path, name: str) -> None:
    """UserError where `out` is a file, or holds another dataset."""
    if Path(out).exists() and not Path(out).is_dir():
        raise UserError(f"{out}: is a file; give a folder to write the dataset to")
    there = Path(out) / "dataset.json"
    if there.exists() and (found := read_json(there).get("name")) != name:
        raise UserError(f"{out}: holds the dataset '{found}'; choose another folder")


def place(folder: Path, out: Path) -> str:
    """`folder` as seen from `out`, relative so that both can be moved together; absolute where they share no folder."""
    folder, out = Path(folder).resolve(), Path(out).resolve()
    shared = Path(os.path.commonpath((folder, out)))
    return str(folder) if shared == Path(shared.anchor) else Path(os.path.relpath(folder, out)).as_posix()


def _roles_are_known(layout: Layout) -> None:
    for root in {f.root for d in layout.drafts for f in (*d.inputs, *d.targets)} - {"", *layout.roots}:
        raise ValueError(f"the layout names no root '{root}'")


def _key(layout: Layout, file: File) -> str:
    """`root:path`, as the manifest has it."""
    return f"{file.root or next(iter(layout.roots))}:{file.path}"


@dataclass(frozen=True)
class _Task:
    root: Path
    path: str
    copy_to: Path | None


def _read(layout: Layout, out: Path, copy: bool, jobs: int | None) -> tuple[dict[str, dict[str, Any]], list[Failure]]:
    """Size and hash of every file, by `root:path`; those of an interrupted run whose file is unchanged are taken from its journal."""
    keys = dict.fromkeys(_key(layout, f) for d in layout.drafts for f in (*d.inputs, *d.targets))
    tasks = {key: _Task(layout.roots[root], path, _copy_of(key, out, copy)) for key in keys for root, _, path in [key.partition(":")]}
    out.mkdir(parents=True, exist_ok=True)
    clear_temporary(out)
    journal = Journal(out / JOURNAL)
    read = {e["file"]: e for e in journal.entries if e["file"] in tasks and _unchanged(tasks[e["file"]], e)}

    def done(key: str, found: dict[str, Any]) -> None:
        journal.append({"file": key, **found})
        read[key] = found

    items = [(key, task) for key, task in tasks.items() if key not in read]
    return read, run_batch(read_file, items, done, label="read", jobs=jobs, unit="files") if items else []


def _copy_of(key: str, out: Path, copy: bool) -> Path | None:
    root, _, path = key.partition(":")
    return out / COPIES / root / path if copy else None


def _unchanged(task: _Task, entry: Mapping[str, Any]) -> bool:
    path, copied = task.root / task.path, task.copy_to
    if not path.is_file() or (path.stat().st_size, path.stat().st_mtime_ns) != (entry["bytes"], entry["mtime_ns"]):
        return False
    return copied is None or copied.is_file() and copied.stat().st_size == entry["bytes"]


def read_file(task: _Task) -> dict[str, Any]:
    """A file's size as displayed and its hash; it is copied where that was asked for. Runs in a worker.

    Raises:
        UserError: it is missing, no image, or a link that leads outside its root.
    """
    source = inside(task.root, task.path)
    width, height, orientation, _ = header(source)
    found = source.stat()
    if task.copy_to is not None:
        with atomic_path(task.copy_to) as temporary:
            shutil.copyfile(source, temporary)
    size = (height, width) if orientation >= 5 else (width, height)
    return {"sha256": sha256_file(task.copy_to or source), "size": size, "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _sample(draft: Draft, layout: Layout, read: Mapping[str, Mapping[str, Any]]) -> Sample:
    def images(files: Sequence[File]) -> tuple[Image, ...]:
        found = [(f, _key(layout, f)) for f in files]
        return tuple(Image(key, read[key]["sha256"], *read[key]["size"], f.ev, f.seconds, f.role) for f, key in found)

    same = {name: getattr(draft, name) for name in ("sample", "scene", "split", "subset", "encoding_in", "encoding_target")}
    return Sample(inputs=images(draft.inputs), targets=images(draft.targets), **same)


def _facts(name: str, spec: DatasetSpec, layout: Layout, out: Path, options: Any, copy: bool) -> Facts:
    groups = layout.groups if layout.groups is not None else {g: list(evs) for g, evs in spec.exposure_groups.items()}
    chosen = dataclasses.asdict(options) if options is not None else {}
    return Facts(
        name=name,
        variant=layout.variant,
        roots={root: f"{COPIES}/{root}" if copy else place(folder, out) for root, folder in layout.roots.items()},
        exposure_groups=groups,
        default_target=layout.default_target or spec.default_target,
        licence=layout.licence or spec.licence,
        citation=layout.citation or spec.citation,
        made={
            "command": f"benchtool data prepare {name}",
            "benchtool": version("benchtool"),
            "layout": layout.title,
            "options": chosen,
            "missing": layout.missing,
            **layout.made,
        },
    )


def _count_notes(spec: DatasetSpec, samples: Sequence[Sample]) -> list[str]:
    """How the splits' sizes differ from what the paper says."""
    counts = {split: sum(s.split == split for s in samples) for split in spec.counts}
    if not spec.counts or counts == dict(spec.counts):
        return []
    return ["not the paper's numbers of samples: " + ", ".join(f"{split} {counts[split]:,} of {n:,}" for split, n in spec.counts.items())]


def _missing_notes(layout: Layout) -> list[str]:
    more = len(layout.missing) - NAMED
    return [f"missing: {text}" for text in layout.missing[:NAMED]] + (
        [f"missing: {more:,} more, listed in dataset.json"] if more > 0 else []
    )
