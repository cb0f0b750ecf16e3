"""Sequences of exposures of one scene: put in order by how bright they are, whatever their files are called, and chosen from as in ENC.

ENC (Huang et al., CVPR 2022, Sec. 4.1) takes a sequence's second exposure as under-exposed, its second-last as over-exposed, and
the middle one as the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchtool.core.images import SUFFIXES, read_image
from benchtool.core.pool import Failure, run_batch

SIDE = 256  # pixels of the longer side that are looked at
ENOUGH = 5  # exposures, so that second, middle and second-last are three


def luminance(path: Path) -> float:
    """Mean BT.601 luma of a picture, 0..1, as encoded.

    Raises:
        UserError: it cannot be read.
    """
    pixels = read_image(path)
    scale = SIDE / max(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    return float(small.reshape(-1, 3).mean(axis=0) @ (0.299, 0.587, 0.114)) / np.iinfo(pixels.dtype).max


def sort_all(scenes: dict[str, list[Path]], jobs: int | None = None) -> tuple[dict[str, list[Path]], list[Failure]]:
    """Each scene's pictures from dark to bright; pictures that cannot be read are failures, and left out."""
    brightness: dict[str, float] = {}
    items = [(str(path), path) for paths in scenes.values() for path in paths]
    failures = run_batch(luminance, items, brightness.__setitem__, label="measure", jobs=jobs, unit="img") if items else []
    ordered = {
        scene: sorted((p for p in paths if str(p) in brightness), key=lambda p: (brightness[str(p)], p.name))
        for scene, paths in scenes.items()
    }
    return ordered, failures


def second_middle_second_last(sequence: Sequence[Path]) -> tuple[Path, Path, Path]:
    """Under-exposed, middle and over-exposed picture of a sequence from dark to bright, of at least ENOUGH.

    The middle of an even number is the darker of the two; the paper does not say.
    """
    return sequence[1], middle(sequence), sequence[-2]


def middle(sequence: Sequence[Path]) -> Path:
    """The middle of a sequence from dark to bright; of an even number the darker of the two."""
    return sequence[(len(sequence) - 1) // 2]


def pictures(folder: Path) -> list[Path]:
    """The image files in a folder, by name; hidden ones are left out."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file())


def folders_of_pictures(src: Path) -> dict[str, list[Path]]:
    """Every folder below `src` that holds images: `day/door` -> them."""
    below: Iterable[Path] = sorted(
        p for p in src.rglob("*") if p.is_dir() and not any(part.startswith(".") for part in p.relative_to(src).parts)
    )
    return {folder.relative_to(src).as_posix(): found for folder in below if (found := pictures(folder))}
