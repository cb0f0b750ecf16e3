"""What the metrics computed by pyiqa share: importing it only when a score is asked for, and saying why where that fails. No metric itself.

pyiqa is under the PolyForm Noncommercial licence. It would download missing weights, check no hash and unpickle them: here weights
are verified files that are found or not, and nothing but tensors is read from them. Images become RGB in 0..1, on the processor.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchtool.core.errors import UserError
from benchtool.metrics import optional


def run(
    module: str,
    network: str,
    *images: np.ndarray,
    options: Mapping[str, Any] | None = None,
    prepare: Callable[[Any], None] | None = None,
) -> float:
    """What pyiqa's `network` of `pyiqa.archs.module` says of H x W x 3 RGB uint8 images of one size.

    Args:
        options: of the network, such as the path of its weights; simple values.
        prepare: called once with the network, to replace a part of it.

    Raises:
        UserError: pyiqa is absent or broken; images without the structure its statistics need.
    """
    import torch

    tensors = [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None] / 255 for image in images]
    built = _build(module, network, tuple(sorted((options or {}).items())), prepare)
    try:
        with optional.quiet(), torch.inference_mode():
            return float(built(*tensors))
    except torch.linalg.LinAlgError:
        raise UserError("undefined: the image is too flat, its statistics are singular") from None


@functools.lru_cache(4)
def _build(module: str, network: str, options: tuple[tuple[str, Any], ...], prepare: Callable[[Any], None] | None) -> Any:
    imported = optional.module(f"pyiqa.archs.{module}")
    if isinstance(imported, str):
        raise UserError(f"pyiqa cannot be imported ({imported}); install pyiqa, and the torchvision that belongs to the installed torch")
    with optional.quiet(), _tensors_only():
        built = getattr(imported, network)(**dict(options)).eval()
    if prepare is not None:
        prepare(built)
    return built


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
