"""LCDP, images with dark and bright areas at once (Wang et al., "Local Color Distributions Prior", ECCV 2022)."""

from __future__ import annotations

from pathlib import Path

from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout

SPEC = DatasetSpec(
    title="LCDP",
    citation="wang2022lcdpnet",
    licence="none stated; research; made from FiveK and RAISE",
    home="https://github.com/onpix/LCDPNet",
    sources=(
        Source(
            "lcdp_dataset.7z",
            by_hand="'Dataset & pretrained models' of https://github.com/onpix/LCDPNet (a Google Drive folder, by a browser)",
            about="1,733 pairs; a 7z archive, earlier adobe5k.tar.gz and raise.tar.gz",
            evidence="README of github.com/onpix/LCDPNet",
        ),
    ),
    counts={"train": 1_415, "val": 100, "test": 218},
)
FOLDERS = {"train": ("input", "gt"), "val": ("valid-input", "valid-gt"), "test": ("test-input", "test-gt")}


def layout(src: Path, options: None) -> Layout:
    """`input` and `gt`, `valid-input` and `valid-gt`, `test-input` and `test-gt`, in SRC or in a folder of it.

    Raises:
        UserError: not even one pair of them is there.
    """
    places = [src, *sorted(p for p in src.iterdir() if p.is_dir())]
    found = max((_parts(place) for place in places), key=len)
    required(src, found, "'input' beside 'gt' (and valid-input, valid-gt, test-input, test-gt)")
    pairs = {split: join(*both) for split, both in found.items()}
    missing = [f"{' and '.join(FOLDERS[split])} (the {split} split)" for split in FOLDERS if split not in pairs]
    missing += [text for two in pairs.values() for text in two.missing]
    failures = [failure for two in pairs.values() for failure in two.failures]
    samples = [draft for split, two in pairs.items() for draft in drafts(src, two, split, prefix=f"{split}_")]
    return Layout("input and gt", samples, {"lcdp": src}, missing=missing, failures=failures)


def _parts(place: Path) -> dict[str, tuple[Path, Path]]:
    both = {split: (subfolder(place, [input]), subfolder(place, [target])) for split, (input, target) in FOLDERS.items()}
    return {split: folders for split, folders in both.items() if all(folders)}
