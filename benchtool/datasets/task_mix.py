"""Task-mix: low light, retouching and over-exposure for one model (ENC, CVPR 2022, Sec. 4.4 and Table 4).

Made of three prepared datasets: LOL, FiveK and the over-exposed half of SICE. The paper does not give the sizes.
"""

from __future__ import annotations

from pathlib import Path

from benchtool.core.manifest import Dataset
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.mixed import open_parts, relabel, write

SPEC = DatasetSpec(
    title="Task-mix",
    citation="huang2022enc",
    licence="those of its parts",
    sources=(Source("lol, fivek, sice", by_hand="made of others: prepare lol, fivek and sice first, in folders of these names"),),
    exposure_groups={"lol": (), "fivek": (), "sice-over": ()},
)
PARTS = {"lol": "lol", "fivek": "fivek", "sice": "sice-over"}  # dataset -> subset


def view(src: Path, out: Path, options: None) -> Dataset:
    """`SRC/lol`, `SRC/fivek` and `SRC/sice`, each a prepared dataset, as one, with their splits.

    Raises:
        UserError: one is missing, or lacks its target.
    """
    parts = open_parts(src, list(PARTS))
    samples = []
    for name, dataset in parts.items():
        chosen = [s for s in dataset.samples if name != "sice" or s.subset == "over"]
        samples += relabel(dataset, chosen, PARTS[name])
    return write("task-mix", SPEC, out, parts, samples, variant="own")
