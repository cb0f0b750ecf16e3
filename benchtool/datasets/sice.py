"""SICE (Cai et al., TIP 2018) as ENC uses it (Huang et al., CVPR 2022, Sec. 4.1): second and second-last exposure, middle as target.

Two layouts are known: the official archives (`Dataset_Part1/<scene>/<k>.JPG` with `Label/<scene>.JPG`, Part 2 likewise), and the
copy ENC's authors gave away (`{train,test}/{low,mid,over}/<scene>.JPG`). SICE's own fused labels are an alternative target.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchtool.core.errors import UserError
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.exposure_stacks import ENOUGH, pictures, second_middle_second_last, sort_all
from benchtool.datasets.prepare import Draft, File, Layout
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(
    title="SICE",
    citation="cai2018sice",
    licence="none stated; research",
    home="https://github.com/csjcai/SICE",
    sources=(
        Source(
            "Dataset_Part1",
            by_hand="Part 1 of https://github.com/csjcai/SICE (Google Drive or Baidu, by a browser; a rar archive)",
            about="360 scenes and Label",
            evidence="README of github.com/csjcai/SICE; that it is a rar archive: a public project's script",
        ),
        Source(
            "Dataset_Part2",
            by_hand="Part 2 of https://github.com/csjcai/SICE (on Baidu its labels are a file of their own); some Drive copies of it were "
            "reported to repeat Part 1 (issue 1 there)",
            about="229 scenes and Label",
            evidence="README and issue 1 of github.com/csjcai/SICE",
        ),
        Source(
            "SICEV2",
            by_hand="or ENC's copy: https://share.weiyun.com/C2aJ1Cti (by a browser)",
            about="542 scenes in low, mid and over",
            evidence="README of github.com/KevinJ-Huang/ExposureNorm-Compensation",
        ),
    ),
    counts={"train": 1_000, "val": 24, "test": 60},
    exposure_groups={"under": (), "over": ()},
    default_target="middle",
)
PART_2 = 361  # is added to a number of Part 2: inferred from ENC's lists, which run to 590 and skip 361
TEST = (
    4, 38, 40, 82, 145, 148, 195, 205, 213, 218, 226, 236, 242, 270, 278, 308, 319, 328, 364, 411, 468, 485, 490, 522, 535, 546, 561, 580,
    581, 587,
)  # fmt: skip
UNUSED = (
    44, 182, 192, 193, 194, 201, 203, 215, 224, 232, 235, 237, 238, 246, 259, 264, 291, 307, 313, 318, 331, 332, 333, 335, 337, 353, 356,
    357, 359, 361, *range(470, 481), 486, 497, 498, 525, 558, 574, 583,
)  # fmt: skip
LAST = 590
UNDER, OVER, MIDDLE = ("low", "under"), ("over", "high"), ("mid", "middle", "gt")


@dataclass(frozen=True)
class Options:
    """How pairs are made.

    Attributes:
        target: `middle`, the middle exposure, or `label`, SICE's own fusion, for which two exposures suffice.
        val: scenes drawn from ENC's training list for validation, of which it released no list; ENC's paper has 12.
        seed: of that draw.
    """

    target: Literal["middle", "label"] = "middle"
    val: int = 12
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """Either layout, whatever the case of folder and file names.

    Raises:
        UserError: neither is there.
    """
    split = enc_split(options)
    parts = {number: folder for folder in (src, *_folders(src)) if (number := _part(folder))}
    copied = {name: folder for folder in _folders(src) if (name := folder.name.lower()) in ("train", "test")}
    if parts:
        return _official(src, parts, split, options)
    if copied and any(_one_of(folder, UNDER + OVER) for folder in copied.values()):
        return _relaid(src, copied, split, options)
    raise UserError(f"{src}: neither Dataset_Part1 or Dataset_Part2 (the official archives) nor train/low, train/mid, train/over are in it")


def enc_split(options: Options) -> dict[int, str]:
    """Scene number -> split, by ENC's lists; 47 of SICE's scenes are in neither."""
    listed = [number for number in range(1, LAST + 1) if number not in UNUSED and number not in TEST]
    drawn = seeded_split((f"{number}" for number in listed), options.seed, val=options.val, test=0)
    return {int(number): name for number, name in drawn.items()} | dict.fromkeys(TEST, "test")


def _folders(src: Path) -> list[Path]:
    return sorted(p for p in src.iterdir() if p.is_dir() and not p.name.startswith("."))


def _part(folder: Path) -> int | None:
    """1 or 2 for `Dataset_Part1` and the like."""
    found = re.search(r"part[_ -]?([12])$", folder.name.lower())
    return int(found[1]) if found else None


def _one_of(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((f for f in _folders(folder) if f.name.lower() in names), None)


def _official(src: Path, parts: dict[int, Path], split: dict[int, str], options: Options) -> Layout:
    scenes, labels = {}, {}
    for part, folder in parts.items():
        shift = PART_2 if part == 2 else 0
        scenes |= {int(f.name) + shift: pictures(f) for f in _folders(folder) if f.name.isdecimal()}
        if found := _one_of(folder, ("label",)):
            labels |= {int(p.stem) + shift: p for p in pictures(found) if p.stem.isdecimal()}
    missing = [f"Dataset_Part{part}" for part in (1, 2) if part not in parts]
    missing += [f"scene {number}" for number in sorted(split) if number not in scenes and (1 if number < PART_2 else 2) in parts]
    notes = [f"{len(unlisted)} scenes in none of ENC's lists are left out" for unlisted in [scenes.keys() - split.keys()] if unlisted]
    if 2 in parts:
        notes.append(f"scene n of Part 2 is taken to be {PART_2} + n of ENC's lists, which is inferred, not published")
    listed = {number: paths for number, paths in scenes.items() if number in split}
    ordered, failures = sort_all({str(number): paths for number, paths in sorted(listed.items())})
    drafts: list[Draft] = []
    for number in sorted(listed):
        chosen, lacks = _choose(ordered[str(number)], labels.get(number), options)
        if lacks:
            missing.append(f"scene {number}: {lacks}")
        drafts += _drafts(src, number, split[number], chosen)
    if not drafts:
        other = "middle" if options.target == "label" else "label"
        raise UserError(f"{src}: no scene has what target={options.target} needs ({'; '.join(missing[:3])} ...); try -s target={other}")
    return Layout("official: Dataset_Part1/<scene>/<k>.JPG", drafts, _roots(src), missing=missing, notes=notes, failures=failures,
                  default_target=options.target)  # fmt: skip


def _choose(ordered: list[Path], label: Path | None, options: Options) -> tuple[dict[str, Path], str | None]:
    """`under`, `over`, `middle`, `label` -> picture, and what is missing for the target asked for."""
    chosen = {"label": label} if label else {}
    if len(ordered) >= ENOUGH:
        chosen |= dict(zip(("under", "middle", "over"), second_middle_second_last(ordered)))
    elif options.target == "label" and len(ordered) >= 2:
        chosen |= {"under": ordered[0], "over": ordered[-1]}
    else:
        return {}, f"{len(ordered)} exposures of {2 if options.target == 'label' else ENOUGH} or more"
    return (chosen, None) if options.target in chosen else ({}, "no label")


def _relaid(src: Path, copied: dict[str, Path], split: dict[int, str], options: Options) -> Layout:
    if options.target == "label":
        raise UserError(f"{src}: this copy of SICE has no labels; use target=middle, or the official archives")
    drafts, missing, other = [], [], []
    for name, folder in copied.items():
        found = {kind: _by_number(_one_of(folder, names)) for kind, names in (("under", UNDER), ("over", OVER), ("middle", MIDDLE))}
        for number in sorted(set().union(*found.values())):
            chosen = {kind: pictures_of[number] for kind, pictures_of in found.items() if number in pictures_of}
            missing += [f"{name}: scene {number} has no picture for '{kind}'" for kind in found if kind not in chosen]
            if (split.get(number) == "test") != (name == "test"):
                other.append(number)
            elif "middle" in chosen:
                drafts += _drafts(src, number, split[number], chosen)
    present = {int(draft.scene) for draft in drafts}
    missing += [f"scene {number}" for number in sorted(split) if number not in present]
    notes = [f"{len(other)} scenes lie in the other of ENC's two lists, or in none, and are left out: {other[:5]}"] if other else []
    return Layout("ENC's copy: {train,test}/{low,mid,over}/<scene>.JPG", drafts, _roots(src), missing=missing, notes=notes)


def _by_number(folder: Path | None) -> dict[int, Path]:
    return {int(p.stem): p for p in pictures(folder) if p.stem.isdecimal()} if folder else {}


def _roots(src: Path) -> dict[str, Path]:
    return {"sice": src}


def _drafts(src: Path, number: int, split: str, chosen: dict[str, Path]) -> list[Draft]:
    files = {kind: path.relative_to(src).as_posix() for kind, path in chosen.items()}
    targets = tuple(File(files[role], role) for role in ("middle", "label") if role in files)
    return [
        Draft(f"{number:03}_{kind}", f"{number:03}", split, (File(files[kind]),), targets, subset=kind)
        for kind in ("under", "over")
        if kind in files
    ]
