"""One file a method. `create` builds one by name, `load` one by name or from a run's folder."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown
from benchtool.core.files import sha256_file
from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Method


def create(name: str, **options: Any) -> Method:
    """Build a method by name, or the network of a recipe by the recipe's name (`i-sid` builds `sid-enc`).

    Raises:
        UserError: no such method or recipe, an option it does not take, or a value that the option does not take.
    """
    if name not in catalog.entries("methods"):
        recipes = catalog.recipe_files()
        if name not in recipes:
            raise unknown("method", name, [*catalog.names("methods"), *recipes])
        recipe = yaml.safe_load(recipes[name].read_text())
        return create(recipe["method"], **{**recipe.get("options", {}), **options})
    cls = method_class(name)
    _check_options(name, cls, options)
    return cls(**options)


def _check_options(name: str, cls: type[Method], options: Mapping[str, Any]) -> None:
    """Hold options against the signature: types (a truth value is no number, a whole number will do for a float) and pydantic's ranges.

    Values count as JSON has them, so that a list will do for a tuple. What the signature leaves open, and a type that pydantic does not
    know, is not checked.
    """
    takes = inspect.signature(cls).parameters
    try:
        types = typing.get_type_hints(cls.__init__, include_extras=True)
    except NameError:  # of a third party's file, imported for type checkers alone
        types = {}
    for option, value in options.items():
        if option not in takes:
            raise unknown(f"option of the method {name}", option, takes)
        try:
            allowed = TypeAdapter(types.get(option, Any), config=ConfigDict(strict=True, allow_inf_nan=False))
            allowed.validate_json(json.dumps(value, default=str))
        except PydanticUserError:
            continue
        except ValidationError as error:
            wrong = dict.fromkeys(one["msg"].removeprefix("Input ") for one in error.errors())
            raise UserError(f"{name}: option {option}={value!r}: {' or '.join(wrong)}") from None


def method_class(name: str) -> type[Method]:
    """The Method subclass defined in the method's own file (the last one, where a family's parts are defined first)."""
    module = catalog.load("methods", name)
    found = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Method) and c.__module__ == module.__name__]
    if not found:
        raise UserError(f"{module.__file__}: defines no subclass of Method")
    return found[-1]


@dataclass(frozen=True)
class Loaded:
    """A method ready to enhance, and where it came from."""

    method: Method
    spec: MethodSpec
    name: str  # method name
    recipe: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    run: Path | None = None
    checkpoint: str | None = None  # `STAGE.best`
    weights_sha256: str | None = None


def load(source: str, checkpoint: str | None = None, **options: Any) -> Loaded:
    """A method by name (one that needs no training), or a trained one from its run folder.

    Args:
        source: a method's name, or a folder that `benchtool train` made.
        checkpoint: `STAGE.best` or `STAGE.last`; default is the last stage's best.

    Raises:
        UserError: no such method or run, a run that has no such checkpoint, weights of another network,
            a plugin that is missing or changed.
    """
    folder = Path(source)
    if not (folder / "recipe.resolved.yaml").is_file():
        spec = _untrained_spec(source)
        if checkpoint is not None:
            raise UserError(f"'{source}' is a method, not a run: it has no checkpoint '{checkpoint}'")
        return Loaded(create(source, **options).eval(), spec, source, options=options)
    if options:
        raise UserError(f"{folder}: a run's options are fixed by its recipe")
    recipe = yaml.safe_load((folder / "recipe.resolved.yaml").read_text())
    name = recipe["method"]
    check_plugin(folder, recipe.get("plugin"))
    method = create(name, **recipe.get("options", {}))
    stage, _, which = (checkpoint or f"{recipe['stages'][-1]['name']}.best").rpartition(".")
    weights = folder / "checkpoints" / stage / f"{which}.safetensors"
    load_weights(method, weights)
    return Loaded(
        method.eval(),
        catalog.facts("methods", name),
        name,
        recipe.get("name"),
        recipe.get("options", {}),
        folder,
        f"{stage}.{which}",
        sha256_file(weights),
    )


def _untrained_spec(source: str) -> MethodSpec:
    if source not in catalog.entries("methods"):
        if source in catalog.recipe_files():
            raise UserError(f"'{source}' is a recipe: train it first (`benchtool train {source}`), then give its run folder")
        if "/" in source or Path(source).is_dir():
            raise UserError(f"{source}: not a run (no recipe.resolved.yaml); give a folder that `benchtool train` made, or a method's name")
        raise unknown("method", source, catalog.names("methods"))
    spec = catalog.facts("methods", source)
    if spec.players:
        raise UserError(f"'{source}' is a network and has no weights yet: train it first, then give its run folder")
    return spec


def check_plugin(folder: Path, plugin: dict[str, str] | None) -> None:
    """UserError where the third-party code a run was trained with is not loaded, or is not the same."""
    if plugin is None:
        return
    known = {tuple(sorted(e.origin.items())) for e in catalog.entries("methods").values() if e.origin}
    if tuple(sorted(plugin.items())) not in known:
        what = plugin.get("path") or f"{plugin['distribution']} {plugin['version']}"
        raise UserError(f"{folder}: was trained with the plugin {what}, which is missing or has changed; name it with --plugin, unchanged")


def load_weights(method: Method, path: Path) -> None:
    """Load a safetensors file into `method`, every key accounted for.

    Raises:
        UserError: no such file, damaged, or the weights of another network.
    """
    import safetensors
    import safetensors.torch

    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        state = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged checkpoint ({error})") from None
    own = method.state_dict()
    wrong = sorted(set(own) ^ set(state)) or sorted(k for k in own if own[k].shape != state[k].shape)
    if wrong:
        raise UserError(f"{path}: weights of another network than {type(method).__name__} (first difference: {wrong[0]})")
    method.load_state_dict(state)
