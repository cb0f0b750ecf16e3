"""Pairs of images in two folders, joined by name: what most datasets of one input and one target come as."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.datasets.exposure_stacks import pictures
from benchtool.datasets.prepare import Draft, File


@dataclass
class Pairs:
    """What was found: (name, input, target) in the order of names, and what was not."""

    found: list[tuple[str, Path, Path]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def subfolder(folder: Path, names: Iterable[str]) -> Path | None:
    """The first folder in `folder` that is called one of `names`, whatever the case; None where there is none."""
    if not folder.is_dir():
        return None
    there = {p.name.lower(): p for p in sorted(folder.iterdir()) if p.is_dir()}
    return next((there[name.lower()] for name in names if name.lower() in there), None)


def below(folder: Path, *steps: Iterable[str]) -> Path | None:
    """`subfolder`, step after step."""
    for names in steps:
        found = subfolder(folder, names)
        if found is None:
            return None
        folder = found
    return folder


def stem(path: Path) -> str:
    """A file's name without its suffix: what the two files of a pair have in common."""
    return path.stem


def number(path: Path) -> str:
    """The digits that a file's name ends with, for pairs such as `low00001.png` and `normal00001.png`."""
    found = re.search(r"\d+$", path.stem)
    return found[0] if found else path.stem


def join(inputs: Path, targets: Path, key: Callable[[Path], str] = stem) -> Pairs:
    """Pair the images of two folders by `key`; what has no partner is missing, two of one key in a folder are failures."""
    pairs = Pairs()
    by_key = [_by_key(folder, key, pairs) for folder in (inputs, targets)]
    for name in sorted(by_key[0].keys() | by_key[1].keys()):
        if not safe_name(name):
            pairs.failures.append(Failure(name, "this name cannot be a sample's; rename the files"))
        elif all(name in files for files in by_key):
            pairs.found.append((name, by_key[0][name], by_key[1][name]))
        else:
            has, lacks = (inputs, targets) if name in by_key[0] else (targets, inputs)
            pairs.missing.append(f"{lacks.name}: nothing for {has.name}'s {name}")
    return pairs


def _by_key(folder: Path, key: Callable[[Path], str], pairs: Pairs) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in pictures(folder):
        if (name := key(path)) in found:
            pairs.failures.append(Failure(str(path), f"stands for '{name}', as {found[name].name} does"))
        else:
            found[name] = path
    return found


def drafts(
    src: Path, pairs: Pairs, split: str | Callable[[str], str], role: str = "label", prefix: str = "", **same: object
) -> list[Draft]:
    """A sample for each pair, a scene of its own.

    Args:
        split: of all, or by a pair's name.
        prefix: put before the names of samples and scenes, where several folders have the same ones.
        same: further fields of every Draft.
    """

    def file(path: Path, role: str = "input") -> File:
        return File(path.relative_to(src).as_posix(), role)

    return [
        Draft(prefix + name, prefix + name, split if isinstance(split, str) else split(name), (file(input),), (file(target, role),), **same)
        for name, input, target in pairs.found
    ]


def required(src: Path, found: object, wanted: str) -> None:
    """UserError saying what layout was `wanted` where nothing of it was `found`."""
    if not found:
        raise UserError(f"{src}: {wanted} is not in it")
