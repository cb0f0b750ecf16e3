"""The recipes of ENC's tables: every row has one on every dataset, in the paper's settings; the released code's are named for it."""

from __future__ import annotations

import json
import re

import pytest
import torch

from benchtool.core import catalog
from benchtool.core.recipe import load_recipe
from benchtool.core.recipe_stage import StageRecipe
from benchtool.methods import create
from benchtool.methods.base import count_parameters
from benchtool.papers.load import load

GREY, LIBRARY = {"first_weights": "grey"}, {"first_weights": "library"}
PLAIN = {"normalise": False, "spatial": False, "channel": False}
WHOLE_RUN = {"steps": 1_200_000, "validate_every": 17_680}  # SID's option file for ME: 68 passes over a list of 17,680
IMPORTANCE = {"l1": 1.0, "ssim_half": 1.0, "ssim_quarter": 1.0}  # what DRBN's code measures it with


def train(**other: object) -> dict[str, object]:
    """Sec. 4.1: 80 epochs at 1e-4."""
    return {"name": "train", "epochs": 80, "rate": 1e-4} | other


def distil(*losses: str, weight: float, **other: object) -> dict[str, object]:
    """From a first training, which is the teacher too; the code has one weight for both distances: 0.2 for SID, 0.1 for DRBN."""
    teaching = dict.fromkeys(losses or ("normalisation", "exposure"), weight)
    return {**train(name="distil", start="train.best", teacher="train.best"), "taught": teaching} | other


def tune(**other: object) -> dict[str, object]:
    """Sec. 3.3: 40 epochs at 4e-5 on the worst exposure, from the distilled weights."""
    return {"name": "tune", "epochs": 40, "rate": 4e-5, "start": "distil.best", "exposures": "worst"} | other


def held(weight: float, losses: dict[str, float] | None = None) -> dict[str, object]:
    """The parameter regularisation: lambda is 0.7 in the paper, in the code half of 50 for SID and half of 8 for DRBN."""
    return {"kind": "importance", "weight": weight, "form": "tensor", "losses": losses}


# Recipe -> method, options, stages; of Tables 1 to 6, Figure 10 and the released option files.
RECIPES = {
    "sid": ("sid", {}, [train()]),
    "sid-l": ("sid-l", {}, [train()]),
    "sid-enc": ("sid-enc", {}, [train(), distil(weight=0.2)]),
    "sid-enc-seq": ("sid-enc", {}, [train(), distil(weight=0.2), tune()]),
    "i-sid": ("sid-enc", {}, [train(), distil(weight=0.2), tune(freeze=["enc.*"], regularise=held(0.7))]),
    "sid-enc-in": ("sid-enc", {"spatial": False, "channel": False}, [train()]),
    "sid-enc-ic-in": ("sid-enc", {"spatial": False}, [train()]),
    "sid-enc-is-in": ("sid-enc", {"channel": False}, [train()]),
    "sid-enc-is-ic": ("sid-enc", {"normalise": False}, [train()]),
    "sid-enc-is-ic-in": ("sid-enc", {}, [train()]),
    "sid-enc-ed": ("sid-enc", PLAIN, [train(), distil("exposure", weight=0.2)]),
    "sid-enc-is-ic-in-nd": ("sid-enc", {}, [train(), distil("normalisation", weight=0.2)]),
    "sid-enc-is-ic-in-ed": ("sid-enc", {}, [train(), distil("exposure", weight=0.2)]),
    "drbn": ("drbn", GREY, [train()]),
    "drbn-l": ("drbn-l", GREY, [train()]),
    "drbn-enc": ("drbn-enc", GREY, [train(), distil(weight=0.1)]),
    "drbn-enc-2": ("drbn-enc", {"encs": 2, **GREY}, [train(), distil(weight=0.1)]),
    "drbn-enc-3": ("drbn-enc", {"encs": 3, **GREY}, [train(), distil(weight=0.1)]),
    "drbn-enc-4": ("drbn-enc-4", GREY, [train(), distil(weight=0.1)]),
    "drbn-enc-4-seq": ("drbn-enc-4", GREY, [train(), distil(weight=0.1), tune()]),
    "i-drbn": ("drbn-enc", GREY, [train(), distil(weight=0.1), tune(freeze=["blocks.*.enc.*"], regularise=held(0.7))]),
    "i-drbn-4": ("drbn-enc-4", GREY, [train(), distil(weight=0.1), tune(freeze=["blocks.*.enc.*"], regularise=held(0.7))]),
    "drbn.dped": ("drbn", GREY, [train(patch=100)]),  # as large as DPED's pictures are
    "drbn-l.dped": ("drbn-l", GREY, [train(patch=100)]),
    "i-drbn-4.dped": (
        "drbn-enc-4",
        GREY,
        [train(patch=100), distil(weight=0.1, patch=100), tune(freeze=["blocks.*.enc.*"], regularise=held(0.7), patch=100)],
    ),
    "sid-released": ("sid", {}, [train(epochs=None, **WHOLE_RUN)]),
    "sid-released.sice": ("sid", {}, [train(epochs=200)]),
    "i-sid-released": (
        "sid-enc",
        {},
        [train(epochs=None, **WHOLE_RUN), distil(weight=0.2, epochs=None, **WHOLE_RUN), tune(rate=1e-4, regularise=held(25.0))],
    ),
    "i-sid-released.sice": (
        "sid-enc", {}, [train(epochs=200), distil(weight=0.2, epochs=200), tune(rate=1e-4, regularise=held(25.0))],
    ),
    "drbn-released": ("drbn", LIBRARY, [train(rate=5e-5)]),
    "drbn-released.sice": ("drbn", LIBRARY, [train(epochs=200)]),
    "i-drbn-4-released": (
        "drbn-enc-4",
        LIBRARY,
        [train(rate=5e-5), distil(weight=0.1, rate=5e-5), tune(rate=5e-5, regularise=held(4.0, IMPORTANCE))],
    ),
    "i-drbn-4-released.sice": (
        "drbn-enc-4", LIBRARY, [train(epochs=200), tune(start="train.best", rate=1e-4, regularise=held(4.0, IMPORTANCE))],
    ),
}  # fmt: skip


def expected(stage: dict[str, object], sid: bool, target: str | None, released: bool) -> dict[str, object]:
    """A stage in full: batch and patch as Sec. 4.1 has them, base loss, betas, milestones and flips as the code has them.

    The code resizes each image to a multiple of 4 before it crops.
    """
    rest = {key: value for key, value in stage.items() if key not in ("rate", "taught")}
    return {
        "batch": 1 if sid else 4,
        "patch": 384 if sid else 256,
        "target": target,
        "optimizer": {"name": "adam", "lr": stage["rate"], "betas": [0.9, 0.99], "momentum": None, "weight_decay": 0.0, "fused": False},
        "schedule": {"kind": "milestones", "at": [0.5, 0.75], "gamma": 0.5},
        "augment": ["hflip", "vflip", "rot180"],
        "losses": {"mse" if sid else "ssim": 1.0, **stage.get("taught", {})},
        "resize": "multiple-of-4" if released else None,
        **rest,
    }


def test_the_table_holds_every_recipe() -> None:
    files = {path for path in catalog.recipe_files() if re.match(r"(i-)?(sid|drbn)(-|\.|$)", path)}
    assert files == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_the_settings_of_every_recipe(name: str) -> None:
    """Whatever is not in the table is as recipes have it where they say nothing."""
    base, _, dataset = name.partition(".")
    method, options, stages = RECIPES[name]
    recipe = load_recipe(f"{base}:{dataset}" if dataset else base)
    target = {"": "expert_c", "dped": "label", "sice": None}[dataset]
    assert (recipe.method, recipe.options, recipe.dataset) == (method, options, dataset or "me")
    assert (recipe.seed, recipe.validation, recipe.amp, recipe.channels_last) == (0, "psnr:rgb-u8", "off", False)
    for stage, literal in zip(recipe.stages, stages, strict=True):
        shown = stage.model_dump(mode="json")
        wanted = expected(literal, method.startswith("sid"), target, "released" in name)
        assert {key: shown.pop(key) for key in wanted} == wanted
        for key, value in shown.items():
            assert value == StageRecipe.model_fields[key].default, (stage.name, key)


@pytest.mark.parametrize(("name", "encs"), [("drbn-enc", 1), ("drbn-enc-2", 2), ("drbn-enc-3", 3), ("drbn-enc-4", 4)])
def test_figure_10(name: str, encs: int) -> None:
    """DRBN with ENC in its first 1, 2, 3 and 4 blocks; a module takes the place of a layer of 880 and has 14,520 parameters."""
    recipe = load_recipe(name)
    with torch.device("meta"):
        net = create(recipe.method, **recipe.options)
    assert count_parameters(net) == 557_668 + encs * 13_640
    assert [hasattr(block, "enc") for block in net.blocks] == [True] * encs + [False] * (4 - encs)


def pairs() -> list[tuple[str, str]]:
    """(recipe, dataset) of every measured row that is trained."""
    tables = load("enc").paper.tables
    found = {(row.recipe, p.trained_on or p.dataset) for t in tables for row in t.rows for p in t.panels if row.recipe}
    return sorted(found)


@pytest.mark.parametrize("name", ["sid", "i-sid", "drbn", "i-drbn-4"])
def test_every_dataset_has_the_papers_settings(name: str) -> None:
    """80 epochs at 1e-4, 40 at 4e-5 tuned on the worst exposure with lambda 0.7; batch and patch 1 and 384, or 4 and 256 (Sec. 4.1).

    DPED's pictures are 100 x 100, too small for either patch.
    """
    patch, batch = (384, 1) if name.endswith("sid") else (256, 4)
    datasets = [dataset for recipe, dataset in pairs() if recipe == name]
    assert {"me", "me-v2", "sice", "task-mix"} <= set(datasets)
    for dataset in datasets:
        recipe = load_recipe(f"{name}:{dataset}")
        assert recipe.dataset == dataset and {(s.patch, s.batch) for s in recipe.stages} == {(100 if dataset == "dped" else patch, batch)}
        lengths = [(s.epochs, s.optimizer.lr) for s in recipe.stages]
        assert lengths == ([(80, 1e-4)] if len(lengths) == 1 else [(80, 1e-4), (80, 1e-4), (40, 4e-5)])


def test_every_trained_row_has_a_recipe_on_its_data() -> None:
    assert ("i-drbn-4", "dped") in pairs() and len(pairs()) > 30
    for name, dataset in pairs():
        assert load_recipe(f"{name}:{dataset}").dataset == dataset


def test_show_tells_the_differences(benchtool) -> None:
    found = json.loads(benchtool("methods", "show", "sid-enc", "--json").out)["released_recipes"]
    assert set(found) == {"i-sid-released", "i-sid-released:sice"}
    assert found["i-sid-released:sice"] == {
        "train.epochs": ["80", "200"],
        "train.resize": ["none", "multiple-of-4"],
        "distil.epochs": ["80", "200"],
        "distil.resize": ["none", "multiple-of-4"],
        "tune.resize": ["none", "multiple-of-4"],
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
