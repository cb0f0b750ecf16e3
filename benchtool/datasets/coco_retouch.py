"""NIID's semi-supervised set (Lv, Liu and Lu, ACM MM 2020, Sec. 4): COCO's photographs, retouched cluster by cluster, and spoilt.

Histograms -> clusters -> coefficients of the retouching module for each cluster, chosen by a score or by people -> pairs of an input
with noise and JPEG and a clean retouched target. Any folder of photographs will do. Each step goes on where it was interrupted.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchtool.core.errors import UserError
from benchtool.core.manifest import Facts, Image, Sample, write_dataset
from benchtool.core.pool import Failure
from benchtool.core.provenance import version
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.exposure_stacks import folders_of_pictures, pictures
from benchtool.datasets.prepare import Outcome, check_place
from benchtool.datasets.retouch.choices import Chosen, choose, search_all
from benchtool.datasets.retouch.degrade import Degradation
from benchtool.datasets.retouch.grouping import Features, Grouping, group
from benchtool.datasets.retouch.pairs import INPUTS, TARGETS, Making, Task, make_pairs
from benchtool.datasets.retouch.search import Search
from benchtool.datasets.retouch.sheet import PAGE, write_sheets
from benchtool.datasets.retouch.statistics import write_statistics
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(
    title="NIID's retouched COCO",
    citation="lv2020niid",
    licence="the photographs': Flickr terms for COCO; research",
    home="https://cocodataset.org",
    sources=(
        Source(
            "train2014.zip",
            "https://s3.amazonaws.com/images.cocodataset.org/zips/train2014.zip",
            about="82,783 photographs",
            size=13_510_573_713,
            folder="train2014",
            evidence="size and address: several public projects, which use it for images.cocodataset.org",
        ),
    ),
    default_target="label",
)
COCO = 82_783  # photographs of train2014; the paper says about 82k
REDUCE = {"quarter": 4, "half": 2, "full": 1}
HELD_OUT = 100  # one photograph in so many is for validation, as many for test, where no numbers are given


@dataclass(frozen=True)
class Options:
    """How the set is made. What the paper states are the 500 clusters, Eq. 1, noise after CBDNet, and JPEG.

    Attributes:
        clusters: groups of photographs; fewer where there are fewer photographs.
        bins, histogram, channel: they are grouped by the histogram of HSV's value (`v`) or luma (`y`): its running sum, root, or itself.
        coefficients: `auto` chooses them for each cluster by a score, `default` has the same for all.
        candidates, refinements: how many coefficients the score chooses from, and how many more near the best.
        choices: file (.csv or .jsonl) or folder of them with people's choices, made with `data coco-sheet`; they come before the score's.
        solve: size at which illumination is smoothed.
        noise, mosaic, std_form: as `retouch.degrade.Degradation`.
        jpeg, quality_low, quality_high: whether inputs are JPEG, and of what quality; otherwise they are PNG.
        target: file type of targets; `jpg` is quality 95, 4:4:4.
        val, test: photographs held out; default one in a hundred each.
        seed: of clusters, candidates, noise and split.
    """

    clusters: int = 500
    bins: int = 64
    histogram: Literal["cdf", "sqrt", "raw"] = "cdf"
    channel: Literal["v", "y"] = "v"
    coefficients: Literal["auto", "default"] = "auto"
    candidates: int = 64
    refinements: int = 16
    choices: str | None = None
    solve: Literal["quarter", "half", "full"] = "quarter"
    noise: Literal["cbdnet", "unprocess", "gauss-poisson", "off"] = "cbdnet"
    mosaic: Literal["bilinear", "malvar", "none"] = "bilinear"
    std_form: Literal["var-linear", "std-linear"] = "var-linear"
    jpeg: bool = True
    quality_low: int = 60
    quality_high: int = 100
    target: Literal["png", "jpg"] = "png"
    val: int | None = None
    test: int | None = None
    seed: int = 0


@dataclass
class Grouped:
    """What is known before a pair is made: the photographs, their clusters (None where no photograph can be read), their coefficients."""

    photographs: dict[str, Path]
    title: str
    notes: list[str]
    failures: list[Failure]
    grouping: Grouping | None
    chosen: dict[int, Chosen]


def build(src: Path, out: Path, options: Options, jobs: int | None = None) -> Outcome:
    """Make the set in `out` from the photographs in `src`.

    Raises:
        UserError: no photographs, options out of range, choices that are not for these clusters.
    """
    grouped = prepare_clusters(src, out, options, jobs)
    notes = [f"layout: {grouped.title}", *grouped.notes]
    if grouped.grouping is None:
        return Outcome(None, grouped.failures, notes)
    names = grouped.grouping.names
    split = seeded_split(names, options.seed, *_held_out(len(names), options))
    making = Making(_degradation(options), REDUCE[options.solve], f".{options.target}", options.seed)
    tasks = {
        name: Task(name, grouped.photographs[name], Path(out), grouped.chosen[number].coefficients, making)
        for name, number in grouped.grouping.cluster_of().items()
    }
    made, failed = make_pairs(tasks, Path(out), jobs)
    failures = [*grouped.failures, *failed]
    if not made:
        return Outcome(None, failures, notes)
    write_statistics(Path(out), made, grouped.grouping, grouped.chosen)
    samples = [_sample(name, split[name], made[name]) for name in sorted(made)]
    return Outcome(write_dataset(Path(out), _facts(options, grouped), samples), failures, notes)


def prepare_clusters(src: Path, out: Path, options: Options, jobs: int | None = None) -> Grouped:
    """The steps before pairs are made: photographs, clusters and coefficients.

    Raises:
        UserError: as `build`.
    """
    _check(options)
    photographs, title, notes = find_photographs(src, out)
    features = Features(options.clusters, options.bins, options.histogram, options.channel, options.seed)
    grouping, failures = group(photographs, Path(out), features, jobs)
    if grouping is None:
        return Grouped(photographs, title, notes, failures, None, {})
    if (found := len(grouping.clusters.medoids)) < options.clusters:
        notes.append(f"{found} clusters instead of {options.clusters}, one a photograph: there are no more")
    chosen, failed, more = choose(grouping, photographs, Path(out), _search(options), options.coefficients == "auto", options.choices, jobs)
    return Grouped(photographs, title, [*notes, *more], [*failures, *failed], grouping, chosen)


def coco_sheet(src: Path, out: Path, options: Options, jobs: int | None = None) -> tuple[Path | None, list[Failure]]:
    """Write the contact sheets into `out/sheets`, doing before what `build` would do; `build` goes on from there.

    Returns:
        The page to open, None where nothing could be read, and what failed.

    Raises:
        UserError: as `build`.
    """
    check_place(out, "coco-retouch")
    grouped = prepare_clusters(src, out, dataclasses.replace(options, choices=None, coefficients="default"), jobs)
    if grouped.grouping is None:
        return None, grouped.failures
    found, failed = search_all(grouped.grouping, grouped.photographs, Path(out), _search(options), jobs)
    folder = Path(out) / "sheets"
    unwritten = write_sheets(grouped.grouping, grouped.photographs, found, folder, REDUCE[options.solve], jobs) if found.clusters else []
    return folder / PAGE if found.clusters else None, [*grouped.failures, *failed, *unwritten]


def find_photographs(src: Path, out: Path) -> tuple[dict[str, Path], str, list[str]]:
    """Sample name -> photograph, the layout found, and notes.

    Raises:
        UserError: no photographs, `out` among them, or two that cannot have different names.
    """
    src, out = Path(src), Path(out)
    if not src.is_dir():
        raise UserError(f"{src}: no such folder; give COCO's, or any folder of photographs")
    coco = next((f for f in (src / "train2014", src) if f.is_dir() and any(f.glob("COCO_train2014_*.jpg"))), None)
    if out.resolve().is_relative_to((coco or src).resolve()):
        raise UserError(f"{out}: lies among the photographs it would be made from; choose a folder outside {coco or src}")
    if coco:
        paths, title = sorted(coco.glob("COCO_train2014_*.jpg")), "COCO: train2014/COCO_train2014_*.jpg"
        notes = [] if len(paths) == COCO else [f"{len(paths):,} of COCO train2014's {COCO:,} photographs"]
    else:
        paths, title = [*pictures(src), *(p for found in folders_of_pictures(src).values() for p in found)], "any folder of photographs"
        notes = [f"not COCO's train2014: {len(paths):,} photographs of your own"]
    if not paths:
        raise UserError(f"{src}: no photographs (COCO's train2014, or any folder of .jpg, .png, .tif)")
    return dict(zip(_names(src, paths), paths)), title, notes


def _names(src: Path, paths: Sequence[Path]) -> list[str]:
    """A sample name for each: its path without the suffix; with it where two would be the same."""
    stems = [_safe(path.name if path.name.startswith("COCO_") else path.relative_to(src).as_posix(), path.suffix) for path in paths]
    often = Counter(stems)
    names = [f"{stem}_{path.suffix[1:]}" if often[stem] > 1 else stem for stem, path in zip(stems, paths)]
    taken: dict[str, Path] = {}
    for name, path in zip(names, paths):
        if name in taken:
            raise UserError(f"{taken[name]} and {path} would both be the sample '{name}'; rename one")
        taken[name] = path
    return names


def _safe(path: str, suffix: str) -> str:
    return re.sub(r"[^\w.,()+@=\- ]", "-", path.removesuffix(suffix).replace("/", "_")).lstrip(".") or "photograph"


def _check(options: Options) -> None:
    """UserError where an option is out of range."""
    ranges = {
        "clusters": (1, 100_000),
        "bins": (2, 1024),
        "candidates": (0, 4096),
        "refinements": (0, 1024),
        "quality_low": (1, options.quality_high),
        "quality_high": (1, 100),
    }
    for name, (low, high) in ranges.items():
        if not low <= getattr(options, name) <= high:
            raise UserError(f"option {name} of coco-retouch: {getattr(options, name)}; it is {low} to {high}")


def _held_out(count: int, options: Options) -> tuple[int, int]:
    """Photographs for validation and test."""
    share = max(1, round(count / HELD_OUT)) if count >= 3 else 0
    return share if options.val is None else options.val, share if options.test is None else options.test


def _search(options: Options) -> Search:
    return Search(options.candidates, options.refinements, REDUCE[options.solve], options.seed)


def _degradation(options: Options) -> Degradation:
    quality = (options.quality_low, options.quality_high) if options.jpeg else None
    return Degradation(options.noise, options.mosaic, options.std_form, quality)


def _sample(name: str, split: str, made: dict[str, Any]) -> Sample:
    images = [Image(f"coco-retouch:{made[kind]['path']}", made[kind]["sha256"], *made["size"], role=role)
              for kind, role in ((INPUTS, "input"), (TARGETS, "label"))]  # fmt: skip
    return Sample(name, name, split, (images[0],), (images[1],))


def _facts(options: Options, grouped: Grouped) -> Facts:
    by = [chosen.by for chosen in grouped.chosen.values()]
    return Facts(
        name="coco-retouch",
        variant="coco" if grouped.title.startswith("COCO") else "own photographs",
        roots={"coco-retouch": "."},
        default_target=SPEC.default_target,
        licence=SPEC.licence,
        citation=SPEC.citation,
        made={
            "command": "benchtool data prepare coco-retouch",
            "benchtool": version("benchtool"),
            "layout": grouped.title,
            "options": dataclasses.asdict(options) | {"choices": Path(options.choices).name if options.choices else None},
            "clusters": grouped.grouping.hash,
            "chosen_by": {kind: by.count(kind) for kind in sorted(set(by))},
            "noise": "added to the original, in linear light, before JPEG; the target is retouched from the original without it",
            "originals": "were compressed before (COCO's are JPEG); what that did to them is in inputs and targets alike",
            "split": "drawn by the seed; the paper published none",
            "notes": grouped.notes,
        },
    )
