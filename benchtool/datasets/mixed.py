"""Datasets put together from others' manifests: samples keep their images, and get their origin as a subset."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Facts, Image, Sample, open_dataset, write_dataset
from benchtool.core.spec import DatasetSpec
from benchtool.datasets.prepare import place


def open_parts(src: Path, names: Sequence[str]) -> dict[str, Dataset]:
    """The prepared datasets `SRC/NAME`.

    Raises:
        UserError: one is missing (it says how to make it), or is another dataset.
    """
    found = {}
    for name in names:
        folder = Path(src) / name
        if not (folder / "dataset.json").is_file():
            raise UserError(f"{folder}: the dataset {name} is wanted there; make it: benchtool data prepare {name} FILES {folder}")
        found[name] = open_dataset(folder)
        if found[name].facts.name != name:
            raise UserError(f"{folder}: is the dataset '{found[name].facts.name}', not {name}")
    return found


def relabel(part: Dataset, samples: Sequence[Sample], subset: str, split: str | None = None) -> list[Sample]:
    """Samples of a part as those of the whole: `subset`, names with it in front, the default target as `label`, roots of its own.

    Args:
        split: of all of them; each keeps its own where None.
    """

    def moved(image: Image, role: str) -> Image:
        return dataclasses.replace(image, path=f"{part.facts.name}-{image.path}", role=role)

    return [
        dataclasses.replace(
            sample, sample=f"{subset}_{sample.sample}", scene=f"{part.facts.name}_{sample.scene}", split=split or sample.split,
            subset=subset, inputs=tuple(moved(image, image.role) for image in sample.inputs),
            targets=(moved(_target(part, sample), "label"),),
        )
        for sample in samples
    ]  # fmt: skip


def _target(part: Dataset, sample: Sample) -> Image:
    role = part.facts.default_target
    found = sample.target(role)
    if found is None:
        raise UserError(f"{part.folder}: sample '{sample.sample}' has no target '{role}'")
    return found


def write(
    name: str, spec: DatasetSpec, out: Path, parts: Mapping[str, Dataset], samples: Sequence[Sample], variant: str, **made: Any
) -> Dataset:
    """Write the manifest; roots are those of the parts, with the part's name in front."""
    facts = Facts(
        name=name,
        variant=variant,
        roots={f"{part}-{root}": place(folder, out) for part, dataset in parts.items() for root, folder in dataset.roots.items()},
        exposure_groups={group: list(evs) for group, evs in spec.exposure_groups.items()},
        default_target="label",
        licence="; ".join(f"{part}: {dataset.facts.licence}" for part, dataset in parts.items()),
        citation=", ".join(dict.fromkeys([spec.citation, *(dataset.facts.citation for dataset in parts.values())])),
        made={
            "command": f"benchtool data prepare {name}",
            "from": {part: {"variant": d.facts.variant, "fingerprint": d.facts.fingerprint} for part, d in parts.items()},
            **made,
        },
    )
    return write_dataset(out, facts, samples)
