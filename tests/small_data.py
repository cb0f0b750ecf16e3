"""A dataset of a few small photographs, and a run with weights, for the tests of what works on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from skimage import data

from benchtool.core.files import sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Facts, Image, Sample, write_dataset

SCENES = {"a": ("test", data.astronaut), "b": ("test", data.chelsea), "c": ("val", data.coffee)}
EVS = {-1.5: "N1.5", 0.0: "0", 1.5: "P1.5"}
GROUPS = {"under": [-1.5], "over": [0.0, 1.5]}


def make_dataset(folder: Path, size: tuple[int, int] = (40, 48), name: str = "me") -> Dataset:
    """Two test scenes and a validation scene at three exposures each; experts c and, for scene a alone, e. All under the root `here`."""
    samples = []
    for scene, (split, photo) in SCENES.items():
        pixels = photo()[: size[0], : size[1]]
        experts = [_image(folder, f"{scene}_c.png", pixels, None, "expert_c")]
        if scene == "a":
            experts.append(_image(folder, f"{scene}_e.png", pixels // 2, None, "expert_e"))
        for ev, token in EVS.items():
            exposed = np.clip(pixels * 2.0**ev, 0, 255).astype(np.uint8)  # 0 EV equals expert c
            samples.append(Sample(f"{scene}_{token}", scene, split, (_image(folder, f"{scene}_{token}.png", exposed, ev),), tuple(experts)))
    return write_dataset(folder, Facts(name, "sample", {"here": "."}, GROUPS), samples)


def _image(folder: Path, name: str, pixels: np.ndarray, ev: float | None, role: str = "input") -> Image:
    write_image(folder / name, pixels)
    return Image(f"here:{name}", sha256_file(folder / name), pixels.shape[1], pixels.shape[0], ev, role=role)


def make_run(folder: Path, seed: int = 0) -> Path:
    """A run of a very small SID, untrained: a resolved recipe and one checkpoint, `train.best`."""
    import safetensors.torch
    import torch

    from benchtool import methods

    recipe = {"name": "sid", "method": "sid", "options": {"width": 2}, "stages": [{"name": "train"}]}
    (folder / "checkpoints" / "train").mkdir(parents=True, exist_ok=True)
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe))
    torch.manual_seed(seed)
    safetensors.torch.save_file(methods.create("sid", width=2).state_dict(), folder / "checkpoints" / "train" / "best.safetensors")
    return folder
