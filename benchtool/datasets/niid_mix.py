"""NIID's 50 test images: 15 of LOL, 15 of SICE, 20 of DeepUPE (Lv et al., ACM MM 2020, Sec. 5.1).

Which ones the authors chose is not published: these are drawn by a seed, and the dataset says that they are not the paper's images.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.seeds import seed_of
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.mixed import open_parts, relabel, write

SPEC = DatasetSpec(
    title="NIID's 50 images",
    citation="lv2020niid",
    licence="those of its parts",
    sources=(Source("lol, sice, deepupe", by_hand="made of others: prepare lol, sice and deepupe first, in folders of these names"),),
    counts={"test": 50},
)
SHARES = {"lol": 15, "sice": 15, "deepupe": 20}


@dataclass(frozen=True)
class Options:
    """The draw.

    Attributes:
        seed: of the images drawn from each part's test split.
    """

    seed: int = 0


def view(src: Path, out: Path, options: Options) -> Dataset:
    """50 images of the test splits of `SRC/lol`, `SRC/sice` (under-exposed ones) and `SRC/deepupe`, each a prepared dataset.

    Raises:
        UserError: one is missing, or has too few.
    """
    parts = open_parts(src, list(SHARES))
    samples = []
    for name, dataset in parts.items():
        pool = [s for s in dataset.split("test") if name != "sice" or s.subset == "under"]
        samples += relabel(dataset, _draw(dataset, pool, SHARES[name], options.seed), name, split="test")
    return write("niid-mix", SPEC, out, parts, samples, variant="not-the-papers-images", options=dataclasses.asdict(options),
                 images="drawn by seed: not the paper's images")  # fmt: skip


def _draw(dataset: Dataset, pool: list[Sample], count: int, seed: int) -> list[Sample]:
    """`count` samples by the seed and their names alone."""
    if len(pool) < count:
        raise UserError(f"{dataset.folder}: {len(pool)} test images of the {count} that NIID's 50 take from {dataset.facts.name}")
    return sorted(pool, key=lambda sample: seed_of(seed, dataset.facts.name, sample.sample))[:count]
