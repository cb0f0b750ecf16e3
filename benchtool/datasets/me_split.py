"""Which scene is in which split: ME's published split of FiveK (`me_split.txt`)."""

from __future__ import annotations

import functools
import re
from pathlib import Path

TABLE = Path(__file__).with_name("me_split.txt")
LETTERS = {"t": "train", "v": "val", "s": "test"}
FIVEK_SCENES = 5000


@functools.cache
def published_splits() -> dict[str, str]:
    """FiveK id (`a0001`) -> train, val or test, for the 4,866 scenes that are part of ME."""
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {f"a{number:04}": LETTERS[letter] for number, letter in enumerate("".join(lines), 1) if letter in LETTERS}


def is_fivek(scene: str) -> bool:
    """Whether `scene` is an id of MIT-Adobe FiveK, `a0001` to `a5000`."""
    return re.fullmatch("a[0-9]{4}", scene) is not None and 1 <= int(scene[1:]) <= FIVEK_SCENES
