"""Which scene is in which split: ME's published split of FiveK (`me_split.txt`), and a seeded one for other raws."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from benchtool.core.seeds import seed_of

TABLE = Path(__file__).with_name("me_split.txt")
LETTERS = {"t": "train", "v": "val", "s": "test"}
FIVEK_SCENES = 5000
VAL_SHARE, TEST_SHARE = 0.1, 0.2


@functools.cache
def published_splits() -> dict[str, str]:
    """FiveK id (`a0001`) -> train, val or test, for the 4,866 scenes that are part of ME."""
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {f"a{number:04}": LETTERS[letter] for number, letter in enumerate("".join(lines), 1) if letter in LETTERS}


def is_fivek(scene: str) -> bool:
    """Whether `scene` is an id of MIT-Adobe FiveK, `a0001` to `a5000`."""
    return re.fullmatch("a[0-9]{4}", scene) is not None and 1 <= int(scene[1:]) <= FIVEK_SCENES


def seeded_splits(scenes: Iterable[str], seed: int) -> dict[str, str]:
    """Scene -> split: about a tenth for val and a fifth for test, at least one scene each where there are three.

    A pure function of the seed and the set of scenes. Two scenes are train and test, one is train.
    """
    order = sorted(set(scenes), key=lambda scene: seed_of(seed, "split", scene))
    test = max(1, round(TEST_SHARE * len(order))) if len(order) >= 2 else 0
    val = max(1, round(VAL_SHARE * len(order))) if len(order) >= 3 else 0
    return {scene: "test" if i < test else "val" if i < test + val else "train" for i, scene in enumerate(order)}
