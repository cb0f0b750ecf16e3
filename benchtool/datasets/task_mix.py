"""Task-mix: low light, retouching and over-exposure for one model (ENC, CVPR 2022, Sec. 4.4 and Table 4).

Made of three prepared datasets: LOL, FiveK and the over-exposed half of SICE. The paper gives neither the sizes nor a validation split.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.console import say
from benchtool.core.manifest import Dataset, Sample
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.mixed import open_parts, relabel, write
from benchtool.datasets.seeded_split import val_share, with_validation

SPEC = DatasetSpec(
    title="Task-mix",
    citation="huang2022enc",
    licence="those of its parts",
    sources=(Source("lol, fivek, sice", by_hand="made of others: prepare lol, fivek and sice first, in folders of these names"),),
    exposure_groups={"lol": (), "fivek": (), "sice-over": ()},
)
PARTS = {"lol": "lol", "fivek": "fivek", "sice": "sice-over"}  # dataset -> subset


@dataclass(frozen=True)
class Options:
    """Validation, without which best weights and the worst exposure would be chosen by SICE alone.

    Attributes:
        val: training scenes to keep for validation of each part that has no validation split of its own, as LOL and FiveK; a tenth of
            them at most. 12 are as many as SICE has, so that each part counts the same, as in the averages of Table 4.
        seed: of that draw.
    """

    val: int = 12
    seed: int = 0


def view(src: Path, out: Path, options: Options) -> Dataset:
    """`SRC/lol`, `SRC/fivek` and `SRC/sice`, each a prepared dataset, as one, with their splits; `Options` says what is validated on.

    Raises:
        UserError: one is missing, or lacks its target.
    """
    parts = open_parts(src, list(PARTS))
    samples, kept = [], {}
    for name, dataset in parts.items():
        chosen = [s for s in dataset.samples if name != "sice" or s.subset == "over"]
        if not any(s.split == "val" for s in chosen):
            chosen, kept[name] = _validated(chosen, options)
        samples += relabel(dataset, chosen, PARTS[name])
    if kept:
        counts = ", ".join(f"{name} {n}" for name, n in kept.items())
        say(f"{out}: training scenes kept for validation, ours, as the paper names none: {counts}")
    return write("task-mix", SPEC, out, parts, samples, variant="own", options=dataclasses.asdict(options),
                 validation={"kept": kept, "by": "seed; ours, the paper names none"})  # fmt: skip


def _validated(samples: list[Sample], options: Options) -> tuple[list[Sample], int]:
    """The samples with some training scenes kept for validation, and how many."""
    kept = min(options.val, val_share(len({s.scene for s in samples if s.split == "train"})))
    return with_validation(samples, kept, options.seed), kept
