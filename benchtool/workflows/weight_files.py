"""Tensors out of files that strangers published: nothing in them is run, and nothing is unpacked that is far larger than the network."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchtool.core.errors import UserError

PICKLED = (".pth", ".pt", ".tar", ".ckpt", ".pkl")
ROOM = 16  # times the network's bytes: a checkpoint may hold doubles and an optimiser's moments
LEAST = 1 << 20  # bytes anything may take


def read_tensors(path: Path, network_bytes: int) -> dict[str, Tensor]:
    """The named tensors of a .safetensors, PyTorch (.pth, .pt, .tar ...), .npz or .mat file, in the file's order.

    A state dict may stand alone or as the only one among a checkpoint's entries.

    Args:
        network_bytes: size of the network they are for, which limits how much is unpacked.

    Raises:
        UserError: no such file, another type, damaged, too large, or holding anything besides numbers.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    limit = ROOM * network_bytes + LEAST
    readers: dict[str, Callable[[Path, int], dict[str, Any]]] = {".safetensors": _safetensors, ".npz": _npz, ".mat": _mat}
    reader = readers.get(path.suffix.lower()) or (_pickled if path.suffix.lower() in PICKLED else None)
    if reader is None:
        raise UserError(f"{path}: weights are read from {', '.join((*readers, *PICKLED))}")
    try:
        found = reader(path, limit)
    except UserError:
        raise
    except Exception as error:  # a damaged or hostile file may break its reader in any way
        raise UserError(f"{path}: damaged, or no {path.suffix} file ({_line(error)})") from None
    if not found:
        raise UserError(f"{path}: holds no tensors")
    return {name: _tensor(path, name, value) for name, value in found.items()}


def shown(text: object) -> str:
    """A stranger's text as an error may print it: short, on one line, nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:80])


def _line(error: Exception) -> str:
    return shown((str(error).strip() or type(error).__name__).splitlines()[0])


def _safetensors(path: Path, limit: int) -> dict[str, Any]:
    import safetensors.torch

    return safetensors.torch.load_file(path)


def _pickled(path: Path, limit: int) -> dict[str, Any]:
    """PyTorch's own format with `weights_only`: tensors and plain containers, no code."""
    if zipfile.is_zipfile(path):
        _check_size(path, sum(member.file_size for member in zipfile.ZipFile(path).infolist()), limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        why = "is damaged or holds more than tensors, which could run code; nothing of it was loaded"
        raise UserError(f"{path}: {why}. Where you trust it, save it again: torch.save(model.state_dict(), FILE)") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a state dict")
    if _is_state(content):
        return content
    inside = [key for key, value in content.items() if isinstance(value, dict) and _is_state(value)]
    if len(inside) != 1:
        what = f"several state dicts ({', '.join(map(shown, inside))})" if inside else "no state dict"
        raise UserError(f"{path}: holds {what}; save the one that is meant to a file of its own")
    return content[inside[0]]


def _is_state(value: dict[Any, Any]) -> bool:
    return bool(value) and all(isinstance(name, str) and isinstance(one, Tensor) for name, one in value.items())


def _npz(path: Path, limit: int) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        _check_size(path, sum(member.file_size for member in archive.infolist()), limit)
        for member in archive.infolist():
            with archive.open(member) as stream:
                first = np.lib.format.read_magic(stream) == (1, 0)
                shape, _, dtype = (np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0)(stream)
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > member.file_size:
                raise UserError(f"{path}: '{shown(member.filename)}' holds objects, or less than it says; only arrays of numbers are read")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _mat(path: Path, limit: int) -> dict[str, Any]:
    import scipy.io

    try:
        listed = scipy.io.whosmat(path)
    except NotImplementedError:
        raise UserError(f"{path}: is of MATLAB's version 7.3; save it with -v7") from None
    for name, _, kind in listed:
        if kind not in ("double", "single"):
            raise UserError(f"{path}: '{shown(name)}' is a MATLAB {kind}; save its tensors as plain arrays (docs/importing-weights.md)")
    _check_size(path, sum(math.prod(shape) * 8 for _, shape, _ in listed), limit)
    content = scipy.io.loadmat(path)
    return {name: content[name] for name, _, _ in listed}


def _check_size(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise UserError(f"{path}: unpacks to {size:,} bytes, more than this network's weights can take ({limit:,}); is it of this method?")


def _tensor(path: Path, name: str, value: Any) -> Tensor:
    tensor = value.detach() if isinstance(value, Tensor) else torch.from_numpy(np.ascontiguousarray(value))
    odd = tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.dtype == torch.bool or tensor.is_meta
    if odd:
        raise UserError(f"{path}: '{shown(name)}' is no plain tensor of numbers ({tensor.dtype}, {tensor.layout}, {tensor.device})")
    return tensor
