"""What `methods list` and `methods show` tell: facts from SPECs and recipes, read without importing a method or torch."""

from __future__ import annotations

import ast
import dataclasses
import functools
from pathlib import Path
from typing import Any

import yaml

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown

MEBI = 2**20  # the unit of "M" in ENC's columns of parameters
RELEASED = "-released"  # ends the name of a recipe with the settings of released code, where they differ from the paper's


def recipes_of(method: str) -> dict[str, dict[str, Any]]:
    """The recipes that train a method: name -> what the file says."""
    return {name: content for name, content in _recipes().items() if content["method"] == method}


def _recipes() -> dict[str, dict[str, Any]]:
    return {name: _recipe(path) for name, path in catalog.recipe_files().items()}


@functools.cache
def _recipe(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text())
    if not isinstance(content, dict) or "method" not in content:
        raise UserError(f"{path}: names no method")
    return content


def resolve(name: str) -> str:
    """The method behind `name`: itself, or the one that the recipe `name` trains.

    Raises:
        UserError: neither a method nor a recipe.
    """
    recipes = _recipes()
    if name in catalog.entries("methods"):
        return name
    if name in recipes:
        return recipes[name]["method"]
    raise unknown("method", name, [*catalog.names("methods"), *recipes])


def summary(name: str) -> dict[str, Any]:
    """A method's line in the list."""
    spec = catalog.facts("methods", name)
    return {
        "name": name,
        "title": spec.title,
        "task": spec.task,
        "kind": "learned" if spec.players else "classical",
        "parameters": spec.parameters,
        "enhancing": spec.enhancing,
        "recipes": sorted(recipes_of(name)),
    }


def details(name: str) -> dict[str, Any]:
    """All that SPEC, signature and recipes say of a method, as JSON values."""
    entry, listed = catalog.entry("methods", name), summary(name)
    return (
        listed
        | dataclasses.asdict(catalog.facts("methods", name))
        | {
            "enhancing_mebi": round(listed["enhancing"] / MEBI, 4),
            "options": catalog.options("methods", name),
            "origin": entry.origin,
            "released_recipes": released_recipes(name),
        }
    )


def released_recipes(method: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Recipe of the released code (`i-sid-released:sice`) -> key -> what the paper's recipe says there on that data, and what it says."""
    from benchtool.core.recipe import load_recipe

    found = {}
    for name in recipes_of(method):
        base, _, dataset = name.partition(".")
        of_paper = base.removesuffix(RELEASED)
        if base != of_paper and of_paper in _recipes():
            released = load_recipe(name)
            paper = load_recipe(f"{of_paper}:{released.dataset}")
            shown = f"{base}:{dataset}" if dataset else base
            found[shown] = _differences(_by_stage(paper.resolved()), _by_stage(released.resolved()))
    return found


def _by_stage(recipe: dict[str, Any]) -> dict[str, Any]:
    """Its settings, options that it leaves out at their defaults, stages by their names; without its own name."""
    stages = {stage["name"]: {key: value for key, value in stage.items() if key != "name"} for stage in recipe["stages"]}
    options = _defaults(recipe["method"]) | recipe["options"]
    return {key: value for key, value in recipe.items() if key not in ("name", "stages")} | {"options": options} | stages


def _defaults(method: str) -> dict[str, Any]:
    """Option -> its default, sequences as lists, as YAML has them; the source's text where it is no literal."""
    return {option: _value(text) for option, text in catalog.options("methods", method).items()}


def _value(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return list(value) if isinstance(value, tuple) else value


def _differences(one: dict[str, Any], two: dict[str, Any], place: str = "") -> dict[str, tuple[str, str]]:
    """`distil.optimizer.lr` -> both values, for the settings that are not the same."""
    found = {}
    for key in dict.fromkeys((*one, *two)):
        here, there = one.get(key), two.get(key)
        if isinstance(here, dict) and isinstance(there, dict):
            found |= _differences(here, there, f"{place}{key}.")
        elif here != there:
            found[f"{place}{key}"] = (_told(here), _told(there))
    return found


def _told(value: Any) -> str:
    return "a stage" if isinstance(value, dict) and "losses" in value else "none" if value in (None, [], {}) else str(value)
