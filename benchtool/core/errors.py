"""The one exception the command line turns into a single clear line and exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and what to do, on one line."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist, naming the nearest one that does.

    >>> str(unknown("method", "sdi", ["sid", "clahe"]))
    "unknown method 'sdi'; did you mean 'sid'?"
    """
    known = sorted(set(known))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
    return UserError(f"unknown {kind} '{name}'; {hint}")
