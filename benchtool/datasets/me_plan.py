"""What `data render-me` will render: the raws found, the scene and split of each, the experts' images that belong to it.

FiveK's archive (`raw_photos/HQa1to700/photos/a0001-name.dng`, `tiff16_{a..e}/a0001-name.tif`), a flat folder, or any other
tree. A FiveK name may hold spaces and parentheses; what identifies it is the five-character id before the first dash.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.datasets.me_split import is_fivek, published_splits
from benchtool.datasets.sample_raws import INDEX
from benchtool.datasets.seeded_split import seeded_split

RAW_SUFFIXES = frozenset(  # what LibRaw reads, by its list of cameras
    ".3fr .ari .arw .bay .cap .cr2 .cr3 .crw .cs1 .dc2 .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kc2 .kdc .mdc .mef .mos .mrw"
    " .nef .nrw .orf .pef .ptx .pxn .qtk .raf .raw .rdc .rw2 .rwl .rwz .sr2 .srf .srw .sti .x3f".split()
)
FIVEK_NAME = re.compile(r"(a\d{4})-.+", re.ASCII)
EXPERT_FOLDER = re.compile(r"tiff16_([a-e])")
ARCHIVE_FOLDER = re.compile(r"raw_photos|photos|HQa\d+to\d+")  # folders within FiveK's archive that a user may point at
EXPERTS = ("expert_a", "expert_b", "expert_c", "expert_d", "expert_e")
EXPERTS_OF = {"train": ("expert_c",), "val": ("expert_c",), "test": EXPERTS}  # as published


@dataclass(frozen=True)
class Shot:
    """One raw file and its place in the dataset; `experts` holds the TIFFs its split uses, by target role."""

    raw: Path
    stem: str
    scene: str
    split: str
    experts: Mapping[str, Path]


@dataclass(frozen=True)
class Plan:
    """Everything to be rendered.

    Attributes:
        raws: the folder searched.
        shots: sorted by stem.
        unusable: raws that cannot be part of a dataset, and why.
        not_in_me: ids of FiveK that are no part of ME; they are left out.
        fivek: how many shots are FiveK's, whose split is the published one.
        listed: contents of `sample-raws.json`, {} where the raws are not samples.
    """

    raws: Path
    shots: list[Shot]
    unusable: list[Failure] = field(default_factory=list)
    not_in_me: list[str] = field(default_factory=list)
    fivek: int = 0
    listed: dict = field(default_factory=dict)


def make_plan(raws: Path, experts: Path | None, seed: int) -> Plan:
    """Find what is in `raws` and give every raw its scene, split and experts.

    Args:
        experts: folder holding `tiff16_{a..e}`; where None, they are looked for beside the raws.
        seed: of the split of raws that are not FiveK's.

    Raises:
        UserError: no raws; two raws or two TIFFs that would be one image of the dataset.
    """
    raws = Path(raws)
    found = _find_raws(raws)
    tiffs = _find_experts(_expert_folders(raws, experts))
    listed = _sample_list(raws)
    objections = {path: _objection(path) for path in found}
    usable = [path for path, objection in objections.items() if objection is None]
    unusable = [Failure(str(path.relative_to(raws)), objection) for path, objection in objections.items() if objection]
    _refuse_twins(usable)

    scene_of = {path.stem: listed.get("scenes", {}).get(path.stem) or key(path.stem) for path in usable}
    published = published_splits()
    split_of = seeded_split((scene for scene in scene_of.values() if not is_fivek(scene)), seed) | published
    shots = []
    for path in sorted(usable, key=lambda path: path.stem):
        scene = scene_of[path.stem]
        if scene in split_of:
            split = split_of[scene]
            chosen = {role: tiffs[role][key(path.stem)] for role in EXPERTS_OF[split] if key(path.stem) in tiffs.get(role, {})}
            shots.append(Shot(path, path.stem, scene, split, chosen))
    not_in_me = sorted({scene for scene in scene_of.values() if scene not in split_of})
    return Plan(raws, shots, unusable, not_in_me, sum(shot.scene in published for shot in shots), listed)


def key(stem: str) -> str:
    """What a raw and its experts' images share: the id of a FiveK-like name, else the whole stem.

    >>> key("a0001-jmac_DSC1459 (1)"), key("IMG_0001")
    ('a0001', 'IMG_0001')
    """
    match = FIVEK_NAME.fullmatch(stem)
    return match[1] if match else stem


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """(Folder, names of its files) below `folder`, links followed, hidden ones left out, each real folder once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real not in seen:
            yield Path(place), sorted(name for name in files if not name.startswith("."))
        seen.add(real)


def _find_raws(raws: Path) -> list[Path]:
    if not raws.is_dir():
        raise UserError(f"{raws}: {'not a folder' if raws.exists() else 'no such folder'}; give the folder of your raw files")
    found = [place / name for place, files in _walk(raws) for name in files if Path(name).suffix.lower() in RAW_SUFFIXES]
    if not found:
        raise UserError(f"{raws}: no raw files in it (.dng, .nef, .cr2, .arw ...); for raws to try with: benchtool data sample-raws {raws}")
    return found


def _objection(raw: Path) -> str | None:
    """Why a raw cannot be part of a dataset, None where it can as far as its name goes."""
    if not raw.is_file():
        return "is a link that leads nowhere" if raw.is_symlink() else "is not a file"
    return None if safe_name(raw.stem) else "cannot be a sample's name on every system; rename it (letters, digits, spaces, -_.,()+@=)"


def _refuse_twins(found: Iterable[Path]) -> None:
    """Two raws of one stem (on any file system), or of one FiveK id, would become the same images."""
    by_stem: dict[str, Path] = {}
    for path in found:
        for name in {path.stem.casefold(), key(path.stem).casefold()}:
            other = by_stem.setdefault(name, path)
            if other != path:
                raise UserError(f"{other} and {path} would both become '{key(path.stem)}' in the dataset; rename or remove one")


def _archive_root(raws: Path) -> Path:
    """The top of FiveK's archive where `raws` is a folder within it, else `raws`."""
    place = raws.resolve()
    while ARCHIVE_FOLDER.fullmatch(place.name) and place.parent != place:
        place = place.parent
    return place


def _expert_folders(raws: Path, experts: Path | None) -> list[tuple[str, Path]]:
    """(Role, folder) of every `tiff16_x` in `experts`; or in RAWS at any depth, beside it, and at the top of its archive."""
    if experts is not None and not experts.is_dir():
        raise UserError(f"--experts {experts}: no such folder")
    places = [place for place, _ in _walk(experts or raws)]
    if not experts:
        root = _archive_root(raws)
        places += [top / f"tiff16_{letter}" for top in (root, root.parent) for letter in "abcde"]
    folders = {p.resolve(): f"expert_{match[1]}" for p in places if (match := EXPERT_FOLDER.fullmatch(p.name)) and p.is_dir()}
    if experts and not folders:
        raise UserError(f"--experts {experts}: holds no folder named tiff16_a ... tiff16_e")
    return [(role, folder) for folder, role in folders.items()]


def _find_experts(folders: Iterable[tuple[str, Path]]) -> dict[str, dict[str, Path]]:
    """Role -> key -> TIFF."""
    found: dict[str, dict[str, Path]] = {}
    for role, folder in folders:
        for place, files in _walk(folder):
            for name in files:
                path = place / name
                if path.suffix.lower() not in (".tif", ".tiff"):
                    continue
                other = found.setdefault(role, {}).setdefault(key(path.stem), path)
                if other != path:
                    raise UserError(f"{other} and {path} are both expert {role[-1].upper()} of '{key(path.stem)}'; remove one")
    return found


def _sample_list(raws: Path) -> dict:
    """The list beside sample raws saying which of them show one scene, {} where there is none."""
    for place in (raws, _archive_root(raws)):
        if (path := place / INDEX).is_file():
            listed = read_json(path)
            scenes = listed.get("scenes") if isinstance(listed, dict) else None
            if not isinstance(scenes, dict) or not all(isinstance(scene, str) and scene for scene in scenes.values()):
                raise UserError(f"{path}: names no scenes; make it anew with `benchtool data sample-raws`")
            return listed
    return {}
