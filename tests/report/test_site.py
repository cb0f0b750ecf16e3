"""The site's files: whole, well-formed, escaped, linked to each other alone, and with the figures of the scores."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from made_site import FOLDER, HOSTILE, Page, make_site, words

from benchtool.papers.load import load, names
from benchtool.report.breakdown import breakdown
from benchtool.report.differences import differences
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.site.bibliography import entries
from benchtool.report.site.build import MARKER
from benchtool.report.table import rounded


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole site; `../runs` are its runs."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder)
    return folder / "out"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path) for path in sorted(site.rglob("*.html"))}


# --- the whole


def test_every_page_is_there(site: Path, pages: dict[str, Page]) -> None:
    tables = {f"tables/{name}-{table.number}.html" for name in names() for table in load(name).paper.tables}
    assert tables | {"index.html", "bibliography.html", "methods.html", "scenes/index.html"} <= set(pages)
    folders = {name.rpartition("/")[0] for name in pages if name.startswith("scores/")}
    assert len(folders) == 4
    for name in tables:
        for suffix in ("csv", "tex", "md", "json"):
            assert (site / name).with_suffix(f".{suffix}").stat().st_size
    assert json.loads((site / MARKER).read_text())["tables"] == len(tables)
    assert not list(site.parent.glob(".tmp-*"))


def test_pages_are_well_formed(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert not page.faults, f"{name}: {page.faults}"
        assert len(page.ids) == len(set(page.ids)), name
        assert page.text.startswith('<!doctype html>\n<html lang="en">')
        tags = [tag for tag, _ in page.elements]
        assert tags.count("h1") == 1 == tags.count("main") and {"header", "nav", "footer"} <= set(tags)
        assert page.elements[[tag for tag, _ in page.elements].index("a")][1]["href"] == "#content" and "content" in page.ids


def test_nothing_is_loaded_from_elsewhere_and_every_link_resolves(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert "http-equiv" not in page.text and "@import" not in page.text and "url(" not in page.text
        for tag, address in page.addresses:
            if (tag, address) == ("link", "data:,"):
                continue
            assert not re.match(r"[a-z][a-z0-9+.-]*:|//", address, re.IGNORECASE), f"{name}: {address}"
            file, _, place = address.partition("#")
            target = (site / name).parent / file if file else site / name
            assert target.is_file(), f"{name}: {address}"
            assert target.resolve().is_relative_to(site.resolve())
            if place and target.suffix == ".html":
                assert place in pages[str(target.resolve().relative_to(site.resolve()))].ids, f"{name}: {address}"
    for file in (site / "static").iterdir():
        assert "http:" not in file.read_text() and "https:" not in file.read_text() and "@import" not in file.read_text()


def test_names_are_texts_and_nothing_else(pages: dict[str, Page]) -> None:
    seen = 0
    for name, page in pages.items():
        assert "<script>alert" not in page.text and FOLDER not in page.text, name
        assert not any(key.startswith("on") for _, value in page.elements for key in value), name
        assert all(set(value) <= {"defer", "src"} for tag, value in page.elements if tag == "script"), name
        seen += html.escape(HOSTILE) in page.text
    assert seen > 10
    everywhere = " ".join(words(page) for page in pages.values())
    assert HOSTILE in everywhere and FOLDER in everywhere and f"broke {HOSTILE}" in everywhere


# --- figures


def results_of(site: Path):
    return read_results([site.parent / "runs"])


def test_measured_figures_lead_to_their_distributions(site: Path, pages: dict[str, Page]) -> None:
    enc, results = load("enc"), results_of(site)
    report = fill(enc, enc.table("1"), results)
    figure = r'<td data-value="([^"]*)"[^>]*><a href="\.\./(scores/[^"]+)"[^>]*><span class="[^"]*">([^<]+)</span></a>'
    cells = re.findall(figure, pages["tables/enc-1.html"].text)
    wanted = [
        (rounded(cell.measured.mean, column.metric.decimals), column.metric.variant.replace(":", "-"), column.group.key)
        for line in report.lines
        for column, cell in zip(report.columns, line.cells)
        if cell.measured
    ]
    assert len(wanted) == 3 * 6
    found = [(text, *Path(href).name.split(".")[:2]) for _, href, text in cells]
    assert sorted(found) == sorted(wanted)
    for value, href, text in cells:
        assert float(value) == float(text)
        assert re.search(rf"Mean(, dB)? {re.escape(text)} ", words(pages[href])), href
        assert "ENC Table 1" in words(pages[href])


def test_published_numbers_and_footnotes_are_on_the_page(pages: dict[str, Page]) -> None:
    enc = load("enc")
    report = fill(enc, enc.table("1"), read_results([]))
    page = words(pages["tables/enc-1.html"])
    for line in report.lines:
        assert line.row.label in page
        assert all(cell.published in page for cell in line.cells)
    for erratum in enc.errata:
        if "1" in erratum.tables:
            assert " ".join(erratum.text.split()) in page


def test_figures_of_measured_tables_are_on_their_pages(site: Path, pages: dict[str, Page]) -> None:
    shown = [address for tag, address in pages["tables/enc-1.html"].addresses if tag == "img"]
    assert "../figures/enc-1-exposures-me-psnr.png" in shown and "../figures/enc-1-parameters-me-psnr.png" in shown
    assert all((site / "tables" / address).with_suffix(".pdf").is_file() for address in shown)
    assert not [tag for tag, _ in pages["tables/enc-2.html"].addresses if tag == "img"]


def test_the_first_click_brings_the_best(site: Path, pages: dict[str, Page]) -> None:
    lower = {metric.title for metric in load("niid").table("1").panels[0].metrics if not metric.higher_is_better}
    heads = {value["data-sort"]: value.get("data-first") for _, value in pages["tables/niid-1.html"].elements if "data-sort" in value}
    ascending = {name for name, first in heads.items() if first == "ascending"}
    assert lower == {"LOE", "NIQE", "Runtime"} and len(ascending) == 3
    assert all(any(title in name for name in ascending) for title in lower)
    assert "data-first" not in pages["tables/enc-1.html"].text


def test_methods_against_each_other_and_by_exposure(site: Path, pages: dict[str, Page]) -> None:
    enc = load("enc")
    report = fill(enc, enc.table("1"), results_of(site))
    page = words(pages["tables/enc-1.html"])
    for view in (differences(report), breakdown(report, "exposure")):
        assert view.view.name.capitalize() in page and all(line in page for line in view.view.legend)
        for entry in (entry for grid in view.view.grids for row in grid.rows for entry in row.entries):
            assert entry.whole in page
    assert "By exposure" not in words(pages["tables/enc-2.html"])


def test_what_failed_is_counted_with_its_reason(site: Path, pages: dict[str, Page]) -> None:
    (name,) = [n for n in pages if n.startswith("scores/me-v2") and "psnr" in n and ".all." in n]
    page = words(pages[name])
    assert f"1 × broke {HOSTILE}" in page and "1 × infinite: no difference to the target" in page
    assert "Without a value 1 Infinite 1" in page and "Left out of the mean" in page
    assert pages[name].text.count("<td>n/a</td>") == 1 == pages[name].text.count("<td>∞</td>")


# --- bibliography


def test_bibtex_of_every_row(site: Path, pages: dict[str, Page]) -> None:
    cited = {row.citation for name in names() for table in load(name).paper.tables for row in table.rows} - {""}
    cited |= {load(name).paper.citation for name in names()}
    file = entries((site / "references.bib").read_text())
    assert cited <= set(file)
    page = pages["bibliography.html"]
    assert set(file) == {key.removeprefix("bibtex-") for key in page.ids if key.startswith("bibtex-")}
    for key, text in file.items():
        assert text.count("{") == text.count("}")
        shown = re.search(rf'<pre id="bibtex-{key}"[^>]*>(.*?)</pre>', page.text, re.DOTALL)[1]
        assert html.unescape(shown) == text
