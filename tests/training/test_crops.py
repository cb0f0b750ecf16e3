"""Training with several crops a decode, and from a pack: steps, resuming within a group, and what is refused before the first step."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_training import make_dataset, moved, toy_recipe, weights

from benchtool.core.errors import UserError
from benchtool.core.files import read_json, sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, open_dataset, write_dataset
from benchtool.core.recipe import load_recipe
from benchtool.datasets.pack import pack
from benchtool.training.smoke import shorten
from benchtool.training.stage import StageTraining

STAGE = {"crops": 3, "batch": 2, "accumulate": 2, "epochs": 2, "augment": ["hflip"]}  # of 12 samples: 3 groups of 3 steps, twice


def test_a_run_stopped_within_a_group_ends_in_the_same_bits(trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained("whole", [STAGE])
    assert read_json(whole / "summary.json")["trained"]["steps"] == 18
    real, left = StageTraining._step, 5

    def step(self: StageTraining, batches: list) -> dict:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(self, batches)

    with monkeypatch.context() as context:
        context.setattr(StageTraining, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            trained("stopped", [STAGE], {"save_every": 0})
    assert moved(weights(whole), weights(trained("stopped", [STAGE]))) == set()
    assert moved(weights(whole), weights(trained("other", [STAGE | {"crops": 1, "epochs": 6}]))), "other crops, in another order"


def test_a_pack_changes_no_bit_and_a_stale_one_is_refused(trained: Callable[..., Path], dataset: Dataset, tmp_path: Path) -> None:
    copy = open_dataset(shutil.copytree(dataset.folder, tmp_path / "data"))
    expected = weights(trained("files", [STAGE]))
    pack(copy, 16, jobs=1)
    for image in {i.path for s in copy.split("train") for i in (*s.inputs, *s.targets)}:
        (copy.folder / image.removeprefix("here:")).unlink()
    assert moved(expected, weights(trained("packed", [STAGE], data=copy))) == set()
    write_dataset(copy.folder, copy.facts, copy.samples[1:])
    with pytest.raises(UserError, match="train.h5 was made of other data"):
        trained("stale", data=open_dataset(copy.folder))
    assert not (tmp_path / "stale").exists()


def test_smoke_shortens_it(dataset: Dataset, tmp_path: Path) -> None:
    assert [stage.crops for stage in shorten(load_recipe(str(toy_recipe(tmp_path, [{"crops": 50}]))), dataset).stages] == [8]


def test_targets_of_another_size_than_the_method_makes(trained: Callable[..., Path], tmp_path: Path) -> None:
    made = make_dataset(tmp_path / "data", scenes=(2, 1, 0), size=(20, 20))
    write_image(tmp_path / "data" / "large.png", np.zeros((40, 40, 3), np.uint8))
    sha256 = sha256_file(tmp_path / "data" / "large.png")
    large = dataclasses.replace(made.samples[0].targets[0], path="here:large.png", sha256=sha256, width=40, height=40)
    twice = write_dataset(made.folder, made.facts, [dataclasses.replace(s, targets=(large,)) for s in made.samples])
    with pytest.raises(UserError, match="stages.0: toy makes images 1 times as large as its inputs, the targets .* are 2 times"):
        trained("run", data=twice)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"encoding_in": "raw-rggb"}, r"toy takes 1 image\(s\) of srgb8; sample 'val0_0' has 1 of raw-rggb"),
        ({"encoding_in": "linear"}, r"toy takes 1 image\(s\) of srgb8; sample 'val0_0' has 1 of linear"),
        ({"encoding_target": "linear"}, "stages.0: toy makes srgb8 images, the targets 'expert_c' of .* are linear"),
    ],
)
def test_images_of_another_kind_than_the_method_takes(
    trained: Callable[..., Path], tmp_path: Path, change: dict[str, str], says: str
) -> None:
    """Said before anything is written, whichever sample it is that does not fit."""
    made = make_dataset(tmp_path / "data", scenes=(2, 1, 0), size=(20, 20))
    wrong = "train0" if "encoding_target" in change else "val0"
    samples = [dataclasses.replace(s, **change) if s.scene == wrong else s for s in made.samples]
    with pytest.raises(UserError, match=says):
        trained("run", data=write_dataset(made.folder, made.facts, samples))
    assert not (tmp_path / "run").exists()
