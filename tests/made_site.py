"""A site of made-up runs for its tests: two methods on ME, one on ME-v2 with failures, names that no page may obey; its pages read."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_runs import score_rows, write_run

from benchtool.core.pool import Failure
from benchtool.report.frame import read_results
from benchtool.report.site import scenes
from benchtool.report.site.build import Site, build_site

HOSTILE = "<script>alert(1)</script>"
FOLDER = "<img src=x onerror=alert(1)>"  # a folder's name has no slash
SCENES = 7
VOID = {"meta", "link", "input", "img", "br", "hr"}
FOREIGN = {"path", "line", "text", "svg", "circle", "rect"}


@contextlib.contextmanager
def in_this_process() -> Iterator[None]:
    """Pictures are made here: processes take a second each to start."""

    def run_batch(worker: Callable, items: Sequence[tuple[str, Any]], done: Callable, **_: object) -> list[Failure]:
        for name, argument in items:
            done(name, worker(argument))
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "run_batch", run_batch)
        yield


def write_runs(folder: Path) -> None:
    """The runs: `clahe` and smoke-trained `sid` on ME, `clahe` on ME-v2 (one image failed, one infinite), and a hostile one."""
    write_run(folder / "clahe", scenes=SCENES)
    write_run(folder / "sid", "sid", "sid", scenes=SCENES, seed=5, trained={"smoke": True})
    rows = score_rows("me-v2", SCENES, seed=3)
    rows[0] |= {"value": None, "status": "failed", "reason": f"broke {HOSTILE}"}
    rows[1] |= {"value": float("inf")}
    write_run(folder / "v2", dataset="me-v2", rows=rows)
    rows = [{**row, "scene": HOSTILE + row["scene"], "subset": HOSTILE, "exposure": None} for row in score_rows("me", SCENES, seed=8)]
    for row in rows:
        row["sample"] = HOSTILE + row["sample"]
    write_run(folder / FOLDER, HOSTILE, rows=rows, variant=HOSTILE, exposure_groups={HOSTILE: [0.5]}, options={HOSTILE: HOSTILE})


def make_site(folder: Path) -> Site:
    """Build `folder/out` of `folder/runs`."""
    write_runs(folder / "runs")
    with in_this_process():
        return build_site(folder / "out", read_results([folder / "runs"]), [], per_kind=2, command=["site", HOSTILE])


class Page(HTMLParser):
    """A page's elements, ids and addresses; balanced, or `faults` says where not."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.text = path, path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.feed(self.text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if len(dict(attributes)) != len(attributes):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in FOREIGN | VOID:
            self.faults.append(f"<{tag}/> is not closed in HTML")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> on line {self.getpos()[0]}")

    @property
    def ids(self) -> list[str]:
        return [value["id"] for _, value in self.elements if "id" in value]

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """(tag, address) of everything that is loaded or led to."""
        names = ("href", "src", "srcset", "data", "action")
        return [(tag, value[name]) for tag, value in self.elements for name in names if value.get(name)]


def words(page: Page) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
