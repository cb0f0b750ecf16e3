"""KEY=VALUE as typed after `-s`, `--set` and `--root`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from benchtool.core.errors import UserError


def pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """`["me=../me"]` -> {"me": "../me"}; UserError, naming `option`, where one has no `=`."""
    for text in given or ():
        if "=" not in text:
            raise UserError(f"{option} {text}: give NAME=VALUE")
    return dict(text.split("=", 1) for text in given or ())


def values(given: Sequence[str] | None) -> dict[str, Any]:
    """As `pairs` of `--set`, each value as YAML reads it: 2 is a number, true a truth value."""
    try:
        return {name: yaml.safe_load(value) for name, value in pairs("--set", given).items()}
    except yaml.YAMLError:
        raise UserError(f"--set {' '.join(given or ())}: a value is not valid YAML") from None
