"""The page of contact sheets in a browser: clicked, typed into, left and opened again, and its file read back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchtool.core.files import write_text
from benchtool.core.images import write_image
from benchtool.datasets.retouch.retouching import Coefficients
from benchtool.datasets.retouch.sheet import SheetTask, page, write_sheet
from benchtool.datasets.retouch.votes import Vote, read_votes

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

MARK = "0123456789abcdef"


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Three clusters, the last one with two candidates only."""
    write_image(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8))
    clusters = []
    for number, tiles in enumerate((8, 8, 2)):
        name = f"cluster-{number:04}.jpg"
        write_sheet(SheetTask(tmp_path / "a.png", (Coefficients(),) * tiles, tmp_path / name, 4))
        clusters.append({"cluster": number, "sheet": name, "photographs": 3, "tiles": tiles, "score": 1})
    write_text(tmp_path / "index.html", page(MARK, clusters))
    return tmp_path


def test_clicks_become_a_file_of_choices(browser: Chrome, sheets: Path) -> None:
    def at(selector: str) -> list:
        return browser.find_elements("css selector", selector)

    address = (sheets / "index.html").as_uri()
    browser.get(address)
    assert browser.execute_script("return document.getElementById('picture').naturalWidth") == 3 * 128
    at("#rater")[0].send_keys('Ann "1", x')
    at("#tiles button")[4].click()  # candidate 4 of cluster 0, and on to cluster 1
    assert "Cluster 1" in at("#where")[0].text
    at("body")[0].send_keys("0")
    assert "Cluster 2" in at("#where")[0].text
    assert [tile.is_enabled() for tile in at("#tiles button")] == [True] * 3 + [False] * 6
    at("body")[0].send_keys("7")  # there is no such tile
    at("body")[0].send_keys("s")
    browser.get(address)  # left, and opened again
    assert "3 done" in at("#where")[0].text
    box = at("#tiles button[aria-pressed=true]")
    assert [tile.get_attribute("title") for tile in box] == ["Candidate 4"]
    text = browser.execute_async_script(
        "const done = arguments[0]; const plain = URL.createObjectURL;"
        "const text = blob => blob.arrayBuffer().then(b => done(btoa(String.fromCharCode(...new Uint8Array(b)))));"
        "URL.createObjectURL = blob => { text(blob); return plain(blob); };"
        "HTMLAnchorElement.prototype.click = () => {}; document.getElementById('save').dispatchEvent(new Event('click'));"
    )
    (sheets / "choices.csv").write_bytes(base64.b64decode(text))
    rater = 'Ann "1", x'
    assert read_votes(sheets / "choices.csv", MARK, 3, 8) == {0: [Vote(rater, 4)], 1: [Vote(rater, 0)], 2: [Vote(rater, None)]}


def test_a_name_cannot_end_the_script() -> None:
    text = page(MARK, [{"cluster": 0, "sheet": "</script><b>", "photographs": 1, "tiles": 1, "score": 0}])
    data = text.split('type="application/json">', 1)[1].split("</script>", 1)[0]
    assert json.loads(data)["clusters"][0]["sheet"] == "</script><b>"
