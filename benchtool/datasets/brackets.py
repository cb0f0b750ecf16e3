"""Any folder of exposure brackets, one folder a scene: shots are put in order by brightness, and the middle one is the target.

Two choices of inputs: those ENC takes of SICE (second and second-last; Huang et al., CVPR 2022, Sec. 4.1), or every other shot.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchtool.core.errors import UserError
from benchtool.core.manifest import safe_name
from benchtool.core.pool import Failure
from benchtool.core.spec import DatasetSpec
from benchtool.datasets.exposure_stacks import ENOUGH, folders_of_pictures, middle, second_middle_second_last, sort_all
from benchtool.datasets.prepare import Draft, File, Layout
from benchtool.datasets.seeded_split import seeded_split

SPEC = DatasetSpec(
    title="exposure brackets",
    citation="",
    licence="that of the photographs",
    exposure_groups={"under": (), "over": ()},
    default_target="middle",
)


@dataclass(frozen=True)
class Options:
    """How pairs are made.

    Attributes:
        inputs: `enc`: the second and the second-last exposure; `all`: every one but the middle.
        val, test: numbers of scenes; about a tenth and a fifth where None.
        seed: of the split.
    """

    inputs: Literal["enc", "all"] = "enc"
    val: int | None = None
    test: int | None = None
    seed: int = 0


def layout(src: Path, options: Options) -> Layout:
    """One folder a scene, at any depth, of three exposures or more (five for `inputs: enc`).

    Raises:
        UserError: there is no such folder.
    """
    found = folders_of_pictures(src)
    least = ENOUGH if options.inputs == "enc" else 3
    short = [f"{scene}: {len(paths)} pictures of {least} or more" for scene, paths in found.items() if len(paths) < least]
    names = {scene: scene.replace("/", "_") for scene in found}
    bad = [Failure(scene, "this name cannot be a scene's; rename the folder") for scene in found if not safe_name(names[scene])]
    usable = {scene: paths for scene, paths in found.items() if len(paths) >= least and safe_name(names[scene])}
    if not usable:
        raise UserError(f"{src}: no folder in it holds {least} exposures or more; give the folder that holds one folder a scene")
    ordered, failures = sort_all(usable)
    whole = {scene: paths for scene, paths in ordered.items() if len(paths) >= least}
    split = seeded_split((names[scene] for scene in usable), options.seed, options.val, options.test)
    drafts = [draft for scene, paths in whole.items() for draft in _drafts(src, names[scene], split[names[scene]], paths, options)]
    return Layout("one folder a scene", drafts, {"brackets": src}, variant="own", missing=short, failures=[*bad, *failures])


def _drafts(src: Path, scene: str, split: str, paths: list[Path], options: Options) -> list[Draft]:
    def file(path: Path, role: str = "input") -> File:
        return File(path.relative_to(src).as_posix(), role)

    target = file(middle(paths), "middle")
    if options.inputs == "enc":
        under, _, over = second_middle_second_last(paths)
        chosen = [("under", under, "under"), ("over", over, "over")]
    else:
        centre = paths.index(middle(paths))
        chosen = [(str(k + 1), path, "under" if k < centre else "over") for k, path in enumerate(paths) if k != centre]
    return [Draft(f"{scene}_{name}", scene, split, (file(path),), (target,), subset) for name, path, subset in chosen]
