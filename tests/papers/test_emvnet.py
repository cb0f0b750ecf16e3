"""EMVNet's published numbers: against the paper's text where that is at hand, each other, and what the text says of them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from benchtool.papers.load import Place, load
from benchtool.papers.model import Table

EMVNET = load("emvnet")
RAW, ISP = "hdrplus", "hdrplus-isp"


def value(table: str, row: str, dataset: str, metric: str) -> Decimal:
    return Decimal(EMVNET.published[Place(table, row, dataset, "all", metric)].value)


def printed(table: Table) -> list[list[str]]:
    """The numbers of each row, from left to right."""
    places = [[Place(table.number, row.label, p.key, g.key, m.key) for p, g, m in table.columns()] for row in table.rows]
    return [[EMVNET.published[place].value for place in row if place in EMVNET.published] for row in places]


def test_every_number_of_the_paper_is_there() -> None:
    counts = {table.number: sum(map(len, printed(table))) for table in EMVNET.paper.tables}
    assert counts == {"1": 4 * 6 + 3 * 5, "2": 3 * 3 + 2 * 3 + 6, "3": 12, "4": 24, "cost": 7}
    assert len(EMVNET.published) == sum(counts.values()) == 103


@pytest.fixture(scope="module")
def text(real_data: Path) -> str:
    """The paper's text, which stands beside the test data."""
    path = real_data.parent / "papers" / "emvnet.txt"
    if not path.is_file():
        pytest.skip("needs the paper's text beside the test data")
    return re.sub(r"</?b>", "", path.read_text())


@pytest.mark.parametrize("number", ["1", "2", "3", "4"])
def test_tables_are_the_papers(number: str, text: str) -> None:
    lines = text[text.index(f"\nTable {number}. ") :].splitlines()[2:]
    begin = next(n for n, line in enumerate(lines) if "\t" in line)
    end = next(n for n, line in enumerate(lines[begin:], begin) if "\t" not in line)
    rows = [re.findall(r"(?<![\w.\[])\d+\.\d+", line) for line in lines[begin:end]]
    assert [row for row in rows if row] == printed(EMVNET.table(number))


def test_run_times_are_the_texts(text: str) -> None:
    cost = " ".join(text[text.index("5.4.3 Computational cost") : text.index("## 6. Conclusion")].split())
    for words in ("takes 1.51 seconds for HDR task", "2.89 seconds for E2E-ISP", "takes 8.77 seconds", "takes 3.22 seconds"):
        assert words in cost
    assert "accelerate the network x30 (0.08 second on 4K resolution image), with a 0.26 dB accuracy lost" in cost
    assert [row for row in printed(EMVNET.table("cost")) if row] == [["8.77"], ["3.22"], ["1.51", "2.89"], ["0.08", "30", "0.26"]]


def test_numbers_printed_in_several_tables_agree() -> None:
    full = EMVNET.table("4").rows[-1].label
    everything = EMVNET.table("3").rows[-1].label
    for metric in ("psnr", "ssim"):
        assert value("4", full, RAW, metric) == value("3", everything, RAW, metric)
    for dataset in (RAW, ISP):
        assert round(value("4", full, dataset, "psnr"), 2) == value("2", "Ours", dataset, "psnr")
        assert value("4", full, dataset, "ssim") == value("2", "Ours", dataset, "ssim")


def test_numbers_agree_with_the_papers_words() -> None:
    """Sec. 5.2: 0.8 dB, 0.01 and, to rounding, 0.24 of opinion ahead. Sec. 5.4: dense motion is slightly better, 0.3 dB at most."""
    others = ("Yan", "Niu", "Liu")
    ahead = {m: value("2", "Ours", RAW, m) - max(value("2", row, RAW, m) for row in others) for m in ("psnr", "ssim")}
    assert round(ahead["psnr"], 1) == Decimal("0.8") and round(ahead["ssim"], 2) == Decimal("0.01")
    opinion = min(value("2", row, RAW, "mos") for row in others) - value("2", "Ours", RAW, "mos")
    assert abs(opinion - Decimal("0.24")) <= Decimal("0.01")
    dense, sparse = (value("3", EMVNET.table("3").rows[n].label, RAW, "psnr") for n in (4, 5))
    assert 0 < dense - sparse < Decimal("0.05")
    for row in EMVNET.table("1").rows[:-1]:
        for metric in ("psnr-mu", "ssim-mu", "psnr-l", "ssim-l", "hdrvdp2"):
            assert value("1", row.label, "kalantari", metric) < value("1", "Our EMVNet", "kalantari", metric)


def test_the_contradiction_that_a_footnote_names() -> None:
    """ "< 0.06 dB" without the perceptual or the adversarial loss: so on raw, not to RGB."""
    lost = {dataset: value("4", "L_c L_p L_a", dataset, "psnr") - value("4", "L_c", dataset, "psnr") for dataset in (RAW, ISP)}
    assert lost == {RAW: Decimal("0.055"), ISP: Decimal("0.096")}
    assert any(f"= {lost[ISP]}" in erratum.text and erratum.row == "L_c" for erratum in EMVNET.errata)


def test_the_accelerated_networks_figures_fit_no_task() -> None:
    place = "hdrplus:task-not-said"
    seconds, faster = (value("cost", "EMVNet, accelerated", place, metric) for metric in ("seconds", "speed-up"))
    for dataset in (RAW, ISP):
        assert abs(value("cost", "EMVNet", dataset, "seconds") / faster - seconds) > Decimal("0.015")
