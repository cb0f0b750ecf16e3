"""What a method is made of: its file, its family's and its blocks', and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchtool.core import catalog
from benchtool.core.source_files import source_files, source_sha256

METHODS = catalog.PACKAGE / "methods"


def test_family_and_blocks_belong_to_a_method() -> None:
    found = source_files(catalog.entry("methods", "drbn-enc-4"))
    assert {"drbn_enc_4.py", "drbn_enc.py", "drbn.py", "base.py", "blocks/enc.py"} <= {f.relative_to(METHODS).as_posix() for f in found}
    assert METHODS / "sid.py" not in found and all(path.is_relative_to(METHODS) for path in found)


def test_a_block_of_a_plugin_changes_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package: relative imports within its folder count, what lies outside it does not."""
    package = tmp_path / "theirs" / "methods"
    (package / "parts").mkdir(parents=True)
    (tmp_path / "theirs" / "elsewhere.py").write_text("")
    (package / "net.py").write_text("import numpy\nfrom . import parts\nfrom .parts.block import Block\nfrom .. import elsewhere\n")
    (package / "parts" / "__init__.py").write_text("")
    block = package / "parts" / "block.py"
    block.write_text("from ..net import SPEC\n")  # a circle ends
    entry = catalog.Entry("methods", "net", "theirs.methods.net", package / "net.py")
    assert source_files(entry) == sorted([package / "net.py", package / "parts" / "__init__.py", block])
    before = source_sha256(entry)
    (tmp_path / "theirs" / "elsewhere.py").write_text("1\n")
    assert source_sha256(entry) == before
    block.write_text("from ..net import SPEC  # other\n")
    assert source_sha256(entry) != before
