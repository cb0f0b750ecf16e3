"""Every training behind ENC's tables can begin: its recipe on its dataset, as `data prepare` makes that with its defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset
from benchtool.core.recipe import load_recipe
from benchtool.datasets.prepare import prepare
from benchtool.datasets.sice import Options, enc_split
from benchtool.papers.load import load
from benchtool.training.context import Run
from benchtool.training.folder import read_recipe
from benchtool.training.run import Settings, check, make_accelerator, train

SIDE, SIDES = 32, {"dped": 100}  # of pictures; DPED's are truly as small, and trained on with the patch of its recipes
LEVELS = {"N1.5": 30, "N1": 60, "0": 90, "P1": 150, "P1.5": 200}
MADE_OF = {"me-v2": ("me",), "task-mix": ("lol", "fivek", "sice")}
Files = dict[str, int]  # path -> grey level of the picture


def pairs() -> list[tuple[str, str]]:
    """(recipe, dataset) of every measured row that is trained."""
    tables = load("enc").paper.tables
    return sorted({(row.recipe, p.trained_on or p.dataset) for t in tables for row in t.rows for p in t.panels if row.recipe})


def me() -> Files:
    """The published layout."""
    places = (("training", "a0001-x"), ("training", "a0002-x"), ("validation", "a0024-x"), ("testing", "a0016-x"))
    inputs = {f"{place}/INPUT_IMAGES/{stem}_{token}.JPG": level for place, stem in places for token, level in LEVELS.items()}
    folders = {"training": "GT_IMAGES", "validation": "GT_IMAGES", "testing": "expert_c_testing_set"}
    return inputs | {f"{place}/{folders[place]}/{stem}.jpg": 100 for place, stem in places}


def sice() -> Files:
    """Two scenes of every split, as far as the split drawn by default has them in Part 1."""
    split = enc_split(Options())
    scenes = [number for name in ("train", "val", "test") for number in [n for n in sorted(split) if split[n] == name][:2]]
    return {f"Dataset_Part1/{scene}/{k}.JPG": level for scene in scenes for k, level in enumerate(LEVELS.values())}


def lol() -> Files:
    names = [f"{place}/{{}}/{k}.png" for place, count in (("our485", 3), ("eval15", 1)) for k in range(count)]
    return {name.format(kind): level for name in names for kind, level in (("low", 20), ("high", 100))}


def fivek() -> Files:
    photos = ("a0001", "a0002", "a0003", "a4501")
    return {f"{kind}/{photo}-x.jpg": level for photo in photos for kind, level in (("input", 60), ("expertC", 100))}


def dped() -> Files:
    places = [(phone, *rest) for phone in ("iphone", "sony", "blackberry") for rest in (("training_data", 6), ("test_data/patches", 2))]
    return {f"{phone}/{place}/{kind}/{k}.jpg": 60 for phone, place, count in places for k in range(count) for kind in (phone, "canon")}


Prepared = Callable[[str], Dataset]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A dataset of this name made with the defaults of `data prepare`, its parts beside it."""
    place = tmp_path_factory.mktemp("pairs")

    @cache
    def call(name: str) -> Dataset:
        src, side = place / "files" / name, SIDES.get(name, SIDE)
        if parts := MADE_OF.get(name):
            folders = [call(part).folder for part in parts]
            src = folders[0] if len(folders) == 1 else folders[0].parent
        else:
            for path, level in {"me": me, "sice": sice, "lol": lol, "fivek": fivek, "dped": dped}[name]().items():
                write_image(src / path, np.full((side, side, 3), level, np.uint8))
        return prepare(name, src, place / "data" / name, jobs=1).dataset

    return call


def run_of(name: str, data: Dataset, folder: Path) -> Run:
    """A recipe on a dataset, with batches and patches that its few small pictures fill."""
    dataset = data.facts.name
    recipe = load_recipe(f"{name}:{dataset}")
    less = {"batch": 1} if dataset in SIDES else {"batch": 1, "patch": SIDE, "resize": None}
    recipe = recipe.model_copy(update={"stages": [stage.model_copy(update=less) for stage in recipe.stages]})
    return Run(recipe, catalog.facts("methods", recipe.method), data, folder, make_accelerator("cpu", recipe.amp))


def without(data: Dataset, split: str, *subsets: str) -> Dataset:
    """The dataset without a split's samples, of some subsets alone."""
    return dataclasses.replace(data, samples=[s for s in data.samples if s.split != split or subsets and s.subset not in subsets])


@pytest.mark.parametrize(("name", "dataset"), pairs())
def test_what_is_checked_before_the_first_step_is_there(name: str, dataset: str, prepared: Prepared, tmp_path: Path) -> None:
    assert check(run_of(name, prepared(dataset), tmp_path)) > 0


def test_without_validation_it_is_said_how_to_make_it(prepared: Prepared, tmp_path: Path) -> None:
    data = without(prepared("dped"), "val")
    with pytest.raises(UserError, match=r"no validation split .*data prepare dped \.\.\. -s val=N\), or .* -s validate=none$"):
        check(run_of("drbn", data, tmp_path))
    with pytest.raises(UserError, match=r"no validation split .*data prepare dped \.\.\. -s val=N\)$"):  # the worst needs one
        check(run_of("i-drbn-4", data, tmp_path))


def test_the_worst_is_not_chosen_from_some_groups_alone(prepared: Prepared, tmp_path: Path) -> None:
    data = prepared("task-mix")
    with pytest.raises(
        UserError, match="stages.2: exposures: worst, but 'fivek' in .* has training samples and no validation samples.*val=N"
    ):
        check(run_of("i-drbn-4", without(data, "val", "lol", "fivek"), tmp_path))
    with pytest.raises(UserError, match="'lol' in .* has validation samples and no training samples"):
        check(run_of("i-sid", without(data, "train", "lol"), tmp_path))
    assert check(run_of("sid", without(data, "val", "lol"), tmp_path)) > 0, "which looks for no worst"


@pytest.mark.parametrize("name", sorted({name for name, dataset in pairs() if dataset == "dped"}))
def test_dpeds_recipes_are_the_others_but_for_the_patch(name: str) -> None:
    base, ours = load_recipe(name), load_recipe(f"{name}:dped")
    stages = [stage.model_copy(update={"patch": SIDES["dped"], "target": "label"}) for stage in base.stages]
    assert ours == base.model_copy(update={"dataset": "dped", "stages": stages})


def test_all_of_task_mix_is_looked_at_for_the_worst(prepared: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    train(load_recipe("i-drbn-4:task-mix"), prepared("task-mix"), tmp_path / "run", Settings("cpu"), short=True)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "; tuning on " in line]
    assert all(f"{group} " in line for group in ("lol", "fivek", "sice-over"))
    assert read_recipe(tmp_path / "run").stages[2].worst == [line.rpartition(" ")[2]]
