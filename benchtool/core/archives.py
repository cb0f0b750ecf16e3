"""Unpacking what comes from strangers: zip and tar, whole or not at all.

Nothing is written outside the folder, there are no links, and limits are counted while writing, not believed from headers.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_folder, read_json, sha256_file, write_json

MARKER = ".unpacked.json"
CHUNK = 1 << 20  # bytes
HEADER = 1 << 22  # bytes a tar archive may ask for at once: a longer name or table than this is an attack
RATIO_FROM = 1 << 26  # bytes below which the ratio is not looked at: flat pictures shrink a thousandfold, too
COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
FOREIGN = {b"Rar!\x1a\x07": "rar", b"7z\xbc\xaf'\x1c": "7z"}
SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".rar", ".7z")
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Limits:
    """What an archive may become.

    Attributes:
        members: files and folders.
        size: bytes, all files together.
        ratio: bytes unpacked for each byte of the archive; looked at from 64 MiB on.
    """

    members: int = 1_000_000
    size: int = 500 * 10**9
    ratio: float = 200.0


@dataclass(frozen=True)
class Unpacked:
    """What was unpacked: kept in `.unpacked.json` of the folder."""

    archive: str
    sha256: str
    files: int
    bytes: int


def unpack(archive: Path, out: Path, limits: Limits = Limits()) -> Unpacked:
    """Unpack a zip or tar archive (also .gz, .bz2, .xz) into `out`, a new or empty folder; one unpacked before is left as it is.

    Where all that is in it lies in one folder of the name of `out`, there is no folder in a folder of that name.

    Raises:
        UserError: no such archive, a kind that is not read, a member that leads outside or is no plain file or folder, two names that
            are one on some systems, a limit, a damaged archive, or a folder that holds other things. `out` is not made then.
    """
    archive, out = Path(archive), Path(out)
    kind = kind_of(archive)
    sha256 = sha256_file(archive)
    if (out / MARKER).is_file():
        before = read_json(out / MARKER)
        if before.get("sha256") == sha256:
            return Unpacked(**before)
        raise UserError(f"{out}: holds what was unpacked of {before.get('archive')}; name a new folder, or remove it")
    with atomic_folder(out, MARKER) as folder:
        writer = _Writer(archive, folder, limits)
        try:
            (_zip if kind == "zip" else _tar)(archive, writer)
        except DAMAGED as error:
            if writer.disk_failed:
                raise
            raise UserError(f"{archive}: is damaged, or no archive ({' '.join(str(error).split()) or type(error).__name__})") from None
        if not writer.files:
            raise UserError(f"{archive}: holds no files")
        _lift(folder, out.name)
        found = Unpacked(archive.name, sha256, writer.files, writer.written)
        write_json(folder / MARKER, asdict(found))
    return found


def _lift(folder: Path, name: str) -> None:
    """Where all lies in one folder called as the one it is unpacked to, that is the folder."""
    inner = folder / name
    if {path.name for path in folder.iterdir()} != {MARKER, name} or not inner.is_dir():
        return
    children = list(inner.iterdir())
    if not {child.name for child in children} & {MARKER, name}:
        for child in children:
            child.rename(folder / child.name)
        inner.rmdir()


def kind_of(path: Path) -> str:
    """`zip` or `tar`, by the first bytes; UserError saying what to do for what is neither."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give an archive, .zip or .tar (.gz, .bz2, .xz)")
    with open(path, "rb") as stream:
        first = stream.read(262)
    for magic, name in FOREIGN.items():
        if first.startswith(magic):
            raise UserError(f"{path}: is a {name} archive, which is not read here; unpack it with 7-Zip (7z x {path}) into a folder")
    if first[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if first[257:262] == b"ustar" or any(first.startswith(magic) for magic, _ in COMPRESSED):
        return "tar"
    raise UserError(f"{path}: is no .zip or .tar (.gz, .bz2, .xz) archive")


def is_archive(path: Path) -> bool:
    """Whether a file is named as archives are."""
    return Path(path).is_file() and Path(path).name.lower().endswith(SUFFIXES)


def member_path(name: str, archive: Path) -> tuple[str, ...]:
    """The parts of a member's name, below the folder it is unpacked to; none for the folder itself.

    Raises:
        UserError: it is absolute, holds `..`, a backslash, a drive letter or control characters.
    """
    wrong = name.startswith("/") or "\\" in name or re.match("[A-Za-z]:", name) or any(ord(c) < 32 or ord(c) == 127 for c in name)
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if wrong or ".." in parts:
        raise UserError(f"{archive}: refused: the member {name[:200]!r} leads outside the folder, or is no plain name")
    return parts


class _Writer:
    """Writes members below a folder, and counts."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.packed = max(1, archive.stat().st_size)
        self.files = self.written = self.members = 0
        self.disk_failed = False
        self._names = {MARKER: MARKER}  # a name as the most forgiving system sees it -> the name
        self._is_file = {MARKER}

    def add(self, name: str, source: IO[bytes] | None) -> None:
        """Write a file, or make a folder where `source` is None."""
        self.members += 1
        if self.members > self.limits.members:
            raise self.refusal(f"holds more than {self.limits.members:,} members")
        parts = member_path(name, self.archive)
        if source is None and not parts:
            return
        self._claim(parts, name, is_file=source is not None)
        path = self.folder.joinpath(*parts)
        try:
            (path if source is None else path.parent).mkdir(parents=True, exist_ok=True)
            if source is None:
                return
            target = open(path, "xb")
        except OSError as error:
            raise self.refusal(f"the member {name[:200]!r} cannot be made ({error.strerror})") from None
        with target:
            self._copy(source, target)
        self.files += 1

    def _claim(self, parts: tuple[str, ...], name: str, is_file: bool) -> None:
        """UserError where the name, or that of a folder above, is another's on some system: other case, other Unicode form, twice."""
        for depth in range(1, len(parts) + 1):
            own, last = "/".join(parts[:depth]), depth == len(parts)
            key = unicodedata.normalize("NFC", own).casefold()
            known = key in self._names
            before = self._names.setdefault(key, own)
            if before != own or key in self._is_file or (last and is_file and known):
                raise self.refusal(f"the members {before[:200]!r} and {name[:200]!r} would be one file")
        if is_file:
            self._is_file.add(key)

    def _copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        while data := source.read(CHUNK):
            self.written += len(data)
            if self.written > self.limits.size:
                raise self.refusal(f"unpacks to more than the {self.limits.size:,} bytes allowed; raise --max-gb if you trust it")
            if self.written > max(RATIO_FROM, self.limits.ratio * self.packed):
                raise self.refusal(f"unpacks to more than {self.limits.ratio:g} times its size, as a bomb does")
            try:
                target.write(data)
            except OSError:
                self.disk_failed = True
                raise

    def refusal(self, why: str) -> UserError:
        """The error for an archive that is not unpacked."""
        return UserError(f"{self.archive}: refused: {why}; nothing was unpacked")


def _zip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise writer.refusal(f"the member {name[:200]!r} is a link or device")
            if info.flag_bits & 1:
                raise writer.refusal("it is encrypted: unpack it with its password into a folder (7z x)")
            if info.is_dir():
                writer.add(name, None)
                continue
            with opened.open(info) as source:
                writer.add(name, source)


def _tar(archive: Path, writer: _Writer) -> None:
    with open(archive, "rb") as stream:
        first = stream.read(6)
    opener = next((opener for magic, opener in COMPRESSED if first.startswith(magic)), open)
    with opener(archive, "rb") as stream:
        reader = _Bounded(stream, writer)
        with tarfile.open(fileobj=reader, mode="r:") as opened:
            for member in iter(opened.next, None):
                opened.members.clear()  # else it keeps them all
                if not (member.isreg() or member.isdir()):
                    raise writer.refusal(f"the member {member.name[:200]!r} is a link or device")
                writer.add(member.name, opened.extractfile(member) if member.isreg() else None)
        if len(reader.last) < tarfile.BLOCKSIZE or reader.last.strip(b"\0"):  # tarfile takes a damaged header for the end
            raise tarfile.ReadError("it ends without the mark of its end: cut short?")
        rest = 0
        while data := stream.read(CHUNK):  # to the end, where gzip has its checksum
            rest += len(data)
            if rest > HEADER:
                raise writer.refusal("there is more after its end")


class _Bounded:
    """A stream for tarfile, which would read a header of any size that the archive tells."""

    def __init__(self, stream: IO[bytes], writer: _Writer) -> None:
        self.stream, self.writer, self.last = stream, writer, b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        """At most `HEADER` bytes at once."""
        if not 0 <= size <= HEADER:
            raise self.writer.refusal(f"a header of {size:,} bytes")
        self.last = self.stream.read(size)
        return self.last
