"""The one downloader: into FILE.part, resumed where the server still has the same file, verified before it takes its name.

Only https is followed; plain http where the whole SHA-256 is known, and on this machine. HTTP ranges: RFC 9110, sections 13.1.5 and 14.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchtool import __version__
from benchtool.core.errors import UserError
from benchtool.core.files import read_json, sha256_file, sync_folder, write_json

TIMEOUT = 30.0  # seconds a connection may stand still
TRIES = 4  # in a row that bring no further byte
PAUSE = 1.0  # seconds after the first of them, doubled for each further
LONGEST_PAUSE = 60.0  # seconds a server may ask us to wait
CHUNK = 1 << 18  # bytes
SPARE = 1 << 28  # bytes of the disk that stay free
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be others later

Watch = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Remote:
    """A file at an address.

    Attributes:
        url: https; or http where `sha256` is known.
        size: bytes, None where not known: then at most `largest`.
        sha256: of its bytes, None where not known.
    """

    url: str
    size: int | None = None
    sha256: str | None = None
    largest: int = 1 << 40


@dataclass(frozen=True)
class Received:
    """A file that came: its bytes and SHA-256, and how many of the bytes the last request found there from an interrupted one."""

    size: int
    sha256: str
    resumed: int


class _Broken(Exception):
    """The connection failed; another try may go on."""

    def __init__(self, why: object, pause: float | None = None) -> None:
        super().__init__(str(why) or type(why).__name__)
        self.pause = pause


def download(remote: Remote, path: Path, watch: Watch = lambda done, total: None) -> Received:
    """Bring `remote` to `path`, which must not exist; the same call continues interrupted work.

    Args:
        watch: called with the bytes that are there and the bytes there will be (None: not announced); an exception it raises stops
            the download, and keeps what came.

    Raises:
        UserError: an address that is not followed, a refusal, another size or hash than known, a full disk, or a connection that
            fails again and again; then what came is kept in FILE.part.
    """
    _check_address(remote)
    path = Path(path)
    if path.exists():
        raise UserError(f"{path}: exists already; remove it to download it again")
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    before, tries = _length(part), 0
    while True:
        try:
            resumed = _receive(remote, part, watch)
            break
        except _Broken as error:
            tries = 0 if _length(part) > before else tries + 1
            before = max(before, _length(part))  # a file that began anew brings the same bytes again
            if tries >= TRIES:
                raise UserError(f"{remote.url}: {error}") from None
            _wait(PAUSE * 2 ** max(0, tries - 1) if error.pause is None else error.pause, _length(part), watch)
    received = Received(_length(part), sha256_file(part), resumed)
    _verify(remote, part, received)
    os.replace(part, path)
    _state(part).unlink(missing_ok=True)
    sync_folder(path.parent)
    return received


def _wait(seconds: float, done: int, watch: Watch) -> None:
    """Wait; `watch` may stop it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
        watch(done, None)


def is_local(url: str) -> bool:
    """Whether an address is of this machine, by number."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(remote: Remote) -> None:
    parts = urllib.parse.urlsplit(remote.url)
    whole = remote.sha256 is not None and len(remote.sha256) == 64
    if not parts.hostname or parts.scheme != "https" and not (parts.scheme == "http" and (whole or is_local(remote.url))):
        raise UserError(f"{remote.url}: only https addresses are downloaded (http where the file's SHA-256 is known)")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https; to http only from this machine to itself."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and not (scheme == "http" and is_local(req.full_url) and is_local(newurl)):
            raise UserError(f"{req.full_url}: redirects to {newurl}; only https is followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Speaks HTTP and HTTPS, and nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, _Redirects,
                    urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _receive(remote: Remote, part: Path, watch: Watch) -> int:
    """One request: adds to `part` until it is whole; returns how many bytes of it were kept from before."""
    kept = _resumable(remote, part)
    have = _length(part) if kept is not None else 0
    if have and have == (remote.size or kept.get("total")):
        return have
    headers = {"User-Agent": f"benchtool/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        headers |= {"If-Range": kept["validator"]} if kept.get("validator") else {}
    with _ask(remote, headers, part) as answer:
        have, total = _where(remote, answer, have, kept or {}, part)
        _check_room(remote, part, have, total)
        if not have:
            _forget(part)  # before what is known of the new file: old bytes must never stand beside it
        state = {"url": remote.url, "validator": _validator(answer.headers), "total": total}
        write_json(_state(part), state)
        _write(remote, answer, part, have, total, watch)
    return have


def _resumable(remote: Remote, part: Path) -> Mapping[str, Any] | None:
    """What is known of the file `part` is of; None where it cannot be told to be a piece of what `remote` is now."""
    if not part.is_file() or not _state(part).is_file():
        return None
    try:
        kept = read_json(_state(part))
    except UserError:
        return None
    same = isinstance(kept, dict) and kept.get("url") == remote.url and (kept.get("validator") or remote.sha256)
    return kept if same and _length(part) <= (remote.size or remote.largest) else None


def _ask(remote: Remote, headers: Mapping[str, str], part: Path) -> Any:
    """The server's answer, 200 or 206."""
    try:
        return _opener().open(urllib.request.Request(remote.url, headers=dict(headers)), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:
                _forget(part)
                raise _Broken("the server has no such piece", pause=0) from None
            if error.code in PASSING:
                wait = error.headers.get("Retry-After", "")
                raise _Broken(error, min(float(wait), LONGEST_PAUSE) if wait.isdecimal() else None) from None
            raise UserError(f"{remote.url}: {error}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(f"{remote.url}: the server does not prove who it is ({error.reason})") from None
        raise _Broken(error.reason) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(error) from None


def _where(remote: Remote, answer: Any, have: int, kept: Mapping[str, Any], part: Path) -> tuple[int, int | None]:
    """(Byte the answer begins at, bytes of the whole file or None).

    A server that ignores the range, or has another file by now, begins at 0.
    """
    if (encoding := answer.headers.get("Content-Encoding", "identity")) != "identity":
        raise UserError(f"{remote.url}: comes in the encoding '{encoding}', which was not asked for; its bytes cannot be verified")
    length = answer.headers.get("Content-Length", "")
    if answer.status == 200:
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    total = int(found[2]) if found and found[2] != "*" else None
    if answer.status != 206 or not found or int(found[1]) != have or kept.get("total") not in (None, total):
        _forget(part)
        raise _Broken("the server answers with another piece than was asked for", pause=0)
    return have, total


def _check_room(remote: Remote, part: Path, have: int, total: int | None) -> None:
    if total is not None and remote.size is not None and total != remote.size:
        raise UserError(f"{remote.url}: not the published file ({remote.size:,} bytes expected, the server has {total:,})")
    if total is not None and total > remote.largest:
        raise UserError(f"{remote.url}: {total:,} bytes are more than the {remote.largest:,} allowed")
    free, needed = shutil.disk_usage(part.parent).free, (total or 0) - have + SPARE
    if free < needed:
        raise UserError(f"{part.parent}: {needed:,} bytes are needed for {remote.url}, {free:,} are free; make room or choose another disk")


def _write(remote: Remote, answer: Any, part: Path, have: int, total: int | None, watch: Watch) -> None:
    done = have
    with open(part, "ab" if have else "wb") as stream:
        for data in _pieces(answer):
            done += len(data)
            if done > (remote.size or remote.largest):
                break
            stream.write(data)
            watch(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    if done > (remote.size or remote.largest):
        _forget(part)
        raise UserError(f"{remote.url}: not the published file ({remote.size or remote.largest:,} bytes at most, more came)")
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


def _pieces(answer: Any) -> Iterator[bytes]:
    while True:
        try:
            data = answer.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(error) from None
        if not data:
            return
        yield data


def _validator(headers: Any) -> str | None:
    """What tells whether a file has changed: a strong ETag, else the time of its last change."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _verify(remote: Remote, part: Path, received: Received) -> None:
    size = remote.size is None or received.size == remote.size
    if size and (remote.sha256 is None or received.sha256 == remote.sha256):
        return
    _forget(part)
    what = "its SHA-256 differs" if size else f"{remote.size:,} bytes expected, {received.size:,} came"
    raise UserError(f"{remote.url}: not the published file ({what}); nothing of it is kept")


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _state(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state(part).unlink(missing_ok=True)
