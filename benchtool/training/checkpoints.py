"""Weights and training state on disk: tensors in safetensors, the rest as JSON in the same file's header, nothing pickled.

`state.safetensors` holds all a stage continues from and is replaced in one rename, so that a kill at any instant leaves
one consistent state. `state.json` repeats its header for people; `last` and `best` hold weights alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import yaml
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.core.files import write_bytes, write_json
from benchtool.core.recipe import Reference, reference

HEADER = "benchtool"
STATE = "state.safetensors"


def stage_folder(run: Path, stage: str) -> Path:
    """Where a stage's checkpoints lie."""
    return run / "checkpoints" / stage


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any] | None = None) -> None:
    """Write tensors, contiguous and each with memory of its own, atomically; `header` is JSON-able.

    Raises:
        UserError: a tensor holds NaN or infinity; the file is left as it was.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not math.isfinite(float(tensor.sum(dtype=torch.float64))) and not torch.isfinite(tensor).all():
            raise UserError(f"{path}: '{name}' became infinite or NaN; the checkpoint before stands. Lower the learning rate, or clip")
    plain = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    metadata = {HEADER: json.dumps(header, allow_nan=False)} if header is not None else None
    write_bytes(path, safetensors.torch.save(plain, metadata))


def save_state(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Replace a stage's state."""
    save_tensors(folder / STATE, tensors, facts)
    write_json(folder / "state.json", facts)


def read_facts(folder: Path) -> dict[str, Any] | None:
    """The JSON part of a stage's state, None where there is none yet.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, "pt") as stream:
            return json.loads(stream.metadata()[HEADER])
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: damaged ({error}); begin anew with --restart") from None


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a stage's state."""
    return safetensors.torch.load_file(folder / STATE)


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose name begins with `prefix/`, without it."""
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `under`."""
    return {f"{prefix}/{name}": t for name, t in tensors.items()}


def locate(text: str, run: Path, method: str) -> Path:
    """The weights that `start` or `teacher` names.

    Args:
        run: the run folder that `STAGE.best` belongs to.
        method: the method it has to be of.

    Raises:
        UserError: no such run or file, or a run of another method.
    """
    wanted: Reference = reference(text)
    folder = Path(wanted.run) if wanted.run else run
    if wanted.run:
        recipe = folder / "recipe.resolved.yaml"
        if not recipe.is_file():
            raise UserError(f"'{text}': {folder} is not a run (no recipe.resolved.yaml)")
        trained = yaml.safe_load(recipe.read_text())["method"]
        if trained != method:
            raise UserError(f"'{text}': {folder} trained the method '{trained}', this recipe is of '{method}'")
    path = stage_folder(folder, wanted.stage) / f"{wanted.which}.safetensors"
    if not path.is_file():
        raise UserError(f"'{text}': no such checkpoint ({path}); train that stage first")
    return path
