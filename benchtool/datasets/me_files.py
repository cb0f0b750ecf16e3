"""Where ME's images lie, by the published names, and what earlier runs of `data render-me` left of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import Journal, clear_temporary, sha256_file
from benchtool.datasets.me_plan import EXPERTS, Shot

FOLDERS = {"train": "training", "val": "validation", "test": "testing"}
TOKENS = {-1.5: "N1.5", -1.0: "N1", 0.0: "0", 1.0: "P1", 1.5: "P1.5"}
INPUT_SUFFIX = {"jpg": ".JPG", "png": ".png"}  # the published inputs are .JPG, their targets .jpg
TARGET_SUFFIX = {"jpg": ".jpg", "png": ".png"}
JOURNAL, RENDERINGS = ".journal.jsonl", "renderings.jsonl"
WHOLE = ("dataset.json", "manifest.parquet", RENDERINGS)  # written last; their presence says the dataset is finished
COMMAND = "data render-me"


def input_path(stem: str, split: str, ev: float, format: str) -> str:
    """Where an input is in the dataset, as published.

    >>> input_path("a0001-jmac", "train", -1.5, "jpg")
    'training/INPUT_IMAGES/a0001-jmac_N1.5.JPG'
    """
    return f"{FOLDERS[split]}/INPUT_IMAGES/{stem}_{TOKENS[ev]}{INPUT_SUFFIX[format]}"


def target_path(stem: str, split: str, role: str, format: str) -> str:
    """Where a target is: one folder an expert for testing, expert C alone in `GT_IMAGES` elsewhere.

    >>> target_path("a0016-jmac", "test", "expert_b", "jpg")
    'testing/expert_b_testing_set/a0016-jmac.jpg'
    """
    folder = f"{role}_testing_set" if split == "test" else "GT_IMAGES"
    return f"{FOLDERS[split]}/{folder}/{stem}{TARGET_SUFFIX[format]}"


def open_journal(out: Path, made: dict[str, Any], start: str) -> Journal:
    """The journal of `out`, which must be of the same settings; a fresh one where there is none or for `restart`."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; give a folder to write the dataset to")
    journal = Journal(out / JOURNAL)
    foreign = [name for name in (*FOLDERS.values(), *WHOLE) if (out / name).exists()]
    if journal.entries and journal.entries[0].get("command") != COMMAND:
        raise UserError(f"{out}: belongs to another command; choose another folder")
    if foreign and not journal.entries:
        raise UserError(f"{out}: holds {foreign[0]}, which this command did not make; choose another folder")
    if start == "resume" and not journal.entries:
        raise UserError(f"{out}: nothing to resume there; leave --resume away to begin")
    if start == "restart" and journal.entries:
        _forget(journal, out)
        journal = Journal(out / JOURNAL)
    if not journal.entries:
        journal.append({"command": COMMAND, "settings": made})
    before = journal.entries[0]["settings"]
    changed = sorted(name for name in before.keys() | made.keys() if before.get(name) != made.get(name))
    if changed:
        is_now = ", ".join(f"{name} {before.get(name)} (now {made.get(name)})" for name in changed)
        raise UserError(f"{out}: was rendered with {is_now}; begin anew with --restart, or choose another folder")
    clear_temporary(out)
    return journal


def earlier_files(journal: Journal, stems: set[str] | None = None) -> set[str]:
    """Every path that earlier runs may have written (for `stems`, None for all), journalled or killed before that."""
    format = journal.entries[0]["settings"]["format"]
    planned = {(s, split) for e in journal.entries for s, split in e.get("planned", {}).items() if stems is None or s in stems}
    inputs = {input_path(stem, split, ev, format) for stem, split in planned for ev in TOKENS}
    return inputs | {target_path(stem, split, role, format) for stem, split in planned for role in EXPERTS}


def remove(out: Path, paths: Iterable[str]) -> None:
    """Remove those of `paths` in `out` that are there."""
    for path in paths:
        (out / path).unlink(missing_ok=True)


def _forget(journal: Journal, out: Path) -> None:
    """Remove what earlier runs made in `out`, and nothing else."""
    remove(out, WHOLE)
    clear_temporary(out)
    earlier = earlier_files(journal)
    remove(out, earlier)
    journal.path.unlink()
    for folder in {(out / path).parent for path in earlier}:
        for empty in (folder, folder.parent):
            with contextlib.suppress(OSError):  # not empty, or never made
                empty.rmdir()


def still_good(entry: dict[str, Any], shot: Shot, out: Path, format: str) -> bool:
    """Whether a journalled raw needs no work: same sources, same place in the dataset, its files whole."""
    sources = {"raw": shot.raw, **shot.experts}
    targets = {target_path(shot.stem, shot.split, role, format) for role in shot.experts if role not in entry["refused"]}
    paths = {input_path(shot.stem, shot.split, ev, format) for ev in TOKENS} | targets
    if sources.keys() != entry["sources"].keys() or paths != {image["path"] for image in entry["images"]}:
        return False
    if not all((out / i["path"]).is_file() and (out / i["path"]).stat().st_size == i["bytes"] for i in entry["images"]):
        return False
    return all(_unchanged(path, entry["sources"][role]) for role, path in sources.items())


def _unchanged(path: Path, then: dict[str, Any]) -> bool:
    found = path.stat()
    return found.st_size == then["bytes"] and (found.st_mtime_ns == then["mtime_ns"] or sha256_file(path) == then["sha256"])
