"""`methods check NAME`: whether a method, ours or a third party's, keeps the contract of docs/adding-a-method.md.

Everything runs on the small build of `SPEC.check`; the full size is only built on the meta device and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchtool.core import catalog
from benchtool.workflows.contract import POINTS
from benchtool.workflows.contract_subject import Broken, Skip, Subject


@dataclass(frozen=True)
class Check:
    """The outcome of one point: `passed` is None where it does not apply; `note` says what was seen, or why it failed."""

    point: str
    passed: bool | None
    note: str


def check_method(name: str, device: str | None = None, seen: Callable[[Check], None] = lambda check: None) -> list[Check]:
    """Run every point of the contract on the method `name`, in the order of `POINTS`; some take a while.

    Args:
        device: has to agree with the CPU; None for the GPU where there is one.
        seen: called with each outcome as it comes.

    The global random state is left as it was. A point at which the method raises has failed; the next is tried all the same.
    """
    device = device or ("cuda" if torch.cuda.is_available() else None)
    subject = Subject(name, catalog.facts("methods", name), device)
    found = []
    with torch.random.fork_rng(devices=[]):
        for point, check in POINTS.items():
            found.append(outcome(point, check, subject))
            seen(found[-1])
    return found


def outcome(point: str, check: Callable[[Subject], str], subject: Subject) -> Check:
    """What one point says of the method under test."""
    try:
        return Check(point, True, check(subject))
    except Broken as broken:
        return Check(point, False, str(broken))
    except Skip as skip:
        return Check(point, None, str(skip))
    except Exception as error:  # whatever a method raises is what its author has to see
        return Check(point, False, f"{type(error).__name__}: {' '.join(str(error).split())}")
