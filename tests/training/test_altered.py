"""What a run's summary says of settings that are not those of the recipe that benchtool ships under its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_training import make_dataset, toy_recipe

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.training.folder import difference, differences
from benchtool.training.run import Settings, train

TUNE = {"name": "tune", "start": "train.best", "exposures": "worst", "regularise": {}, "epochs": 3, "optimizer": {"lr": 1e-3}}
STAGES = [{"epochs": 30}, TUNE]
FEW = ("stages.0.steps=2", "stages.1.steps=2")
FEW_SAID = {
    f"stages.{number}.{length}": values
    for number, epochs in enumerate((30, 3))
    for length, values in (("epochs", [epochs, None]), ("steps", [None, 2]))
}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe, `toy-recipe`, that benchtool has."""
    path = toy_recipe(tmp_path, STAGES)
    monkeypatch.setattr(catalog, "recipe_files", lambda: {"toy-recipe": path})
    return path


def altered(run: Path, data: Dataset, *overrides: str, recipe: str = "toy-recipe", short: bool = False) -> dict[str, Any]:
    """What is said of a run after its training."""
    train(load_recipe(recipe, overrides), data, run, Settings("cpu"), short)
    return read_json(run / "summary.json")["trained"]["altered"]


def test_overrides_are_named_with_both_values(shipped: Path, dataset: Dataset, tmp_path: Path) -> None:
    """And the worst exposure, which training found, is none."""
    run = tmp_path / "run"
    assert altered(run, dataset, *FEW, "stages.0.optimizer.lr=9e-5", "options.width=2") == {
        "options.width": [None, 2],
        "stages.0.optimizer.lr": [1e-2, 9e-5],
        **FEW_SAID,
    }
    assert load_recipe(str(run / "recipe.resolved.yaml")).stages[1].worst


def test_a_file_of_a_shipped_name_is_compared_with_it(shipped: Path, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "toy-recipe.yaml"
    mine.write_text(shipped.read_text().replace("mse: 1.0", "l1: 1.0"))
    said = altered(tmp_path / "run", dataset, *FEW, recipe=str(mine))
    assert said.keys() - FEW_SAID.keys() == {f"stages.{stage}.losses.{loss}" for stage in (0, 1) for loss in ("mse", "l1")}
    other = tmp_path / "mine" / "other.yaml"
    other.write_text(mine.read_text())
    assert altered(tmp_path / "other", dataset, *FEW, recipe=str(other)) == {}, "no table has a row of it"


def test_smoke_and_seed_are_no_alterations(shipped: Path, dataset: Dataset, tmp_path: Path) -> None:
    assert altered(tmp_path / "smoke", dataset, "seed=3", short=True) == {}
    assert altered(tmp_path / "both", dataset, "stages.0.optimizer.lr=1", short=True) == {"stages.0.optimizer.lr": [1e-2, 1.0]}


def test_the_recipe_is_that_of_the_dataset(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file for this dataset alone where there is one."""
    path = tmp_path / "toy-recipe.me-v2.yaml"
    path.write_text(shipped.read_text().replace("dataset: me", "dataset: me-v2").replace("epochs: 30", "epochs: 1"))
    monkeypatch.setattr(catalog, "recipe_files", lambda: {"toy-recipe": shipped, "toy-recipe.me-v2": path})
    data = make_dataset(tmp_path / "me-v2", name="me-v2")
    assert altered(tmp_path / "own", data, "stages.1.steps=2", recipe="toy-recipe:me-v2").keys() == {"stages.1.epochs", "stages.1.steps"}
    monkeypatch.setattr(catalog, "recipe_files", lambda: {"toy-recipe": shipped})
    assert altered(tmp_path / "common", data, *FEW, recipe="toy-recipe:me-v2") == FEW_SAID


def test_every_difference_is_found() -> None:
    one, two = {"a": [{"b": 1, "c": [1, 2]}], "d": 1}, {"a": [{"b": 2, "c": [1]}], "e": {"f": 1}}
    assert differences(one, two) == {"a.0.b": (1, 2), "a.0.c": ([1, 2], [1]), "d": (1, None), "e": (None, {"f": 1})}
    assert difference(one, two) == "a.0.b: 1 there, 2 here" and difference(one, one) is None


def test_a_run_begun_otherwise_is_no_way_round(shipped: Path, dataset: Dataset, tmp_path: Path) -> None:
    """The same command without the override does not go on in a run with it."""
    altered(tmp_path / "run", dataset, *FEW)
    with pytest.raises(UserError, match="another recipe"):
        altered(tmp_path / "run", dataset)
