"""ME as its authors published it (MSEC, CVPR 2021), and as ENC's authors moved it about (CVPR 2022): which file is which exposure.

What a folder or a suffix says of the exposure is believed only where pictures confirm it: from -1.5 to +1.5 EV a scene gets brighter.
Scenes are joined by FiveK's id, the first five characters, since five names differ from FiveK's (specs of the published lists).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.exposure_stacks import luminance, pictures
from benchtool.datasets.me_files import TOKENS
from benchtool.datasets.me_plan import EXPERTS
from benchtool.datasets.me_split import is_fivek, published_splits
from benchtool.datasets.paired_folders import subfolder
from benchtool.datasets.prepare import Draft, File, Layout

PUBLISHED = {"train": ("training",), "val": ("validation",), "test": ("testing",)}
RELAID = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
EVS = tuple(TOKENS)  # from dark to bright
MEASURED = 12  # scenes of a split whose brightness is looked at, spread evenly over its ids
AGREE = 0.9  # of neighbouring exposures must be in order; a scene that is black or white throughout has none


@dataclass
class _Split:
    """A split's files.

    Attributes:
        inputs: scene -> name of the exposure (`N1.5`, `Exp1` ...) -> file; targets: role -> scene -> file.
        names: scene -> what its files are called, without the exposure.
        ev: name of the exposure -> EV.
    """

    inputs: dict[str, dict[str, Path]] = field(default_factory=dict)
    targets: dict[str, dict[str, Path]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    ev: dict[str, float] = field(default_factory=dict)


def layout(src: Path, options: None) -> Layout:
    """`training`, `validation`, `testing` as published, or ENC's `train`, `valid`, `test` with `input/Exp1` to `Exp5` and `target`.

    Raises:
        UserError: neither is there, it is a dataset of ours, or the pictures' brightness contradicts what their names say of the exposure.
    """
    if (src / "dataset.json").is_file():
        raise UserError(f"{src}: is a dataset already, with its manifest; use it as it is")
    failures: list[Failure] = []
    missing: list[str] = []
    notes: list[str] = []
    relaid = not any((place := subfolder(src, folders)) and subfolder(place, ["INPUT_IMAGES"]) for folders in PUBLISHED.values())
    title = "ENC's: train/input/Exp1 to Exp5 and train/target" if relaid else "published: training/INPUT_IMAGES and GT_IMAGES"
    splits = (_relaid if relaid else _published)(src, missing, failures)
    if not splits:
        raise UserError(
            f"{src}: neither training/INPUT_IMAGES (published), nor train/input/Exp1 (ENC's copy), nor their like are in it"
            " (of raws ME is made by: benchtool data render-me RAWS OUT)"
        )
    levels = _measure(src, splits, missing)
    measured = {name: _order(name, split, levels[name], relaid, notes) for name, split in splits.items()}
    leaks = _drop_leaks(splits, notes)
    missing += _absent(splits)
    drafts = [draft for name, split in splits.items() for draft in _drafts(src, name, split, missing)]
    made = {"brightness": measured, "leaks": leaks}
    return Layout(title, drafts, {"me": src}, missing=missing, notes=notes, failures=failures, made=made)


def _published(src: Path, missing: list[str], failures: list[Failure]) -> dict[str, _Split]:
    found = {}
    for name, folders in PUBLISHED.items():
        place = subfolder(src, folders)
        inputs = subfolder(place, ["INPUT_IMAGES"]) if place else None
        if inputs is None:
            missing.append(f"{folders[0]}/INPUT_IMAGES (the {name} split)")
            continue
        split = found[name] = _Split(ev={token: ev for ev, token in TOKENS.items()})
        for path in pictures(inputs):
            match = re.fullmatch(r"(.+)_(N1\.5|N1|0|P1|P1\.5)", path.stem, re.IGNORECASE)
            if match is None:
                failures.append(Failure(str(path), "does not end with an exposure, _N1.5, _N1, _0, _P1 or _P1.5"))
            else:
                _add_input(split, match[1], match[2].upper(), path, failures)
        wanted = {role: f"{role}_testing_set" for role in EXPERTS} if name == "test" else {"expert_c": "GT_IMAGES"}
        for role, folder in wanted.items():
            _add_targets(split, role, subfolder(place, [folder]), f"{folders[0]}/{folder}", missing, failures)
    return found


def _relaid(src: Path, missing: list[str], failures: list[Failure]) -> dict[str, _Split]:
    found = {}
    for name, folders in RELAID.items():
        place = subfolder(src, folders)
        inputs = subfolder(place, ["input"]) if place else None
        there = {exp: folder for exp in (f"Exp{k}" for k in range(1, 6)) if inputs and (folder := subfolder(inputs, [exp]))}
        if not there:
            missing.append(f"{folders[0]}/input/Exp1 to Exp5 (the {name} split)")
            continue
        split = found[name] = _Split()
        missing += [f"{folders[0]}/input/Exp{k}" for k in range(1, 6) if f"Exp{k}" not in there]
        for exp, folder in there.items():
            for path in pictures(folder):
                _add_input(split, path.stem, exp, path, failures)
        _add_targets(split, "expert_c", subfolder(place, ["target"]), f"{folders[0]}/target", missing, failures)
    return found


def _add_input(split: _Split, name: str, exposure: str, path: Path, failures: list[Failure]) -> None:
    scene = name[:5].lower()
    if not is_fivek(scene) or name[5:6].isdigit():
        failures.append(Failure(str(path), "does not begin with FiveK's id, a0001 to a5000"))
    elif not safe_name(name):
        failures.append(Failure(str(path), "this name cannot be a sample's; rename the file"))
    elif exposure in split.inputs.get(scene, {}):
        failures.append(Failure(str(path), f"is a second {exposure} of {scene}, besides {split.inputs[scene][exposure].name}"))
    else:
        split.inputs.setdefault(scene, {})[exposure] = path
        split.names.setdefault(scene, name)


def _add_targets(split: _Split, role: str, folder: Path | None, wanted: str, missing: list[str], failures: list[Failure]) -> None:
    if folder is None:
        missing.append(f"{wanted} (targets of {role})")
        return
    split.targets[role] = by_scene = {}
    for path in pictures(folder):
        scene = path.name[:5].lower()
        if not is_fivek(scene) or path.name[5:6].isdigit():
            failures.append(Failure(str(path), "does not begin with FiveK's id, a0001 to a5000"))
        elif scene in by_scene:
            failures.append(Failure(str(path), f"is a second target of {scene}, besides {by_scene[scene].name}"))
        else:
            by_scene[scene] = path


def _order(where: str, split: _Split, levels: Mapping[str, Mapping[str, float]], relaid: bool, notes: list[str]) -> dict[str, float]:
    """Put a split's exposures in order by `levels`; name of the exposure -> mean brightness, 0..1, from dark to bright.

    Raises:
        UserError: they are in no order, or not in that of their names.
    """
    exposures = list(next(iter(levels.values())))
    table = np.array([[found[exposure] for exposure in exposures] for found in levels.values()])
    order = np.argsort(table.argsort(axis=1).argsort(axis=1).mean(axis=0), kind="stable")
    agree = float((np.diff(table[:, order], axis=1) > 0).mean())
    if agree < AGREE:
        steps = f"{agree:.0%} of the steps in {len(table)} scenes"
        raise UserError(f"{where}: the exposures {', '.join(exposures)} are in no order of brightness ({steps})")
    found = [exposures[k] for k in order]
    if relaid:
        split.ev = dict(zip(found, EVS))
        named = ", ".join(f"{exposure} ({ev:+g} EV)" for exposure, ev in split.ev.items())
        notes.append(f"{where}: from dark to bright {named}, by {len(table)} scenes")
    elif found != list(split.ev):
        raise UserError(f"{where}: by brightness the exposures are {', '.join(found)}, which is not what they are called; check the copy")
    return {exposures[k]: round(float(table[:, k].mean()), 4) for k in order}


def _measure(src: Path, splits: Mapping[str, _Split], missing: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Split -> scene -> exposure -> brightness, of MEASURED whole scenes of each split.

    Raises:
        UserError: a split has no scene of five exposures, or none that can be read.
    """
    chosen: dict[str, list[str]] = {}
    for name, split in splits.items():
        whole = sorted(scene for scene, files in split.inputs.items() if len(files) == len(EVS))
        if not whole:
            why = "; ".join(text for text in missing if "expert" not in text) or "files are missing"
            raise UserError(f"{src}: {name}: no scene has all five exposures, so that they cannot be told apart ({why})")
        chosen[name] = [whole[k] for k in sorted({round(k) for k in np.linspace(0, len(whole) - 1, MEASURED)})]
    brightness: dict[str, float] = {}
    items = {str(path): path for name, scenes in chosen.items() for scene in scenes for path in splits[name].inputs[scene].values()}
    failed = run_batch(luminance, list(items.items()), brightness.__setitem__, label="measure", unit="img")
    levels = {}
    for name, scenes in chosen.items():
        files = {scene: sorted(splits[name].inputs[scene].items()) for scene in scenes}
        read = {scene: {exposure: brightness.get(str(path)) for exposure, path in of_scene} for scene, of_scene in files.items()}
        levels[name] = {scene: found for scene, found in read.items() if None not in found.values()}
        if not levels[name]:
            raise UserError(f"{src}: {name}: none of the scenes looked at can be read; the first: {failed[0].reason}")
    return levels


def _drop_leaks(splits: Mapping[str, _Split], notes: list[str]) -> list[str]:
    """Scenes in two splits stay in the one that is tested on (a0016 is in ENC's lists for training and for testing)."""
    leaks = []
    for name, others in (("train", ("val", "test")), ("val", ("test",))):
        for other in (o for o in others if name in splits and o in splits):
            for scene in sorted(splits[name].inputs.keys() & splits[other].inputs.keys()):
                both = [next(iter(splits[s].inputs[scene].values())).name for s in (name, other)]
                leaks.append(f"{scene} is in {name} ({both[0]}) and in {other} ({both[1]}): left out of {name}")
                del splits[name].inputs[scene]
    notes += [f"leak: {text}" for text in leaks]
    return leaks


def _absent(splits: Mapping[str, _Split]) -> list[str]:
    """Scenes of the published lists that are nowhere, or in another split, in the splits that are there."""
    where = {scene: name for name, split in splits.items() for scene in split.inputs}
    texts = []
    for scene, name in published_splits().items():
        if scene not in where and name in splits:
            texts.append(f"scene {scene} ({name})")
        elif scene in where and where[scene] != name:
            texts.append(f"scene {scene} ({name}): it is in {where[scene]}")
    return texts


def _drafts(src: Path, name: str, split: _Split, missing: list[str]) -> list[Draft]:
    def file(path: Path, role: str = "input", ev: float | None = None) -> File:
        return File(path.relative_to(src).as_posix(), role, ev)

    drafts = []
    for scene, files in sorted(split.inputs.items()):
        missing += [f"{name}: {scene} has no {exposure}" for exposure in split.ev if exposure not in files]
        missing += [f"{name}: {scene} has no target of {role}" for role, found in split.targets.items() if scene not in found]
        targets = tuple(file(found[scene], role) for role, found in split.targets.items() if scene in found)
        if not targets:
            missing.append(f"{name}: {scene} has no target at all, and is left out")
            continue
        for exposure, path in files.items():
            ev = split.ev[exposure]
            drafts.append(Draft(f"{split.names[scene]}_{TOKENS[ev]}", scene, name, (file(path, ev=ev),), targets))
    return drafts
