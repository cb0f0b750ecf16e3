"""Every renderer shows the same numbers, marks the best, and lets no text break out of its format."""

from __future__ import annotations

import csv as csv_reader
import dataclasses
import io
import json as json_reader
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_runs import score_rows, write_run

from benchtool.core.protocol import read_protocol
from benchtool.papers.load import load, names
from benchtool.papers.model import Edition
from benchtool.report import csv, html, json, latex, markdown, terminal
from benchtool.report.breakdown import breakdown
from benchtool.report.differences import differences
from benchtool.report.fill import fill
from benchtool.report.frame import read_results
from benchtool.report.rows import targets
from benchtool.report.table import Cell, Report, rounded, signed

ENC = load("enc")
TEXTS = (terminal, markdown, latex, html)
ALL = [(name, table.number) for name in names() for table in load(name).paper.tables]


def sid(report: Report) -> Cell:
    """PSNR of SID on underexposed images."""
    return next(line for line in report.lines if line.row.label == "SID").cells[0]


def make(folder: Path, scenes: int = 6, edition: Edition = Edition()) -> Report:
    """Table 1 with CLAHE and a smoke-trained SID measured on ME."""
    same = {"variant": edition.variant if edition.fingerprint else "sample", "fingerprint": edition.fingerprint or "f" * 64}
    write_run(folder / "clahe", scenes=scenes, **same)
    write_run(folder / "sid", "sid", "sid", scenes=scenes, seed=5, trained={"smoke": True}, **same)
    table = ENC.table("1")
    table = dataclasses.replace(table, panels=tuple(dataclasses.replace(p, edition=edition) for p in table.panels))
    return fill(ENC, table, read_results([folder]))


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_every_number_is_there(renderer, tmp_path: Path) -> None:
    report = make(tmp_path)
    text = renderer.render(report)
    for line in report.lines:
        for column, cell in zip(report.columns, line.cells):
            assert cell.published is None or cell.published in text
            if cell.measured:
                assert rounded(cell.measured.mean, column.metric.decimals) in text
                assert rounded(cell.measured.interval.half, column.metric.decimals) in text
    for shown in ("7.40M", "7.40", "11.56", "6 sample scenes and smoke training", "24.39", "psnr:rgb-u8"):
        assert shown in text


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_a_measured_column_is_headed_by_what_it_is(renderer, tmp_path: Path) -> None:
    assert "sample" in renderer.render(make(tmp_path / "sample"))
    own = renderer.render(make(tmp_path / "own", edition=Edition("published", "e" * 64)))
    assert "measured" in own and "difference" in own
    assert "sample" not in re.sub("sample scenes", "", own)


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_differences_are_signed(renderer, tmp_path: Path) -> None:
    report = make(tmp_path, edition=Edition("published", "e" * 64))
    expected = signed(sid(report).measured.mean - 19.37, 2)
    assert (latex.escape(expected) if renderer is latex else expected) in renderer.render(report)


def test_terminal_has_one_line_a_row_and_fits(tmp_path: Path) -> None:
    report = make(tmp_path)
    for width, times in ((80, 6), (105, 5), (120, 4), (208, 2)):  # of ME, PSNR is 101 wide, SSIM 109: cut in two
        lines = terminal.render(report, width).splitlines()
        assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
        rows = [line for line in lines if line.startswith("CLAHE ")]
        assert len(rows) == times
    shown = next(line for line in terminal.render(report, 100).splitlines() if line.startswith("SID "))
    measured = sid(report).measured
    assert re.match(rf"SID +19\.37 +{measured.mean:.2f} ±{measured.interval.half:.2f} \(1–2\) +18\.83 ", shown)


def test_terminal_aligns_numbers_whatever_their_footnotes(tmp_path: Path) -> None:
    lines = terminal.render(make(tmp_path), 100).splitlines()
    block = lines[next(n for n, line in enumerate(lines) if line.startswith("ME-v2, PSNR")) :]
    at = {
        label: next(line for line in block if line.startswith(label)).index(number)
        for label, number in (("MSEC", "24.29"), ("SID-L", "22.66"))
    }
    assert at["MSEC"] == at["SID-L"]
    ends = [
        next(line for line in block if line.startswith(label)).index(number) + len(number)
        for label, number in (("SID ", "21.1"), ("SID-L", "22.25"))
    ]
    assert ends[0] == ends[1]


def test_best_is_bold_and_second_underlined(tmp_path: Path) -> None:
    report = make(tmp_path)
    assert r"\textbf{22.72}" in latex.render(report) and r"\underline{22.59}" in latex.render(report)
    assert "**22.72**" in markdown.render(report) and "<u>22.59</u>" in markdown.render(report)
    assert '<span class="best">22.72</span>' in html.render(report) and '<span class="second">22.59</span>' in html.render(report)


def test_markdown_tables_are_rectangular(tmp_path: Path) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", markdown.render(make(tmp_path)), re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert [len(table.splitlines()) for table in tables] == [14, 14, 13, 13]  # a row of ours is where it is measured


def hostile(tmp_path: Path) -> Report:
    """A table whose runs try to break out of every format."""
    reason = r"<script>alert(1)</script> | $x_1$ & 50% #~^\end{table*} `a` [b](c) {"
    rows = [{**r, "status": "failed", "value": None, "reason": reason} if r["exposure"] == 0.0 else r for r in score_rows("me", 6)]
    write_run(tmp_path / "bad_name & 50% $x$ [red]", rows=rows, variant="<b>|&_%$")
    return fill(ENC, ENC.table("1"), read_results([tmp_path]))


def test_texts_from_files_are_escaped(tmp_path: Path) -> None:
    report = hostile(tmp_path)
    assert "<script>" not in html.render(report) and "&lt;script&gt;" in html.render(report)
    page = markdown.render(report)
    assert "<script>" not in page and r"\| $x\_1$" in page
    source = latex.render(report)
    assert source.count(r"\end{table*}") == 1
    assert r"50\% \#\textasciitilde{}\textasciicircum{}\textbackslash{}end\{table*\}" in source
    assert "<script>" in terminal.render(report) and "[red]" in terminal.render(report)


def test_html_is_balanced(tmp_path: Path) -> None:
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta",):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Balance().feed(html.render(make(tmp_path)))
    assert open_tags == []


def test_csv_is_tidy(tmp_path: Path) -> None:
    report = make(tmp_path)
    rows = list(csv_reader.DictReader(io.StringIO(csv.render(report))))
    assert len(rows) == 12 * 13  # eleven of the paper, one of ours
    one = next(r for r in rows if (r["row"], r["dataset"], r["group"], r["metric"]) == ("SID", "me", "under", "psnr"))
    measured = sid(report).measured
    assert (one["published"], float(one["measured"]), float(one["low"])) == ("19.37", measured.mean, measured.interval.low)
    assert (one["data_variant"], one["delta"], one["samples"], one["failures"]) == ("sample", "", "12", "0")
    parameters = next(r for r in rows if (r["row"], r["metric"]) == ("SID", "params"))
    assert (parameters["published"], parameters["measured"]) == ("7.40M", "7760163")
    assert all(r["measured"] == r["run"] == "" for r in rows if r["row"] == "DRBN" and r["metric"] != "params")


def test_csv_and_json_tell_smoke_training_from_any_other(tmp_path: Path) -> None:
    report = make(tmp_path)
    rows = [row for row in csv_reader.DictReader(io.StringIO(csv.render(report))) if row["run"]]
    told = {row["row"]: (row["smoke"], row["steps"], row["checkpoint"]) for row in rows}
    assert told == {"SID": ("True", "30", "train.best"), "CLAHE, approximate": ("", "", "")}
    cells = {row["label"]: row["cells"][0]["measured"] for row in json_reader.loads(json.render(report))["rows"]}
    assert [cells["SID"][key] for key in ("smoke", "steps", "checkpoint")] == [True, 30, "train.best"]
    assert {record["smoke"] for record in differences(report).view.records} == {True}
    by_exposure = breakdown(report, "exposure").view.records
    assert {(record["row"], record["smoke"]) for record in by_exposure} == {("SID", True), ("CLAHE, approximate", None)}
    write_run(tmp_path / "sid", "sid", "sid", trained={"smoke": False})
    again = csv_reader.DictReader(io.StringIO(csv.render(fill(ENC, ENC.table("1"), read_results([tmp_path])))))
    assert {row["smoke"] for row in again if row["run"] and row["row"] == "SID"} == {"False"}


def test_markdown_sets_commands_as_code_and_nothing_else(tmp_path: Path) -> None:
    page = markdown.render(make(tmp_path))
    assert "; `benchtool reproduce enc:1 --dry-run` lists the commands." in page
    assert markdown.render(unfilled("emvnet", "cost")).count("`benchtool evaluate` measures no figure") == 1
    for text in ("`<i>`", "``a``", "`a|b`", "`[b](c)`", "`a", "`a*b`", "`a\nb`"):
        assert not re.search(r"(?<!\\)`", markdown.escape(text)), text
    assert markdown.escape(r"\`a`_") == r"\\`a`\_"


def test_json_keeps_its_schema(tmp_path: Path) -> None:
    report = make(tmp_path)
    found = json_reader.loads(json.render(report))
    assert found["schema"] == 1 and found["paper"] == "enc" and found["table"] == "1"
    documented = set(re.findall(r"`(\w+)`", json.__doc__))
    row = next(row for row in found["rows"] if row["label"] == "SID")
    cell = row["cells"][0]
    for part in (found, found["panels"][0], found["panels"][0]["measured_on"], row, row["parameters"], cell, cell["measured"]):
        assert set(part) <= documented, set(part) - documented
    assert cell["measured"]["mean"] == sid(report).measured.mean
    assert (cell["published"], cell["delta"], cell["variant"]) == ("19.37", None, "psnr:rgb-u8")
    assert found["panels"][0]["measured_on"]["comparable"] is False and found["panels"][1]["measured_on"] is None
    assert found["footnotes"][row["cells"][1]["notes"][0] - 1].startswith("The paper does not say which SSIM")


def unfilled(name: str, number: str) -> Report:
    """A paper's table of which nothing was measured."""
    library = load(name)
    return fill(library, library.table(number), read_results([]))


@pytest.mark.parametrize(("name", "number"), ALL)
@pytest.mark.parametrize("renderer", (*TEXTS, csv, json), ids=lambda m: m.__name__)
def test_every_table_renders_without_runs(renderer, name: str, number: str) -> None:
    report = unfilled(name, number)
    text = renderer.render(report)
    cells = [cell for line in report.lines for cell in line.cells]
    assert all(cell.published in text for cell in cells if cell.published)
    assert ("missing" in text) is (renderer is json or any(cell.missing for cell in cells))


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_a_missing_number_is_no_empty_cell(renderer) -> None:
    report = unfilled("msec", "1")
    assert sum(cell.missing for line in report.lines for cell in line.cells) == 632
    text = renderer.render(report)
    assert len(re.findall(r"\bmissing\b", text)) >= 632 and "632 of 663 cells" in text
    assert "missing" not in renderer.render(unfilled("emvnet", "2"))


def test_programs_can_tell_a_missing_number_from_an_empty_cell() -> None:
    cells = [cell for row in json_reader.loads(json.render(unfilled("msec", "1")))["rows"] for cell in row["cells"]]
    assert sum(cell["missing"] for cell in cells) == 632 and not any(cell["missing"] and cell["published"] for cell in cells)
    rows = list(csv_reader.DictReader(io.StringIO(csv.render(unfilled("msec", "1")))))
    assert sum(row["notes"].startswith("Published number missing: ") for row in rows) == 632
    assert not any("missing" in row["notes"] for row in csv_reader.DictReader(io.StringIO(csv.render(unfilled("emvnet", "2")))))


def test_experts_are_told_apart_by_their_target() -> None:
    rows = [r for r in csv_reader.DictReader(io.StringIO(csv.render(unfilled("msec", "1")))) if r["row"] == "CLAHE"]
    places = [(r["dataset"], r["target"], r["group"], r["metric"]) for r in rows]
    assert len(places) == len(set(places)) == 39
    assert [r["published"] for r in rows if (r["target"], r["group"], r["metric"]) == ("expert_c", "all", "psnr")] == ["15.38"]
    cells = json_reader.loads(json.render(unfilled("msec", "1")))["rows"][1]["cells"]
    assert [(c["dataset"], c["target"], c["group"], c["metric"]) for c in cells] == places


def test_a_table_of_two_protocols_names_both() -> None:
    found = json_reader.loads(json.render(unfilled("emvnet", "2")))
    assert [panel["protocol"] for panel in found["panels"]] == ["emvnet-raw", "emvnet-isp"]
    page = markdown.render(unfilled("emvnet", "2"))
    assert "Protocol emvnet-raw (Raw HDR): PSNR is psnr-l:linear" in page
    assert "Protocol emvnet-isp (E2E-ISP): PSNR is psnr:rgb-u8" in page


@pytest.mark.parametrize("renderer", TEXTS, ids=lambda m: m.__name__)
def test_units_and_directions_stand_over_the_figures(renderer) -> None:
    niid = ("PSNR (dB) ↑", "SSIM ↑", "VIF ↑", "LOE ↓", "NIQE ↓", "Runtime (s) ↓")
    heads = {"niid": niid, "emvnet": ("PSNR-mu (dB) ↑", "HV2 ↑", "MOS ↓")}
    for name, wanted in heads.items():
        text = renderer.render(unfilled(name, "1"))
        for head in wanted:
            assert (latex.escape(head) if renderer is latex else head) in text
    assert latex.escape("↑ ↓") == r"$\uparrow$ $\downarrow$"
    assert "444.61k" in renderer.render(unfilled("niid", "1")) and "0.08M" in renderer.render(unfilled("enc", "1"))


def test_units_and_directions_are_told_to_programs() -> None:
    facts = {"psnr": ("dB", True), "loe": ("", False), "runtime": ("s", False)}
    row = json_reader.loads(json.render(unfilled("niid", "1")))["rows"][0]
    found = {cell["metric"]: (cell["unit"], cell["higher_is_better"]) for cell in row["cells"]}
    assert {key: found[key] for key in facts} == facts
    rows = [row for row in csv_reader.DictReader(io.StringIO(csv.render(unfilled("niid", "1")))) if row["row"] == "MSR"]
    told = {row["metric"]: (row["unit"], row["higher_is_better"]) for row in rows}
    assert {key: told[key] for key in facts} == {key: (unit, str(up)) for key, (unit, up) in facts.items()}


def test_what_is_no_table_is_not_called_one() -> None:
    titles = {place: unfilled(*place).title.partition(":")[0] for place in ALL}
    assert titles["niid", "fig9"] == "NIID Figure 9" and titles["emvnet", "cost"] == "EMVNet Costs"
    assert titles["rsnet", "released"] == "RSNet Test sets" and titles["enc", "1"] == "ENC Table 1"
    assert all(number.isdigit() for (_, number), title in titles.items() if " Table " in title)


@pytest.mark.parametrize(("name", "number"), ALL)
def test_the_commands_of_a_hint_fill_every_panel_of_their_protocol(name: str, number: str) -> None:
    table = load(name).table(number)
    for command in (command.split() for command in unfilled(name, number).commands if command.startswith("benchtool evaluate ")):
        protocol = command[command.index("--protocol") + 1] if "--protocol" in command else "enc"
        asked = (
            command[command.index("--target") + 1 :][:1]
            if "--target" in command
            else read_protocol(protocol).roles(table.panels[0].dataset)
        )
        same = [p for p in table.panels if (table.protocol_of(p), p.dataset) == (protocol, table.panels[0].dataset)]
        assert all(set(targets(panel, protocol)) <= set(asked or targets(panel, protocol)) for panel in same), command


def test_a_target_is_named_where_the_protocol_has_another() -> None:
    table = ENC.table("1")
    other = dataclasses.replace(table, panels=(dataclasses.replace(table.panels[0], target="expert_a"),))
    assert fill(ENC, other, read_results([])).commands[0].endswith(" --data me/ --target expert_a")
    assert fill(ENC, table, read_results([])).commands[0].endswith(" --data me/")


def test_a_table_that_nothing_measures_says_so() -> None:
    assert "measures no figure of this table" in terminal.render(unfilled("emvnet", "cost"))
    assert "Protocol" not in terminal.render(unfilled("emvnet", "cost"))


def test_a_long_table_is_several_floats_with_one_label() -> None:
    source = latex.render(unfilled("msec", "1"))
    assert source.count(r"\begin{table*}") == source.count(r"\end{table*}") == 3
    assert source.count(r"\label{") == source.count(r"\caption{") == source.count(r"\begin{minipage}") == 1
    assert source.count(r"\begin{tabular}") == 7 and "part 3 of 3" in source


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: the LaTeX tables are not compiled")
@pytest.mark.parametrize("made", [make, hostile, None])
def test_latex_compiles_and_fits_the_page(made, tmp_path: Path) -> None:
    source = latex.render(made(tmp_path / "runs")) if made else "\n".join(latex.render(unfilled(*place)) for place in ALL)
    packages = re.findall(r"\\usepackage\S+\}", source.splitlines()[0])
    assert len(packages) == 3
    lines = [
        r"\documentclass[twocolumn]{article}",
        r"\usepackage[margin=2cm]{geometry}",
        *packages,
        r"\begin{document}",
        source,
        r"\end{document}",
    ]
    (tmp_path / "table.tex").write_text("\n".join(lines))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "Float too large" not in done.stdout
    assert (tmp_path / "table.pdf").stat().st_size > 10_000
