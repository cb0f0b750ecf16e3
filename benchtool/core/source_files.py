"""The files behind a named thing: its own and those of its kind that it imports, so that a change in any of them is noticed.

Read with `ast`, nothing is imported. What lies outside the thing's folder (core, losses, libraries) is not followed: it changes often
and a method's output seldom with it; versions of libraries are in the provenance.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from benchtool.core.catalog import PACKAGE, Entry
from benchtool.core.files import sha256_bytes, sha256_file


def source_files(entry: Entry) -> list[Path]:
    """The file of `entry`, and all that it imports, directly or not, from its own folder or from benchtool's folder of its kind."""
    homes = (PACKAGE / entry.kind, entry.source.parent) if entry.module.count(".") else (PACKAGE / entry.kind,)
    found: dict[Path, None] = {}
    waiting = [entry.source]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = None
            waiting += [path for path in _imported(file) if any(path.is_relative_to(home) for home in homes)]
    return sorted(found)


def source_sha256(entry: Entry) -> str:
    """A hash of the bytes of `source_files`."""
    return sha256_bytes("".join(sha256_file(path) for path in source_files(entry)).encode())


def _imported(file: Path) -> Iterator[Path]:
    """Files of modules that `file` imports: benchtool's, and those named relative to it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            modules = [(PACKAGE.parent, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else PACKAGE.parent
            module = node.module or ""
            modules = [(base, module), *((base, f"{module}.{alias.name}") for alias in node.names)]
        else:
            continue
        for base, module in modules:
            path = base.joinpath(*filter(None, module.split(".")))
            yield from (candidate for candidate in (path.with_suffix(".py"), path / "__init__.py") if candidate.is_file())
