"""NTIRE's HDR challenges (Perez-Pellitero et al., CVPRW 2021): short, medium and long shot and an HDR target, as ADNet's patches have them.

Targets are encoded by a gamma of 2.24: `gt / alignratio` equals the medium shot in 0..1, where nothing is clipped and nothing moves, and
goes on beyond 1. `psnr-mu:ntire` measures them: it undoes the gamma and takes any scale.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import required
from benchtool.datasets.prepare import Draft, File, Layout
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(
    title="NTIRE HDR",
    citation="liu2021adnet",
    licence="as the challenge states; patches given away with ADNet: MIT",
    home="https://github.com/liuzhen03/ADNet",
    sources=(
        Source(
            "train, val",
            by_hand="register for the multi-frame track of the NTIRE 2021 HDR challenge, https://data.vision.ee.ethz.ch/cvl/ntire21/",
            evidence="github.com/chxy95/HDRUNet, for the challenge's page",
        ),
    ),
    default_target="label",
)
SHOTS = ("0.png", "1.png", "2.png")  # short, medium, long
TARGET, EXPOSURES, RATIO = "gt.png", "exposures.npy", "alignratio.npy"
MOST_BYTES = 4096  # of an .npy here: a header and three numbers


@dataclass(frozen=True)
class Options:
    """The split, which the folder does not say.

    Attributes:
        val, test: numbers of scenes; about a tenth and a fifth where None.
        seed: of the draw.
    """

    val: int | None = None
    test: int | None = None
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """One folder a scene, at any depth, of 0.png, 1.png, 2.png, gt.png and exposures.npy (and alignratio.npy).

    Raises:
        UserError: no folder has any of them.
    """
    wanted = {*SHOTS, TARGET, EXPOSURES}
    folders = [p for p in sorted(src.rglob("*")) if p.is_dir() and any((p / name).is_file() for name in (TARGET, EXPOSURES))]
    required(src, folders, "a folder of 0.png, 1.png, 2.png, gt.png and exposures.npy")
    failures, drafts, ratios = [], [], {}
    for folder in folders:
        scene = "_".join(folder.relative_to(src).parts)
        try:
            if lacks := sorted(name for name in wanted if not (folder / name).is_file()):
                raise UserError(f"no {', '.join(lacks)}")
            if not safe_name(scene):
                raise UserError("this name cannot be a scene's; rename the folder")
            drafts.append(_draft(src, folder, scene))
            ratios[scene] = float(read_numbers(folder / RATIO, 1)[0]) if (folder / RATIO).is_file() else None
        except UserError as error:
            failures.append(Failure(folder.relative_to(src).as_posix(), str(error)))
    split = seeded_split((draft.scene for draft in drafts), options.seed, options.val, options.test)
    drafts = [dataclasses.replace(draft, split=split[draft.scene]) for draft in drafts]
    missing = [f"{scene}: {RATIO}, the targets' scale" for scene, ratio in ratios.items() if ratio is None]
    made = {"split": f"drawn with seed {options.seed}", "target_gamma": 2.24, "alignratio": ratios}
    notes = ["targets are encoded by a gamma of 2.24 and not in 0..1 of white: measure with psnr-mu:ntire"]
    return Layout("one folder a scene", drafts, {"ntire": src}, missing=missing, notes=notes, failures=failures, made=made)


def _draft(src: Path, folder: Path, scene: str) -> Draft:
    def file(name: str, role: str = "input", ev: float | None = None) -> File:
        return File((folder / name).relative_to(src).as_posix(), role, ev)

    stops = read_numbers(folder / EXPOSURES, len(SHOTS))
    if not np.all(np.diff(stops) > 0):
        raise UserError(f"{EXPOSURES}: exposures {stops.tolist()} do not ascend")
    inputs = tuple(file(name, ev=float(stop - stops[1])) for name, stop in zip(SHOTS, stops))
    return Draft(scene, scene, "train", inputs, (file(TARGET, "label"),), encoding_target="linear")


def read_numbers(path: Path, count: int) -> np.ndarray:
    """`count` finite numbers of an .npy file, float64 [count]. Nothing pickled is loaded, nothing large is allocated.

    Raises:
        UserError: another kind of file, or other numbers.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path.name}: is larger than {count} numbers are")
    try:
        with open(path, "rb") as stream:
            version = np.lib.format.read_magic(stream)
            shape, _, dtype = (np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0)(stream)
        if dtype.kind not in "iuf" or int(np.prod(shape)) != count:
            raise UserError(f"{path.name}: holds {dtype} of shape {shape}, not {count} numbers")
        numbers = np.load(path, allow_pickle=False).astype(np.float64).ravel()
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path.name}: not an array file that can be read ({error})") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"{path.name}: {numbers.tolist()} are not finite")
    return numbers
