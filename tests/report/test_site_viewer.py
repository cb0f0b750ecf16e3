"""The site's scene pages in a browser: real pictures, dragged, stepped, chosen and enlarged as a reader does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_data import make_dataset

from benchtool.core.files import write_bytes
from benchtool.report.frame import read_results
from benchtool.report.site.build import FOLDER, environment
from benchtool.report.site.scenes import ScenePage, write_scenes

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

SIZE = (280, 400)
FIRST, SECOND, LAST = "a_N1.5", "a_0", "a_P1.5"


@pytest.fixture(scope="module")
def site(browser: Chrome, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ScenePage]]:
    """Two methods evaluated on photographs, and the pages of their scenes. Built only where there is a browser."""
    from benchtool.evaluation.evaluate import evaluate

    folder = tmp_path_factory.mktemp("site")
    dataset = make_dataset(folder / "data", SIZE)
    for method in ("identity", "clahe"):
        evaluate(method, folder / "data", out=folder / "runs" / method, jobs=1)
    failures: list = []
    evaluations = read_results([folder / "runs"]).evaluations
    pages = write_scenes(folder / "out", evaluations, [dataset], per_kind=20, environment=environment(), failures=failures, jobs=1)
    assert not failures
    write_bytes(folder / "out" / "static" / "site.css", (FOLDER / "static" / "site.css").read_bytes())
    return folder / "out", pages


class Reader:
    """A person at the page."""

    def __init__(self, browser: Chrome, folder: Path) -> None:
        self.browser, self.folder = browser, folder

    def open(self, href: str) -> None:
        self.browser.get("about:blank")  # so that another #sample of the same page is loaded anew
        self.browser.get((self.folder / href.partition("#")[0]).as_uri() + href[href.find("#") :] * ("#" in href))

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element("css selector", selector)

    def all(self, selector: str) -> list[WebElement]:
        return [e for e in self.browser.find_elements("css selector", selector) if e.is_displayed()]

    def at(self) -> float:
        return float(self.one(".divider").get_attribute("aria-valuenow"))

    def seen(self) -> float:
        """How much of the upper picture is seen, in per cent of its width."""
        style = self.one(".stage .over").value_of_css_property("clip-path")  # inset(0px 50% 0px 0px)
        right = style.removeprefix("inset(").removesuffix(")").split()[1]
        return 100 - float(right.removesuffix("%").removesuffix("px"))

    def line(self) -> float:
        """Where the divider's middle is, in per cent of the stage."""
        stage, divider = self.one(".stage").rect, self.one(".divider").rect
        return 100 * (divider["x"] + divider["width"] / 2 - stage["x"]) / stage["width"]

    def keys(self, selector: str, *keys: str) -> None:
        self.one(selector).send_keys(*keys)

    def drag(self, element: WebElement, start: tuple[float, float], end: tuple[float, float]) -> None:
        """With the mouse, between two places given as shares of the element from its middle."""
        from selenium.webdriver import ActionChains

        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        width, height = element.rect["width"], element.rect["height"]
        (x, y), (to_x, to_y) = [(round(a * width), round(b * height)) for a, b in (start, end)]
        chain = ActionChains(self.browser).move_to_element_with_offset(element, x, y).click_and_hold()
        chain.move_by_offset((to_x - x) // 2, (to_y - y) // 2).move_by_offset(to_x - x - (to_x - x) // 2, to_y - y - (to_y - y) // 2)
        chain.release().perform()

    def choose(self, side: str, label: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.one(f"select.{side}")).select_by_visible_text(label)

    def layer(self, name: str) -> str:
        return self.one(f".stage .{name}").get_attribute("src").rpartition("/")[2]

    def zoom(self, value: int) -> None:
        self.one(f".zooms input[value='{value}']").click()

    def transforms(self) -> set[str]:
        """Where the pictures of all panes that are seen stand."""
        panes = self.all("section:not([hidden]) .pane img")
        assert len(panes) == 4 + 2 * 2
        return {pane.value_of_css_property("transform") for pane in panes}

    def sections(self) -> list[str]:
        return [section.get_attribute("id") for section in self.all("section.sample")]

    def emulate(self, command: str, **arguments: object) -> None:
        self.browser.execute_cdp_cmd(f"Emulation.{command}", arguments)


@pytest.fixture
def reader(browser: Chrome, site: tuple[Path, list[ScenePage]]) -> Iterator[Reader]:
    """At the first scene's page; what it says on its console is an error."""
    browser.get_log("browser")
    reader = Reader(browser, site[0])
    reader.open(site[1][0].href)
    yield reader
    reader.emulate("clearDeviceMetricsOverride")
    reader.emulate("setScriptExecutionDisabled", value=False)
    reader.emulate("setEmulatedMedia", features=[])
    assert browser.get_log("browser") == []


def test_dragging_moves_divider_and_clip(reader: Reader) -> None:
    assert reader.at() == 50 and reader.seen() == pytest.approx(50)
    reader.drag(reader.one(".divider"), (0, 0), (0, 0))
    stage = reader.one(".stage")
    reader.drag(stage, (0, 0.1), (-0.3, 0.1))
    assert reader.at() == pytest.approx(20, abs=1)
    assert reader.seen() == pytest.approx(20, abs=0.6) and reader.line() == pytest.approx(20, abs=0.6)
    reader.drag(stage, (-0.3, 0), (0.45, 0.3))
    assert reader.line() == pytest.approx(95, abs=0.6) == reader.seen()
    reader.drag(stage, (0.45, 0), (0.49, 0))
    from selenium.webdriver import ActionChains

    ActionChains(reader.browser).move_to_element(stage).perform()
    assert reader.at() == pytest.approx(99, abs=1)  # let go: it stays


def test_a_finger_moves_the_divider(reader: Reader) -> None:
    reader.browser.execute_script("document.querySelector('.stage').scrollIntoView({block: 'center'})")
    box = reader.browser.execute_script(
        "const b = document.querySelector('.stage').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]"
    )

    def touch(kind: str, share: float | None) -> None:
        points = [] if share is None else [{"x": box[0] + share * box[2], "y": box[1] + box[3] / 2}]
        reader.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for kind, share in (("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.7), ("touchMove", 0.8), ("touchEnd", None)):
        touch(kind, share)
    assert reader.at() == pytest.approx(80, abs=1)


def test_the_divider_is_a_slider_for_the_keyboard(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    divider = reader.one(".divider")
    assert divider.get_attribute("role") == "slider" and divider.get_attribute("aria-label")
    for keys, at in (
        ([Keys.ARROW_RIGHT], 51), ([Keys.ARROW_LEFT, Keys.ARROW_LEFT], 49), ([Keys.SHIFT, Keys.ARROW_RIGHT], 59), ([Keys.ARROW_UP], 60),
        ([Keys.ARROW_DOWN], 59), ([Keys.PAGE_DOWN], 49), ([Keys.HOME], 0), ([Keys.ARROW_LEFT], 0), ([Keys.END], 100), ([Keys.PAGE_UP], 100),
    ):  # fmt: skip
        reader.keys(".divider", *keys)
        assert reader.at() == at and reader.seen() == pytest.approx(at) and reader.line() == pytest.approx(at, abs=0.6)
    assert divider.get_attribute("aria-valuetext") == "100 % input, the rest clahe"


def test_any_two_versions_can_be_compared(reader: Reader) -> None:
    assert (reader.layer("over"), reader.layer("under")) == (f"{FIRST}~input-1.jpg", f"{FIRST}~1-clahe.jpg")
    options = [option.text for option in reader.browser.find_elements("css selector", "select.left option")]
    assert options[:4] == ["input", "clahe", "identity", "target (expert_c)"] and len(options) == 8
    reader.choose("left", "identity")
    reader.choose("right", "target (expert_c)")
    assert reader.layer("over") == f"{FIRST}~2-identity.jpg" and reader.layer("under").endswith("~target.jpg")
    assert reader.one(".tag.left").text == "identity" and "target" in reader.one(".tag.right").text
    reader.one(".swap").click()
    assert reader.layer("over").endswith("~target.jpg") and reader.layer("under") == f"{FIRST}~2-identity.jpg"
    reader.choose("right", "error of clahe")
    assert reader.layer("under") == f"{FIRST}~1-clahe-error.png"
    for layer in ("over", "under"):
        size = reader.browser.execute_script(
            f"const i = document.querySelector('.stage .{layer}'); return i.decode().then(() => i.naturalWidth)"
        )
        assert size == SIZE[1]


def test_all_panes_follow_the_crop(reader: Reader) -> None:
    from selenium.webdriver.common.keys import Keys

    assert reader.transforms() == {"none"} and not reader.all(".finder")
    for value in (1, 2, 4):
        reader.zoom(value)
        assert len(reader.transforms()) == 1
        for pane in reader.all("section:not([hidden]) .pane img"):
            assert pane.rect["width"] == value * SIZE[1] and pane.value_of_css_property("image-rendering") == "pixelated"
    reader.zoom(2)
    before = reader.transforms()
    reader.keys(".crop", Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    stepped = reader.transforms()
    assert stepped != before and len(stepped) == 1
    finder = reader.one(".finder")
    reader.drag(finder, (0, 0), (-0.5, -0.45))
    assert reader.transforms() == {"matrix(1, 0, 0, 1, 0, 0)"}  # at the edge, and not beyond
    reader.drag(finder, (0, 0), (0.49, 0.49))
    pane = reader.one(".pane").rect
    (matrix,) = reader.transforms()
    x, y = (float(part) for part in matrix.removesuffix(")").split(",")[4:])
    assert x == pytest.approx(pane["width"] - 2 * SIZE[1], abs=3) and y == pytest.approx(pane["height"] - 2 * SIZE[0], abs=3)
    crop, box = reader.one(".crop").rect, finder.rect
    assert crop["width"] / box["width"] == pytest.approx(pane["width"] / (2 * SIZE[1]), abs=0.03)  # the frame is what the panes show
    assert crop["x"] + crop["width"] == pytest.approx(box["x"] + box["width"], abs=3)
    reader.drag(reader.all("section:not([hidden]) .pane")[1], (0, 0), (0.25, 0))
    (matrix,) = reader.transforms()
    assert float(matrix.split(",")[4]) == pytest.approx(x + 0.25 * pane["width"], abs=4)
    reader.zoom(0)
    assert reader.transforms() == {"none"} and not reader.all(".finder")


def test_a_click_enlarges_that_place(reader: Reader) -> None:
    pane = reader.all("section:not([hidden]) .pane")[5]
    reader.drag(pane, (0.2, 0.1), (0.2, 0.1))
    (matrix,) = reader.transforms()
    x, y = (-float(part) for part in matrix.removesuffix(")").split(",")[4:])
    width, height = pane.rect["width"], pane.rect["height"]
    assert ((x + width / 2) / 2 / SIZE[1], (y + height / 2) / 2 / SIZE[0]) == pytest.approx((0.7, 0.6), abs=0.02)
    assert reader.one(".zooms input[value='2']").is_selected()


def test_the_address_names_the_sample(reader: Reader, site: tuple[Path, list[ScenePage]]) -> None:
    page = site[1][0]
    assert page.samples == [FIRST, SECOND, LAST] and reader.sections() == [FIRST]
    reader.open(page.anchors[LAST])
    assert reader.sections() == [LAST] and reader.layer("over") == f"{LAST}~input-1.jpg"
    assert reader.one(".samples [aria-current]").text == "+1.5 EV"
    reader.browser.execute_script(f"location.hash = '{SECOND}'")
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(reader.browser, 60).until(lambda _: reader.sections() == [SECOND])
    reader.choose("right", "identity")
    reader.zoom(4)
    crop = reader.transforms()
    reader.all(".samples a")[2].click()
    assert reader.sections() == [LAST] and reader.browser.current_url.endswith(f"#{LAST}")
    assert reader.layer("under") == f"{LAST}~2-identity.jpg" and reader.transforms() == crop  # choices stay
    reader.keys("body", "[")
    assert reader.sections() == [SECOND]
    reader.keys("body", "[", "[", "[")
    assert reader.sections() == [FIRST]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_but_tables_scrolls_sideways(reader: Reader, site: tuple[Path, list[ScenePage]], width: int) -> None:
    reader.emulate("setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=2, mobile=width < 1000)
    for href in (*(page.href for page in site[1]), "scenes/index.html"):
        reader.open(href)
        if "index" not in href:
            reader.zoom(4)
        assert (
            reader.browser.execute_script("return innerWidth")
            == width
            >= reader.browser.execute_script("return document.documentElement.scrollWidth")
        )
        wide = reader.browser.execute_script(
            "return [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1"
            " && !e.closest('.scroll, .pane, svg')).map((e) => e.outerHTML)"
        )
        assert wide == []


def test_everything_is_there_without_scripts(reader: Reader, site: tuple[Path, list[ScenePage]]) -> None:
    reader.emulate("setScriptExecutionDisabled", value=True)
    reader.browser.refresh()
    assert reader.sections() == [FIRST, SECOND, LAST]
    assert not reader.all(".compare") and not reader.all(".loupe")
    assert len(reader.all("figure img")) == 3 * (4 + 2 * 2) and len(reader.all("svg")) == 3 * 4
    assert all(figure.text for figure in reader.all("figcaption"))


def test_dark_where_the_reader_prefers_it(reader: Reader) -> None:
    colours = []
    for scheme in ("light", "dark"):
        reader.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        colours.append(reader.one(".scene h1").value_of_css_property("color"))
    light, dark = (int(colour.partition("(")[2].partition(",")[0]) for colour in colours)
    assert light < 80 and dark > 180


def test_the_gallery_filters_and_leads_to_the_pages(reader: Reader, site: tuple[Path, list[ScenePage]]) -> None:
    reader.open("scenes/index.html")
    chosen = {page.title: page.chosen_for["clahe"] for page in site[1]}
    assert len(reader.all(".cards li")) == 2 and "2 of 2" in reader.one(".count").text
    reader.choose("method", "clahe")
    reader.choose("kind", "best")
    assert [card.text for card in reader.all(".cards strong")] == [title for title, kinds in chosen.items() if "best" in kinds]
    assert "1 of 2" in reader.one(".count").text
    link = reader.all(".cards a")[0]
    link.click()
    from selenium.webdriver.support.expected_conditions import staleness_of
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(reader.browser, 60).until(staleness_of(link))
    WebDriverWait(reader.browser, 60).until(lambda browser: browser.execute_script("return document.readyState") == "complete")
    assert reader.one("h1").text in chosen and reader.all(".compare")
