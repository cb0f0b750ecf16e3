"""Atomic writing, the journal, and paths that stay inside their root."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchtool.core.errors import UserError
from benchtool.core.files import Journal, atomic_path, clear_temporary, inside, sha256_file, write_bytes, write_json


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_bytes(target, b"old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_ctrl_c_as_the_temporary_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = os.close

    def interrupted(handle: int) -> None:
        close(handle)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "close", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.bin"):
        pass
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_atomic_write_honours_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_clear_temporary(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".tmp-xyz.JPG").write_bytes(b"half")
    (tmp_path / "sub" / "whole.JPG").write_bytes(b"whole")
    clear_temporary(tmp_path)
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["whole.JPG"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("relative", ["/etc/passwd", "../x", "a/../../x", "a\\b", "link/x"])
def test_inside_refuses(tmp_path: Path, relative: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(UserError):
        inside(root, relative)


def test_inside_allows_links_that_stay(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(tmp_path, "link/a b.jpg") == (tmp_path / "real" / "a b.jpg").resolve()


def test_journal_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / ".journal.jsonl"
    journal = Journal(path)
    journal.append({"item": "a"})
    journal.append({"item": "b"})
    with open(path, "ab") as stream:
        stream.write(b'{"item": "c"')  # killed here
    again = Journal(path)
    assert [e["item"] for e in again.entries] == ["a", "b"]
    again.append({"item": "d"})
    assert [json.loads(line)["item"] for line in path.read_text().splitlines()] == ["a", "b", "d"]


def test_journal_damaged_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / ".journal.jsonl"
    path.write_text('{"item": "a"}\n{"ite\n{"item": "b"}\n')
    with pytest.raises(UserError, match="line 2"):
        Journal(path)
