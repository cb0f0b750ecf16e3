"""`benchtool data fetch` and `unpack`: nothing without being asked, a dataset is one file, what fails is named, what came is kept."""

from __future__ import annotations

import concurrent.futures as cf
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchtool.core import catalog
from benchtool.core import download as downloading
from benchtool.datasets import fetch as fetching
from benchtool.datasets import show_description
from benchtool.datasets.check.run import Checked
from benchtool.datasets.describe import describe
from benchtool.datasets.sources import sources
from benchtool.workflows.dataset_card import card
from tests.made_server import Page, Server, serving
from tests.small_data import make_dataset

ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as opened:
    opened.writestr("low/1.png", b"low")
    opened.writestr("high/1.png", b"high")
ARCHIVE = ZIP.getvalue()
NAMES = ["a0001-jmac (1)", "a0002-2004-03-29 08-27-22", "a0003-x"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "PAUSE", 0.01)
    monkeypatch.setattr(catalog, "_plugins", [])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as running:
        running.pages["/wild.zip"] = Page(ARCHIVE)
        running.pages["/list.txt"] = Page("\n".join(NAMES).encode() + b"\n\n")
        for name in NAMES:
            running.pages["/dng/" + urllib.parse.quote(name) + ".dng"] = Page(name.encode() * 1000)
        yield running


def plugin(folder: Path, server: Server, source: str = "") -> Path:
    """A newcomer's dataset: one file with the sources, whose names and addresses are these."""
    path = folder / "wild.py"
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    path.write_text(f"""
SPEC = DatasetSpec(
    title="Wild", citation="", licence="research only", home="https://example.org/wild", terms=("https://example.org/terms.txt",),
    sources=(
        {source}
        Source("wild.zip", "{server.address}/wild.zip", size={len(ARCHIVE)}, sha256="{sha256}", folder="wild", evidence="its page"),
        Source("dng_{{each}}", "{server.address}/dng/{{name}}.dng", names=("{server.address}/list.txt",), count=3, optional=True,
               each=("a", "b"), about="raws"),
        Source("labels", by_hand="https://example.org/drive, by a browser; put it into labels"),
    ),
)
""")
    return path


def record(out: Path) -> dict[str, dict]:
    return {entry["file"]: entry for entry in map(json.loads, (out / ".fetched.jsonl").read_text().splitlines())}


def test_nothing_without_being_asked(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    done = benchtool("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out")
    assert done.code == 0 and not server.asked and not (tmp_path / "out").exists()
    for text in ("research only", "https://example.org/terms.txt", f"{server.address}/wild.zip", f"{len(ARCHIVE)} bytes", "by a browser",
                 "dng_{each} (each of a, b): 3 files", "SHA-256 of each not established", "known from: its page"):  # fmt: skip
        assert text in done.out, text
    assert "nothing was downloaded" in done.err and "wild.zip into" in done.err and "dng" not in done.err


def test_asked_for_and_unpacked(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    call = ("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--unpack")
    done = benchtool(*call)
    assert done.code == 0 and [path for path, *_ in server.asked] == ["/wild.zip"] and "1 came, 0 were there" in done.out
    assert (tmp_path / "out" / "wild" / "low" / "1.png").read_bytes() == b"low"
    assert record(tmp_path / "out")["wild.zip"]["verified"] == "published" and "recorded as seen" not in done.err
    again = benchtool(*call)
    assert again.code == 0 and len(server.asked) == 1 and "0 came, 1 were there" in again.out


def test_many_files_come_two_at_a_time_and_resume(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    call = ("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--only", "dng_b")
    missing = "/dng/" + urllib.parse.quote(NAMES[1]) + ".dng"
    page, server.linger = server.pages.pop(missing), 0.3
    for path in server.pages:
        server.pages[path].gathers = 2 if path.startswith("/dng/") else 1
    done = benchtool(*call)
    server.linger = 0.0
    assert done.code == 1 and "2 came" in done.out
    assert "1 failed" in done.err and "HTTP Error 404" in done.err and NAMES[1] in done.err
    assert server.together == fetching.CONNECTIONS == 2
    assert {path.name for path in (tmp_path / "out" / "dng_b").iterdir()} == {f"{NAMES[0]}.dng", f"{NAMES[2]}.dng"}
    server.pages[missing], server.asked[:] = page, []
    done = benchtool(*call)
    assert done.code == 0 and [path for path, *_ in server.asked] == [missing] and "1 came, 2 were there" in done.out
    assert "recorded as seen" in done.err
    entry = record(tmp_path / "out")[f"dng_b/{NAMES[1]}.dng"]
    assert entry["verified"] == "seen" and entry["sha256"] == hashlib.sha256(page.body).hexdigest() and entry["url"].endswith(missing)


def test_files_that_are_there_are_looked_at(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    """A person's own copy counts where it is the published one; nothing is overwritten."""
    call = ("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "wild.zip").write_bytes(ARCHIVE)
    assert benchtool(*call).code == 0 and not server.asked
    (tmp_path / "out" / "wild.zip").write_bytes(ARCHIVE[::-1])
    done = benchtool(*call)
    assert done.code == 1 and "is not the published file" in done.err and (tmp_path / "out" / "wild.zip").read_bytes() == ARCHIVE[::-1]
    benchtool(*call, "--only", "dng_a")
    (tmp_path / "out" / "dng_a" / f"{NAMES[0]}.dng").write_bytes(b"short")
    done = benchtool(*call, "--only", "dng_a")
    assert done.code == 1 and "with 5 bytes, not 14,000" in done.err and not server.asked[4:]


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a\\..\\evil", ".hidden", "a/b", "C:evil"])
def test_a_list_with_names_that_lead_elsewhere(server: Server, benchtool: Callable, tmp_path: Path, name: str) -> None:
    server.pages["/list.txt"] = Page(f"{NAMES[0]}\n{name}\n".encode())
    done = benchtool("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--only", "dng_a")
    assert done.code == 1 and ("is no plain file name" in done.err or "no plain name" in done.err)
    assert [path for path, *_ in server.asked] == ["/list.txt"] and {p.name for p in tmp_path.iterdir()} == {"wild.py", "out"}


@pytest.mark.parametrize("late", [False, True])
def test_a_server_that_is_down_is_left_alone(
    server: Server, benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """However late the failures are heard of by who waits for the results."""
    if late:
        monkeypatch.setattr(cf, "as_completed", lambda futures: cf.wait(futures).done)
    many = [f"a{k:04}" for k in range(200)]
    server.pages = {"/list.txt": Page("\n".join(many).encode())}
    done = benchtool("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--only", "dng_a")
    assert done.code == 1 and "200 failed" in done.err and "not tried further, after 8 failures" in done.err
    assert "hold 200 names, not 3" in done.err
    assert len(server.asked) <= 1 + fetching.GIVE_UP + fetching.CONNECTIONS - 1  # the list, the failures, and what was under way


def test_a_hostile_archive_is_fetched_but_not_unpacked(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as hostile:
        hostile.writestr("../evil.txt", b"evil")
    server.pages["/bad.zip"] = Page((tmp_path / "bad.zip").read_bytes())
    source = f'Source("bad.zip", "{server.address}/bad.zip", folder="bad"),'
    done = benchtool("--plugin", plugin(tmp_path, server, source), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--unpack")
    assert done.code == 1 and "'../evil.txt' leads outside" in done.err
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"bad.zip", "wild.zip", "wild", ".fetched.jsonl"}


def test_names_that_do_not_exist(server: Server, benchtool: Callable, tmp_path: Path) -> None:
    call = ("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out")
    assert "did you mean 'wild.zip'" in benchtool(*call, "--only", "wild.zi").err
    assert benchtool("data", "fetch", "fivk", tmp_path / "out").err == "benchtool: unknown dataset 'fivk'; did you mean 'fivek'?\n"
    by_hand = benchtool("data", "fetch", "sice", tmp_path / "out", "--accept-terms")
    assert by_hand.code == 2 and "csjcai/SICE" in by_hand.out and "nothing of it can be downloaded" in by_hand.err
    assert not server.asked


def test_ctrl_c_keeps_what_came(server: Server, tmp_path: Path) -> None:
    """In a process of its own, as at a terminal; the same command goes on where it stopped."""
    body = os.urandom(3_000_000)
    server.pages["/big"] = page = Page(body, length=len(body) + 1, hangs=True)  # announces a byte that never comes
    source = f'Source("big", "{server.address}/big"),'
    command = [sys.executable, "-m", "benchtool", "--plugin", str(plugin(tmp_path, server, source)), "data", "fetch", "wild",
               str(tmp_path / "out"), "--accept-terms", "--only", "big"]  # fmt: skip
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    part, deadline = tmp_path / "out" / "big.part", time.monotonic() + 300
    while not (part.is_file() and part.stat().st_size > len(body) // 2):  # the last bytes may not have left its buffer
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130 and "run the same command again" in said and not (tmp_path / "out" / "big").exists()
    kept = part.read_bytes()
    assert len(kept) > len(body) // 2 and body.startswith(kept)
    page.body, page.length, page.hangs = body + b"!", "true", False
    page.validators, page.headers = "none", {"ETag": f'"{hashlib.sha256(body).hexdigest()[:12]}"'}
    whole = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert whole.returncode == 0, whole.stderr
    assert server.asked[-1][:2] == ("/big", f"bytes={len(kept)}-"), "what came was not asked for again"
    assert (tmp_path / "out" / "big").read_bytes() == body + b"!" and not part.exists()
    assert "SHA-256" in whole.stderr and hashlib.sha256(body + b"!").hexdigest() in whole.stderr


def test_what_came_as_ctrl_c_came_is_recorded(server: Server, benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the same command would not know the file, and ask the person to remove it."""

    def interrupted(futures: dict) -> None:
        cf.wait(futures)
        raise KeyboardInterrupt

    call = ("--plugin", plugin(tmp_path, server), "data", "fetch", "wild", tmp_path / "out", "--accept-terms", "--only", "dng_b")
    with monkeypatch.context() as patch:
        patch.setattr(cf, "as_completed", interrupted)
        assert benchtool(*call).code == 130
    done = benchtool(*call)
    assert done.code == 0 and "0 came, 3 were there" in done.out, done.err


def test_every_address_we_have_can_be_asked() -> None:
    """All https; many files have lists and a pattern; what has no address says what a person does; no address without evidence."""
    for name in catalog.names("datasets"):
        for source in sources(catalog.facts("datasets", name)):
            assert bool(source.url) != bool(source.by_hand), f"{name}: {source.name}"
            assert (source.count > 1) == bool(source.names) == ("{name}" in source.url), f"{name}: {source.name}"
            assert all(address.startswith("https://") for address in (source.url, *source.names) if address), f"{name}: {source.name}"
            assert source.evidence or not source.url, f"{name}: {source.name}"
            assert source.sha256 is None or len(source.sha256) == 64


def test_unpack_and_prepare(benchtool: Callable, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ARCHIVE)
    done = benchtool("data", "prepare", "lol", tmp_path / "a.zip", tmp_path / "set")
    assert done.code == 2 and "benchtool data unpack" in done.err and done.err.count("\n") == 1 and not (tmp_path / "set").exists()
    refused = benchtool("data", "unpack", tmp_path / "a.zip", tmp_path / "files", "--max-gb", "0.001", "--max-gb", "1e-9")
    assert refused.code == 2
    done = benchtool("data", "unpack", tmp_path / "a.zip", tmp_path / "files")
    assert done.code == 0 and "2 files, 7 bytes" in done.out and (tmp_path / "files" / "high" / "1.png").read_bytes() == b"high"


def test_card_info_and_list_say_where_from(benchtool: Callable, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "me")
    found, _ = describe(dataset, look_at=0)
    for text in (card(dataset, Checked(quick=True)), show_description.as_text(found)):
        assert "legal/LicenseAdobe.txt" in text and "mahmoudnafifi/Exposure_Correction" in text
    assert found["sources"][0]["known_from"].startswith("README") and found["terms"]
    listed = {line.split()[0]: line for line in benchtool("data", "list").out.splitlines()}
    assert "(download)" in listed["fivek"] and "(by hand)" in listed["sice"] and "(own files)" in listed["brackets"]
