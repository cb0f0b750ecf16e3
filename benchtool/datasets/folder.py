"""Any folder of inputs beside any folder of targets, joined by file name; split by folders, or by a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchtool.core.spec import DatasetSpec
from benchtool.datasets.paired_folders import drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(title="a folder of inputs and one of targets", citation="", licence="that of the images")
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing", "eval")}


@dataclass(frozen=True)
class Options:
    """What the folders are called.

    Attributes:
        input, target: folders in SRC, or in each of SRC/train, SRC/val, SRC/test.
        role: of the targets.
        val, test: numbers of pairs where there are no folders of splits; about a tenth and a fifth where None.
        seed: of that split.
    """

    input: str = "input"
    target: str = "target"
    role: str = "label"
    val: int | None = None
    test: int | None = None
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """SRC/input and SRC/target, or both in each of SRC/train, SRC/val and SRC/test.

    Raises:
        UserError: neither is there.
    """
    places = {split: folder for split, names in SPLITS.items() if (folder := subfolder(src, names))}
    both = {split: [subfolder(folder, [name]) for name in (options.input, options.target)] for split, folder in {**places, "": src}.items()}
    found = {split: folders for split, folders in both.items() if all(folders)}
    required(src, found, f"'{options.input}' beside '{options.target}', in it or in train, val and test,")
    if len(found) > 1:
        found.pop("", None)  # folders of splits win
    pairs = {split: join(*folders) for split, folders in found.items()}
    missing = [
        f"{places[split].name}/{name} (the {split} split)"
        for split in places
        for name, folder in zip((options.input, options.target), both[split])
        if "" not in found and folder is None
    ]
    made: dict[str, object] = {}
    if "" in found:
        drawn = seeded_split((name for name, *_ in pairs[""].found), options.seed, options.val, options.test)
        samples = drafts(src, pairs[""], drawn.__getitem__, options.role)
        made["split"] = f"drawn with seed {options.seed}"
    else:
        samples = [draft for split, two in pairs.items() for draft in drafts(src, two, split, options.role, prefix=f"{split}_")]
    return Layout(
        "input and target folders", samples, {"folder": src}, variant="own", default_target=options.role, made=made,
        missing=missing + [text for two in pairs.values() for text in two.missing],
        failures=[failure for two in pairs.values() for failure in two.failures],
    )  # fmt: skip
