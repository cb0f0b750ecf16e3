"""DPED, patches of three phones and a camera (Ignatov et al., ICCV 2017), in ENC's numbers (CVPR 2022, Sec. 4.1 and Table 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.seeds import seed_of
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import Pairs, below, drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout
from benchtool.datasets.seeded_split import val_share

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
        val: pairs of each phone to validate with, of which the paper names none: drawn from the archive's training pairs besides those
            trained on, and where these are too few, a tenth of all at most. ENC's own share, on SICE, is 24 of 1,000.
        seed: of the draw.
    """

    train: int = 2_048
    test: int = 380
    val: int = 50
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
            wanted = {"train": options.train, "val": options.val} if split == "train" else {"test": options.test}
            drawn = _draw((name for name, *_ in pairs.found), f"{options.seed} {phone} {split}", **wanted)
            found = Counter(drawn.values())
            notes += [f"{phone}, {part}: {found[part]:,} pairs of the {n:,} wanted" for part, n in wanted.items() if found[part] < n]
            chosen = Pairs([pair for pair in pairs.found if pair[0] in drawn])
            samples += drafts(src, chosen, drawn.__getitem__, prefix=f"{phone}_{split}_", subset=phone)
    notes.append("which pairs ENC used is not published: these were drawn by a seed")
    made = {"drawn": "by seed; not the paper's pairs"}
    if options.val:
        made["validation"] = (
            "ours, drawn by seed: the paper names none. Files do not say which photograph a patch is of, so it may share some with train"
        )
        notes.append(f"validation: {made['validation']}")
    return Layout("DPED's archive", samples, {"dped": src}, variant="drawn", missing=missing, notes=notes, failures=failures, made=made)


def _draw(names: Iterable[str], seed: str, val: int = 0, **split: int) -> dict[str, str]:
    """Name -> the split or `val`, by the seed alone: as many as are wanted (all where 0), then those to validate with (see `Options`)."""
    order = sorted(names, key=lambda name: seed_of(seed, name))
    ((name, wanted),) = split.items()
    wanted = wanted or len(order)
    val = min(val, max(len(order) - wanted, val_share(len(order))))
    rest = min(wanted, len(order) - val)
    return dict.fromkeys(order[:rest], name) | dict.fromkeys(order[rest : rest + val], "val")
