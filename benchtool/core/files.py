"""Files that are never half-written: the one atomic writer, hashing, the journal of a batch, and paths that stay inside a root."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on success it is synced and renamed onto `path`, on any error removed.

    The temporary name keeps the suffix, so that libraries choosing a format by it behave.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}{path.suffix}")  # known before it is there: Ctrl-C comes at any moment
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # less what the umask takes
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def atomic_folder(path: Path, marker: str) -> Iterator[Path]:
    """A temporary folder beside `path`; on success it takes the place of `path`, on any error it is removed.

    Args:
        path: a place that is free, an empty folder, or a folder made so before, which is replaced whole.
        marker: name of a file in such folders: what is at `path` without it is never replaced.

    Raises:
        UserError: something else is at `path`.
    """
    path = Path(path).resolve()
    temporary, old = (path.with_name(f".tmp-{path.name}-{kind}") for kind in ("new", "old"))
    for folder in (path, temporary, old):
        if folder.exists() and not ((folder / marker).is_file() or (folder.is_dir() and not any(folder.iterdir()))):
            raise UserError(f"{folder}: exists already and holds other things (no {marker}); name a new folder, or remove it")
    for stray in (temporary, old):  # left by a killed process
        shutil.rmtree(stray, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        (temporary / marker).touch()
        yield temporary
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused (they are not JSON)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Parse a JSON file; UserError where it is absent or broken."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error})") from None


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def clear_temporary(folder: Path) -> None:
    """Remove what `atomic_path` left in `folder` (searched whole) when a process was killed."""
    for stray in Path(folder).rglob(".tmp-*"):
        if stray.is_file():
            stray.unlink(missing_ok=True)


def inside(root: Path, relative: str) -> Path:
    """The path `root/relative`, links followed, which must stay inside `root`.

    Raises:
        UserError: `relative` is absolute, holds `..`, or leads outside `root`.
    """
    pure = Path(relative)
    if pure.is_absolute() or ".." in pure.parts or "\\" in relative:
        raise UserError(f"path '{relative}' must be relative and without '..'")
    base = Path(root).resolve()
    full = (base / pure).resolve()
    if not full.is_relative_to(base):
        raise UserError(f"path '{relative}' leads outside {base} (a link?); keep a dataset's files inside its roots")
    return full


class Journal:
    """`OUT/.journal.jsonl`: one synced JSON line a finished item, so that a batch resumes where it was killed.

    A torn last line (killed while writing) is dropped on opening.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.entries: list[dict[str, Any]] = []
        if not self.path.exists():
            return
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self.entries.append(json.loads(line))
            except json.JSONDecodeError:
                raise UserError(f"{self.path}: line {number} is damaged; delete the file to begin anew") from None
        if len(whole) != len(raw):
            with open(self.path, "rb+") as stream:
                stream.truncate(len(whole))

    def append(self, entry: dict[str, Any]) -> None:
        """Add one entry and sync it to the disk before returning."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.entries.append(entry)
