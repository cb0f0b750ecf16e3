"""The import directions of docs/design: who may import whom, read from the source; and what stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "benchtool"
MAY_IMPORT = {
    "core": set(),
    "papers": {"core"},
    "report": {"papers", "core"},
    "metrics": {"core"},
    "rendering": {"core"},
    "losses": {"core"},
    "methods": {"losses", "core"},
    "datasets": {"rendering", "core"},
    "evaluation": {"methods", "metrics", "datasets", "core"},
    "training": {"evaluation", "methods", "losses", "metrics", "datasets", "core"},
    "workflows": {"core", "papers", "report", "metrics", "rendering", "losses", "methods", "datasets", "evaluation", "training"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parts(path: Path) -> set[str]:
    """The benchtool parts (folders) a file imports from, other than its own."""
    own = path.relative_to(PACKAGE).parts[0]
    names = {name.split(".")[1] for name in imports(path) if name.startswith("benchtool.") and name.count(".") >= 1}
    return {name for name in names if (PACKAGE / name).is_dir()} - {own}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_import_directions(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0]
    if part in MAY_IMPORT:
        assert parts(path) <= MAY_IMPORT[part], f"{part} may import {MAY_IMPORT[part] or 'nothing of ours'}"
    else:
        assert part == "cli" or path.parent == PACKAGE


def test_every_folder_has_a_rule() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    assert folders - {"cli"} == set(MAY_IMPORT)


def test_methods_import_each_other_only_within_a_family() -> None:
    files = {p.stem: p for p in (PACKAGE / "methods").glob("*.py")}
    for name, path in files.items():
        others = {n.split(".")[2] for n in imports(path) if n.startswith("benchtool.methods.")} & set(files) - {name, "base"}
        assert all(name.startswith(f"{base}_") for base in others), f"{name} imports {others}: not its own family's base"


def test_cli_is_light() -> None:
    """`--help` must answer at once: the command line loads none of the heavy packages before a command's body runs."""
    heavy = ("torch", "rawpy", "pyiqa", "pandas", "pyarrow", "cv2", "numpy", "skimage", "pydantic", "accelerate", "matplotlib")
    code = f"import sys, benchtool.cli.main; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_pickle() -> None:
    """Nothing pickled is ever loaded: no torch.load, pickle, joblib or numpy's allow_pickle; strangers' weights are tensors alone."""
    safe = 'torch.load(path, map_location="cpu", weights_only=True)'
    for path in FILES:
        text = path.read_text().replace(safe, "") if path.name == "weight_files.py" else path.read_text()
        for word in ("torch.load(", "pickle.load", "import pickle", "joblib", "allow_pickle=True"):
            assert word not in text, f"{path}: {word}"


def test_pyiqa_is_imported_by_metrics_alone() -> None:
    for path in FILES:
        if path.parent.name != "metrics":
            assert not any(name.split(".")[0] == "pyiqa" for name in imports(path)), path


def test_modules_say_what_they_are() -> None:
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path}: no module docstring"
