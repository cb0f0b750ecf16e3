"""ME, the multi-exposure dataset of MSEC (Afifi et al., CVPR 2021, Sec. 3), rendered from raws.

Five exposures of every scene and the images of FiveK's retouchers, in the folders and sizes the published files have.
Interrupted work continues with the same command, and ends in the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.console import say
from benchtool.core.errors import UserError
from benchtool.core.files import Journal, clear_temporary, sha256_bytes, sha256_file, write_text
from benchtool.core.images import quantise, resize, write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.core.pool import Failure, default_jobs, run_batch
from benchtool.core.provenance import version
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.me_files import (
    COMMAND,
    RENDERINGS,
    TOKENS,
    WHOLE,
    earlier_files,
    input_path,
    open_journal,
    remove,
    still_good,
    target_path,
)
from benchtool.datasets.me_plan import Plan, Shot, make_plan
from benchtool.datasets.me_published import layout as layout  # of `data prepare me`
from benchtool.rendering.develop import Rendering, Settings, render
from benchtool.rendering.experts import read_expert

SPEC = DatasetSpec(
    title="ME",
    citation="afifi2021msec",
    licence="MIT-Adobe FiveK terms: research use only (LicenseAdobe, LicenseAdobeMIT)",
    home="https://data.csail.mit.edu/graphics/fivek/",
    terms=(
        "https://data.csail.mit.edu/graphics/fivek/legal/LicenseAdobe.txt",
        "https://data.csail.mit.edu/graphics/fivek/legal/LicenseAdobeMIT.txt",
    ),
    sources=(
        Source(
            "training, validation, testing",
            by_hand="the published images: Training, Validation and Testing of https://github.com/mahmoudnafifi/Exposure_Correction "
            "(Sync pages, by a browser); unpack the three side by side",
            about="about 2.3 GB of inputs, and the targets",
            evidence="README of github.com/mahmoudnafifi/Exposure_Correction",
        ),
        Source(
            "raws",
            by_hand="or render them: benchtool data fetch fivek FIVEK, then benchtool data render-me FIVEK ME",
            about="about 50 GB of raws",
        ),
    ),
    counts={"train": 17_675, "val": 750, "test": 5_905},
    exposure_groups={"under": (-1.5, -1.0), "over": (0.0, 1.0, 1.5)},
    default_target="expert_c",
)
ROOT = "me"
JPEG = {"quality": 75, "subsampling": "4:2:0"}  # as published: specs of libjpeg's tables in the authors' example images
WORKER_MEMORY = 1 << 30  # bytes; a raw of 24 megapixels with its experts was measured to take 0.63 GiB


@dataclass(frozen=True)
class Task:
    """What a worker is given."""

    shot: Shot
    out: Path
    settings: Settings
    format: str


@dataclass
class Outcome:
    """What `render_me` did: the dataset (None where nothing could be rendered), what failed, what should be known."""

    dataset: Dataset | None
    failures: list[Failure]
    notes: list[str] = field(default_factory=list)


def render_me(
    raws: Path,
    out: Path,
    settings: Settings,
    *,
    format: str = "jpg",
    seed: int = 0,
    experts: Path | None = None,
    jobs: int | None = None,
    start: str = "auto",
) -> Outcome:
    """Render the raws in `raws` into the dataset `out`.

    Args:
        format: `jpg` (as published) or `png`.
        seed: of the split of raws that are not FiveK's.
        experts: folder of `tiff16_{a..e}`; None looks beside the raws.
        jobs: worker processes; the bytes do not depend on it.
        start: `auto` resumes where `out` holds work of the same settings, `resume` insists on it, `restart` begins anew.

    Raises:
        UserError: no raws, ambiguous names, or an `out` that holds something else.
        OSError: the disk is full; the same command continues after space was made.
    """
    plan = make_plan(raws, experts, seed)
    if not plan.shots and not plan.unusable:
        raise UserError(f"{raws}: the {len(plan.not_in_me)} FiveK photos in it are no part of ME ({', '.join(plan.not_in_me[:5])} ...)")
    jpeg = JPEG if format == "jpg" else None
    made = {**dataclasses.asdict(settings), "format": format, "jpeg": jpeg, "seed": seed, "versions": _versions()}
    made = json.loads(json.dumps(made))  # as the journal will give it back
    journal = open_journal(Path(out), made, start)
    finished = {e["item"]: e for e in journal.entries if "item" in e}
    finished = {s.stem: finished[s.stem] for s in plan.shots if s.stem in finished and still_good(finished[s.stem], s, Path(out), format)}
    todo = [shot for shot in plan.shots if shot.stem not in finished]
    if finished and todo:
        say(f"{out}: {len(finished)} of {len(plan.shots)} raws are rendered already; continuing with the rest")
    failures = _render_all(todo, journal, finished, Path(out), settings, format, jobs) if todo else []
    failures = _all_failures(plan, failures, finished)
    dataset = _write_manifest(plan, finished, Path(out), made) if finished else None
    return Outcome(dataset, failures, _notes(plan, dataset))


def render_shot(task: Task) -> dict[str, Any]:
    """Render one raw and its experts' images and write them: the journal's entry for it. Runs in a worker.

    An expert's image of another size than the rendered raw, or one that cannot be read, is refused with its reason.
    """
    shot = task.shot
    rendering = render(shot.raw, task.settings)
    pictures = [(input_path(shot.stem, shot.split, ev, task.format), image, {"ev": ev}) for ev, image in rendering.images.items()]
    refused = {}
    for role, tiff in shot.experts.items():
        try:
            pictures.append((target_path(shot.stem, shot.split, role, task.format), expert_target(tiff, rendering), {"role": role}))
        except UserError as error:
            refused[role] = str(error)
    return {
        "item": shot.stem,
        "sources": {role: _identity(path) for role, path in (("raw", shot.raw), *shot.experts.items())},
        "images": _write(pictures, task.out),
        "refused": refused,
        "facts": rendering.facts,
    }


def expert_target(tiff: Path, rendering: Rendering) -> np.ndarray:
    """An expert's image at the size of the rendered inputs: uint8 sRGB H x W x 3.

    Raises:
        UserError: unreadable, or not of the size the raw has after crop and orientation (it is never stretched to fit).
    """
    image = read_expert(tiff)
    height, width = image.shape[:2]
    if (width, height) != tuple(rendering.full_size):
        ours = " x ".join(map(str, rendering.full_size))
        raise UserError(f"{tiff.name} of {tiff.parent.name} is {width} x {height}, the raw renders {ours}; no target was made of it")
    height, width = next(iter(rendering.images.values())).shape[:2]
    return quantise(resize(image, width, height))


def _write(pictures: list[tuple[str, np.ndarray, dict[str, Any]]], out: Path) -> list[dict[str, Any]]:
    """Write all pictures or none; returns what the manifest says of each."""
    written = []
    try:
        for path, pixels, facts in pictures:
            data = write_image(out / path, pixels, **JPEG)
            height, width = pixels.shape[:2]
            written.append({"path": path, "sha256": sha256_bytes(data), "bytes": len(data), "width": width, "height": height, **facts})
    except BaseException:
        for image in written:
            (out / image["path"]).unlink(missing_ok=True)
        raise
    return written


def _identity(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": sha256_file(path)}


def _versions() -> dict[str, str | None]:
    import rawpy

    packages = ("benchtool", "rawpy", "numpy", "opencv-python-headless", "pillow")
    return {"libraw": ".".join(map(str, rawpy.libraw_version)), **{name: version(name) for name in packages}}


def _render_all(
    todo: list[Shot], journal: Journal, finished: dict[str, dict], out: Path, settings: Settings, format: str, jobs: int | None
) -> list[Failure]:
    """Render `todo` in worker processes, adding to the journal and to `finished`."""
    remove(out, WHOLE)
    remove(out, earlier_files(journal, {shot.stem for shot in todo}))
    journal.append({"planned": {shot.stem: shot.split for shot in todo}})

    def done(stem: str, entry: dict[str, Any]) -> None:
        journal.append(entry)
        finished[stem] = entry

    items = [(shot.stem, Task(shot, out, settings, format)) for shot in todo]
    try:
        return run_batch(render_shot, items, done, label="render", jobs=jobs or _jobs_that_fit(), unit="raws")
    finally:
        clear_temporary(out)


def _jobs_that_fit() -> int:
    """One worker a core, as far as the free memory goes."""
    import psutil

    return max(1, min(default_jobs(), psutil.virtual_memory().available // WORKER_MEMORY))


def _all_failures(plan: Plan, failures: list[Failure], finished: dict[str, dict]) -> list[Failure]:
    """Raws that failed, those with unusable names, and targets that were refused, by name."""
    raw_of = {shot.stem: shot.raw for shot in plan.shots}
    failed = [Failure(f.item, f.reason.removeprefix(f"{raw_of[f.item]}: ")) for f in failures]
    refused = [Failure(stem, f"{role}: {why}") for stem, entry in finished.items() for role, why in entry["refused"].items()]
    return sorted([*failed, *plan.unusable, *refused], key=lambda f: (f.item, f.reason))


def _write_manifest(plan: Plan, finished: dict[str, dict], out: Path, made: dict[str, Any]) -> Dataset:
    """`renderings.jsonl` (facts a raw), then the manifest, of what is whole."""
    shots = [shot for shot in plan.shots if shot.stem in finished]
    lines, samples = [], []
    for shot in shots:
        entry = finished[shot.stem]
        inputs, targets = [], []
        for image in entry["images"]:
            found = Image(f"{ROOT}:{image['path']}", image["sha256"], image["width"], image["height"])
            (inputs if "ev" in image else targets).append(dataclasses.replace(found, ev=image.get("ev"), role=image.get("role", "input")))
        samples += [Sample(f"{shot.stem}_{TOKENS[i.ev]}", shot.scene, shot.split, (i,), tuple(targets)) for i in inputs]
        sources = {role: source["sha256"] for role, source in entry["sources"].items()}
        name = shot.raw.relative_to(plan.raws).as_posix()
        lines.append({"stem": shot.stem, "scene": shot.scene, "split": shot.split, "raw": name, "sha256": sources, **entry["facts"]})
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    write_text(out / RENDERINGS, text)
    without = sum(not any(i.get("role") == SPEC.default_target for i in finished[shot.stem]["images"]) for shot in shots)
    facts = Facts(
        name="me",
        variant="sample" if plan.listed.get("variant") == "sample" else f"rendered-{made['mode']}",
        roots={ROOT: "."},
        exposure_groups={name: list(evs) for name, evs in SPEC.exposure_groups.items()},
        default_target=SPEC.default_target,
        licence=_licence(plan),
        citation=f"bychkovsky2011fivek, {SPEC.citation}" if plan.fivek else SPEC.citation,
        made={
            "command": f"benchtool {COMMAND}",
            **made,
            "renderings": {"path": RENDERINGS, "sha256": sha256_bytes(text.encode())},
            "raws": len(plan.shots),
            "rendered": len(shots),
            "without_expert_c": without,
            "fivek_not_in_me": plan.not_in_me,
        },
    )
    return write_dataset(out, facts, samples)


def _licence(plan: Plan) -> str:
    if plan.fivek:
        return SPEC.licence
    photographs = plan.listed.get("photographs")
    return "; ".join(f"{name}: {credit}" for name, credit in photographs.items()) if isinstance(photographs, dict) else "that of the raws"


def _notes(plan: Plan, dataset: Dataset | None) -> list[str]:
    """What is no failure, but should not go unsaid."""
    notes = []
    if plan.not_in_me:
        ids = ", ".join(plan.not_in_me[:5]) + (" ..." if len(plan.not_in_me) > 5 else "")
        notes.append(f"{len(plan.not_in_me)} FiveK photos are no part of ME and were left out: {ids}")
    if dataset and (without := dataset.facts.made["without_expert_c"]):
        rendered = dataset.facts.made["rendered"]
        notes.append(f"{without} of {rendered} raws have no target of expert C, but inputs (give their TIFFs with --experts)")
    if dataset and plan.fivek:
        counts = {split: dataset.facts.counts[split]["samples"] for split in SPEC.counts}
        if counts != dict(SPEC.counts):
            partial = ", ".join(f"{split} {counts[split]:,} of {n:,}" for split, n in SPEC.counts.items())
            notes.append(f"this is not the whole of ME: {partial} images")
    return notes
