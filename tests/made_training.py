"""What the tests of training share: a tiny ME-like dataset and recipes of the toy method."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset
from benchtool.core.seeds import seed_of
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage

TOY = Path(__file__).parent / "training" / "toy.py"
EVS = {"N1.5": -1.5, "0": 0.0, "P1.5": 1.5}
GROUPS = {"under": [-1.5], "over": [0.0, 1.5]}
CONV = {"first.weight", "first.bias", "last.weight", "last.bias"}  # the toy's own parameters, without its critic's
Trained = Callable[..., Path]  # the fixture `trained`


def make_dataset(folder: Path, scenes: tuple[int, int, int] = (4, 1, 1), size: tuple[int, int] = (40, 36), name: str = "me") -> Dataset:
    """Scenes of smooth colours for train, val and test; each with three exposures and a target, `size` = (width, height)."""
    samples = []
    for split, count in zip(("train", "val", "test"), scenes):
        for number in range(count):
            scene = f"{split}{number}"
            draw = np.random.default_rng([ord(split[0]), number])
            y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
            waves = [np.sin(2 * np.pi * (draw.random() * x * 2 + draw.random() * y * 2 + draw.random())) for _ in range(3)]
            image = np.stack(waves, axis=2) * 0.4 + 0.5
            target = _image(folder, f"{scene}.png", image, "expert_c", None)
            for token, ev in EVS.items():
                exposed = _image(folder, f"{scene}_{token}.png", np.clip(image * 2.0**ev, 0, 1), "input", ev)
                samples.append(Sample(f"{scene}_{token}", scene, split, (exposed,), (target,)))
    facts = Facts(name, "sample", {"here": "."}, dict(GROUPS), "expert_c")
    return write_dataset(folder, facts, samples)


def _image(folder: Path, name: str, pixels: np.ndarray, role: str, ev: float | None) -> Image:
    data = write_image(folder / name, (pixels * 255 + 0.5).astype(np.uint8))
    return Image(f"here:{name}", hashlib.sha256(data).hexdigest(), pixels.shape[1], pixels.shape[0], ev, role=role)


def toy_recipe(folder: Path, stages: list[dict[str, Any]] | None = None, **top: Any) -> Path:
    """Write a recipe of the toy method; a stage lacks only what it changes."""
    base = {"name": "train", "epochs": 2, "patch": 16, "batch": 2, "losses": {"mse": 1.0}, "optimizer": {"lr": 1e-2}}
    recipe = {"method": "toy", "dataset": "me", **top, "stages": [base | stage for stage in stages or [{}]]}
    path = folder / "toy-recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def weights(run: Path, which: str = "last", stage: str = "train") -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / stage / f"{which}.safetensors")


def moved(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> set[str]:
    """Names of tensors that differ."""
    assert one.keys() == two.keys()
    return {name for name in one if not torch.equal(one[name], two[name])}


def rows(run: Path) -> list[dict[str, str]]:
    """A run's log."""
    with open(run / "log.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def toy(seed: int = 0, **options: Any) -> torch.nn.Module:
    """The toy as a run with this seed begins with it."""
    torch.manual_seed(seed_of(seed, "init"))
    return create("toy", **options)


def spy(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Batch, Stage, str]]:
    """What the toy's losses are called with while it trains."""
    cls, seen = type(toy()), []
    real = cls.losses
    monkeypatch.setattr(cls, "losses", lambda self, *given: seen.append(given) or real(self, *given))
    return seen
