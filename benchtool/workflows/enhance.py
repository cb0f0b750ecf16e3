"""`benchtool enhance`: a user's photographs through a method, into another folder; nothing is ever written over an input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchtool import methods
from benchtool.core.console import progress
from benchtool.core.errors import UserError
from benchtool.core.files import clear_temporary
from benchtool.core.images import SUFFIXES, quantise, resize, write_image
from benchtool.core.pool import STOPPING, Failure, reason
from benchtool.evaluation.predict import pick_device, predict
from benchtool.evaluation.tiles import Tiling, choose_tiling, predict_in_tiles
from benchtool.methods import Loaded
from benchtool.workflows.photos import Photo, open_photo

WRITTEN = (".png", ".jpg", ".jpeg", ".tif", ".tiff")  # other types are written as PNG
JPEG_QUALITY, JPEG_SUBSAMPLING = 95, "4:4:4"


@dataclass
class Outcome:
    """What was done.

    Attributes:
        name: of the method.
        done: how many images were written.
        existing: outputs that were there already.
        skipped: files that are no images, and why.
        notes: what did not fit into the output's type.
        blended: pictures enhanced in tiles whose results are not the whole pictures'.
        failures: images that could not be enhanced.
    """

    name: str
    done: int = 0
    existing: list[Path] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blended: int = 0
    failures: list[Failure] = field(default_factory=list)


def enhance(
    inputs: Sequence[Path],
    source: str,
    out: Path,
    *,
    format: str = "same",
    checkpoint: str | None = None,
    device: str = "auto",
    overwrite: bool = False,
    tile: int | None = None,
    force: bool = False,
) -> Outcome:
    """Enhance files, and folders with everything below them, into the folder `out`, which gets the same tree.

    Args:
        source: a method's name or a run's folder.
        format: `png`, `jpg`, or `same` as each input (PNG where its type is not written).
        overwrite: make outputs anew that are there already.
        tile: larger pictures are enhanced in tiles of so many pixels a side, to need less memory.
        force: tile also where the result is not the whole picture's.

    Raises:
        UserError: no image among the inputs, two inputs with one output, an output that is an input, a method that takes
            something other than one photograph, tiles that are too small or, not forced, would give another result.
    """
    loaded = methods.load(source, checkpoint)
    if loaded.spec.inputs != 1 or not loaded.spec.input.startswith("srgb") or not loaded.spec.output.startswith("srgb"):
        raise UserError(f"{loaded.name} takes {loaded.spec.inputs} image(s) of {loaded.spec.input}, not one photograph")
    if force and tile is None:
        raise UserError("--force: says that --tile may change the result; give --tile too, or leave it out")
    tiling = None if tile is None else choose_tiling(loaded.name, loaded.method, loaded.spec, tile, force)
    outcome = Outcome(loaded.name)
    jobs = plan(inputs, out, format, outcome.skipped)
    where = pick_device(device)
    clear_temporary(out)
    with progress("enhance", len(jobs), "img") as advance:
        for output, photo in jobs.items():
            try:
                if output.exists() and not overwrite:
                    outcome.existing.append(output)
                else:
                    _enhance(loaded, photo, output, where, tiling, outcome)
            except Exception as error:  # a file, or a third party's method, may break in any way: it costs this image, not the others
                if isinstance(error, OSError) and error.errno in STOPPING:
                    raise
                outcome.failures.append(Failure(str(photo), reason(error).removeprefix(f"{photo}: ")))
            advance(note=f"{len(outcome.failures)} failed" if outcome.failures else "")
    return outcome


def plan(inputs: Sequence[Path], out: Path, format: str, skipped: list[Failure]) -> dict[Path, Path]:
    """Output -> photograph, for everything that will be done; files that are no images are added to `skipped`.

    Raises:
        UserError: as `enhance`.
    """
    if out.suffix.lower() in SUFFIXES or out.exists() and not out.is_dir():
        raise UserError(f"{out}: give a folder; it gets the same file names")
    jobs: dict[Path, Path] = {}
    found = [pair for given in inputs for pair in _files(Path(given), out)]
    for photo, relative in found:
        if photo.suffix.lower() not in SUFFIXES:
            skipped.append(Failure(str(photo), f"not an image of type {', '.join(SUFFIXES)}"))
            continue
        output = out / relative.with_suffix(_suffix(photo, format))
        if output in jobs and jobs[output] != photo:
            raise UserError(f"{jobs[output]} and {photo} would both be written to {output}; enhance them separately, into two folders")
        jobs[output] = photo
    if not jobs:
        raise UserError(f"no image in {', '.join(map(str, inputs))}; images are {', '.join(SUFFIXES)}")
    originals = {_file_id(photo): photo for photo, _ in found}
    for output in jobs:
        if output.exists() and (original := originals.get(_file_id(output))):
            raise UserError(f"{output}: is the input {original} itself; inputs are never written over, give another folder with -o")
    return jobs


def _files(given: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """(File, its path below the given folder), sorted; nothing hidden, and nothing of an `out` inside the folder."""
    if given.is_file():
        yield given, Path(given.name)
        return
    if not given.is_dir():
        raise UserError(f"{given}: no such file or folder")

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: {error.strerror}")

    for place, folders, names in os.walk(given, onerror=refuse):
        folder = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (folder / name).resolve() != out.resolve())
        for name in sorted(names):
            if not name.startswith("."):
                yield folder / name, (folder / name).relative_to(given)


def _suffix(photo: Path, format: str) -> str:
    if format != "same":
        return f".{format}"
    return photo.suffix if photo.suffix.lower() in WRITTEN else ".png"


def _file_id(path: Path) -> tuple[int, int]:
    """Equal for all names of one file, links included."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _enhance(loaded: Loaded, path: Path, output: Path, device: torch.device, tiling: Tiling | None, outcome: Outcome) -> None:
    photo = open_photo(path)
    jpeg = output.suffix.lower() in (".jpg", ".jpeg")
    levels = 255 if jpeg else np.iinfo(photo.pixels.dtype).max
    if tiling is None:
        result = predict(loaded.method, [photo.pixels], device=device, levels=levels)
    else:
        result = predict_in_tiles(loaded.method, [photo.pixels], tiling, device=device, levels=levels)
    lost = [what for what, there in (("alpha", photo.alpha is not None), ("16 bits", photo.pixels.dtype == np.uint16)) if there]
    if jpeg and lost:
        outcome.notes.append(f"{output}: a JPEG does not hold {' and '.join(lost)}, as {path.name} does")
    elif photo.alpha is not None:
        result = np.dstack([result, _alpha_of_size(photo, *result.shape[:2])])
    write_image(output, result, JPEG_QUALITY, JPEG_SUBSAMPLING)
    outcome.done += 1
    outcome.blended += tiling is not None and tiling.blend and max(photo.pixels.shape[:2]) > tiling.side


def _alpha_of_size(photo: Photo, height: int, width: int) -> np.ndarray:
    """The alpha channel, resized where the method's output has another size."""
    if photo.alpha.shape == (height, width):
        return photo.alpha
    levels = np.iinfo(photo.alpha.dtype).max
    return quantise(resize(photo.alpha[:, :, None] / np.float32(levels), width, height), levels)[:, :, 0]
