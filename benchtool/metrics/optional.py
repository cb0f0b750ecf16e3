"""Packages that some metrics need and many users lack: imported only when a score is asked for, the reason kept where that fails.

No metric itself.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType


@functools.cache
def module(name: str) -> ModuleType | str:
    """The module, or why it cannot be had; asked once, for a second attempt at a half-imported package fails in another way."""
    try:
        with quiet():
            return importlib.import_module(name)
    except Exception as error:  # a broken installation raises anything: a torchvision of another build, RuntimeError
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What such a package prints is no result: it goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
