"""DPED, patches of three phones and a camera (Ignatov et al., ICCV 2017), in ENC's numbers (CVPR 2022, Sec. 4.1 and Table 5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchtool.core.seeds import seed_of
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import Pairs, below, drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout

SPEC = DatasetSpec(
    title="DPED",
    citation="ignatov2017dped",
    licence="research only",
    home="https://people.ee.ethz.ch/~ihnatova/",
    sources=(
        Source(
            "dped",
            by_hand="the patches of https://people.ee.ethz.ch/~ihnatova/ (by a browser)",
            about="about 54 GB with the original photographs",
            evidence="the size: README of a public project that uses it; the page was not seen",
        ),
    ),
    counts={"train": 6_144, "test": 1_140},
    exposure_groups={"iphone": (), "sony": (), "blackberry": ()},
)
PHONES = ("iphone", "sony", "blackberry")
FOLDERS = {"train": (("training_data",),), "test": (("test_data",), ("patches",))}


@dataclass(frozen=True)
class Options:
    """How many pairs of each phone.

    Attributes:
        train, test: pairs of each phone, drawn from the archive's: ENC's paper has 2,048 and 380 and does not say which; 0: all.
        val: training pairs of each phone to keep for validation besides.
        seed: of the draw.
    """

    train: int = 2_048
    test: int = 380
    val: int = 0
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """`iphone`, `sony` and `blackberry` with `training_data/{PHONE,canon}` and `test_data/patches/{PHONE,canon}`, in SRC or SRC/dped.

    Raises:
        UserError: no phone is there.
    """
    place = subfolder(src, ["dped"]) or src
    folders = {phone: folder for phone in PHONES if (folder := subfolder(place, [phone]))}
    required(src, folders, "a folder iphone, sony or blackberry")
    missing = [f"the phone {phone}" for phone in PHONES if phone not in folders]
    samples, failures, notes = [], [], []
    for phone, folder in folders.items():
        for split, steps in FOLDERS.items():
            both = below(folder, *steps, [phone]), below(folder, *steps, ["canon"])
            if not all(both):
                missing.append(f"{phone}: {'/'.join(step[0] for step in steps)} with {phone} and canon")
                continue
            pairs = join(*both)
            missing, failures = missing + [f"{phone}, {text}" for text in pairs.missing], failures + pairs.failures
            wanted = {"train": options.train + options.val if options.train else 0, "test": options.test}[split]
            chosen = _draw(pairs, wanted, f"{options.seed} {phone} {split}")
            if wanted and len(chosen.found) < wanted:
                notes.append(f"{phone}, {split}: {len(chosen.found):,} pairs of the {wanted:,} wanted")
            kept = {name for name, *_ in chosen.found[: options.val]} if split == "train" else set()
            samples += drafts(src, chosen, lambda name: "val" if name in kept else split, prefix=f"{phone}_{split}_", subset=phone)
    notes.append("which pairs ENC used is not published: these were drawn by a seed")
    made = {"drawn": "by seed; not the paper's pairs"}
    return Layout("DPED's archive", samples, {"dped": src}, variant="drawn", missing=missing, notes=notes, failures=failures, made=made)


def _draw(pairs: Pairs, count: int, seed: str) -> Pairs:
    """`count` of the pairs (all where 0), chosen by the seed alone whatever their order."""
    ordered = sorted(pairs.found, key=lambda pair: seed_of(seed, pair[0]))
    return Pairs(ordered[:count] if count else sorted(ordered))
