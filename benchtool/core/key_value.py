"""KEY=VALUE as typed after `-s`, `--set` and `--root`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.recipe_text import read_yaml


def pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """`["me=../me"]` -> {"me": "../me"}; UserError, naming `option`, where one lacks its name, the `=` or its value."""
    for text in given or ():
        if not all(text.partition("=")):
            raise UserError(f"{option} {text}: give NAME=VALUE")
    return dict(text.split("=", 1) for text in given or ())


def values(given: Sequence[str] | None) -> dict[str, Any]:
    """As `pairs` of `--set`, each value as recipes read it: 2 and 1e-8 are numbers, true a truth value."""
    return {name: read_yaml(value, f"--set {name}={value}") for name, value in pairs("--set", given).items()}
