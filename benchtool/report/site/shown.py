"""The images of a scene: where they lie, whether they are those that were measured, and their copies for the browser.

`sources_of` says where a sample's images should be; `picture_scene`, run in a process of its own, reads, checks and writes them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchtool.core.errors import UserError
from benchtool.core.files import inside, sha256_file, write_bytes
from benchtool.core.images import read_image, resize, write_image
from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.pool import reason
from benchtool.report.frame import Evaluation, rows_of
from benchtool.report.site import pictures
from benchtool.report.site.choose import Edition, file_names

QUALITY, SUBSAMPLING = 95, "4:4:4"
THUMB_WIDTH = 360
PREDICTION_SUFFIXES = (".png", ".tif")
Found = tuple[Path | None, str | None, str]  # file, SHA-256, and where there is no file: why


@dataclass(frozen=True)
class Source:
    """An image of a sample as it was measured.

    Attributes:
        key: `input-1`, `target`, `output-1` ...: the same for all samples of an edition.
        kind: input, output or target.
        path, sha256: the file, and what its bytes must be; None where there is none, and `absent` says why.
        linear: whether it holds linear light.
    """

    key: str
    kind: str
    label: str
    path: Path | None
    sha256: str | None
    absent: str = ""
    linear: bool = False


@dataclass(frozen=True)
class ErrorMaps:
    """How an output differs from the target: files, and the means (of 255 levels) of the absolute and the signed error."""

    absolute: str
    signed: str
    mean: float
    bias: float


@dataclass(frozen=True)
class Shown:
    """A copy for the browser; `file` is None where there is none, and `note` says why (else: what was done to it)."""

    source: Source
    file: str | None = None
    width: int = 0
    height: int = 0
    note: str = ""
    failed: bool = False
    histogram: pictures.Histogram | None = None
    errors: ErrorMaps | None = None
    errors_absent: str = ""


@dataclass(frozen=True)
class SceneTask:
    """What a process needs to know: the folder for a scene's files, and (file name, sources) of its samples."""

    folder: Path
    samples: tuple[tuple[str, tuple[Source, ...]], ...]


def sources_of(
    edition: Edition, methods: Mapping[str, Evaluation], name: str, sample: Sample | None, dataset: Dataset | None
) -> list[Source]:
    """A sample's inputs, outputs and target, in this order. Without a dataset (or the sample in it) the outputs alone."""
    found = []
    if sample is not None and dataset is not None:
        for number, image in enumerate(sample.inputs, 1):
            label = "input" if len(sample.inputs) == 1 else f"input {number}" + (f" ({ev(image.ev)})" if image.ev is not None else "")
            found.append(Source(f"input-{number}", "input", label, *_in_dataset(dataset, image), linear=_linear(sample.encoding_in)))
    light = sample is not None and _linear(sample.encoding_target)
    for number, (label, evaluation) in enumerate(methods.items(), 1):
        found.append(Source(f"output-{number}", "output", label, *_prediction(edition, evaluation, name, dataset), linear=light))
    if sample is not None and dataset is not None and edition.role:
        image = sample.target(edition.role)
        place = _in_dataset(dataset, image) if image else (None, None, f"This sample has no target {edition.role}.")
        found.append(Source("target", "target", f"target ({edition.role})", *place, linear=light))
    return found


def ev(exposure: float) -> str:
    """An exposure as people write it.

    >>> ev(-1.5), ev(0), ev(1)
    ('−1.5 EV', '0 EV', '+1 EV')
    """
    return f"{exposure:+g} EV".replace("-", "−") if exposure else "0 EV"


def _linear(encoding: str) -> bool:
    return not encoding.startswith("srgb")


def _in_dataset(dataset: Dataset, image: Image) -> Found:
    try:
        return dataset.path(image), image.sha256, ""
    except UserError as error:
        return None, None, str(error)


def _prediction(edition: Edition, evaluation: Evaluation, name: str, dataset: Dataset | None) -> Found:
    sha256 = recorded_predictions(evaluation).get(name)
    if sha256 is None:
        return None, None, f"No prediction was recorded: {_why(evaluation, name)}."
    try:
        places = [inside(evaluation.folder, f"{evaluation.entry.folder_of_predictions}/{name}{suffix}") for suffix in PREDICTION_SUFFIXES]
    except UserError as error:
        return None, None, str(error)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None, None, f"The prediction is no longer on the disk. To make it: {evaluate_command(edition, evaluation, dataset)}"
    return path, sha256, ""


@functools.cache
def recorded_predictions(evaluation: Evaluation) -> dict[str, str]:
    """Sample -> SHA-256 of the prediction that was scored; empty where the scores do not say."""
    path = evaluation.folder / "scores.parquet"
    try:
        rows = pq.read_table(path, columns=["sample", "prediction_sha256"], filters=rows_of(evaluation.entry))
    except (OSError, KeyError, pa.ArrowException):
        return {}
    return {sample: sha256 for sample, sha256 in zip(*(column.to_pylist() for column in rows.columns)) if sha256}


def _why(evaluation: Evaluation, name: str) -> str:
    rows = evaluation.table.filter(pc.field("sample") == name)
    return next((text for text in rows["reason"].to_pylist() if text), "the scores do not say of what file they are")


def evaluate_command(edition: Edition, evaluation: Evaluation, dataset: Dataset | None) -> str:
    """The command line that makes an evaluation's predictions anew."""
    summary, checkpoint = evaluation.summary, evaluation.entry.checkpoint
    what = [str(evaluation.folder)] if summary.recipe else [summary.method, "--out", str(evaluation.folder)]
    words = ["benchtool", "evaluate", *what, "--data", str(dataset.folder) if dataset else "DATASET", "--split", edition.split]
    words += ["--protocol", edition.protocol, *(["--target", edition.target] if edition.target and edition.target == edition.role else [])]
    words += ["--checkpoint", checkpoint] if checkpoint else []
    if not summary.recipe:
        words += [f"--set={name}={json.dumps(value)}" for name, value in summary.options.items()]
    return shlex.join([*words, "--keep", "all"])


def picture_scene(task: SceneTask) -> list[list[Shown]]:
    """Write the browser's copies of a scene's images, error maps and a thumbnail; returns what is shown, a list a sample.

    An image that cannot be shown is a note of its own; the others are not affected.
    """
    shown, thumb = [], None
    for stem, sources in task.samples:
        target, views = None, []
        ordered = sorted(sources, key=lambda source: source.kind != "target")  # outputs are compared with it
        for source in ordered:
            view, pixels = _picture(task.folder, stem, source)
            if source.kind == "target":
                target = pixels
            elif source.kind == "output" and pixels is not None:
                view = _with_errors(task.folder, stem, view, pixels, target)
            views.append(view)
            if pixels is not None and (thumb is None or source.kind == "target"):
                thumb = pixels
        shown.append(sorted(views, key=lambda view: sources.index(view.source)))
    if thumb is not None:
        height = max(1, round(thumb.shape[0] * THUMB_WIDTH / thumb.shape[1]))
        write_image(task.folder / "thumb.jpg", resize(thumb, THUMB_WIDTH, height) if thumb.shape[1] > THUMB_WIDTH else thumb, 88)
    return shown


def _picture(folder: Path, stem: str, source: Source) -> tuple[Shown, np.ndarray | None]:
    """The copy of an image, and the pixels it shows."""
    if source.path is None:
        return Shown(source, note=source.absent), None
    try:
        pixels = _read(source.path, source.sha256)
    except (UserError, OSError) as error:
        return Shown(source, note=reason(error), failed=True), None
    pixels, note = pictures.for_display(pixels, source.linear)
    if source.kind == "target":
        stem = source.sha256[:12]  # that of a scene is one file, whatever the exposures
    file = f"{stem}~{_stem(source)}.jpg"  # ~ is in no name that file_names gives: nothing can collide
    write_image(folder / file, pixels, QUALITY, SUBSAMPLING)
    height, width = pixels.shape[:2]
    return Shown(source, file, width, height, note, histogram=pictures.histogram(pixels)), pixels


def _stem(source: Source) -> str:
    """What files of a source end in: the method's name where it has one that can be a file's."""
    name = file_names([source.label])[source.label]
    return source.key if source.kind != "output" or name != source.label else f"{source.key.removeprefix('output-')}-{name}"


def _read(path: Path, sha256: str) -> np.ndarray:
    pixels = read_image(path)
    if sha256_file(path) != sha256:
        raise UserError(f"{path}: is not the file that was measured (other SHA-256); evaluate again, or bring the file back")
    return pixels


def _with_errors(folder: Path, stem: str, view: Shown, output: np.ndarray, target: np.ndarray | None) -> Shown:
    """The view with maps of the output's errors, or why there are none."""
    if target is None or target.shape != output.shape:
        why = "without the target" if target is None else f"of {_size(output)} pixels against a target of {_size(target)}"
        return dataclasses.replace(view, errors_absent=f"No error map {why}.")
    absolute, signed = pictures.absolute_error(output, target), pictures.luminance_error(output, target)
    name = f"{stem}~{_stem(view.source)}"
    maps = ErrorMaps(f"{name}-error.png", f"{name}-luminance.png", float(absolute.mean()), float(signed.mean()))
    write_bytes(folder / maps.absolute, pictures.palette_png(pictures.error_indices(absolute), pictures.error_palette()))
    write_bytes(folder / maps.signed, pictures.palette_png(pictures.signed_indices(signed), pictures.signed_palette()))
    return dataclasses.replace(view, errors=maps)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} × {pixels.shape[0]}"
