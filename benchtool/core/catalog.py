"""Names and facts from files: a name typed at the command line is a file, and its `SPEC` is read without importing it.

`names("methods")` lists the modules of `benchtool/methods/` that assign `SPEC`; `facts("methods", "sid-l")` evaluates
that literal with `ast`; `load("methods", "sid-l")` imports the module. Third parties add modules through the entry-point
groups `benchtool.methods`, `benchtool.datasets`, `benchtool.metrics`, or a file given with `--plugin`.
Dashes in names are underscores in files.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchtool.core.errors import UserError, unknown
from benchtool.core.files import sha256_file
from benchtool.core.spec import SPEC_CLASSES

PACKAGE = Path(__file__).resolve().parent.parent
KINDS = ("methods", "metrics", "datasets")
_CLASSES = {cls.__name__: cls for cls in SPEC_CLASSES}


@dataclass(frozen=True)
class Entry:
    """Where a named thing lives: a module, its source file, and for third-party ones where it came from."""

    kind: str
    name: str
    module: str
    source: Path
    origin: dict[str, str] | None = None  # recorded in a run's recipe: {"path", "sha256"} or {"distribution", "version"}


_plugins: list[Entry] = []


def add_plugin(path: str | Path) -> list[Entry]:
    """Make the module in the file `path` known for this process, under its stem, as whatever its SPEC says it is.

    Raises:
        UserError: no such file, or it assigns no SPEC.
    """
    source = Path(path).resolve()
    if not source.is_file():
        raise UserError(f"--plugin {path}: no such file")
    spec = read_literal(source)
    kind = {"MethodSpec": "methods", "MetricSpec": "metrics", "DatasetSpec": "datasets"}.get(type(spec).__name__)
    if kind is None:
        raise UserError(f"--plugin {path}: assigns no SPEC = MethodSpec(...), MetricSpec(...) or DatasetSpec(...)")
    name = source.stem.replace("_", "-")
    if name in {e.name for e in entries(kind).values() if e.source != source}:
        raise UserError(f"--plugin {path}: the {kind[:-1]} name '{name}' is taken; rename the file")
    entry = Entry(kind, name, f"benchtool_plugin_{source.stem}", source, {"path": str(source), "sha256": sha256_file(source)})
    if entry not in _plugins:
        _plugins.append(entry)
    return [entry]


def entries(kind: str) -> dict[str, Entry]:
    """All things of a kind, by name: ours, then entry points, then plugins named on the command line."""
    if kind not in KINDS:
        raise ValueError(f"no such kind: {kind}")
    found = dict(_own(kind))
    for entry in (*_installed(kind), *(p for p in _plugins if p.kind == kind)):
        found.setdefault(entry.name, entry)
    return found


@functools.cache
def _own(kind: str) -> dict[str, Entry]:
    found = {}
    for source in sorted((PACKAGE / kind).glob("*.py")):
        if not source.stem.startswith("_") and _spec_node(source) is not None:
            name = source.stem.replace("_", "-")
            found[name] = Entry(kind, name, f"benchtool.{kind}.{source.stem}", source)
    return found


@functools.cache
def _installed(kind: str) -> tuple[Entry, ...]:
    found = []
    for point in importlib.metadata.entry_points(group=f"benchtool.{kind}"):
        top, *rest = point.module.split(".")
        spec = importlib.util.find_spec(top)  # a top-level name is found without running its code
        if spec is None or spec.origin is None:
            raise UserError(f"entry point '{point.name}' of {point.dist}: module {point.module} is not installed")
        base = Path(spec.origin)
        source = base if not rest else base.parent.joinpath(*rest).with_suffix(".py")
        origin = {"distribution": point.dist.name, "version": point.dist.version} if point.dist else None
        found.append(Entry(kind, point.name, point.module, source, origin))
    return tuple(found)


def names(kind: str) -> list[str]:
    """The names of a kind, sorted."""
    return sorted(entries(kind))


def entry(kind: str, name: str) -> Entry:
    """Where `name` lives; UserError naming the nearest known name where it does not exist."""
    known = entries(kind)
    if name not in known:
        raise unknown(kind.removesuffix("s"), name, known)
    return known[name]


def facts(kind: str, name: str) -> Any:
    """The SPEC of `name`, evaluated from its source: nothing of it is imported or run."""
    return read_literal(entry(kind, name).source)


def load(kind: str, name: str) -> ModuleType:
    """Import the module behind `name`."""
    found = entry(kind, name)
    if found.module in sys.modules:
        return sys.modules[found.module]
    if not found.module.startswith("benchtool_plugin_"):
        return importlib.import_module(found.module)
    spec = importlib.util.spec_from_file_location(found.module, found.source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[found.module] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[found.module]
        raise
    return module


def options(kind: str, name: str) -> dict[str, str]:
    """The options `name`'s class takes with their defaults as source text, from the `__init__` of its last class."""
    tree = ast.parse(entry(kind, name).source.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in reversed(classes):
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                arguments = [*part.args.posonlyargs, *part.args.args][1:] + part.args.kwonlyargs
                defaults = [*part.args.defaults, *part.args.kw_defaults]
                texts = [ast.unparse(d) if d is not None else "" for d in defaults]
                return dict(zip((a.arg for a in arguments[-len(texts) :] if texts), texts))
    return {}


def dataclass_fields(kind: str, name: str, class_name: str) -> dict[str, str]:
    """The fields of a dataclass of `name`'s file with their defaults as source text; none where it has no such class."""
    tree = ast.parse(entry(kind, name).source.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name]
    fields = [part for node in classes for part in node.body if isinstance(part, ast.AnnAssign)]
    return {ast.unparse(part.target): ast.unparse(part.value) if part.value else "" for part in fields}


@functools.cache
def read_literal(source: Path) -> Any:
    """Evaluate the module-level `SPEC = ...` of a Python file; None where there is none.

    Raises:
        UserError: SPEC is not a literal.
    """
    node = _spec_node(source)
    if node is None:
        return None
    try:
        return _evaluate(node)
    except (ValueError, TypeError) as error:
        raise UserError(f"{source}: SPEC must be a literal ({error})") from None


def _spec_node(source: Path) -> ast.expr | None:
    try:
        tree = ast.parse(source.read_text())
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: not readable as Python ({error})") from None
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "SPEC" for t in node.targets):
            return node.value
    return None


def _evaluate(node: ast.expr) -> Any:
    """`ast.literal_eval` that also builds the classes of `core.spec`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CLASSES:
        positional = [_evaluate(a) for a in node.args]
        return _CLASSES[node.func.id](*positional, **{k.arg: _evaluate(k.value) for k in node.keywords})
    if isinstance(node, ast.Dict):
        return {_evaluate(k): _evaluate(v) for k, v in zip(node.keys, node.values)}
    if isinstance(node, (ast.Tuple, ast.List)):
        items = [_evaluate(e) for e in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    return ast.literal_eval(node)


def data_folder(name: str) -> Path:
    """A folder of YAML that stands beside the package in a checkout (which wins) and inside it in a wheel.

    Used for `recipes` and `results`.
    """
    checkout = PACKAGE.parent / name
    return checkout if (PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir() else PACKAGE / name


def recipe_files() -> dict[str, Path]:
    """Recipe name (`i-sid`, `i-sid.sice`) -> its file."""
    return {path.stem: path for path in sorted(data_folder("recipes").glob("*.yaml"))}
