"""Recipes: what is filled in, what is refused and how it is said, overrides, names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.recipe import Reference, load_recipe, reference
from benchtool.core.recipe_text import write_yaml

STAGE = {"name": "train", "epochs": 3, "losses": {"mse": 1.0}}


def written(folder: Path, *stages: dict[str, Any], name: str = "mine.yaml", **top: Any) -> str:
    path = folder / name
    path.write_text(yaml.safe_dump({"method": "sid", "dataset": "me", **top, "stages": [STAGE | s for s in stages] or [STAGE]}))
    return str(path)


def refused(source: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(source, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", catalog.recipe_files())
def test_every_recipe_of_ours_loads_and_shows_itself_whole(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name.partition(".")[0]
    again = tmp_path / "recipe.resolved.yaml"
    again.write_text(write_yaml(recipe.resolved()))
    assert load_recipe(str(again)) == recipe, "a resolved recipe is a recipe, and says everything"


def test_i_sid_is_what_the_paper_trains() -> None:
    train, distil, tune = load_recipe("i-sid").stages
    assert (train.epochs, distil.epochs, tune.epochs) == (80, 80, 40)
    assert (tune.optimizer.lr, tune.optimizer.betas, tune.patch, tune.batch) == (4e-5, (0.9, 0.99), 384, 1)
    assert tune.regularise.weight == 0.7 and tune.exposures == "worst" and tune.freeze == ["enc.*"] and tune.teacher is None


def test_defaults_lie_under_each_stage_one_level_deep(tmp_path: Path) -> None:
    defaults = {"epochs": 5, "batch": 4, "optimizer": {"lr": 0.1, "weight_decay": 0.2}}
    source = written(tmp_path, {}, {"name": "b", "optimizer": {"lr": 0.3}}, {"name": "c", "epochs": None, "steps": 7}, defaults=defaults)
    first, second, third = load_recipe(source).stages
    assert first.epochs == 3 and first.batch == second.batch == 4 and first.optimizer.weight_decay == 0.2
    assert (second.optimizer.lr, second.optimizer.weight_decay) == (0.3, 0.0), "a mapping of the stage replaces the default's whole"
    assert (third.steps, third.epochs) == (7, None), "the stage's own length takes the place of the default's"


def test_an_override_changes_one_of_the_stages_that_share_an_anchor(tmp_path: Path) -> None:
    text = "optimizer: &common {name: adam, lr: 1.0e-4}\n    losses: {mse: 1}\n    epochs: 1\n"
    stages = f"stages:\n  - name: one\n    {text}  - name: two\n    {text.replace('&common {name: adam, lr: 1.0e-4}', '*common')}"
    (tmp_path / "r.yaml").write_text(f"method: sid\ndataset: me\n{stages}")
    loaded = load_recipe(str(tmp_path / "r.yaml"), ["stages.0.optimizer.lr=3e-4"])
    assert [stage.optimizer.lr for stage in loaded.stages] == [3e-4, 1e-4]


def test_overrides(tmp_path: Path) -> None:
    source = written(tmp_path, {}, {"name": "b"}, defaults={"optimizer": {"betas": [0.5, 0.6]}, "batch": 2})
    sets = ("stages.0.optimizer.lr=1e-3", "stages.1.steps=9", "defaults.batch=6", "options.width=8", "seed=4", "validate=none", "amp=off")
    recipe = load_recipe(source, sets)
    first, second = recipe.stages
    assert first.optimizer.lr == 1e-3 and first.optimizer.betas == (0.5, 0.6) and second.optimizer.lr == 1e-4
    assert (second.steps, second.epochs) == (9, None) and first.batch == 6
    assert recipe.options == {"width": 8} and recipe.seed == 4 and recipe.validation is None and recipe.amp == "off"
    assert "write KEY=VALUE" in refused(source, "stages.0.epochs")
    assert "stages has the entries 0 to 1, no '2'" in refused(source, "stages.2.epochs=1")
    assert "stages.0.epochs is no mapping" in refused(source, "stages.0.epochs.x=1")
    assert "the recipe has no 'defaults'" in refused(written(tmp_path), "defaults.batch=6")


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ({"pach": 3}, "mine.yaml: stages.0: unknown key 'pach'; did you mean 'patch'?"),
        ({"optimizer": {"name": "adam", "bettas": [0, 1]}}, "stages.0.optimizer: unknown key 'bettas'; did you mean 'betas'?"),
        ({"optimizer": {"name": "sdg"}}, "stages.0.optimizer.name: Input should be 'adam', 'adamw' or 'sgd', not 'sdg'"),
        ({"optimizer": {"name": "sgd", "betas": [0.9, 0.9]}}, "sgd takes no betas"),
        ({"optimizer": {"momentum": 0.9}}, "adam takes no momentum"),
        ({"optimizer": {"lr": 0}}, "stages.0.optimizer.lr"),
        ({"schedule": {"kind": "milestones"}}, "milestones need"),
        ({"schedule": {"kind": "cosine", "gamma": 0.5}}, "cosine takes neither"),
        ({"steps": 4}, "either epochs or steps"),
        ({"epochs": None}, "either epochs or steps"),
        ({"validate_every": 4}, "validate_every goes with steps"),
        (
            {"resize": "multiple-of-8"},
            "stages.0.resize: must be the side of a square in pixels, 512, or multiple-of-4, not 'multiple-of-8'",
        ),
        ({"resize": 0}, "stages.0.resize"),
        ({"resize": True}, "stages.0.resize"),
        ({"patch": None, "reject": {"dark": 0.1}}, "reject is of crops; give their patch"),
        ({"patch": 8, "reject": {"dim": 0.1}}, "stages.0.reject: unknown key 'dim'"),
        ({"losses": {}}, "stages.0.losses"),
        ({"losses": {"mse": float("nan")}}, "stages.0.losses.mse"),
        ({"target": "expert_x"}, "unknown target role 'expert_x'; did you mean 'expert_"),
        ({"exposures": "under"}, "must be all, worst, or a list of EVs"),
        ({"exposures": []}, "must be all, worst, or a list of EVs"),
        ({"exposures": "worst"}, "exposures: worst needs a checkpoint to start from"),
        ({"regularise": {"weight": 0.7}}, "regularise needs a checkpoint to start from"),
        ({"augment": ["flip"]}, "stages.0.augment.0"),
        ({"name": "../train"}, "stages.0.name"),
        ({"players": {"critic": {}}}, "unknown player of sid 'critic'"),
        ({"players": {"model": {"optimizer": {"lrr": 1}}}}, "stages.0.players.model.optimizer: unknown key 'lrr'; did you mean 'lr'?"),
        ({"start": "train"}, "'train' is no checkpoint; write STAGE.best"),
        ({"start": "train.best"}, "stages.0.start: 'train.best': unknown earlier stage 'train'"),
        ({"batch": True, "patch": "x"}, "stages.0.patch"),
    ],
)
def test_refused_in_one_line_that_leads_to_the_key(tmp_path: Path, stage: dict[str, Any], says: str) -> None:
    assert says in refused(written(tmp_path, stage))


def test_refused_at_the_top(tmp_path: Path) -> None:
    assert "unknown key 'sed'; did you mean 'seed'?" in refused(written(tmp_path, sed=1))
    assert "unknown method 'sdi'; did you mean 'sid'?" in refused(written(tmp_path, method="sdi"))
    assert "classical algorithm" in refused(written(tmp_path, method="clahe"))
    assert "the name 'train' stands twice" in refused(written(tmp_path, {}, {}))
    assert "unknown earlier stage 'trian'; did you mean 'train'?" in refused(written(tmp_path, {}, {"name": "b", "teacher": "trian.best"}))
    assert "unknown recipe 'i-sdi'; did you mean 'i-sid'?" == refused("i-sdi")
    assert "no such recipe file" in refused(str(tmp_path / "no.yaml"))
    (tmp_path / "bad.yaml").write_text("stages: [")
    assert "not valid YAML" in refused(str(tmp_path / "bad.yaml"))
    (tmp_path / "bad.yaml").write_text("- 3")
    assert "not a recipe" in refused(str(tmp_path / "bad.yaml"))


def test_references() -> None:
    assert reference("train.best") == Reference(None, "train", "best")
    assert reference("../runs/i-sid.me:distil.last") == Reference("../runs/i-sid.me", "distil", "last")
    for text in ("train", "train.first", ".best", ":train.best"):
        with pytest.raises(ValueError, match="no checkpoint"):
            reference(text)


def test_name_and_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {}
    for name, dataset, target in (("own", "me", "expert_c"), ("own.sice", "sice", "middle")):
        files[name] = Path(written(tmp_path, {"target": target}, name=f"{name}.yaml", dataset=dataset))
    monkeypatch.setattr(catalog, "recipe_files", lambda: files)
    for source, expected in {
        "own": ("own", "me", "expert_c"),
        "own:me": ("own", "me", "expert_c"),
        "own:sice": ("own", "sice", "middle"),  # its own file
        "own:me-v2": ("own", "me-v2", None),  # expert_c is a target of me; the other dataset's default takes its place
    }.items():
        recipe = load_recipe(source)
        assert (recipe.name, recipe.dataset, recipe.stages[0].target) == expected


def test_a_player_s_optimizer_is_the_stage_s_with_its_own_keys_on_top(tmp_path: Path) -> None:
    toy = Path(__file__).parents[1] / "training" / "toy.py"
    catalog.add_plugin(toy)
    players = {"critic": {"optimizer": {"lr": 0.2}}}
    source = written(tmp_path, {"optimizer": {"lr": 0.1, "weight_decay": 0.5}, "players": players}, method="toy")
    stage = load_recipe(source).stages[0]
    assert (stage.players["critic"].optimizer.lr, stage.players["critic"].optimizer.weight_decay) == (0.2, 0.5)
    assert load_recipe(source).plugin["path"] == str(toy.resolve())


def test_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from benchtool.core.recipe import load_recipe; print(load_recipe('sid').method)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "sid\n"
