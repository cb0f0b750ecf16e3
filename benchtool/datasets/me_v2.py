"""ME-v2 (Huang et al., "Exposure Normalization and Compensation", CVPR 2022, Sec. 4.1): ME with the middle exposure as target.

The four other exposures are its inputs. It is a view of an ME dataset: a manifest of its own, no files of its own.
The paper prints 14,144 training pairs; 14,140 = 4 x 3,535 without the scene that is also a test scene.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchtool.core.console import say
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, Facts, Sample, open_dataset, write_dataset
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.prepare import check_place, place

SPEC = DatasetSpec(
    title="ME-v2",
    citation="huang2022enc",
    licence="as ME: MIT-Adobe FiveK terms, research use only",
    home="https://github.com/KevinJ-Huang/ExposureNorm-Compensation",
    sources=(Source("me", by_hand="made of ME: prepare or render me first, then benchtool data prepare me-v2 ME ME-V2"),),
    counts={"train": 14_140, "val": 600, "test": 4_724},
    exposure_groups={"under": (-1.5, -1.0), "over": (1.0, 1.5)},
    default_target="middle",
)
MIDDLE = 0.0  # EV


def view(src: Path, out: Path, options: None = None) -> Dataset:
    """Write ME-v2's manifest into `out`; its images are those of the ME dataset in `src`, found through the root `me`.

    Raises:
        UserError: `src` is no ME dataset, or `out` holds another dataset.
    """
    me = open_dataset(src)
    if me.facts.name != "me":
        raise UserError(f"{src}: is the dataset '{me.facts.name}'; ME-v2 is made from an ME dataset (benchtool data render-me)")
    check_place(out, "me-v2")
    source = {name: getattr(me.facts, name) for name in ("name", "variant", "fingerprint")}
    samples, without = _pairs(me.samples)
    if not samples:
        raise UserError(f"{src}: no scene in it has both its middle exposure and another")
    if without:
        say(f"{src}: {without} photos have no middle exposure and were left out")
    facts = Facts(
        name="me-v2",
        variant=me.facts.variant,
        roots={name: place(folder, Path(out)) for name, folder in me.roots.items()},
        exposure_groups={name: list(evs) for name, evs in SPEC.exposure_groups.items()},
        default_target=SPEC.default_target,
        licence=me.facts.licence,
        citation=f"{me.facts.citation}, {SPEC.citation}",
        made={"command": "benchtool data prepare me-v2", "from": source},
    )
    return write_dataset(out, facts, samples)


def _pairs(samples: list[Sample]) -> tuple[list[Sample], int]:
    """The samples of ME that are not the middle exposure, each with the middle one as target; photos without a middle."""
    photo = {s.sample: s.sample.rpartition("_")[0] for s in samples}
    middle = {photo[s.sample]: s.inputs[0] for s in samples if s.exposure == MIDDLE}
    pairs = [
        dataclasses.replace(s, targets=(dataclasses.replace(middle[photo[s.sample]], role="middle"),), encoding_target=s.encoding_in)
        for s in samples
        if s.exposure != MIDDLE and photo[s.sample] in middle
    ]
    return pairs, len(set(photo.values()) - set(middle))
