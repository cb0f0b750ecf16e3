"""`--smoke` makes any recipe short, whatever is in it, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_training import make_dataset, toy_recipe

from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.training import context
from benchtool.training.run import Settings, train
from benchtool.training.smoke import fewer, shorten

LONG = [
    {"epochs": 500, "patch": 384, "batch": 64, "accumulate": 16}
    | {"players": {"critic": {"from_epoch": 90}}, "losses": {"mse": 1.0, "critic": 1.0}},
    {"name": "steps", "epochs": None, "steps": 10**6, "validate_every": 10**5, "patch": None},
    {"name": "tune", "start": "steps.best", "exposures": "worst", "regularise": {}, "epochs": 40, "batch": 8},
]


@pytest.mark.parametrize(("size", "patch"), [((40, 36), 32), ((150, 130), 128), ((300, 200), 128), ((16, 90), 16)])
def test_the_patch_is_the_largest_multiple_of_16_that_fits(tmp_path: Path, size: tuple[int, int], patch: int) -> None:
    dataset = make_dataset(tmp_path / "d", scenes=(1, 1, 0), size=size)
    stages = shorten(load_recipe(str(toy_recipe(tmp_path, LONG))), dataset).stages
    assert [stage.patch for stage in stages] == [patch, patch, min(16, patch)], "the third stage asks for 16"


@pytest.mark.parametrize(
    ("stage", "resize", "patch"),
    [
        ({"resize": 512, "patch": None}, 128, 128),
        ({"resize": 100, "patch": 90}, 100, 80),
        ({"resize": "multiple-of-4"}, "multiple-of-4", 16),
    ],
)
def test_what_whole_images_are_resized_to_is_small_too(tmp_path: Path, stage: dict, resize: int | str, patch: int) -> None:
    dataset = make_dataset(tmp_path / "d", scenes=(1, 1, 0), size=(40, 36))
    (short,) = shorten(load_recipe(str(toy_recipe(tmp_path, [stage]))), dataset).stages
    assert (short.resize, short.patch) == (resize, patch)


def test_too_small(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too few even for --smoke"):
        shorten(load_recipe(str(toy_recipe(tmp_path))), make_dataset(tmp_path / "d", scenes=(1, 1, 0), size=(15, 40)))


def test_all_stages_and_players_run_in_few_steps(tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    validated: list[int] = []
    real = context.validate
    monkeypatch.setattr(context, "validate", lambda m, data, *a, **k: validated.append(len(data.split("val"))) or real(m, data, *a, **k))
    train(load_recipe(str(toy_recipe(tmp_path, LONG))), dataset, tmp_path / "run", Settings("cpu"), short=True)
    trained = read_json(tmp_path / "run/summary.json")["trained"]
    assert trained["smoke"] is True and trained["stages"] == ["train", "steps", "tune"] and trained["steps"] <= 24
    assert read_json(tmp_path / "run/provenance.json")[0]["smoke"] is True
    assert set(validated) == {2}, "one sample of each exposure group"
    resolved = load_recipe(str(tmp_path / "run/recipe.resolved.yaml"))
    assert resolved.smoke and [stage.epochs for stage in resolved.stages] == [1, None, 1] and resolved.stages[1].steps == 8
    assert all(stage.batch <= 4 for stage in resolved.stages)
    with pytest.raises(UserError, match="another recipe .smoke: True there, False here"):
        train(resolved.model_copy(update={"smoke": False}), dataset, tmp_path / "run", Settings("cpu"))


def test_little_is_validated(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, scenes=(1, 3, 2))
    kept = fewer(dataset)
    assert [s.sample for s in kept.split("val")] == ["val0_0", "val0_N1.5"]
    assert kept.split("train") == dataset.split("train") and kept.split("test") == dataset.split("test")
