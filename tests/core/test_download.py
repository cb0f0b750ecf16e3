"""Downloads: resumed, verified, and nothing followed that should not be. The server is on this machine."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchtool.core import download as downloading
from benchtool.core.download import Remote, download, is_local
from benchtool.core.errors import UserError
from tests.made_server import Page, Server, serving

BODY = bytes(range(256)) * 4000  # 1,024,000 bytes
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        running.pages["/file"] = Page(BODY)
        yield running


def remote(server: Server, path: str = "/file", size: int | None = None, sha256: str | None = None, **known: int) -> Remote:
    return Remote(server.address + path, size, sha256, **known)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_comes_is_what_is_there(server: Server, tmp_path: Path) -> None:
    watched: list[tuple[int, int | None]] = []
    got = download(remote(server, size=len(BODY), sha256=SHA256), tmp_path / "new" / "f", lambda done, total: watched.append((done, total)))
    assert (tmp_path / "new" / "f").read_bytes() == BODY and left(tmp_path / "new") == {"f"}
    assert (got.size, got.sha256, got.resumed) == (len(BODY), SHA256, 0)
    assert watched[-1] == (len(BODY), len(BODY)) and [done for done, _ in watched] == sorted(done for done, _ in watched)
    with pytest.raises(UserError, match="exists already"):
        download(remote(server), tmp_path / "new" / "f")


@pytest.mark.parametrize("validators", ["etag", "date"])
def test_broken_connections_go_on_where_they_broke(server: Server, tmp_path: Path, validators: str) -> None:
    server.pages["/file"] = page = Page(BODY, breaks=[300_000, 200_000], validators=validators)
    assert download(remote(server), tmp_path / "f").resumed == 500_000
    assert (tmp_path / "f").read_bytes() == BODY and left(tmp_path) == {"f"}
    tag = next(iter(page.validator.values()))
    assert server.asked == [("/file", None, None), ("/file", "bytes=300000-", tag), ("/file", "bytes=500000-", tag)]


def interrupted(server: Server, path: Path, page: Page, **known: object) -> None:
    """A download stopped by the person after about 300,000 bytes, as by Ctrl-C."""

    def watch(done: int, total: int | None) -> None:
        if done >= 300_000:
            raise KeyboardInterrupt

    server.pages["/file"] = page
    with pytest.raises(KeyboardInterrupt):
        download(remote(server, **known), path, watch)
    assert not path.exists() and 300_000 <= path.with_name(path.name + ".part").stat().st_size < len(BODY)


def test_ctrl_c_keeps_what_came(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "f", Page(BODY))
    had = (tmp_path / "f.part").stat().st_size
    assert download(remote(server), tmp_path / "f").resumed == had
    assert server.asked[-1][1] == f"bytes={had}-" and (tmp_path / "f").read_bytes() == BODY and left(tmp_path) == {"f"}


def test_a_file_that_changed_meanwhile_begins_anew(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "f", Page(BODY))
    server.pages["/file"].body = BODY[::-1]
    assert download(remote(server), tmp_path / "f").resumed == 0
    assert (tmp_path / "f").read_bytes() == BODY[::-1]


def test_killed_as_the_changed_file_begins(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old bytes never stand beside what is known of the new file."""
    interrupted(server, tmp_path / "f", Page(BODY))
    server.pages["/file"].body = BODY[::-1]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(downloading, "_write", killed)
        download(remote(server), tmp_path / "f")
    download(remote(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY[::-1]


def test_a_changed_file_by_a_server_that_ignores_if_range(server: Server, tmp_path: Path) -> None:
    """It gives a piece of a file of another length: what came before is not kept."""
    interrupted(server, tmp_path / "f", Page(BODY, validators="etag"))
    page = server.pages["/file"]
    old = page.validator["ETag"]
    page.body, page.validators, page.headers = BODY[::-1] + b"more", "none", {"ETag": old}
    downloaded = download(remote(server), tmp_path / "f")
    assert downloaded.resumed == 0 and (tmp_path / "f").read_bytes() == page.body


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "f", Page(BODY, ranges=False))
    assert download(remote(server), tmp_path / "f").resumed == 0
    assert server.asked[-1][1] and (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize(("known", "asks"), [({}, False), ({"sha256": SHA256}, True)])
def test_without_a_validator_only_a_known_hash_lets_it_go_on(server: Server, tmp_path: Path, known: dict, asks: bool) -> None:
    """A weak tag does not promise equal bytes."""
    interrupted(server, tmp_path / "f", Page(BODY, validators="weak"), **known)
    assert (download(remote(server, **known), tmp_path / "f").resumed > 0) == asks == bool(server.asked[-1][1])
    assert server.asked[-1][2] is None and (tmp_path / "f").read_bytes() == BODY


def test_a_piece_of_another_address_is_not_taken(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "f", Page(BODY))
    server.pages["/other"] = Page(BODY[::-1], validators="none", headers=server.pages["/file"].validator)
    download(remote(server, "/other"), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY[::-1] and server.asked[-1][1] is None


def test_a_whole_part_is_only_verified(server: Server, tmp_path: Path) -> None:
    interrupted(server, tmp_path / "f", Page(BODY))
    (tmp_path / "f.part").write_bytes(BODY)
    asked = len(server.asked)
    assert download(remote(server), tmp_path / "f").sha256 == SHA256 and len(server.asked) == asked
    interrupted(server, tmp_path / "g", Page(BODY))
    (tmp_path / "g.part").write_bytes(BODY + b"too much")  # 416: begins anew
    assert download(remote(server), tmp_path / "g").sha256 == SHA256


@pytest.mark.parametrize(
    ("known", "page", "says"),
    [
        ({"sha256": "0" * 64}, Page(BODY), "SHA-256 differs"),
        ({"size": len(BODY) + 1}, Page(BODY), "1,024,001 bytes expected, the server has 1,024,000"),
        ({"size": len(BODY) + 1}, Page(BODY, length=None), "1,024,001 bytes expected, 1,024,000 came"),
        ({"size": len(BODY) - 1}, Page(BODY, length=None), "more came"),
        ({"largest": 1000}, Page(BODY), "more than the 1,000 allowed"),
        ({"largest": 1000}, Page(BODY, length=None), "1,000 bytes at most, more came"),
        ({}, Page(BODY, headers={"Content-Encoding": "gzip"}), "encoding 'gzip'"),
        ({}, Page(BODY, statuses=[403]), "HTTP Error 403"),
    ],
)
def test_what_is_not_the_file_is_not_kept(server: Server, tmp_path: Path, known: dict, page: Page, says: str) -> None:
    server.pages["/file"] = page
    with pytest.raises(UserError, match=says):
        download(remote(server, **known), tmp_path / "f")
    assert left(tmp_path) == set() and len(server.asked) == 1


def test_a_server_that_lies_about_the_length(server: Server, tmp_path: Path) -> None:
    """It announces more than it has: tried again some times, then given up, and what came is kept."""
    server.pages["/file"] = Page(BODY, length=len(BODY) + 5, ranges=False)
    with pytest.raises(UserError, match="the connection ended after 1,024,000 of 1,024,005 bytes"):
        download(remote(server), tmp_path / "f")
    assert left(tmp_path) == {"f.part", "f.part.json"} and len(server.asked) == downloading.TRIES + 1


def test_a_server_that_lies_and_gives_pieces_is_left_alone_too(server: Server, tmp_path: Path) -> None:
    """Asked for the byte it has not, it says so; then the file begins anew, which is no progress."""
    server.pages["/file"] = Page(BODY, length=len(BODY) + 5)
    with pytest.raises(UserError, match="the connection ended after|no such piece"):
        download(remote(server), tmp_path / "f")
    assert len(server.asked) == downloading.TRIES + 1


def test_passing_failures_are_tried_again(server: Server, tmp_path: Path) -> None:
    server.pages["/file"] = Page(BODY, statuses=[503, 429], headers={"Retry-After": "0"})
    assert download(remote(server), tmp_path / "f").sha256 == SHA256 and len(server.asked) == 3
    server.pages["/file"] = Page(BODY, statuses=[500] * 9)
    with pytest.raises(UserError, match="HTTP Error 500"):
        download(remote(server), tmp_path / "g")
    assert len(server.asked) == 3 + downloading.TRIES


def test_waiting_can_be_interrupted(server: Server, tmp_path: Path) -> None:
    server.pages["/file"] = Page(BODY, statuses=[503], headers={"Retry-After": "50"})

    def watch(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote(server), tmp_path / "f", watch)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/f", "http://example.org/f", "https:///f", "f", "http://localhost/f"])
def test_addresses_that_are_not_asked(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only https"):
        download(Remote(url), tmp_path / "f")
    assert left(tmp_path) == set()


def test_http_where_the_hash_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    downloading._check_address(Remote("http://example.org/f", sha256="0" * 64))
    assert is_local("http://127.0.0.1:80/f") and is_local("http://[::1]/f") and not is_local("http://127.0.0.1.example.org/f")


@pytest.mark.parametrize("target", ["file:///etc/hosts", "http://example.org/f", "ftp://example.org/f"])
def test_redirects_that_are_not_followed(server: Server, tmp_path: Path, target: str) -> None:
    server.pages["/file"] = Page(location=target)
    with pytest.raises(UserError, match="only https is followed|HTTP Error 302"):
        download(remote(server), tmp_path / "f")
    assert left(tmp_path) == set()


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    server.pages["/there"] = Page(BODY, breaks=[100_000])
    server.pages["/file"] = Page(location=f"{server.address}/there")
    assert download(remote(server), tmp_path / "f").resumed == 100_000
    assert (tmp_path / "f").read_bytes() == BODY


def test_the_disk_is_looked_at_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=downloading.SPARE + len(BODY) - 1))
    with pytest.raises(UserError, match="are free; make room"):
        download(remote(server), tmp_path / "f")
    assert left(tmp_path) == set()
