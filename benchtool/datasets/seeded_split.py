"""A split drawn by a seed, where nobody published one: a pure function of the seed and the names of the scenes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from benchtool.core.errors import UserError
from benchtool.core.seeds import seed_of

VAL_SHARE, TEST_SHARE = 0.1, 0.2
OfScene = TypeVar("OfScene", bound=Any)  # a dataclass with `scene` and `split`: a Draft, a Sample


def seeded_split(scenes: Iterable[str], seed: int, val: int | None = None, test: int | None = None) -> dict[str, str]:
    """Scene -> split.

    Args:
        val, test: numbers of scenes; where None about a tenth and a fifth, at least one each where there are three scenes
            (two scenes are train and test, one is train).

    Raises:
        UserError: more scenes asked for than there are, or none left to train on.
    """
    order = sorted(set(scenes), key=lambda scene: seed_of(seed, "split", scene))
    if test is None:
        test = max(1, round(TEST_SHARE * len(order))) if len(order) >= 2 else 0
    if val is None:
        val = val_share(len(order))
    if order and (min(val, test) < 0 or val + test >= len(order)):
        raise UserError(f"a split of {val} validation and {test} test scenes leaves none of {len(order)} to train on")
    return {scene: "test" if i < test else "val" if i < test + val else "train" for i, scene in enumerate(order)}


def with_validation(samples: Sequence[OfScene], val: int, seed: int) -> list[OfScene]:
    """The samples or drafts, those of `val` training scenes now of the validation split.

    Raises:
        UserError: none would be left to train on.
    """
    drawn = seeded_split((s.scene for s in samples if s.split == "train"), seed, val=val, test=0)
    return [dataclasses.replace(s, split=drawn.get(s.scene, s.split)) for s in samples]


def val_share(scenes: int) -> int:
    """About a tenth of that many scenes, at least one of three."""
    return max(1, round(VAL_SHARE * scenes)) if scenes >= 3 else 0
