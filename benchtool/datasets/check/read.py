"""Reads the files of one scene and says what is wrong with each, and how its pairs are aligned. Runs in a worker."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.files import inside, sha256_file
from benchtool.core.images import Picture, header, orient, read_picture
from benchtool.datasets.check.aligned import Shift, reduced, shift
from benchtool.datasets.check.alike import Print, picture_print
from benchtool.datasets.describe import DISPLAY_GAMMA, LUMA

DTYPES = {"srgb8": ("uint8",), "srgb16": ("uint16",), "linear": ("uint16", "float32"), "raw-rggb": ("uint16", "float32")}
SRGB = ("srgb", "iec61966-2.1", "iec 61966-2-1")


@dataclass(frozen=True)
class File:
    """A file as the manifest has it: `key` is its `root:path`, `root` a folder."""

    key: str
    root: Path
    sha256: str
    width: int
    height: int
    encoding: str


@dataclass(frozen=True)
class Task:
    """The files of a scene, and the pairs of them (input, target; as places in `files`) that should be aligned."""

    files: tuple[File, ...]
    pairs: tuple[tuple[int, int], ...]
    quick: bool = False


@dataclass
class Seen:
    """What was found in a file.

    Attributes:
        problems: (`error` or `warning`, kind, what is wrong).
        level: mean luminance as stored, 0..1 of the file's range; None where it was not read.
        looks: what is compared with other scenes' pictures, None where it was not read.
    """

    problems: list[tuple[str, str, str]] = field(default_factory=list)
    level: float | None = None
    looks: Print | None = None


@dataclass
class SceneSeen:
    """What was found in a scene: by key of its files, and by keys of its pairs."""

    files: dict[str, Seen]
    shifts: dict[tuple[str, str], Shift]


def read_scene(task: Task) -> SceneSeen:
    """Check the files of a scene one by one, then its pairs; what cannot be read is a problem of its file."""
    files, small = {}, {}
    for file in task.files:
        files[file.key], small[file.key] = _read(file, task.quick)
    shifts = {}
    for a, b in task.pairs:
        first, second = task.files[a], task.files[b]
        one, other = small[first.key], small[second.key]
        if one is not None and other is not None and one.shape == other.shape:
            shifts[first.key, second.key] = shift(one, other, max(first.width, first.height) / max(one.shape))
    return SceneSeen(files, shifts)


def _read(file: File, quick: bool) -> tuple[Seen, np.ndarray | None]:
    seen = Seen()
    try:
        path = inside(file.root, file.key.partition(":")[2])
        if not path.is_file():
            seen.problems.append(("error", "missing", "the file is not there"))
            return seen, None
        _check_header(seen, file, path)
        if quick:
            return seen, None
        if sha256_file(path) != file.sha256:
            seen.problems.append(("error", "changed", "the file is not the one the manifest was written for (SHA-256 differs)"))
        picture = read_picture(path)
    except (UserError, OSError) as error:
        seen.problems.append(("error", "unreadable", str(error)))
        return seen, None
    _check_pixels(seen, file, picture)
    luminance = _luminance(picture)
    seen.level = float(luminance.mean())
    small = reduced(_for_display(luminance, file.encoding))
    seen.looks = picture_print(small)
    return seen, small


def _check_header(seen: Seen, file: File, path: Path) -> None:
    width, height, orientation, icc = header(path)
    shown = (height, width) if orientation >= 5 else (width, height)
    if shown != (file.width, file.height):
        what = f"{shown[0]} x {shown[1]} pixels, {file.width} x {file.height} in the manifest"
        seen.problems.append(("error", "size", what))
    if orientation != 1:
        what = f"EXIF orientation {orientation}: shown turned here, as stored by tools that ignore it"
        seen.problems.append(("warning", "orientation", what))
    if icc is not None and (name := profile_name(icc)) is not None:
        seen.problems.append(("warning", "profile", f"colour profile '{name}', not sRGB; profiles are not applied"))


def profile_name(icc: bytes) -> str | None:
    """The description of a colour profile, None for sRGB's."""
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return "unreadable"
    return None if any(known in name.lower() for known in SRGB) else name


def _check_pixels(seen: Seen, file: File, picture: Picture) -> None:
    pixels, raw = picture.pixels, file.encoding == "raw-rggb"
    channels, depth = pixels.shape[2], str(pixels.dtype)
    if raw and channels != 4:
        seen.problems.append(("error", "planes", f"{channels} channels where raw-rggb has four planes"))
    if depth not in DTYPES[file.encoding]:
        seen.problems.append(("warning", "depth", f"{depth} pixels where the manifest says {file.encoding}"))
    elif depth == "uint16" and pixels.any() and not (pixels % 257).any():
        seen.problems.append(("warning", "depth", "16-bit file of 8-bit pixels (every value is a multiple of 257)"))
    if channels == 4 and not raw:
        opaque = pixels[:, :, 3].min() == (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
        seen.problems.append(("warning", "alpha", "an alpha channel, opaque throughout" if opaque else "an alpha channel; it is dropped"))
    first = pixels[:, :, :1]
    if not raw and first.min() != first.max() and np.array_equal(np.broadcast_to(first, pixels[:, :, 1:3].shape), pixels[:, :, 1:3]):
        seen.problems.append(("warning", "grey", "grey: its three channels are equal"))


def _luminance(picture: Picture) -> np.ndarray:
    """H x W luma as displayed, 0..1 of the file's range; floats as they are. Of a raw's four planes the first three stand for RGB."""
    pixels = orient(picture.pixels[:, :, :3], picture.orientation)
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return pixels.astype(np.float32) @ (LUMA / np.float32(top))


def _for_display(luminance: np.ndarray, encoding: str) -> np.ndarray:
    """Linear luminance scaled to its brightest part and gamma-coded; others as they are."""
    if encoding.startswith("srgb"):
        return luminance
    return np.clip(luminance / max(float(np.percentile(luminance, 99.5)), 1e-9), 0, 1) ** (1 / DISPLAY_GAMMA)
