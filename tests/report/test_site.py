"""The site's files: whole, well-formed, escaped, linked to each other alone, and with the figures of the scores."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_runs import METRICS, expert_rows, score_rows, write_run
from made_site import FOLDER, HOSTILE, SCENES, in_this_process, make_site, write_runs
from small_data import make_dataset

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_folder
from benchtool.papers.load import load, names
from benchtool.papers.model import Group
from benchtool.report.breakdown import breakdown
from benchtool.report.differences import differences
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.site import build, tables
from benchtool.report.site.bibliography import entries
from benchtool.report.site.build import MARKER, build_site, environment
from benchtool.report.site.distribution import views
from benchtool.report.site.drawing import BARS, WIDE, chart, scale
from benchtool.report.site.subjects import DECIMALS, subjects
from benchtool.report.site.tables import sort_value
from benchtool.report.statistics import scene_interval
from benchtool.report.table import rounded

VOID = {"meta", "link", "input", "img", "br", "hr"}
FOREIGN = {"path", "line", "text", "svg", "circle", "rect"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole site; `../runs` are its runs."""
    folder = tmp_path_factory.mktemp("site")
    make_site(folder)
    return folder / "out"


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


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path) for path in sorted(site.rglob("*.html"))}


def words(page: Page) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


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


def test_methods_against_each_other_and_by_exposure(site: Path, pages: dict[str, Page]) -> None:
    enc = load("enc")
    report = fill(enc, enc.table("1"), results_of(site))
    page = words(pages["tables/enc-1.html"])
    for view in (differences(report), breakdown(report, "exposure")):
        assert view.view.name.capitalize() in page and all(line in page for line in view.view.legend)
        for entry in (entry for grid in view.view.grids for row in grid.rows for entry in row.entries):
            assert entry.whole in page
    assert "By exposure" not in words(pages["tables/enc-2.html"])


def test_a_distribution_says_what_its_scores_are(site: Path) -> None:
    rows = [row for row in score_rows("me", SCENES) if row["metric"] == "psnr"]
    found = subjects(results_of(site).evaluations, [])
    (clahe,) = [s for s in found if (s.label, s.edition.dataset) == ("clahe", "me")]
    by_name = {(view.metric.key, view.part): view for view in views(clahe)}
    assert set(by_name) == {(metric, group) for metric in METRICS for group in ("all images", "under", "over")}
    view = by_name["psnr:rgb-u8", "under"]
    under = [row for row in rows if row["exposure"] < 0]
    values = np.array([row["value"] for row in under])
    numbers = dict(view.numbers)
    interval = scene_interval([(values, np.array([row["scene"] for row in under]))])
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    assert numbers == {
        "Mean, dB": f"{values.mean():.2f}",
        "95% interval over scenes": f"{interval.low:.2f} to {interval.high:.2f}",
        "Median": f"{middle:.2f}",
        "Quartiles": f"{low:.2f} to {high:.2f}",
        "Range": f"{values.min():.2f} to {values.max():.2f}",
        "Images": str(len(values)),
        "Scenes": str(SCENES),
    }
    assert [(i.name, i.value, i.reason) for i in view.images] == [(row["sample"], f"{row['value']:.2f}", "") for row in under]
    lanes = {lane.title: lane for lane in view.breakdowns[0].lanes}
    assert set(lanes) == {"−1.5 EV", "−1 EV"}
    of = [row["value"] for row in under if row["exposure"] == -1.5]
    assert lanes["−1.5 EV"].numbers == [f"{figure:.2f}" for figure in (np.mean(of), *np.quantile(of, (0.25, 0.5, 0.75)))]


def test_what_failed_is_counted_with_its_reason(site: Path, pages: dict[str, Page]) -> None:
    (name,) = [n for n in pages if n.startswith("scores/me-v2") and "psnr" in n and ".all." in n]
    page = words(pages[name])
    assert f"1 × broke {HOSTILE}" in page and "1 × no finite value" in page and "Without a value 2" in page
    assert pages[name].text.count("<td>n/a</td>") == 2


def test_a_mean_of_groups_counts_each_once(tmp_path: Path) -> None:
    rows = [{**row, "subset": "small" if row["scene"] == "a9000" else "big"} for row in score_rows("me", 4)]
    write_run(tmp_path / "r", rows=rows)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    subject.use("psnr:rgb-u8", Group("Average", "average", ("small", "big")), ["expert_c"], "T", "t.html")
    (view,) = [v for v in views(subject) if v.metric.key == "psnr:rgb-u8" and v.part.startswith("average")]
    psnr = [row for row in rows if row["metric"] == "psnr"]
    means = [np.mean([row["value"] for row in psnr if row["subset"] == subset]) for subset in ("small", "big")]
    assert dict(view.numbers)["Mean, dB"] == f"{np.mean(means):.2f}" != f"{np.mean([row['value'] for row in psnr]):.2f}"
    assert view.tables == [("T", "t.html")] and len(view.images) == len(psnr)


def test_several_targets_count_alike_and_are_told_apart(tmp_path: Path) -> None:
    roles = ("expert_a", "expert_b")
    rows = [row for row in expert_rows("me", 6, roles) if row["metric"] == "psnr"]
    rows[0] |= {"value": float("inf")}
    write_run(tmp_path / "r", rows=rows, target="+".join(roles))
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    subject.use("psnr:rgb-u8", Group("All", "all"), ["expert_b"], "T", "t.html")
    by_part = {view.part: view for view in views(subject)}
    means = {role: np.mean([row["value"] for row in rows if row["expert"] == role and np.isfinite(row["value"])]) for role in roles}
    both, one = by_part["all images"], by_part["all images, expert_b"]
    assert dict(both.numbers)["Mean, dB"] == f"{np.mean(list(means.values())):.2f}"
    assert dict(one.numbers)["Mean, dB"] == f"{means['expert_b']:.2f}"
    assert (dict(both.numbers)["Images"], dict(both.numbers)["Comparisons"], dict(both.numbers)["Without a value"]) == ("30", "60", "1")
    assert "Comparisons" not in dict(one.numbers) and one.tables == [("T", "t.html")] and both.tables == []
    assert [breakdown.by for breakdown in both.breakdowns] == ["exposure", "target"] and [b.by for b in one.breakdowns] == ["exposure"]
    assert {lane.title: lane.numbers[0] for lane in both.breakdowns[1].lanes} == {role: f"{value:.2f}" for role, value in means.items()}
    assert both.targets and not one.targets and len(both.images) == 60 == 2 * len(one.images) and both.here != one.here


def test_the_drawing_is_of_the_values() -> None:
    values = np.random.default_rng(0).normal(20, 3, 500)
    on = scale(values)
    assert on.low <= values.min() and values.max() <= on.high
    drawn = chart(values, on, float(values.mean()), 'a "quoted" <b>')
    assert "&#34;quoted&#34; &lt;b&gt;" in drawn.svg
    dots = re.search(r'class="dots" d="([^"]*)"', drawn.svg)[1]
    across = np.array([int(x) for x in re.findall(r"M(\d+) \d+h0", dots)])
    assert np.abs(across - WIDE * (np.sort(values) - on.low) / (on.high - on.low)).max() <= 0.5
    edges = np.arange(on.low, on.high + on.step / 2, on.step)
    counts = np.histogram(values, edges)[0]
    tops = [float(y) for y in re.findall(r"M\d+ \d+V([\d.]+)H", re.search(r'class="bars" d="([^"]*)"', drawn.svg)[1])]
    assert tops == pytest.approx([BARS * (1 - n / counts.max()) for n in counts if n], abs=0.06)
    assert drawn.tallest == counts.max() and float(drawn.step) == pytest.approx(on.step)


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-1e-9, 1e-9], [1e6, 1e6 + 1], [0.99999, 1.0], [-40.0, 900.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    on = scale(np.array(values))
    assert on.low <= min(values) and max(values) <= on.high
    drawn = chart(np.array(values), on, float(np.mean(values)), "")
    assert "nan" not in drawn.svg and "inf" not in drawn.svg
    assert len(re.findall("h0", drawn.svg)) == len(values) and 2 <= len(on.ticks()) <= 12


def test_printed_numbers_sort_as_numbers() -> None:
    texts = ["11.56M", "0.53M", "900k", "−0.50", "+0.25", "±0.00", "22.1"]
    assert [float(sort_value(text)) for text in texts] == [11.56e6, 0.53e6, 900e3, -0.5, 0.25, 0, 22.1]
    assert [sort_value(text) for text in ("–", "n/a", "missing", "")] == [""] * 4


def test_a_large_split_stays_readable(tmp_path: Path) -> None:
    write_run(tmp_path / "r", scenes=1181)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    view = next(iter(views(subject)))
    page = environment().get_template("distribution.html.j2").render(root="../../../", here="measured", view=view)
    assert len(view.images) == 5905 and len(page) < 800_000


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


# --- building


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The working folder; sites are of one paper, which is faster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "names", lambda: ["enc"])
    with in_this_process():
        yield tmp_path


def test_the_command_builds_and_says_where(here: Path, benchtool: Callable) -> None:
    write_runs(here / "runs")
    done = benchtool("site", "out", "--scenes", 1)
    assert done.code == 0 and "open out/index.html" in done.out
    assert "its folder was not given" in done.err and "--data FOLDER" in done.err
    few = len(list((here / "out" / "scenes").glob("*/*.html")))
    assert benchtool("site", "out", "--all").code == 0
    assert len(list((here / "out" / "scenes").glob("*/*.html"))) == 3 * SCENES > few  # of three editions


def test_a_dataset_is_matched_by_its_fingerprint(here: Path, benchtool: Callable) -> None:
    dataset = make_dataset(here / "data")
    test = [s for s in dataset.samples if s.split == "test"]
    rows = [
        {
            "scene": s.scene, "sample": s.sample, "exposure": s.exposure, "metric": "psnr", "variant": "rgb-u8", "value": 20.0,
            "subset": None,
            "expert": "expert_c", "status": "ok", "reason": None, "metric_version": "1", "prediction_sha256": None,
        }
        for s in test
    ]  # fmt: skip
    write_run(here / "runs" / "clahe", rows=rows, fingerprint=dataset.facts.fingerprint)
    done = benchtool("site", "out", "--data", "data", "--root", f"here={here / 'data'}")
    assert done.code == 0 and "not given" not in done.err, done.err
    assert list((here / "out" / "scenes").rglob("*.jpg"))
    (page,) = (here / "out" / "scores").rglob("psnr-rgb-u8.all.html")
    linked = [address for _, address in Page(page).addresses if "/scenes/" in address and "#" in address]
    assert len(linked) == len(test)
    write_run(here / "runs" / "clahe", rows=rows)
    done = benchtool("site", "out", "--data", "data")
    assert "--data data: no evaluation of this data was found" in done.err and "its folder was not given" in done.err


def test_no_runs_is_a_site_that_says_so(here: Path, benchtool: Callable) -> None:
    done = benchtool("site", "out")
    assert done.code == 0
    assert "Nothing measured yet" in words(Page(here / "out" / "index.html"))
    assert "22.72" in (here / "out" / "tables" / "enc-1.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--results", "nowhere"], "--results nowhere: no such folder"),
        (["--data", "nowhere"], "nowhere: not a dataset"),
        (["--root", "me=x"], "--root me=...: no dataset given with --data has this root"),
        (["--root", "me"], "--root me: give NAME=VALUE"),
    ],
)
def test_mistakes_are_one_line(here: Path, benchtool: Callable, arguments: list[str], says: str) -> None:
    done = benchtool("site", "out", *arguments)
    assert done.code == 2 and says in done.err and len(done.err.splitlines()) == 1
    assert not (here / "out").exists()


def test_unreadable_runs_are_listed_and_the_rest_is_built(here: Path, benchtool: Callable) -> None:
    write_runs(here / "runs")
    (here / "runs" / "clahe" / "scores.parquet").write_bytes(b"broken")
    done = benchtool("site", "out")
    assert done.code == 1 and "could not be read" in done.err and "clahe/scores.parquet" in done.err
    assert "Could not be read" in words(Page(here / "out" / "index.html"))


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_a_site_is_left_alone(here: Path, benchtool: Callable, kind: str) -> None:
    if kind == "folder":
        (here / "out").mkdir()
        (here / "out" / "thesis.tex").write_text("x")
    else:
        (here / "out").write_text("x")
    before = sorted(here.rglob("*"))
    done = benchtool("site", "out")
    assert done.code == 2 and "holds other things" in done.err and len(done.err.splitlines()) == 1
    assert sorted(here.rglob("*")) == before


def test_an_older_site_is_replaced_whole_or_not_at_all(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = read_results([])
    build_site(here / "out", nothing, [])
    (here / "out" / "stale.html").write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(build, "write_tables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build_site(here / "out", nothing, [])
    assert (here / "out" / "stale.html").is_file() and [p.name for p in here.iterdir()] == ["out"]
    build_site(here / "out", nothing, [])
    assert not (here / "out" / "stale.html").exists() and [p.name for p in here.iterdir()] == ["out"]


def test_what_a_killed_build_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".tmp-out-new"
    left.mkdir()
    (left / "mark").touch()
    (left / "half.html").touch()
    with atomic_folder(tmp_path / "out", "mark") as folder:
        assert [p.name for p in folder.iterdir()] == ["mark"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    (tmp_path / ".tmp-out-new").mkdir()
    (tmp_path / ".tmp-out-new" / "mine.txt").touch()
    with pytest.raises(UserError, match="holds other things"), atomic_folder(tmp_path / "out", "mark"):
        pass
    assert (tmp_path / ".tmp-out-new" / "mine.txt").exists()


def test_it_works_where_torch_is_not_installed(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "clahe", scenes=1)
    code = "import sys; sys.modules['torch'] = None; from benchtool.cli.main import run; run(['site', 'out'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").is_file() and list((tmp_path / "out" / "scores").rglob("*.html"))


def test_no_page_of_a_metric_that_is_not_known_fails(tmp_path: Path) -> None:
    rows = [{**row, "metric": "mine", "variant": "v1"} for row in score_rows("me", 3) if row["metric"] == "psnr"]
    write_run(tmp_path / "r", rows=rows)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    view = next(iter(views(subject)))
    assert (view.metric.title, view.metric.decimals) == ("mine", DECIMALS)
