"""MIT-Adobe FiveK as a retouching dataset (Bychkovsky et al., CVPR 2011): unretouched photographs and the images of five experts.

Inputs and experts' images come from folders, or from a rendered ME dataset, whose exposure of 0 EV is then the unretouched photograph.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchtool.core.errors import UserError
from benchtool.core.images import header
from benchtool.core.manifest import Dataset, Facts, Sample, open_dataset, write_dataset
from benchtool.core.pool import Failure
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.exposure_stacks import pictures
from benchtool.datasets.me_split import is_fivek, published_splits
from benchtool.datasets.paired_folders import required, subfolder
from benchtool.datasets.prepare import Draft, File, Layout, place
from benchtool.datasets.seeded_split import with_validation

SPEC = DatasetSpec(
    title="MIT-Adobe FiveK",
    citation="bychkovsky2011fivek",
    licence="MIT-Adobe FiveK terms: research use only (LicenseAdobe, LicenseAdobeMIT)",
    home="https://data.csail.mit.edu/graphics/fivek/",
    terms=(
        "https://data.csail.mit.edu/graphics/fivek/legal/LicenseAdobe.txt",
        "https://data.csail.mit.edu/graphics/fivek/legal/LicenseAdobeMIT.txt",
    ),
    sources=(
        Source(
            "dng",
            "https://data.csail.mit.edu/graphics/fivek/img/dng/{name}.dng",
            names=(
                "https://data.csail.mit.edu/graphics/fivek/legal/filesAdobe.txt",
                "https://data.csail.mit.edu/graphics/fivek/legal/filesAdobeMIT.txt",
            ),
            count=5_000,
            about="the raws; about 50 GB together",
            evidence="README and lists of github.com/yuukicammy/mit-adobe-fivek-dataset",
        ),
        Source(
            "tiff16_{each}",
            "https://data.csail.mit.edu/graphics/fivek/img/tiff16_{each}/{name}.tif",
            each=("a", "b", "c", "d", "e"),
            names=(
                "https://data.csail.mit.edu/graphics/fivek/legal/filesAdobe.txt",
                "https://data.csail.mit.edu/graphics/fivek/legal/filesAdobeMIT.txt",
            ),
            count=5_000,
            about="an expert's images, 16-bit ProPhoto RGB; expert C's are about 260 GB, as one user measured",
            optional=True,
            evidence="README and lists of github.com/yuukicammy/mit-adobe-fivek-dataset",
        ),
        Source(
            "fivek_dataset.tar",
            "https://data.csail.mit.edu/graphics/fivek/fivek_dataset.tar",
            about="the raws and the Lightroom catalogue in one, instead of dng; about 50 GB; its SHA-1 is published beside it (.sha1)",
            folder="fivek_dataset",
            optional=True,
            evidence="github.com/proceduralia/pytorch-neural-enhance, issue 2; github.com/yuukicammy/mit-adobe-fivek-dataset",
        ),
    ),
    default_target="expert_c",
)
INPUT = ("input", "inputs", "raw", "zeroed", "original")
EXPERTS = {f"expert_{letter}": (f"expert_{letter}", f"expert{letter}", f"tiff16_{letter}", letter) for letter in "abcde"}
PHOTOGRAPHS, LAST_TRAINING = 5_000, 4_500


@dataclass(frozen=True)
class Options:
    """The split and the target.

    Attributes:
        split: `4500-500`, the first 4,500 photographs for training and the rest for testing, or `me`, ME's published lists.
        expert: default target, `a` to `e`.
        val: training photographs to keep for validation, of which `4500-500` has none: as papers have it, all 4,500 are trained on unless
            asked (Task-mix keeps some of its own).
        seed: of that draw.
    """

    split: Literal["4500-500", "me"] = "4500-500"
    expert: Literal["a", "b", "c", "d", "e"] = "c"
    val: int = 0
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """A folder of inputs (input, raw, zeroed or original) beside one an expert (expertC, expert_c or c), joined by FiveK's ids.

    Raises:
        UserError: no inputs, no expert's folder, or pictures in ProPhoto RGB, which would be taken for sRGB.
    """
    inputs = subfolder(src, INPUT)
    required(src, inputs, f"a folder of inputs ({', '.join(INPUT)})")
    experts = {role: folder for role, names in EXPERTS.items() if (folder := subfolder(src, names))}
    required(src, experts, "an expert's folder (expertA ... expertE)")
    if f"expert_{options.expert}" not in experts:
        raise UserError(f"{src}: expert {options.expert} is not in it; there are {', '.join(experts)}: choose one with -s expert=")
    failures: list[Failure] = []
    shown = _by_id(inputs, failures)
    targets = {role: _by_id(folder, failures) for role, folder in experts.items()}
    for files in (shown, *targets.values()):
        _refuse_prophoto(files.values())
    missing = [f"{role}: photograph {photo}" for role, files in targets.items() for photo in sorted(shown.keys() - files.keys())]
    missing += [f"{inputs.name}: photograph {photo}" for photo in sorted(set().union(*targets.values()) - shown.keys())]
    drafts = []
    for photo, path in sorted(shown.items()):
        files = tuple(File(found[photo].relative_to(src).as_posix(), role) for role, found in targets.items() if photo in found)
        if files and (split := _split_of(photo, options)):
            drafts.append(Draft(photo, photo, split, (File(path.relative_to(src).as_posix()),), files))
    drafts = with_validation(drafts, options.val, options.seed)
    notes = [f"{len(drafts):,} of {PHOTOGRAPHS:,} photographs, split {options.split}"]
    if unlisted := sum(_split_of(photo, options) is None for photo in shown):
        notes.append(f"{unlisted:,} photographs are in none of ME's lists, and left out")
    return Layout("inputs and experts", drafts, {"fivek": src}, missing=missing, notes=notes, failures=failures,
                  default_target=f"expert_{options.expert}")  # fmt: skip


def view(src: Path, out: Path, options: Options) -> Dataset:
    """The 0 EV images of the ME dataset in `src` with their experts' targets.

    Raises:
        UserError: `src` is another dataset, or has no such expert.
    """
    me = open_dataset(src)
    if me.facts.name != "me":
        raise UserError(f"{src}: is the dataset '{me.facts.name}'; FiveK is made from folders or from an ME dataset")
    samples = with_validation(list(_at_zero(me.samples, f"expert_{options.expert}", options)), options.val, options.seed)
    if not samples:
        raise UserError(f"{src}: no photograph in it has a 0 EV image and a target of expert {options.expert}")
    facts = Facts(
        name="fivek", variant=me.facts.variant, roots={name: place(folder, out) for name, folder in me.roots.items()},
        default_target=f"expert_{options.expert}", licence=me.facts.licence, citation=f"{me.facts.citation}, {SPEC.citation}",
        made={"command": "benchtool data prepare fivek", "options": dataclasses.asdict(options), "from": me.facts.fingerprint},
    )  # fmt: skip
    return write_dataset(out, facts, samples)


def _at_zero(samples: Iterable[Sample], role: str, options: Options) -> Iterable[Sample]:
    for sample in samples:
        if sample.exposure == 0 and sample.target(role) is not None:
            split = _split_of(sample.scene, options) if is_fivek(sample.scene) else sample.split
            if split:
                yield dataclasses.replace(sample, split=split)


def _split_of(photo: str, options: Options) -> str | None:
    """None for a photograph that ME's lists leave out."""
    if options.split == "me":
        return published_splits().get(photo)
    return "train" if int(photo[1:]) <= LAST_TRAINING else "test"


def _refuse_prophoto(paths: Iterable[Path]) -> None:
    """UserError where the first picture is one of FiveK's TIFFs as they come: only `data render-me` brings them to sRGB."""
    first = next(iter(paths), None)
    profile = header(first)[3] if first is not None and first.is_file() else None
    if profile and re.search(rb"ProPhoto|ROMM", bytes(profile).replace(b"\0", b"")):  # text in profiles may be UTF-16
        raise UserError(f"{first}: is in ProPhoto RGB; save it as sRGB, or make ME of the archive (data render-me), and FiveK of that")


def _by_id(folder: Path, failures: list[Failure]) -> dict[str, Path]:
    """`a0001` -> the file that begins so."""
    found: dict[str, Path] = {}
    for path in pictures(folder):
        match = re.match(r"a\d{4}(?!\d)", path.name)
        if match is None or not is_fivek(match[0]):
            failures.append(Failure(str(path), "does not begin with FiveK's id, a0001 to a5000"))
        elif match[0] in found:
            failures.append(Failure(str(path), f"is a second picture of {match[0]}, besides {found[match[0]].name}"))
        else:
            found[match[0]] = path
    return found
