"""A dataset is `manifest.parquet` with `dataset.json`: what is in it, where its files are, and what it may be used for.

Outside folders are named once (`roots: {me: ../me}`, relative to the dataset's folder); every image is
`root:relative/path`. Nothing absolute is stored in the manifest and nothing outside a root is ever opened.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_path, inside, read_json, sha256_bytes, write_json

SPLITS = ("train", "val", "test")
ENCODINGS = ("srgb8", "srgb16", "linear", "raw-rggb")
ROLES = ("input", "reference", "expert_a", "expert_b", "expert_c", "expert_d", "expert_e", "label", "middle", "merged")
_SAFE = re.compile(r"[\w.,()+@=\- ]+")
SCHEMA = 1


@dataclass(frozen=True)
class Image:
    """One image file of a sample.

    Attributes:
        path: `root:relative/path`.
        sha256: of the file's bytes.
        width, height: pixels as displayed.
        ev: exposure in EV (log2) relative to the reference, None where unknown.
        seconds: exposure time, None where unknown.
        role: one of ROLES.
    """

    path: str
    sha256: str
    width: int
    height: int
    ev: float | None = None
    seconds: float | None = None
    role: str = "input"


@dataclass(frozen=True)
class Sample:
    """One line of a manifest: input images of one scene and the targets they are compared with (maybe none)."""

    sample: str
    scene: str
    split: str
    inputs: tuple[Image, ...]
    targets: tuple[Image, ...] = ()
    subset: str | None = None
    encoding_in: str = "srgb8"
    encoding_target: str = "srgb8"

    def target(self, role: str) -> Image | None:
        """The target with this role, None where the sample has none."""
        return next((t for t in self.targets if t.role == role), None)

    @property
    def exposure(self) -> float | None:
        """EV of the single input; None for several inputs or where unknown."""
        return self.inputs[0].ev if len(self.inputs) == 1 else None

    def shown_at(self, exposures: Collection[float | str]) -> bool:
        """Whether its exposure is one of these EVs, or its subset one of these names."""
        return self.exposure in exposures or self.subset in exposures


@dataclass
class Facts:
    """`dataset.json`.

    Attributes:
        name: `me`, `me-v2`, `sice` ...
        variant: `published`, `rendered-adobe`, `rendered-linear`, `sample` ...
        roots: root name -> folder, relative to the dataset's folder where possible.
        exposure_groups: group -> EVs of its inputs; an empty list, where these are not known: the samples of the subset so named.
        default_target: target role used unless told otherwise.
        licence, citation: terms, and BibTeX keys.
        made: how it was made: command, versions, settings.
        counts: split -> samples and scenes; filled in by `write`.
        fingerprint: see `fingerprint`; filled in by `write`.
    """

    name: str
    variant: str
    roots: dict[str, str]
    exposure_groups: dict[str, list[float]] = field(default_factory=dict)
    default_target: str = "expert_c"
    licence: str = ""
    citation: str = ""
    made: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass
class Dataset:
    """An opened dataset."""

    folder: Path
    facts: Facts
    samples: list[Sample]
    roots: dict[str, Path]

    def path(self, image: Image) -> Path:
        """Where an image is; UserError where its path leads outside its root."""
        name, _, relative = image.path.partition(":")
        if name not in self.roots:
            raise UserError(f"{self.folder}: image '{image.path}' names the root '{name}', which dataset.json does not define")
        return inside(self.roots[name], relative)

    def split(self, name: str) -> list[Sample]:
        """The samples of a split, in manifest order; UserError where it has none."""
        if name not in SPLITS:
            raise UserError(f"split '{name}': known are {', '.join(SPLITS)}")
        chosen = [s for s in self.samples if s.split == name]
        if not chosen:
            raise UserError(f"{self.folder}: the dataset '{self.facts.name}' has no {name} split")
        return chosen

    def group(self, sample: Sample) -> str | None:
        """The exposure group a sample belongs to, None where the dataset defines none for it."""
        return next((group for group in self.facts.exposure_groups if sample.shown_at(self.exposures(group))), None)

    def exposures(self, group: str) -> list[float | str]:
        """What the samples of an exposure group are shown at: EVs, or the subset of that name."""
        return list(self.facts.exposure_groups[group]) or [group]


def safe_name(name: str) -> bool:
    """Whether a sample may be called so: usable as a file name everywhere, and not hidden."""
    return _SAFE.fullmatch(name) is not None and not name.startswith(".")


def fingerprint(samples: Iterable[Sample]) -> str:
    """SHA-256 of the sorted rows (sample, split, hashes of its inputs and targets): equal fingerprints, same data."""
    rows = sorted(
        "\t".join((s.sample, s.split, ",".join(i.sha256 for i in s.inputs), ",".join(f"{t.role}={t.sha256}" for t in s.targets)))
        for s in samples
    )
    return sha256_bytes("\n".join(rows).encode())


def write_dataset(folder: Path, facts: Facts, samples: Iterable[Sample]) -> Dataset:
    """Write `manifest.parquet`, then `dataset.json` (whose presence says the dataset is whole), atomically.

    Raises:
        UserError: duplicate or unsafe sample names, unknown splits or roles, paths that are not `root:relative`,
            a scene in two splits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    samples = sorted(samples, key=lambda s: (SPLITS.index(s.split) if s.split in SPLITS else 9, s.sample))
    _validate(facts, samples)
    facts = dataclasses.replace(facts, counts=_counts(samples), fingerprint=fingerprint(samples))
    table = pa.Table.from_pylist([dataclasses.asdict(s) for s in samples], schema=_schema())
    with atomic_path(folder / "manifest.parquet") as temporary:
        pq.write_table(table, temporary)
    write_json(folder / "dataset.json", {"schema": SCHEMA, **dataclasses.asdict(facts)})
    return open_dataset(folder)


def open_dataset(folder: Path | str, roots: Mapping[str, str | Path] | None = None) -> Dataset:
    """Open the dataset in `folder`; `roots` overrides folders by root name.

    Raises:
        UserError: not a dataset, damaged, or with paths that leave their roots.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    if not (folder / "dataset.json").is_file():
        raise UserError(f"{folder}: not a dataset (no dataset.json); build one with `benchtool data render-me` or `data prepare`")
    raw = read_json(folder / "dataset.json")
    if not isinstance(raw, dict) or raw.pop("schema", None) != SCHEMA:
        raise UserError(f"{folder}/dataset.json: schema {SCHEMA} expected; rebuild the dataset with this version")
    try:
        facts = Facts(**raw)
        rows = pq.read_table(folder / "manifest.parquet", schema=_schema()).to_pylist()
    except (TypeError, OSError, pa.ArrowException) as error:
        raise UserError(f"{folder}: damaged dataset ({error}); rebuild it") from None
    samples = [_sample(row) for row in rows]
    _validate(facts, samples)
    if fingerprint(samples) != facts.fingerprint:
        raise UserError(f"{folder}: manifest.parquet is not the one dataset.json was written for; rebuild the dataset")
    overrides = dict(roots or {})
    for name in overrides:
        if name not in facts.roots:
            raise UserError(f"--root {name}=...: {folder} has the roots {', '.join(facts.roots)}")
    found = {name: Path(overrides.get(name) or folder / place) for name, place in facts.roots.items()}
    for name, place in found.items():
        if not place.is_dir():
            raise UserError(f"{folder}: root '{name}' is not at {place}; give its folder with --root {name}=DIR")
    return Dataset(folder, facts, samples, found)


def _sample(row: dict[str, Any]) -> Sample:
    images = {key: tuple(Image(**i) for i in row.pop(key)) for key in ("inputs", "targets")}
    return Sample(**row, **images)


def _validate(facts: Facts, samples: list[Sample]) -> None:
    seen: set[str] = set()
    split_of: dict[str, str] = {}
    for s in samples:
        if s.sample in seen:
            raise UserError(f"sample '{s.sample}' stands twice in the manifest")
        seen.add(s.sample)
        if not safe_name(s.sample) or not s.inputs:
            raise UserError(f"sample '{s.sample}': needs a name that is safe as a file name, and an input")
        if s.split not in SPLITS or s.encoding_in not in ENCODINGS or s.encoding_target not in ENCODINGS:
            raise UserError(f"sample '{s.sample}': split, encoding_in or encoding_target is unknown")
        if split_of.setdefault(s.scene, s.split) != s.split:
            raise UserError(f"scene '{s.scene}' is in the splits {split_of[s.scene]} and {s.split}; a scene stays in one")
        for image in (*s.inputs, *s.targets):
            root, colon, relative = image.path.partition(":")
            if not colon or root not in facts.roots or Path(relative).is_absolute() or ".." in Path(relative).parts:
                raise UserError(f"sample '{s.sample}': image path '{image.path}' must be root:relative, without '..'")
            if image.role not in ROLES:
                raise UserError(f"sample '{s.sample}': role '{image.role}' is unknown; known: {', '.join(ROLES)}")


def _counts(samples: list[Sample]) -> dict[str, dict[str, int]]:
    return {
        split: {"samples": sum(s.split == split for s in samples), "scenes": len({s.scene for s in samples if s.split == split})}
        for split in SPLITS
    }


def _schema() -> Any:
    import pyarrow as pa

    text, number, integer = pa.string(), pa.float64(), pa.int32()
    image = pa.struct(
        [("path", text), ("sha256", text), ("width", integer), ("height", integer), ("ev", number), ("seconds", number), ("role", text)]
    )
    plain = ["sample", "scene", "split", "subset", "encoding_in", "encoding_target"]
    return pa.schema([*((name, text) for name in plain), ("inputs", pa.list_(image)), ("targets", pa.list_(image))])
