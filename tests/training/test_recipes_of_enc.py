"""The recipes of ENC's tables: every row has one on every dataset, in the paper's settings; the released code's are named for it."""

from __future__ import annotations

import json

import pytest

from benchtool.core.recipe import load_recipe
from benchtool.papers.load import load

# Of the released option files: stage length (epochs or steps), patch, batch, learning rate, weights of the distillation and the penalty
RELEASED = {
    "sid-released": (("steps", 1_200_000), 384, 1, 1e-4, None, None),
    "sid-released:sice": (("epochs", 200), 384, 1, 1e-4, None, None),
    "i-sid-released": (("steps", 1_200_000), 384, 1, 1e-4, 0.2, 25),
    "i-sid-released:sice": (("epochs", 200), 384, 1, 1e-4, 0.2, 25),
    "drbn-released": (("epochs", 80), 256, 4, 5e-5, None, None),
    "drbn-released:sice": (("epochs", 200), 256, 4, 1e-4, None, None),
    "i-drbn-4-released": (("epochs", 80), 256, 4, 5e-5, 0.1, 4),
    "i-drbn-4-released:sice": (("epochs", 200), 256, 4, 1e-4, None, 4),
}


def pairs() -> list[tuple[str, str]]:
    """(recipe, dataset) of every measured row that is trained."""
    tables = load("enc").paper.tables
    found = {(row.recipe, p.trained_on or p.dataset) for t in tables for row in t.rows for p in t.panels if row.recipe}
    return sorted(found)


@pytest.mark.parametrize("name", ["sid", "i-sid", "drbn", "i-drbn-4"])
def test_every_dataset_has_the_papers_settings(name: str) -> None:
    """80 epochs at 1e-4, 40 at 4e-5 tuned on the worst exposure with lambda 0.7; batch and patch 1 and 384, or 4 and 256 (Sec. 4.1)."""
    patch, batch = (384, 1) if name.endswith("sid") else (256, 4)
    datasets = [dataset for recipe, dataset in pairs() if recipe == name]
    assert {"me", "me-v2", "sice", "task-mix"} <= set(datasets)
    for dataset in datasets:
        recipe = load_recipe(f"{name}:{dataset}")
        assert recipe.dataset == dataset and {(s.patch, s.batch) for s in recipe.stages} == {(patch, batch)}
        lengths = [(s.epochs, s.optimizer.lr) for s in recipe.stages]
        assert lengths == ([(80, 1e-4)] if len(lengths) == 1 else [(80, 1e-4), (80, 1e-4), (40, 4e-5)])


def test_every_trained_row_has_a_recipe_on_its_data() -> None:
    assert ("i-drbn-4", "dped") in pairs() and len(pairs()) > 30
    for name, dataset in pairs():
        assert load_recipe(f"{name}:{dataset}").dataset == dataset


@pytest.mark.parametrize("name", RELEASED)
def test_the_released_settings(name: str) -> None:
    (kind, length), patch, batch, rate, distillation, penalty = RELEASED[name]
    recipe = load_recipe(name)
    *training, last = recipe.stages if penalty else [*recipe.stages, None]
    assert recipe.dataset == (name.partition(":")[2] or "me")
    for stage in training:
        assert (getattr(stage, kind), stage.patch, stage.batch) == (length, patch, batch)
        assert stage.optimizer.lr == rate and stage.optimizer.betas == (0.9, 0.99) and stage.schedule.at == [0.5, 0.75]
    weights = [stage.losses["exposure"] for stage in training if stage.teacher]
    assert weights == ([] if distillation is None else [distillation])
    if last:
        assert (last.regularise.weight, last.regularise.form, last.freeze, last.optimizer.lr) == (penalty, "tensor", [], rate)


def test_show_tells_the_differences(benchtool) -> None:
    found = json.loads(benchtool("methods", "show", "sid-enc", "--json").out)["released_recipes"]
    assert set(found) == {"i-sid-released", "i-sid-released:sice"}
    assert found["i-sid-released:sice"] == {
        "train.epochs": ["80", "200"],
        "distil.epochs": ["80", "200"],
        "tune.optimizer.lr": ["4e-05", "0.0001"],
        "tune.freeze": ["['enc.*']", "none"],
        "tune.regularise.weight": ["0.7", "25.0"],
    }
    shown = benchtool("methods", "show", "drbn-enc-4").out
    assert "recipe i-drbn-4-released:sice, against that of the paper" in shown and "distil " in shown
    assert json.loads(benchtool("methods", "show", "msec", "--json").out)["released_recipes"]["msec-released"] == {
        "options.adversarial": ["working", "released"],
        "options.inference_filter": ["none", "binom5"],
    }
