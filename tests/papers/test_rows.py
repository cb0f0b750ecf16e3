"""What rows say of themselves: whether the paper's figures are of what benchtool measures, and why not."""

from __future__ import annotations

import pytest

from benchtool.core import catalog
from benchtool.papers.load import load, names
from benchtool.papers.model import UNSAID, Row, trained

ROWS = [
    pytest.param(name, row, id=f"{name}:{table.number}:{row.label}")
    for name in names()
    for table in load(name).paper.tables
    for row in table.rows
]


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_row_that_can_be_filled_says_what_its_figures_are_of(name: str, row: Row) -> None:
    """Only weights as released need no word: they are imported, or not shown."""
    if row.method not in catalog.names("methods"):
        return
    if row.recipe or not catalog.facts("methods", row.method).players:
        assert row.unlike != UNSAID
    assert row.unlike == "" or row.unlike.endswith(".")


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_no_algorithm_is_taken_for_the_papers(name: str, row: Row) -> None:
    """No paper here gives the settings of one."""
    classical = row.method in catalog.names("methods") and not catalog.facts("methods", row.method).players
    assert not classical or row.unlike or row.method == "identity"


def test_what_enc_says_it_trained() -> None:
    """Sec. 4.1: its networks and their baselines."""
    enc = load("enc")
    others = {row.label for table in enc.paper.tables for row in table.rows if row.unlike}
    assert others == {"CLAHE", "RetinexNet", "Zero-DCE", "MSEC"}


def test_prior_arts_were_trained_by_emvnet_on_hdr_plus_alone() -> None:
    """Sec. 5.2 and 5.3 say so of HDR+, and nothing of Kalantari's."""
    emvnet = load("emvnet")
    for table, same in (("1", False), ("2", True)):
        rows = {row.label: row for row in emvnet.table(table).rows}
        assert [not rows[label].unlike for label in ("Yan", "Niu", "Liu")] == [same] * 3


def test_saying_nothing_is_no_claim() -> None:
    assert Row("X", "x").unlike == UNSAID
    assert trained("X", "x", "x").unlike == ""
