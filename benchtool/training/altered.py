"""What a run changes of the recipe that benchtool ships under its name: a table's row is of the recipe as it is."""

from __future__ import annotations

from typing import Any

from benchtool.core import catalog
from benchtool.core.recipe import load_recipe
from benchtool.training import smoke
from benchtool.training.context import Run
from benchtool.training.folder import as_asked, differences


def altered(run: Run) -> dict[str, tuple[Any, Any]]:
    """Setting (`stages.0.optimizer.lr`) -> its value in the recipe of that name and dataset, and in the run's; empty where none is shipped.

    Neither the seed, which a recipe leaves to chance, nor what `--smoke` shortens, nor the worst exposure that training found alters it.
    Whatever else the resolved recipe holds does: memory layout and precision too, which change the weights.
    """
    recipe = run.recipe
    if not {recipe.name, f"{recipe.name}.{recipe.dataset}"} & catalog.recipe_files().keys():
        return {}
    shipped = load_recipe(f"{recipe.name}:{recipe.dataset}").model_copy(update={"seed": recipe.seed})
    if recipe.smoke:
        shipped = smoke.shorten(shipped, run.dataset, run.accelerator.num_processes)
    return differences(shipped.resolved(), as_asked(recipe, shipped).resolved())
