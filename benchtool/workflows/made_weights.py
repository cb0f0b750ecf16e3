"""Model files of the published shape with random values, for what does not depend on the values: time and memory. Never for a score.

`made` writes those this machine lacks into a folder; `use` lets the process it is called in, and no other, take them for the published
ones. They cannot leak: they have names that are not looked for, or bytes whose SHA-256 is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file
from benchtool.core.seeds import generator
from benchtool.metrics import optional

TREES, LEVELS = 500, 10  # of each of Ma's forests: our guess; they take a hundredth of its time


def missing(names: Iterable[str]) -> set[str]:
    """Those of the model files that lie in none of the places and can be made."""
    return {name for name in names if name in MAKERS and models.find(name) is None}


def made(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Make model files in a folder; where each lies. Left out is what cannot be made, for want of a torchvision or pyiqa that works."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name in sorted(names):
        path = folder / f"made-{models.MODEL_FILES[name].names[0]}"
        try:
            MAKERS[name](path)
        except UserError:
            continue
        paths[name] = path
    return paths


def use(folder: Path, paths: dict[str, Path]) -> None:
    """Let this process find made files beside the published ones this machine has. For a process that ends after measuring.

    Args:
        folder: that of the made files; links to the others are made here.
        paths: what `made` returned for it.
    """
    found = {name: models.find(name) for name in models.MODEL_FILES if name not in paths}
    os.environ["BENCHTOOL_MODELS"] = str(folder)
    for name, path in paths.items():
        file = models.MODEL_FILES[name]
        models.MODEL_FILES[name] = replace(file, names=(path.name,), size=path.stat().st_size, sha256=sha256_file(path))
    for name, path in found.items():
        link = models.candidates(name)[0]
        if path is not None and not link.exists():
            link.symlink_to(path.resolve())


def niqe(path: Path) -> None:
    """NIQE's model: a mean [1, 36] and a covariance [36, 36]."""
    from scipy.io import savemat

    spread = generator("made weights", "niqe").standard_normal((36, 36))
    savemat(path, {"mu_prisparam": np.ones((1, 36)), "cov_prisparam": spread @ spread.T / 36})


def nrqm(path: Path, trees: int = TREES, levels: int = LEVELS) -> None:
    """Ma's three forests, whole binary trees of `levels`, and the linear regression of what they say. Nodes and features count from 1."""
    from scipy.io import savemat

    draw = generator("made weights", "nrqm")
    nodes, inner = 2**levels - 1, 2 ** (levels - 1) - 1
    children = np.zeros((nodes, 1), np.int32)
    children[:inner, 0] = 2 * np.arange(1, inner + 1)
    forest = {
        "left": np.repeat(children, trees, 1),
        "right": np.repeat(children + (children > 0), trees, 1),
        "status": np.zeros((1, 1)),
        "nodes": np.zeros((1, 1)),
        "threshold": draw.random((nodes, trees), np.float32),
        "value": 10 * draw.random((nodes, trees)),
        "feature": np.ones((nodes, trees), np.int32),
    }
    forests = np.empty((1, 3), object)
    forests[0, :] = [np.array([[tuple(forest.values())]], [(field, object) for field in forest]) for _ in range(3)]
    savemat(path, {"model": {"linear": np.array([[0.4], [0.3], [0.2], [0.5]]), "rf": forests}})


def alexnet(path: Path) -> None:
    """torchvision's AlexNet; UserError where torchvision cannot be imported."""
    import torch

    found = optional.module("torchvision.models")
    if isinstance(found, str):
        raise UserError(f"torchvision cannot be imported ({found})")
    torch.manual_seed(0)
    torch.save(found.alexnet().state_dict(), path)


def lpips(path: Path) -> None:
    """What LPIPS lays upon AlexNet: a weight, not negative, for each channel of its five layers."""
    import torch

    torch.manual_seed(0)
    torch.save({f"lin{k}.model.1.weight": torch.rand(1, channels, 1, 1) for k, channels in enumerate((64, 192, 384, 256, 256))}, path)


def musiq(path: Path) -> None:
    """pyiqa's MUSIQ; UserError where pyiqa cannot be imported."""
    import torch

    found = optional.module("pyiqa.archs.musiq_arch")
    if isinstance(found, str):
        raise UserError(f"pyiqa cannot be imported ({found})")
    torch.manual_seed(0)
    torch.save(found.MUSIQ(pretrained=False).state_dict(), path)


MAKERS: dict[str, Callable[[Path], None]] = {"niqe": niqe, "nrqm": nrqm, "alexnet": alexnet, "lpips": lpips, "musiq": musiq}
