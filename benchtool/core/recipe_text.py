"""The text of a recipe: where its YAML lies, `defaults` put under its stages, and `-s key=value` on top."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchtool.core import catalog
from benchtool.core.errors import UserError, unknown

LENGTHS = ("epochs", "steps")  # a stage has one of the two: setting one takes the other away


class _Loader(yaml.SafeLoader):
    """YAML as people write it: PyYAML takes 1e-4 for a string."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+\Z"), list("-+.0123456789"))


def read_yaml(text: str, where: str) -> Any:
    """Parse YAML; UserError naming `where` if it is broken."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not valid YAML ({' '.join(str(error).split())})") from None


def write_yaml(value: Mapping[str, Any]) -> str:
    """YAML with the keys in order and short lists on one line."""
    return yaml.safe_dump(dict(value), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)


def find(source: str) -> tuple[Path, str | None]:
    """The file of NAME, NAME:DATASET or FILE.yaml, and the dataset to put in place of the file's own (else None).

    Raises:
        UserError: no such recipe; the nearest name is in the message.
    """
    if source.endswith((".yaml", ".yml")):
        path = Path(source)
        if not path.is_file():
            raise UserError(f"{source}: no such recipe file")
        return path, None
    files = catalog.recipe_files()
    name, colon, dataset = source.partition(":")
    if colon and f"{name}.{dataset}" in files:
        return files[f"{name}.{dataset}"], None
    if name not in files:
        raise unknown("recipe", name, files)
    return files[name], dataset or None


def options(name: str) -> dict[str, Any]:
    """The options of the method that the recipe NAME or NAME.DATASET sets; UserError where there is no such recipe."""
    files = catalog.recipe_files()
    if name not in files:
        raise unknown("recipe", name, files)
    return _options(files[name])


@functools.cache
def _options(path: Path) -> dict[str, Any]:
    return read_yaml(path.read_text(), str(path)).get("options") or {}


def parse(path: Path, dataset: str | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The plain values of a recipe, its stages with their defaults.

    Args:
        dataset: takes the place of the recipe's own. The targets it names belong to that one and become the new one's default.
        overrides: `stages.0.epochs=1`; the value is YAML. Those of `defaults` come before the merging, others after.

    Raises:
        UserError: not YAML, not a recipe, an override that leads nowhere.
    """
    try:
        raw = read_yaml(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable ({error})") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("stages"), list):
        raise UserError(f"{path}: not a recipe (it has no list of stages)")
    raw.setdefault("name", path.stem.removesuffix(f".{raw.get('dataset')}"))
    ofdefaults = [text for text in overrides if text.startswith("defaults.")]
    for text in ofdefaults:
        override(raw, text)
    defaults = raw.pop("defaults", None) or {}
    if not isinstance(defaults, dict):
        raise UserError(f"{path}: defaults: must be a mapping")
    raw["stages"] = [_under(defaults, stage) if isinstance(stage, dict) else stage for stage in raw["stages"]]
    if dataset is not None and dataset != raw.get("dataset"):
        raw["dataset"] = dataset
        for stage in raw["stages"]:
            stage.pop("target", None)
    for text in overrides:
        if text not in ofdefaults:
            override(raw, text)
    return raw


def _under(defaults: Mapping[str, Any], stage: Mapping[str, Any]) -> dict[str, Any]:
    given = {length for length in LENGTHS if stage.get(length) is not None}
    return {**{key: copy.deepcopy(value) for key, value in defaults.items() if not (given and key in LENGTHS)}, **stage}


def override(raw: dict[str, Any], text: str) -> None:
    """Set what `text` (`stages.0.optimizer.lr=1e-3`) names, in place; mappings on the way are made where they are missing.

    Raises:
        UserError: no `=`, or the way leads through something that is no mapping or list.
    """
    key, equals, value = text.partition("=")
    *way, last = key.split(".")
    if not equals or not all((*way, last)):
        raise UserError(f"-s {text}: write KEY=VALUE, such as -s stages.0.epochs=1")
    node: Any = raw
    for depth, part in enumerate(way):
        if isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise UserError(f"-s {text}: {'.'.join(way[:depth])} has the entries 0 to {len(node) - 1}, no '{part}'")
            here: int | str = int(part)
        elif isinstance(node, dict) and (part in node or part != "defaults"):
            here = part
            if node.get(part) is None:
                node[part] = {}
        else:
            raise UserError(f"-s {text}: the recipe has no '{'.'.join(way[: depth + 1])}'")
        node[here] = copy.copy(node[here])  # a YAML anchor may have put the same mapping into another stage
        node = node[here]
    if not isinstance(node, dict):
        raise UserError(f"-s {text}: {'.'.join(way)} is no mapping")
    if last in LENGTHS:
        for length in LENGTHS:
            node.pop(length, None)
    node[last] = read_yaml(value, f"-s {text}")
