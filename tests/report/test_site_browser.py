"""The site's tables in a browser: sorted, filtered, followed to the images behind a figure, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_site import HOSTILE, SCENES, make_site

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

TABLE = "tables/enc-1.html"
GAPS = {"–", "n/a", "missing", ""}


@pytest.fixture(scope="module")
def site(browser: Chrome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole site's folder. Built only where there is a browser."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder)
    return folder / "out"


class Reader:
    """A person at the site."""

    def __init__(self, browser: Chrome, folder: Path) -> None:
        self.browser, self.folder = browser, folder

    def open(self, href: str) -> None:
        self.browser.get("about:blank")
        self.browser.get((self.folder / href).as_uri())
        self.wait_until_ready()

    def follow(self, link: WebElement) -> None:
        """Click, and wait for the page it leads to."""
        from selenium.webdriver.support.expected_conditions import staleness_of
        from selenium.webdriver.support.ui import WebDriverWait

        link.click()
        WebDriverWait(self.browser, 60).until(staleness_of(link))
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        ready = "return document.readyState === 'complete' && !document.querySelector('th[data-sort]:not(:has(button))')"
        WebDriverWait(self.browser, 60).until(lambda browser: browser.execute_script(ready))

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element("css selector", selector)

    def head(self, name: str) -> WebElement:
        """The first table's heading of that name."""
        return self.one(f"table thead th[data-sort='{name}']")

    def column(self, name: str) -> list[str]:
        """The texts of the first table's column that are seen, footnotes and intervals left out."""
        script = """
            const head = arguments[0], rows = [...head.closest('table').tBodies[0].rows].filter((row) => !row.hidden);
            return rows.map((row) => (row.cells[head.cellIndex].querySelector('span') ?? row.cells[head.cellIndex]).textContent.trim());
        """
        return self.browser.execute_script(script, self.head(name))

    def rows(self) -> list[str]:
        """The labels of all rows that are seen, table by table."""
        return [
            e.get_attribute("data-value") or e.text  # a label without its footnotes' marks
            for e in self.browser.find_elements("css selector", "table[data-rows] tbody th")
            if e.is_displayed()
        ]

    def emulate(self, command: str, **arguments: object) -> None:
        self.browser.execute_cdp_cmd(f"Emulation.{command}", arguments)


@pytest.fixture
def reader(browser: Chrome, site: Path) -> Iterator[Reader]:
    """At ENC's first table; what a page says on its console is an error."""
    browser.get_log("browser")
    reader = Reader(browser, site)
    reader.open(TABLE)
    yield reader
    reader.emulate("clearDeviceMetricsOverride")
    reader.emulate("setScriptExecutionDisabled", value=False)
    reader.emulate("setEmulatedMedia", features=[])
    assert browser.get_log("browser") == []


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace("−", "-")) for text in texts if text not in GAPS]


def test_a_click_sorts_another_reverses_a_third_restores(reader: Reader) -> None:
    name = "Under, paper"
    order, labels = reader.column(name), reader.column("method")
    button = reader.head(name).find_element("tag name", "button")
    for sort, reverse in (("descending", True), ("ascending", False)):
        button.click()
        assert reader.head(name).get_attribute("aria-sort") == sort
        assert numbers(reader.column(name)) == sorted(numbers(order), reverse=reverse) != numbers(order)
        assert dict(zip(reader.column("method"), reader.column(name))) == dict(zip(labels, order))  # rows stay whole
        assert sort in reader.one("body > .unseen").get_attribute("textContent")
    button.click()
    assert reader.head(name).get_attribute("aria-sort") is None
    assert reader.column(name) == order and reader.column("method") == labels


def test_where_less_is_better_the_first_click_sorts_from_the_least(reader: Reader) -> None:
    reader.open("tables/niid-1.html")
    (name,) = [
        head.get_attribute("data-sort")
        for head in reader.browser.find_elements("css selector", "th[data-first]")
        if "LOE" in head.get_attribute("data-sort")
    ]
    reader.head(name).find_element("tag name", "button").click()
    values = numbers(reader.column(name))
    assert reader.head(name).get_attribute("aria-sort") == "ascending" and len(values) == 14 and values == sorted(values)


def test_missing_values_are_last_in_either_order(reader: Reader) -> None:
    name = "Under, sample"
    for _ in range(2):
        reader.head(name).find_element("tag name", "button").click()
        texts = reader.column(name)
        assert len(numbers(texts)) == 2 and set(texts[2:]) == {"–"}
    assert numbers(texts) == sorted(numbers(texts))


def test_names_sort_by_keyboard_and_one_column_at_a_time(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    reader.head("Over, paper").find_element("tag name", "button").click()
    button = reader.head("method").find_element("tag name", "button")
    reader.browser.execute_script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    assert reader.column("method") == sorted(reader.column("method"), key=str.lower)
    assert reader.head("Over, paper").get_attribute("aria-sort") is None
    button.send_keys(Keys.SPACE)
    assert reader.column("method") == sorted(reader.column("method"), key=str.lower, reverse=True)
    assert button.value_of_css_property("outline-style") == "solid" and button.value_of_css_property("outline-width") == "2px"


def test_parameters_sort_by_their_size(reader: Reader) -> None:
    name = "#Param, paper"
    script = "return [...document.querySelectorAll('th[data-sort=\"#Param, paper\"]')][0].querySelector('button').click()"
    reader.browser.execute_script(script)
    sizes = [float(text.removesuffix("M")) for text in reader.column(name) if text not in GAPS]
    assert len(sizes) > 5 and sizes == sorted(sizes, reverse=True)


def test_filtering_by_words_and_by_measured_values(reader: Reader) -> None:
    every = reader.rows()
    search = reader.one(".tools input[type=search]")
    search.send_keys("drbn 4")
    shown = reader.rows()
    assert set(shown) == {"I-DRBN-4"}
    assert reader.one(".tools .count").text == f"{len(shown)} of {len(every)} rows"
    search.clear()
    search.send_keys("nothing is called so")
    assert reader.rows() == []
    search.clear()
    search.send_keys(" ")
    assert reader.rows() == every and reader.one(".tools .count").text == ""
    reader.one(".tools input[type=checkbox]").click()
    assert set(reader.rows()) == {"CLAHE, approximate", "SID"}
    reader.head("Under, paper").find_element("tag name", "button").click()
    assert set(reader.rows()) == {"CLAHE, approximate", "SID"}  # sorting keeps the filter


def test_a_figure_leads_to_its_images(reader: Reader) -> None:
    cell = reader.one("table tbody tr[data-measured] td a")
    value = cell.text
    reader.follow(cell)
    assert reader.one("h1").text == "PSNR of clahe: under"
    assert reader.one(".numbers .first dd").text == value
    assert reader.one(".chips [aria-current]").text == "under"
    assert reader.one("svg.plot").rect["width"] > 600
    values = numbers(reader.column("PSNR"))
    assert len(values) == 2 * SCENES
    assert float(value) == pytest.approx(sum(values) / len(values), abs=0.011)
    scene = reader.one("table[data-rows] a.go").text.partition("_")[0]
    reader.one(".tools input[type=search]").send_keys(scene)
    assert len(reader.rows()) == 2 and all(scene in name for name in reader.rows())
    reader.follow(reader.one("table[data-rows] tbody tr:not([hidden]) a.go"))
    assert reader.one("h1").text == scene and "/scenes/" in reader.browser.current_url


def test_the_way_by_keyboard(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    reader.one("body").send_keys(Keys.TAB)
    skip = reader.browser.switch_to.active_element
    assert skip.text == "Skip to content" and skip.rect["x"] >= 0
    skip.send_keys(Keys.ENTER)
    assert reader.browser.current_url.endswith("#content")
    reader.browser.switch_to.active_element.send_keys(Keys.TAB)
    focused = reader.browser.switch_to.active_element
    assert reader.browser.execute_script("return arguments[0].closest('main') !== null", focused)
    assert reader.browser.execute_script("return [...document.querySelectorAll('.scroll')].every((e) => e.tabIndex === 0 && e.ariaLabel)")


def test_bibtex_is_copied(reader: Reader) -> None:
    reader.open("bibliography.html")
    origin = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    reader.browser.execute_cdp_cmd("Browser.grantPermissions", origin)
    button = reader.one("button[data-copy='bibtex-huang2022enc']")
    listen = """
        const button = arguments[0];
        window.copying = new Promise((done) => {
            const seen = new MutationObserver(() => {
                const said = button.textContent;
                seen.disconnect();
                navigator.clipboard.readText().then((text) => done([said, text]), (error) => done([said, String(error)]));
            });
            seen.observe(button, { childList: true });
        });
    """
    reader.browser.execute_script(listen, button)
    button.click()
    said, copied = reader.browser.execute_script("return window.copying")
    assert copied == reader.one("#bibtex-huang2022enc").text and copied.startswith("@inproceedings{huang2022enc")
    assert said == "Copied"


SCROLLING = """return [...document.querySelectorAll('body *')]
    .filter((e) => e.scrollWidth > e.clientWidth && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && !e.matches('.scroll'))
    .map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_but_tables_scrolls_sideways(reader: Reader, site: Path, width: int) -> None:
    reader.emulate("setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 1000)
    scores = [str(path.relative_to(site)) for path in sorted((site / "scores").rglob("*.all.html"))]
    tables = [f"tables/{path.name}" for path in sorted((site / "tables").glob("*.html"))]
    for href in ("index.html", "bibliography.html", "methods.html", "scenes/index.html", *tables, *scores):
        reader.open(href)
        assert reader.browser.execute_script("return innerWidth") == width, href
        assert reader.browser.execute_script("return document.documentElement.scrollWidth") <= width, href
        assert reader.browser.execute_script(SCROLLING) == [], href
    reader.open(TABLE)
    boxes = reader.browser.execute_script("return [...document.querySelectorAll('.scroll')].map((e) => [e.clientWidth, e.scrollWidth])")
    if width == 390:
        assert all(seen <= width < whole for seen, whole in boxes)
        label = reader.one("table tbody th")
        reader.browser.execute_script("document.querySelector('.scroll').scrollLeft = 200")
        assert label.rect["x"] >= 0  # the method stays in sight


def test_everything_is_there_without_scripts(reader: Reader) -> None:
    rows = reader.rows()
    reader.emulate("setScriptExecutionDisabled", value=True)
    reader.browser.refresh()
    assert reader.rows() == rows and not reader.one(".tools").is_displayed()
    assert not reader.browser.find_elements("css selector", "th button")


def test_dark_where_the_reader_prefers_it(reader: Reader) -> None:
    levels = {}
    for scheme in ("light", "dark"):
        reader.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        colours = [reader.one("body").value_of_css_property(name) for name in ("color", "background-color")]
        levels[scheme] = [int(colour.partition("(")[2].partition(",")[0]) for colour in colours]
    assert levels["light"][0] < 80 and levels["light"][1] > 200 and levels["dark"][0] > 180 and levels["dark"][1] < 60


def test_a_name_is_never_run(reader: Reader, site: Path) -> None:
    (page,) = [path for path in (site / "scores").rglob("*.all.html") if "x-" in str(path) and "psnr" in path.name]
    for href in ("index.html", str(page.relative_to(site))):
        reader.open(href)  # an alert would stand in the way of every command
        assert HOSTILE in reader.one("main").text
