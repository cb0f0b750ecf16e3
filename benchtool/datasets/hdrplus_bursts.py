"""What `hdrplus` and `hdrplus-isp` share: the bursts of Google's archive, and a dataset made of pairs synthesised from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import Journal, clear_temporary, sha256_bytes, sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Facts, Image, Sample, safe_name, write_dataset
from benchtool.core.pool import run_batch
from benchtool.core.provenance import version
from benchtool.core.seeds import generator, seed_of
from benchtool.core.spec import DatasetSpec
from benchtool.datasets.hdrplus_synthesis import SAME_EXPOSURE, aligned_label, exposure_time, read_frame, synthesise
from benchtool.datasets.paired_folders import subfolder
from benchtool.datasets.prepare import NAMED, Outcome
from benchtool.datasets.seeded_split import seeded_split

JOURNAL, IMAGES, ROOT = ".bursts.jsonl", "images", "hdrplus"
BURSTS, TEST = 2_400, 400  # of the paper: 2,000 to train on, 400 to measure


@dataclass(frozen=True)
class Settings:
    """Options that both datasets have; `label` is None for raw targets, else (largest shift, least peak)."""

    bursts: int
    test: int | None
    ratio_low: float
    ratio_high: float
    seed: int
    label: tuple[float, float] | None = None


@dataclass(frozen=True)
class Burst:
    """A burst's files, and where what is made of it goes. `result` holds the merged raw and the JPEG."""

    name: str
    frames: tuple[Path, ...]
    result: Path
    out: Path
    settings: Settings


def build(name: str, spec: DatasetSpec, src: Path, out: Path, settings: Settings, jobs: int | None) -> Outcome:
    """Synthesise the pairs of every burst in `src` and write them, and their manifest, to `out`; finished bursts are not made anew.

    Raises:
        UserError: no bursts with results, or no ratio of 1 or more.
    """
    if not 1 <= settings.ratio_low <= settings.ratio_high <= 64:
        raise UserError(f"ratio_low {settings.ratio_low:g} and ratio_high {settings.ratio_high:g}: give 1 <= low <= high <= 64")
    found, notes, missing = find(src, settings, out)
    chosen = sorted(found, key=lambda burst: seed_of(settings.seed, "hdrplus", burst.name))[: settings.bursts or None]
    test = settings.test if settings.test is not None else min(TEST, max(1, round(len(chosen) * TEST / BURSTS))) if len(chosen) > 1 else 0
    split = seeded_split((burst.name for burst in chosen), settings.seed, val=0, test=test)
    out.mkdir(parents=True, exist_ok=True)
    clear_temporary(out)
    journal, done = Journal(out / JOURNAL), {}
    setting = sha256_bytes(repr(dataclasses.replace(settings, bursts=0, test=None)).encode())  # what a pair depends on
    for entry in journal.entries:
        if entry["settings"] == setting and not entry["left_out"] and all(_intact(out, image) for image in entry["images"]):
            done[entry["burst"]] = entry

    def finish(burst: str, entry: dict[str, Any]) -> None:
        done[burst] = {"burst": burst, "settings": setting, **entry}
        journal.append(done[burst])

    items = [(burst.name, burst) for burst in sorted(chosen, key=lambda burst: burst.name) if burst.name not in done]
    failures = run_batch(make_pair, items, finish, label="synthesise", jobs=jobs, unit="bursts") if items else []
    wanted = {burst.name: done[burst.name] for burst in chosen if burst.name in done}
    left_out = {burst: entry["left_out"] for burst, entry in sorted(wanted.items()) if entry["left_out"]}
    samples = [_sample(burst, split[burst], entry, settings) for burst, entry in sorted(wanted.items()) if not entry["left_out"]]
    notes += _first("left out", [f"{burst}: {why}" for burst, why in left_out.items()]) + _first("missing", missing)
    counts = {part: sum(sample.split == part for sample in samples) for part in spec.counts}
    if counts != dict(spec.counts):
        numbers = ", ".join(f"{part} {counts[part]:,} of {n:,}" for part, n in spec.counts.items())
        notes.append(f"not the paper's numbers of samples: {numbers}")
    if not samples:
        return Outcome(None, failures, notes)
    made = {
        "command": f"benchtool data prepare {name}", "benchtool": version("benchtool"), "options": dataclasses.asdict(settings),
        "missing": missing, "left_out": left_out, "target_scale": "merged: that of the short exposure, cut where it saturates",
        "synthesis": {burst: entry["facts"] for burst, entry in sorted(wanted.items()) if not entry["left_out"]},
    }  # fmt: skip
    facts = Facts(name, "synthesised", {ROOT: "."}, {}, spec.default_target, spec.licence, spec.citation, made)
    return Outcome(write_dataset(out, facts, samples), failures, notes)


def _first(what: str, texts: list[str]) -> list[str]:
    more = len(texts) - NAMED
    return [f"{what}: {text}" for text in texts[:NAMED]] + ([f"{what}: {more:,} more, listed in dataset.json"] if more > 0 else [])


def _intact(out: Path, image: Mapping[str, Any]) -> bool:
    return (out / image["path"]).is_file() and sha256_file(out / image["path"]) == image["sha256"]


def find(src: Path, settings: Settings, out: Path) -> tuple[list[Burst], list[str], list[str]]:
    """The bursts with two frames or more, a merged raw and, where wanted, a JPEG; notes; what is missing.

    Raises:
        UserError: there is no folder of bursts, or none of results.
    """
    places = [src, *sorted(p for p in src.iterdir() if p.is_dir())]
    place = next((p for p in places if subfolder(p, ["bursts"])), None)
    if place is None:
        raise UserError(f"{src}: 'bursts' (with one folder a burst) is not in it, nor in a folder of it")
    results = sorted(p for p in place.iterdir() if p.is_dir() and p.name.startswith("results"))
    if not results:
        raise UserError(f"{place}: no results_20171023 beside bursts, with the merged raws")
    newest, wanted = results[-1], ["merged.dng", *(["final.jpg"] if settings.label else [])]
    found, missing = [], []
    for folder in sorted(p for p in subfolder(place, ["bursts"]).iterdir() if p.is_dir() and not p.name.startswith(".")):
        frames = tuple(sorted(p for p in folder.iterdir() if p.name.startswith("payload_") and p.suffix.lower() == ".dng"))
        lacks = [text for text in wanted if not (newest / folder.name / text).is_file()]
        if len(frames) < 2:
            lacks.insert(0, f"{len(frames)} frames of 2 or more")
        if not safe_name(folder.name):
            lacks.append("its name cannot be a sample's")
        if lacks:
            missing.append(f"{folder.name}: {', '.join(lacks)}")
        else:
            found.append(Burst(folder.name, frames, newest / folder.name, out, settings))
    if not found:
        raise UserError(f"{place}: no burst is whole ({'; '.join(missing[:3]) or 'there is none'})")
    return found, [f"layout: {place.name}/bursts with {newest.name}; {len(found):,} bursts"], missing


def make_pair(burst: Burst) -> dict[str, Any]:
    """Make and write one burst's images: the journal's entry. Runs in a worker; a burst unfit for it has `left_out` saying why."""
    settings = burst.settings
    seed = (settings.seed, "hdrplus", burst.name)
    chosen = _frames(burst)
    if isinstance(chosen, str):
        return _left_out(chosen)
    merged = read_frame(burst.result / "merged.dng")
    reference, other = (read_frame(path) for path in chosen)
    if reference.noise is None:
        return _left_out("its frames have no NoiseProfile, so that the noise of a shorter exposure is not known")
    label, facts = None, {}
    if settings.label:
        try:
            label, shift, peak = aligned_label(burst.result / "final.jpg", merged, *settings.label)
            facts = {"shift": round(shift, 3), "peak": round(peak, 3)}
        except UserError as error:
            return _left_out(str(error))
    pair = synthesise(reference, other, merged, settings.ratio_low, settings.ratio_high, *seed, "pair")
    target = {"merged.tif": pair.merged} if label is None else {"label.png": label}
    pictures = {"short.tif": pair.short, "long.tif": pair.long, **target}
    images = []
    for name, pixels in pictures.items():
        path = f"{IMAGES}/{burst.name}/{name}"
        data = write_image(burst.out / path, pixels)
        images.append({"path": path, "sha256": sha256_bytes(data), "width": pixels.shape[1], "height": pixels.shape[0]})
    frames = {"short": chosen[0].name, "long": chosen[1].name}
    return {"left_out": None, "images": images, "facts": {"ratio": pair.ratio, "gain": pair.gain, **frames, **facts}}


def _left_out(why: str) -> dict[str, Any]:
    return {"left_out": why, "images": [], "facts": {}}


def _frames(burst: Burst) -> tuple[Path, Path] | str:
    """The reference frame and another of its exposure, drawn by the seed; or why there are none."""
    said = burst.result / "reference_frame.txt"
    text = said.read_text(errors="replace").strip() if said.is_file() and said.stat().st_size < 100 else "0"
    if not text.isdecimal() or int(text) >= len(burst.frames):
        return f"reference_frame.txt says '{text}', of {len(burst.frames)} frames"
    reference = burst.frames[int(text)]
    seconds = {path: exposure_time(path) for path in burst.frames}

    def alike(path: Path) -> bool:
        if seconds[path] is None or seconds[reference] is None:
            return seconds[path] is seconds[reference]
        low, high = sorted((seconds[path], seconds[reference]))
        return high < SAME_EXPOSURE * low

    others = [path for path in burst.frames if path != reference and alike(path)]
    if not others:
        return "no other frame has the reference's exposure"
    return reference, others[int(generator(burst.settings.seed, "hdrplus", burst.name, "frame").integers(len(others)))]


def _sample(burst: str, split: str, entry: Mapping[str, Any], settings: Settings) -> Sample:
    def image(found: Mapping[str, Any], role: str = "input", ev: float | None = None) -> Image:
        return Image(f"{ROOT}:{found['path']}", found["sha256"], found["width"], found["height"], ev, role=role)

    short, long, target = entry["images"]
    inputs = (image(short, ev=0.0), image(long, ev=math.log2(entry["facts"]["ratio"])))
    role, encoding = ("label", "srgb8") if settings.label else ("merged", "raw-rggb")
    return Sample(burst, burst, split, inputs, (image(target, role),), None, "raw-rggb", encoding)
