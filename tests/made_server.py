"""A web server on this machine that has files, pieces of them, and bad manners on demand."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Page:
    """What is at an address.

    Attributes:
        body: the file.
        breaks: the answers to come break after so many bytes of their body; then answers are whole.
        statuses: of the answers to come, before it is given out.
        ranges: whether pieces are given out.
        validators: `etag`, `weak` (a weak one), `date` or none.
        length: announced instead of the true one, None: not announced, as HTTP/1.0 allows.
        location: where it redirects to.
        headers: further ones.
        gathers: it is given out once so many requests have been under way at once, or after 30 seconds.
        hangs: after the body the connection stays open, for as long as this is true.
    """

    body: bytes = b""
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    validators: str = "etag"
    length: int | str | None = "true"
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    gathers: int = 1
    hangs: bool = False

    @property
    def validator(self) -> dict[str, str]:
        tag = f'"{hashlib.sha256(self.body).hexdigest()[:12]}"'
        day = 1 + self.body[0] % 28 if self.body else 1
        kinds = {"etag": {"ETag": tag}, "weak": {"ETag": f"W/{tag}"}, "date": {"Last-Modified": f"Thu, {day:02} Jan 2026 00:00:00 GMT"}}
        return kinds.get(self.validators, {})


@dataclass
class Server:
    """A running server: its address, its pages by path, and what was asked: (path, Range, If-Range)."""

    address: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    together: int = 0  # most requests under way at once
    linger: float = 0.0  # seconds before each answer


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server, until the end of the block."""
    server = Server()
    lock, under_way = threading.Lock(), [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                under_way[0] += 1
                server.together = max(server.together, under_way[0])
                server.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
            try:
                page, until = server.pages.get(self.path), time.monotonic() + 30
                while page and server.together < page.gathers and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(server.linger)
                self.answer(page)
                while page and page.hangs:
                    time.sleep(0.01)
            finally:
                with lock:
                    under_way[0] -= 1

        def answer(self, page: Page | None) -> None:
            status = 404 if page is None else 302 if page.location else page.statuses.pop(0) if page.statuses else 200
            body, extra = page.body if page else b"", {}
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            fits = page and self.headers.get("If-Range") in (None, *page.validator.values())
            if status == 200 and asked and page.ranges and fits:
                begin, whole = int(asked[1]), len(body)
                status, body = (206, body[begin:]) if begin < whole else (416, b"")
                extra["Content-Range"] = f"bytes {begin}-{whole - 1}/{whole}" if status == 206 else f"bytes */{whole}"
            self.send_response(status)
            if page:
                extra |= page.validator | page.headers | ({"Location": page.location} if page.location else {})
                if page.length is not None:
                    extra["Content-Length"] = str(len(body) if page.length == "true" else page.length)
            for name, value in extra.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the other side may have had enough
                self.wfile.write(body[: page.breaks.pop(0)] if page and page.breaks and status in (200, 206) else body)

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{running.server_port}"
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
