"""Kalantari's dataset: three shots of a moving scene and its HDR image (Kalantari and Ramamoorthi, SIGGRAPH 2017), as EMVNet uses it.

The shots are 16-bit TIFFs encoded by a gamma of 2.2; `exposure.txt` has their exposures in stops. An HDR image in the scale of the
darkest shot is `(shot / 65535) ** 2.2 / 2 ** (stops - stops of the darkest)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.exposure_stacks import pictures
from benchtool.datasets.paired_folders import required, subfolder
from benchtool.datasets.prepare import Draft, File, Layout
from benchtool.datasets.seeded_split import with_validation

SPEC = DatasetSpec(
    title="Kalantari's HDR dataset",
    citation="kalantari2017hdr",
    licence="none stated; research",
    home="https://cseweb.ucsd.edu/~viscomp/projects/SIG17HDR/",
    sources=(
        Source(
            "SIGGRAPH17_HDR_Trainingset.zip",
            "https://cseweb.ucsd.edu/~viscomp/projects/SIG17HDR/PaperData/SIGGRAPH17_HDR_Trainingset.zip",
            about="74 scenes; 1.95 GB",
            folder="Training",
            evidence="the address: several public projects; the size: one of them",
        ),
        Source(
            "SIGGRAPH17_HDR_Testset.zip",
            "https://cseweb.ucsd.edu/~viscomp/projects/SIG17HDR/PaperData/SIGGRAPH17_HDR_Testset.zip",
            about="15 scenes; 405 MB in one list, 603 MB in another",
            folder="Test",
            evidence="the address: several public projects",
        ),
    ),
    counts={"train": 74, "test": 15},
    default_target="label",
)
SHOTS = 3
MOST_STOPS = 20.0  # of two shots of a scene; more is no exposure
LONGEST = 4096  # bytes of exposure.txt


@dataclass(frozen=True)
class Options:
    """The split.

    Attributes:
        val: training scenes to keep for validation, of which none are published.
        seed: of that draw.
    """

    val: int = 0
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """`Training/<scene>` and `Test/{PAPER,EXTRA}/<scene>`, each of three .tif, exposure.txt and HDRImg.hdr.

    Raises:
        UserError: neither is there.
    """
    folders = {"train": subfolder(src, ["Training", "train"]), "test": subfolder(src, ["Test", "testing"])}
    required(src, any(folders.values()), "Training (with one folder a scene) or Test (with PAPER and EXTRA)")
    missing = [f"{name} (the {split} split)" for (split, folder), name in zip(folders.items(), ("Training", "Test")) if folder is None]
    failures: list[Failure] = []
    drafts: list[Draft] = []
    for split, folder in folders.items():
        for scene in _scenes(folder) if folder else []:
            try:
                drafts.append(_draft(src, folder, scene, split))
            except UserError as error:
                failures.append(Failure(scene.relative_to(src).as_posix(), str(error)))
    drafts = with_validation(drafts, options.val, options.seed)
    notes = ["the .hdr targets are in the scale of the darkest shot, as their authors' code makes them"]
    return Layout("Training and Test", drafts, {"kalantari": src}, missing=missing, notes=notes, failures=failures)


def _scenes(folder: Path) -> list[Path]:
    """The folders below that hold files, but for hidden ones: a scene that lacks its TIFFs is one, too."""
    below = (p for p in sorted(folder.rglob("*")) if p.is_dir() and not p.name.startswith("."))
    return [p for p in below if any(f.is_file() and not f.name.startswith(".") for f in p.iterdir())]


def _draft(src: Path, split_folder: Path, scene: Path, split: str) -> Draft:
    """UserError naming what the scene lacks."""
    files = {p.name.lower(): p for p in sorted(scene.iterdir()) if p.is_file()}
    shots = [p for p in pictures(scene) if p.suffix.lower() in (".tif", ".tiff")]
    lacks = [name for name in ("exposure.txt", "hdrimg.hdr") if name not in files]
    if len(shots) != SHOTS or lacks:
        raise UserError(", ".join([*([f"{len(shots)} .tif of {SHOTS}"] if len(shots) != SHOTS else []), *(f"no {name}" for name in lacks)]))
    stops = read_stops(files["exposure.txt"])
    inner = scene.relative_to(split_folder)
    name = f"{split}_{'_'.join(inner.parts)}"
    if not safe_name(name):
        raise UserError("this name cannot be a scene's; rename the folder")

    def file(path: Path, role: str = "input", ev: float | None = None) -> File:
        return File(path.relative_to(src).as_posix(), role, ev)

    inputs = tuple(file(path, ev=stop - stops[1]) for path, stop in zip(shots, stops))
    subset = inner.parts[0].lower() if len(inner.parts) > 1 else None  # paper or extra
    return Draft(name, name, split, inputs, (file(files["hdrimg.hdr"], "label"),), subset, "srgb16", "linear")


def read_stops(path: Path) -> list[float]:
    """The three exposures of `exposure.txt`, in stops, ascending.

    Raises:
        UserError: not three numbers, or not ascending.
    """
    with open(path, "rb") as stream:
        words = stream.read(LONGEST).decode("ascii", "replace").split()
    try:
        stops = [float(word) for word in words]
    except ValueError:
        raise UserError(f"{path.name}: '{' '.join(words)[:40]}' are not numbers") from None
    if len(stops) != SHOTS or not all(0 < b - a <= MOST_STOPS for a, b in zip(stops, stops[1:])):
        raise UserError(f"{path.name}: three ascending exposures in stops are expected, not {' '.join(words)[:40] or 'nothing'}")
    return stops
