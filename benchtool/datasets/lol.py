"""LOL, low and normal light (Wei et al., BMVC 2018), its second version real and synthetic (Yang et al., TIP 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchtool.core.errors import UserError
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import below, drafts, join, number, stem
from benchtool.datasets.prepare import Layout
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(
    title="LOL",
    citation="wei2018retinexnet",
    licence="none stated; research",
    home="https://daooshee.github.io/BMVC2018website/",
    sources=(
        Source(
            "our485, eval15",
            by_hand="v1: 'LOw Light paired dataset' of https://daooshee.github.io/BMVC2018website/ (Google Drive or Baidu, by a browser)",
            about="500 pairs of 600 x 400",
            evidence="the page's source at github.com/daooshee/BMVC2018website",
        ),
        Source(
            "v2",
            by_hand="v2: https://pan.baidu.com/s/149C65GCvg4lVKLDQqFdvqw, code 22im (Baidu, by a browser)",
            evidence="README of github.com/flyywh/CVPR-2020-Semi-Low-Light",
        ),
    ),
)
LOW, NORMAL = ("low",), ("high", "normal")
VERSIONS = {  # version -> folders of training and test, pairs of each, and what pairs have in common
    "v1": ((("our485",),), (("eval15",),), (485, 15), stem),
    "v2-real": ((("real_captured",), ("train",)), (("real_captured",), ("test",)), (689, 100), number),
    "v2-synthetic": ((("synthetic",), ("train",)), (("synthetic",), ("test",)), (900, 100), stem),
}


@dataclass(frozen=True)
class Options:
    """Which version, where the folder holds several.

    Attributes:
        version: `v1`, `v2-real` or `v2-synthetic`; that which is there where `auto`.
        val: training pairs to keep for validation, of which none are published: as papers have it, all are trained on unless asked
            (Task-mix keeps some of its own).
        seed: of that draw.
    """

    version: Literal["auto", "v1", "v2-real", "v2-synthetic"] = "auto"
    val: int = 0
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """`our485` and `eval15`, or `Real_captured` or `Synthetic` with `Train` and `Test`, each with low and normal images.

    Raises:
        UserError: none of them is there, or several and the option does not say which.
    """
    there = {name: parts for name in VERSIONS if (parts := _parts(src, name))}
    if options.version == "auto" and len(there) > 1:
        raise UserError(f"{src}: holds {' and '.join(there)}; say which with -s version={next(iter(there))}")
    version = options.version if options.version != "auto" else next(iter(there), None)
    if there and version not in there:
        raise UserError(f"{src}: {version} is not in it; there {'is' if len(there) == 1 else 'are'} {' and '.join(there)}")
    if version not in there:
        raise UserError(f"{src}: neither our485 and eval15 (v1) nor Real_captured or Synthetic (v2) with low and normal images are in it")
    *_, counts, key = VERSIONS[version]
    pairs = {split: join(*both, key) for split, both in there[version].items()}
    missing = [f"the {split} folder" for split in ("train", "test") if split not in pairs]
    missing += [text for found in pairs.values() for text in found.missing]
    notes = [
        f"{split}: {len(pairs[split].found):,} pairs of {count:,}"
        for split, count in zip(("train", "test"), counts)
        if split in pairs and len(pairs[split].found) != count
    ]
    samples = []
    if "train" in pairs:
        drawn = seeded_split((name for name, *_ in pairs["train"].found), options.seed, val=options.val, test=0)
        samples += drafts(src, pairs["train"], drawn.__getitem__, prefix="train_")
    if "test" in pairs:
        samples += drafts(src, pairs["test"], "test", prefix="test_")
    failures = [failure for found in pairs.values() for failure in found.failures]
    return Layout(f"LOL {version}", samples, {"lol": src}, variant=version, missing=missing, notes=notes, failures=failures)


def _parts(src: Path, version: str) -> dict[str, tuple[Path, Path]]:
    """Split -> its low and its normal folder, for those that are there."""
    found = {}
    for split, steps in zip(("train", "test"), VERSIONS[version]):
        both = below(src, *steps, LOW), below(src, *steps, NORMAL)
        if all(both):
            found[split] = both
    return found
