"""DARK FACE, night photographs with boxes of faces (of the UG2+ challenges), for NIID's detection test (ACM MM 2020, Fig. 9).

NIID takes 500 "easy" images and publishes no list: these are drawn by a seed from those whose faces are 20 pixels high in the median.
Boxes are kept in `dataset.json`, for `benchtool evaluate METHOD --data DIR --detector FILE.csv`.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.core.seeds import seed_of
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.exposure_stacks import pictures
from benchtool.datasets.paired_folders import required, subfolder
from benchtool.datasets.prepare import Draft, File, Layout

SPEC = DatasetSpec(
    title="DARK FACE",
    citation="lv2020niid",
    licence="the UG2+ challenge's terms; research",
    home="https://github.com/Ir1d/DARKFACE_eval_tools",
    sources=(
        Source(
            "image, label",
            by_hand="https://flyywh.github.io/CVPRW2019LowLight, or the UG2+ challenge, http://www.ug2challenge.org (by a browser)",
            evidence="README of github.com/Ir1d/DARKFACE_eval_tools",
        ),
    ),
    counts={"test": 500},
    default_target="",
)
LABELLED = 6_000  # images with public boxes
LARGEST = 1 << 20  # bytes of a file of boxes
Box = list[float]  # x1, y1, x2, y2 in pixels


@dataclass(frozen=True)
class Options:
    """Which images.

    Attributes:
        images: `subset`, drawn from those of large enough faces, or `all` with boxes.
        count: images of the subset.
        height: least median height of an image's faces, in pixels, to be drawn from.
        seed: of the draw.
    """

    images: Literal["subset", "all"] = "subset"
    count: int = 500
    height: float = 20
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """`image/<n>.png` beside `label/<n>.txt`, in SRC or in a folder of it. All is the test split; there are no targets.

    Raises:
        UserError: they are not there, or fewer images than asked for have faces so large.
    """
    places = [src, *sorted(p for p in src.iterdir() if p.is_dir())]
    found = next(((i, b) for p in places if (i := subfolder(p, ["image", "images"])) and (b := subfolder(p, ["label", "labels"]))), None)
    required(src, found, "'image' beside 'label'")
    photographs, missing, failures, boxes = {p.stem: p for p in pictures(found[0])}, [], [], {}
    texts = {p.stem: p for p in sorted(found[1].iterdir()) if p.suffix.lower() == ".txt" and not p.name.startswith(".")}
    missing += [f"{found[1].name}: nothing for {found[0].name}'s {name}" for name in sorted(photographs.keys() - texts.keys())]
    missing += [f"{found[0].name}: nothing for {found[1].name}'s {name}" for name in sorted(texts.keys() - photographs.keys())]
    for name in sorted(photographs.keys() & texts.keys()):
        try:
            if not safe_name(name):
                raise UserError("this name cannot be a sample's; rename the files")
            boxes[name] = read_boxes(texts[name])
        except UserError as error:
            failures.append(Failure(f"{found[1].name}/{texts[name].name}", str(error)))
    chosen = sorted(boxes) if options.images == "all" else _draw(src, boxes, options)
    drafts = [Draft(name, name, "test", (File(photographs[name].relative_to(src).as_posix()),)) for name in chosen]
    notes = [f"{len(boxes):,} images with boxes of {LABELLED:,}"]
    if options.images == "subset":
        notes.append(f"NIID's list of 500 easy images is not published: these {len(chosen)} were drawn by seed {options.seed}")
    made = {"boxes": {name: boxes[name] for name in chosen}}
    variant = "subset-ours" if options.images == "subset" else "published"
    return Layout("image and label", drafts, {"darkface": src}, variant, failures, missing, notes, made=made)


def _draw(src: Path, boxes: dict[str, list[Box]], options: Options) -> list[str]:
    easy = [name for name, found in boxes.items() if found and statistics.median(y2 - y1 for _, y1, _, y2 in found) >= options.height]
    if not 1 <= options.count <= len(easy):
        raise UserError(
            f"{src}: {options.count} images are wanted, {len(easy)} of {len(boxes)} have faces of {options.height:g} pixels in the median;"
            " choose another count=, height=, or images=all"
        )
    return sorted(sorted(easy, key=lambda name: seed_of(options.seed, "darkface", name))[: options.count])


def read_boxes(path: Path) -> list[Box]:
    """The boxes of a label file: a line with their number, then x1 y1 x2 y2 of each.

    Raises:
        UserError: not such a file, or another number of boxes than it says.
    """
    with open(path, "rb") as stream:
        lines = stream.read(LARGEST).decode("ascii", "replace").split("\n")
    rows = [line.split() for line in lines if line.strip()]
    try:
        count, boxes = int(rows[0][0]), [[float(word) for word in row[:4]] for row in rows[1:]]
    except (ValueError, IndexError):
        raise UserError("is not a number of boxes, followed by x1 y1 x2 y2 of each") from None
    if len(rows[0]) != 1 or len(boxes) != count:
        raise UserError(f"says {rows[0][0]} boxes and has {len(boxes)}")
    for box in boxes:
        if len(box) != 4 or not (0 <= box[0] <= box[2] < 1e6 and 0 <= box[1] <= box[3] < 1e6):
            raise UserError(f"has a box {box}, which is none")
    return boxes
