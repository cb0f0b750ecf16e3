"""A split drawn by a seed, where nobody published one: a pure function of the seed and the names of the scenes."""

from __future__ import annotations

from collections.abc import Iterable

from benchtool.core.errors import UserError
from benchtool.core.seeds import seed_of

VAL_SHARE, TEST_SHARE = 0.1, 0.2


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
        val = max(1, round(VAL_SHARE * len(order))) if len(order) >= 3 else 0
    if order and (min(val, test) < 0 or val + test >= len(order)):
        raise UserError(f"a split of {val} validation and {test} test scenes leaves none of {len(order)} to train on")
    return {scene: "test" if i < test else "val" if i < test + val else "train" for i, scene in enumerate(order)}
