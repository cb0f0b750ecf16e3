"""What `methods list` and `methods show` tell: facts from SPECs and recipes, read without importing a method or torch."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import yaml

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown

MEBI = 2**20  # the unit of "M" in ENC's columns of parameters


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
        "recipes": sorted(recipes_of(name)),
    }


def details(name: str) -> dict[str, Any]:
    """All that SPEC, signature and recipes say of a method, as JSON values."""
    entry = catalog.entry("methods", name)
    spec = dataclasses.asdict(catalog.facts("methods", name))
    return (
        summary(name)
        | spec
        | {
            "parameters_mebi": round(spec["parameters"] / MEBI, 4),
            "options": catalog.options("methods", name),
            "origin": entry.origin,
        }
    )
