"""The tiny dataset, and the toy method trained on it in this process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_training import TOY, make_dataset, toy_recipe

from benchtool.core import catalog
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.training.run import Settings, train


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _toy_is_known() -> None:
    catalog.add_plugin(TOY)


@pytest.fixture(autouse=True)
def _no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerate collects garbage after each stage, which takes longer than a stage here."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


@pytest.fixture
def trained(dataset: Dataset, tmp_path: Path) -> Callable[..., Path]:
    """`trained("run", [{"ema": 0.9}], seed=1)` trains stages of the toy method and returns the run's folder."""

    def call(name: str, stages: list[dict] | None = None, settings: dict | None = None, data: Dataset = dataset, **top: Any) -> Path:
        recipe = load_recipe(str(toy_recipe(tmp_path, stages, **top)))
        train(recipe, data, tmp_path / name, Settings(**{"device": "cpu", **(settings or {})}))
        return tmp_path / name

    return call
