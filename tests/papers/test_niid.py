"""NIID's published numbers: against the paper's text where that is at hand, its words, and the sizes of published networks."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from benchtool.papers.load import Place, load
from benchtool.papers.model import PARAMETERS

NIID = load("niid")
ROWS = [row.label for row in NIID.table("1").rows]


def column(metric: str) -> dict[str, Decimal]:
    return {row: Decimal(NIID.published[Place("1", row, "niid-mix", "all", metric)].value) for row in ROWS}


def ablation(condition: int, metric: str) -> Decimal:
    row = NIID.table("2").rows[condition - 1].label
    return Decimal(NIID.published[Place("2", row, "coco-retouch", "all", metric)].value)


def test_every_cell_has_its_number() -> None:
    assert sum(place.table == "1" for place in NIID.published) == 14 * 6 + 6
    assert sum(place.table == "2" for place in NIID.published) == 9 * 2


@pytest.fixture(scope="module")
def text(real_data: Path) -> str:
    """The paper's text, which stands beside the test data."""
    path = real_data.parent / "papers" / "niid-light-acmmm2020.txt"
    if not path.is_file():
        pytest.skip("needs the paper's text beside the test data")
    return path.read_text()


def test_table_1_is_the_papers_read_column_by_column(text: str) -> None:
    """The text has the table's columns one after the other: five of fourteen numbers, six parameters, fourteen times."""
    table = text[text.index("Table 1: Quantitative comparison") : text.index("performance. We use the DARK FACE")]
    stars, names = zip(*re.findall(r"^(\*?)(\w+)(?: \[\d+\])?$", table[: table.index("↑PSNR")], re.MULTILINE)[1:])
    numbers = re.findall(r"^\d+(?:\.\d+)?[ks]?$", table[table.index("Runtime\n") :], re.MULTILINE)
    assert list(names) == ROWS and stars == ("*",) * 8 + ("",) * 6  # as the run time's footnote says
    assert len(numbers) == 5 * 14 + 6 + 14
    read = {metric: numbers[k * 14 : k * 14 + 14] for k, metric in enumerate(("psnr", "ssim", "vif", "loe", "niqe"))}
    read["runtime"] = [seconds.removesuffix("s") for seconds in numbers[76:]]
    for metric, values in read.items():
        assert [NIID.published[Place("1", row, "niid-mix", "all", metric)].value for row in ROWS] == values
    learned = [row for row in ROWS if Place("1", row, "", "", PARAMETERS) in NIID.published]
    assert learned == ROWS[8:]
    assert [NIID.published[Place("1", row, "", "", PARAMETERS)].value for row in learned] == numbers[70:76]


def test_captions_explain_no_mark_that_no_row_has() -> None:
    explained = {(table.number, mark) for table in NIID.paper.tables for mark in re.findall(r'"(\W)" represents', table.caption)}
    assert explained <= {(table.number, label[0]) for table in NIID.paper.tables for label in (row.label for row in table.rows)}
    (runtime,) = [erratum.text for erratum in NIID.errata if erratum.metric == "runtime"]
    assert "first eight methods, MSR to BIMEF, which the paper marks with a star, ran on an Intel i5-8400 alone" in runtime


def test_table_2_is_the_papers(text: str) -> None:
    table = text[text.index("1. U-Net (") : text.index("that the Restoration-Net is not considered")]
    numbers = re.findall(r"^\d+\.\d+$", table, re.MULTILINE)  # eight PSNR, eight SSIM, and the proposed network's two
    for metric, values in (("psnr", [*numbers[:8], numbers[16]]), ("ssim", [*numbers[8:16], numbers[17]])):
        assert [str(ablation(condition, metric)) for condition in range(1, 10)] == values
    conditions = re.findall(r"^(\d\. .*)$", table, re.MULTILINE)
    assert [re.sub(r"[ _≈]", "", line) for line in conditions] == [re.sub(r"[ _]", "", row.label) for row in NIID.table("2").rows]


def test_what_the_footnote_says_of_the_ranking() -> None:
    best = {m: {r for r, v in column(m).items() if v == max(column(m).values())} for m in ("psnr", "ssim", "vif")}
    least = {m: {r for r, v in column(m).items() if v == min(column(m).values())} for m in ("loe", "niqe", "runtime")}
    assert best == {"psnr": {"MBLLEN"}, "ssim": {"Ours"}, "vif": {"Ours", "LIME"}}
    assert least == {"loe": {"BIMEF"}, "niqe": {"Ours"}, "runtime": {"Ours"}}


def test_numbers_agree_with_the_papers_words() -> None:
    """Sec. 5.1: 720p video at 20 frames a second. Sec. 5.2: more losses are better, more weights bring little, fewer cost much."""
    assert 1 / column("runtime")["Ours"] == 20
    assert ablation(3, "psnr") < ablation(4, "psnr") < ablation(6, "psnr") < ablation(9, "psnr")
    assert [ablation(c, "ssim") for c in (4, 5, 9)] == sorted(ablation(c, "ssim") for c in (4, 5, 9))
    assert ablation(8, "psnr") - ablation(9, "psnr") < ablation(9, "psnr") - ablation(7, "psnr")
    assert max(ablation(c, "ssim") for c in range(1, 9)) < ablation(9, "ssim")


@pytest.mark.parametrize(("row", "count"), [("RetinexNet", 444_613), ("GLADNet", 931_523), ("MBLLEN", 450_171)])
def test_parameters_stand_in_the_rows_whose_networks_have_them(row: str, count: int) -> None:
    assert NIID.published[Place("1", row, "", "", PARAMETERS)].value == f"{count / 1000:.0f}k"
