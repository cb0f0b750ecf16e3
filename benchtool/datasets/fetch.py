"""`benchtool data fetch`: downloads what a dataset's SPEC has addresses of, resumed and verified, and records what came.

Many files of one pattern come two at a time; their names come from the lists the SPEC names.
"""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchtool.core import archives, catalog
from benchtool.core.console import progress
from benchtool.core.download import Received, Remote, download
from benchtool.core.errors import UserError
from benchtool.core.files import Journal, sha256_file
from benchtool.core.pool import STOPPING, Failure, reason
from benchtool.core.spec import Source
from benchtool.datasets.sources import chosen

RECORD = ".fetched.jsonl"  # what came, with its hash: resumes, and tells what was seen where none is published
CONNECTIONS = 2  # at a time to one server
GIVE_UP = 8  # failures in a row after which the server is left alone
LONGEST_LIST = 1 << 22  # bytes of a list of names
MB = 10**6


@dataclass(frozen=True)
class File:
    """A file to download: its path below OUT, with forward slashes, and where it is."""

    path: str
    remote: Remote


@dataclass
class Outcome:
    """What `fetch` did: files that came and were there, failures, and what should be known."""

    came: int = 0
    there: int = 0
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Stopped(Exception):
    """The other downloads were stopped."""


def fetch(name: str, out: Path, only: Sequence[str] = (), unpack: bool = False) -> Outcome:
    """Download the sources of the dataset `name` into `out`; the same call continues interrupted work.

    Args:
        only: names of sources; else all that are not optional.
        unpack: unpack archives into the folders their sources name.

    Raises:
        UserError: no such dataset or source, nothing that can be downloaded, or `out` is a file.
    """
    spec, out = catalog.facts("datasets", name), Path(out)
    if not chosen(spec, only):
        raise UserError(f"{name}: nothing of it can be downloaded; get it by hand, as `benchtool data fetch {name} OUT` says")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; give a folder to download to")
    outcome = Outcome()
    for source in chosen(spec, only):
        try:
            files = _files(source, out, outcome)
        except UserError as error:
            outcome.failures.append(Failure(source.name, str(error)))
            continue
        failed = _fetch_all(source, files, out, outcome)
        outcome.failures += failed
        if unpack and source.folder and not failed:
            _unpack(source, out, outcome)
    return outcome


def _files(source: Source, out: Path, outcome: Outcome) -> list[File]:
    """The files of a source; the names of many come from its lists."""
    if not source.names:
        return [File(source.name, Remote(source.url, source.size, source.sha256))]
    names = [name for address in source.names for name in _listed(address, out)]
    if len(set(names)) != source.count:
        outcome.notes.append(f"{source.name}: its lists hold {len(set(names)):,} names, not {source.count:,}")
    files = []
    for name in dict.fromkeys(names):
        url = source.url.replace("{name}", urllib.parse.quote(name))
        last = source.url.rpartition("/")[2].replace("{name}", name)
        if "/" in name or name.startswith(".") or len(archives.member_path(name, Path(source.names[0]))) != 1:
            raise UserError(f"{source.names[0]}: the name {name[:200]!r} in it is no plain file name")
        files.append(File(f"{source.name}/{last}", Remote(url)))
    return files


def _listed(address: str, out: Path) -> list[str]:
    """The lines of a list, which is kept in `out/lists` beside what is downloaded by it."""
    kept = out / "lists" / address.rpartition("/")[2]
    if not kept.is_file():
        download(Remote(address, largest=LONGEST_LIST), kept)
    try:
        lines = kept.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{kept}: is no text, and no list of names; remove it and run the same command again") from None
    return [line.strip() for line in lines if line.strip()]


def _fetch_all(source: Source, files: Sequence[File], out: Path, outcome: Outcome) -> list[Failure]:
    """Download the files that are not there; returns the failures."""
    record = Journal(out / RECORD)
    known = {entry["file"]: entry for entry in record.entries}
    wanted, failures = [], []
    for file in files:
        path = out / file.path
        if not path.exists():
            wanted.append(file)
        elif (why := _objection(file, path, known)) is None:
            outcome.there += 1
        else:
            failures.append(Failure(file.path, why))
    seen = 0

    def done(file: File, received: Received) -> None:
        nonlocal seen
        verified = file.remote.sha256 is not None
        seen += not verified
        outcome.came += 1
        entry = {"file": file.path, "url": file.remote.url, "bytes": received.size, "sha256": received.sha256}
        record.append({**entry, "verified": "published" if verified else "seen"})

    failures += _download_all(source.name, wanted, out, done)
    if seen:
        one = f"; {wanted[0].path}: {_known_hash(record, wanted[0].path)}" if len(files) == 1 else ""
        outcome.notes.append(f"{source.name}: no published SHA-256; that of what came is recorded as seen in {out / RECORD}{one}")
    return failures


def _known_hash(record: Journal, path: str) -> str:
    """The last recorded SHA-256 of a file."""
    return next(entry["sha256"] for entry in reversed(record.entries) if entry["file"] == path)


def _objection(file: File, path: Path, known: dict[str, dict]) -> str | None:
    """Why the file that is there is not taken for the one to download, None where it is."""
    size = file.remote.size or known.get(file.path, {}).get("bytes")
    if file.path not in known and file.remote.sha256 and sha256_file(path) != file.remote.sha256:
        return "is there, but is not the published file (its SHA-256 differs); remove it to download it"
    if size is None:
        return "is there, but was not downloaded by this command; remove it to download it again"
    if path.stat().st_size != size:
        return f"is there with {path.stat().st_size:,} bytes, not {size:,}; remove it to download it again"
    return None


def _download_all(label: str, files: Sequence[File], out: Path, done: Callable[[File, Received], None]) -> list[Failure]:
    """Download files, some at a time; Ctrl-C and a full disk stop all of them, and keep what came."""
    failures: dict[str, str] = {}
    stop, counting, in_a_row = threading.Event(), threading.Lock(), 0
    with contextlib.ExitStack() as shown, cf.ThreadPoolExecutor(CONNECTIONS) as pool:
        megabytes = _Megabytes(label, shown) if len(files) == 1 else None
        advance = shown.enter_context(progress(label, len(files), "files")) if len(files) > 1 else None

        def one(file: File) -> Received:
            def watch(so_far: int, total: int | None) -> None:
                if stop.is_set():
                    raise _Stopped(f"not tried further, after {GIVE_UP} failures in a row")
                if megabytes:
                    megabytes(so_far, total)

            watch(0, None)
            came = False
            try:
                received = download(file.remote, out / file.path, watch)
                came = True
            finally:  # counted here: whoever waits for the results may be late to hear of them
                count(came)
            return received

        def count(came: bool) -> None:
            nonlocal in_a_row
            with counting:
                in_a_row = 0 if came else in_a_row + 1
                if in_a_row >= GIVE_UP:
                    stop.set()

        flying = {pool.submit(one, file): file for file in files}
        try:
            for future in cf.as_completed(flying):
                file, error = flying[future], future.exception()
                if isinstance(error, OSError) and error.errno in STOPPING:
                    raise error
                if error is None:
                    done(file, future.result())
                else:
                    failures[file.path] = str(error) if isinstance(error, _Stopped) else reason(error)
                del flying[future]
                if advance:
                    advance(note=f"{len(failures)} failed" if failures else "")
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future, file in flying.items():  # what came meanwhile
                if not future.cancelled() and future.exception() is None:
                    done(file, future.result())
            raise
    return [Failure(file.path, failures[file.path]) for file in files if file.path in failures]


class _Megabytes:
    """Shows one file's progress in megabytes, from the moment its size is known."""

    def __init__(self, label: str, shown: contextlib.ExitStack) -> None:
        self.label, self.shown = label, shown
        self.at, self.advance = 0, None

    def __call__(self, so_far: int, total: int | None) -> None:
        if not total:
            return
        if self.advance is None:
            self.at = so_far // MB  # what was there before is not counted into the rate
            self.advance = self.shown.enter_context(progress(self.label, max(1, total // MB - self.at), "MB"))
        if (now := so_far // MB) > self.at:
            self.advance(now - self.at)
            self.at = now


def _unpack(source: Source, out: Path, outcome: Outcome) -> None:
    try:
        found = archives.unpack(out / source.name, out / source.folder)
        outcome.notes.append(f"{out / source.folder}: {found.files:,} files of {source.name}")
    except UserError as error:
        outcome.failures.append(Failure(source.name, str(error)))
