"""`benchtool metrics measure`: image files on the disk against each other, without a dataset, a run or a protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchtool import metrics
from benchtool.core import catalog, hdr_files, images
from benchtool.core.errors import UserError
from benchtool.core.pool import run_batch
from benchtool.evaluation.means import mean
from benchtool.evaluation.samples import eight_bit
from benchtool.evaluation.score import Measured, score_images

WHAT = {
    "target": "what the output should look like; name it after the output",
    "source": "the image the output was made from; name it with --source",
}
ROLES = tuple(WHAT)
SUFFIXES = images.SUFFIXES + hdr_files.SUFFIXES


@dataclass(frozen=True)
class Job:
    """One output and the files it is compared with.

    Attributes:
        name: the stem the files share.
        files: `output`, `target`, `source` -> file, as far as the metrics need them.
        keys: metric variants, such as `ssim:rgb-gauss`.
        plugins: files of third-party metrics among them.
    """

    name: str
    files: dict[str, Path]
    keys: tuple[str, ...]
    plugins: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What was measured.

    Attributes:
        metrics: the variants asked for.
        jobs: one an image.
        scores: image name -> metric key -> what came of it.
        unmatched: `output`, `target`, `source` -> images of that folder whose stem another folder lacks.
        unsupported: `output`, `target`, `source` -> files of that folder that are no images by their suffix.
        unused: `target`, `source` -> what was given though none of the metrics compares with it.
    """

    metrics: list[metrics.Metric]
    jobs: list[Job]
    scores: dict[str, dict[str, Measured]] = field(default_factory=dict)
    unmatched: dict[str, list[Path]] = field(default_factory=dict)
    unsupported: dict[str, list[Path]] = field(default_factory=dict)
    unused: dict[str, Path] = field(default_factory=dict)

    def those(self, status: str) -> list[tuple[str, str, str]]:
        """(image, metric, reason) of the scores with this status, in the order of the images."""
        scores = ((job.name, key, self.scores[job.name][key]) for job in self.jobs for key in job.keys)
        return [(name, key, measured.reason or "") for name, key, measured in scores if measured.status == status]

    def infinite_though_different(self) -> list[tuple[str, str, str]]:
        """(image, metric, what is equal) of infinite scores whose images are not equal, by the fact `identical`."""
        scores = ((job.name, key, self.scores[job.name][key].facts) for job in self.jobs for key in job.keys)
        return [
            (name, key, f"{' and '.join(facts.get('equal_channels', ['what it compares']))} equal")
            for name, key, facts in scores
            if facts.get("identical") is False
        ]

    def mean(self, metric: metrics.Metric) -> float:
        """Mean of the finite values, NaN where there is none; `excluded` counts the others."""
        return mean(filter(math.isfinite, self._values(metric)))

    def excluded(self, metric: metrics.Metric) -> dict[str, int]:
        """How many images are not in the mean, by why: `infinite`, `n/a`, `failed`."""
        counts = {status: sum(scores[metric.key].status == status for scores in self.scores.values()) for status in ("n/a", "failed")}
        counts["infinite"] = sum(math.isinf(value) for value in self._values(metric))
        return {why: count for why, count in counts.items() if count}

    def _values(self, metric: metrics.Metric) -> list[float]:
        found = (self.scores[job.name][metric.key] for job in self.jobs)
        return [measured.value for measured in found if measured.status == "ok"]


def measure(
    output: Path, keys: Sequence[str], *, target: Path | None = None, source: Path | None = None, jobs: int | None = None
) -> Outcome:
    """Measure a file, or every image of a folder, against files of the same stem in the folders `target` and `source`.

    16-bit images are rounded to 8 bits, as evaluation does; 32-bit float ones stay as they are, for the HDR metrics.

    Args:
        keys: metric variants; a name alone is its first variant.
        jobs: processes for a folder; default: one a core.

    Raises:
        UserError: unknown metrics, a reference that is missing, no pair of files, two files of one stem.
    """
    found = list({metric.key: metric for metric in map(metrics.find, keys)}.values())
    places = {"output": output} | {role: path for role, path in (("target", target), ("source", source)) if path is not None}
    _check(found, places)
    unused = {role: places.pop(role) for role in ROLES if role in places and not any(metric.needs(role) for metric in found)}
    origins = (catalog.entry("metrics", metric.name).origin or {} for metric in found)
    plugins = tuple(dict.fromkeys(origin["path"] for origin in origins if "path" in origin))
    pairs, unmatched = _match(places)
    unsupported = {role: others for role, path in places.items() if (others := [p for p in _files(path) if not _is_image(p)])}
    planned = [Job(name, files, tuple(metric.key for metric in found), plugins) for name, files in pairs.items()]
    outcome = Outcome(found, planned, unmatched=unmatched, unsupported=unsupported, unused=unused)
    if not output.is_dir():
        outcome.scores[planned[0].name] = measure_job(planned[0])
        return outcome
    crashed = run_batch(
        measure_job, [(job.name, job) for job in planned], outcome.scores.__setitem__, label="measure", jobs=jobs, unit="img"
    )
    for failure in crashed:
        outcome.scores[failure.item] = {metric.key: Measured("failed", reason=failure.reason) for metric in found}
    return outcome


def measure_job(job: Job) -> dict[str, Measured]:
    """Every metric of a job; an image that cannot be read fails the metrics that need it, and no others."""
    for plugin in job.plugins:
        catalog.add_plugin(plugin)
    read = {role: _read(path) for role, path in job.files.items()}
    for role in ROLES:
        if role in read and (problem := _other_size(role, read[role], read["output"])):
            read[role] = problem
    return {key: score_images(metrics.find(key), read) for key in job.keys}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """For programs; an infinite value is the string "inf" (JSON has no infinity), its score's facts say why."""
    return {
        "schema": 1,
        "metrics": [_facts(metric) for metric in outcome.metrics],
        "images": [_image(job, outcome.scores[job.name]) for job in outcome.jobs],
        "means": {m.key: _number(outcome.mean(m)) for m in outcome.metrics},
        "excluded": {m.key: excluded for m in outcome.metrics if (excluded := outcome.excluded(m))},
        "unmatched": {role: [str(path) for path in paths] for role, paths in outcome.unmatched.items()},
        "unsupported": {role: [str(path) for path in paths] for role, paths in outcome.unsupported.items()},
        "unused": {role: str(path) for role, path in outcome.unused.items()},
    }


def _facts(metric: metrics.Metric) -> dict[str, Any]:
    spec = metric.spec
    return {"key": metric.key, "version": spec.version, "unit": spec.unit, "higher_is_better": spec.higher_is_better}


def _image(job: Job, scores: dict[str, Measured]) -> dict[str, Any]:
    found = {key: asdict(measured) | {"value": _number(measured.value)} for key, measured in scores.items()}
    return {"name": job.name, **{role: str(path) for role, path in job.files.items()}, "scores": found}


def _number(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _check(found: Sequence[metrics.Metric], places: dict[str, Path]) -> None:
    if not found:
        raise UserError("--metrics: name at least one, such as psnr,ssim")
    for role in ROLES:
        needing = [metric.key for metric in found if metric.needs(role)]
        if needing and role not in places:
            raise UserError(f"{', '.join(needing)}: compares with the {role}, {WHAT[role]}")
    for path in places.values():
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        if path.is_dir() != places["output"].is_dir():
            raise UserError(f"{places['output']} and {path}: give files, or folders, not one of each")


def _match(places: dict[str, Path]) -> tuple[dict[str, dict[str, Path]], dict[str, list[Path]]]:
    """Name -> role -> file, for the stems that all folders have; and role -> the files left over."""
    if not places["output"].is_dir():
        return {places["output"].stem: places}, {}
    stems = {role: _stems(folder) for role, folder in places.items()}
    shared = set.intersection(*(set(found) for found in stems.values()))
    if not shared:
        folders = " and ".join(map(str, places.values()))
        raise UserError(f"no image of {folders} has the same name without its suffix; images are {', '.join(SUFFIXES)}")
    pairs = {stem: {role: found[stem] for role, found in stems.items()} for stem in sorted(shared)}
    left = {role: [path for stem, path in found.items() if stem not in shared] for role, found in stems.items()}
    return pairs, {role: paths for role, paths in left.items() if paths}


def _stems(folder: Path) -> dict[str, Path]:
    """Stem -> image file, sorted, of the files directly in a folder."""
    found: dict[str, Path] = {}
    for path in filter(_is_image, _files(folder)):
        if path.stem in found:
            raise UserError(f"{found[path.stem]} and {path}: files are matched by their names without suffix; keep one of them")
        found[path.stem] = path
    return found


def _files(folder: Path) -> list[Path]:
    """Those directly in a folder that are not hidden, sorted; none where it is a file."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()) if folder.is_dir() else []


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _read(path: Path) -> np.ndarray | UserError:
    try:
        pixels = images.read_image(path)
    except UserError as error:
        return error
    return pixels if pixels.dtype == np.float32 else eight_bit(pixels)


def _other_size(role: str, reference: np.ndarray | UserError, output: np.ndarray | UserError) -> UserError | None:
    """Why a reference cannot be compared with the output, None where it can or one of them was not read."""
    if isinstance(reference, UserError) or isinstance(output, UserError) or reference.shape[:2] == output.shape[:2]:
        return None
    sizes = [f"{image.shape[1]} x {image.shape[0]}" for image in (reference, output)]
    return UserError(f"the {role} is {sizes[0]} pixels, the output {sizes[1]}; nothing is resized: bring both to one size first")
