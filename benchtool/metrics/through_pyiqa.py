"""What the metrics computed by pyiqa share: importing it only when a score is asked for, and saying why where that fails. No metric itself.

pyiqa is under the PolyForm Noncommercial licence. It would download missing weights, check no hash and unpickle them: here weights
are verified files that are found or not, and nothing but tensors is read from them. Images become RGB in 0..1, on the processor.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from benchtool.core.errors import UserError


def run(module: str, network: str, *images: np.ndarray, options: Mapping[str, Any] | None = None) -> float:
    """What pyiqa's `network` of `pyiqa.archs.module` says of H x W x 3 RGB uint8 images of one size.

    Args:
        options: of the network, such as the path of its weights; simple values.

    Raises:
        UserError: pyiqa is absent or broken.
    """
    import torch

    tensors = [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None] / 255 for image in images]
    built = _build(module, network, tuple(sorted((options or {}).items())))
    with _quiet(), torch.inference_mode():
        return float(built(*tensors))


@functools.lru_cache(4)
def _build(module: str, network: str, options: tuple[tuple[str, Any], ...]) -> Any:
    imported = _import(f"pyiqa.archs.{module}")
    if isinstance(imported, str):
        raise UserError(f"pyiqa cannot be imported ({imported}); install pyiqa, and the torchvision that belongs to the installed torch")
    with _quiet(), _tensors_only():
        return getattr(imported, network)(**dict(options)).eval()


@functools.cache
def _import(name: str) -> ModuleType | str:
    """The module, or why it cannot be had; asked once, for a second attempt at a half-imported package fails in another way."""
    try:
        with _quiet():
            return importlib.import_module(name)
    except Exception as error:  # a broken installation raises anything: a torchvision of another build, RuntimeError
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What pyiqa prints is no result: it goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Let torch refuse to unpickle anything but tensors, whatever its caller says."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
