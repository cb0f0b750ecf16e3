"""ENC's published numbers against the paper's own arithmetic, and its tables against what benchtool has."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from benchtool.core import catalog
from benchtool.papers.load import FOLDER, REFERENCES, Place, load, names
from benchtool.papers.model import PARAMETERS

ENC = load("enc")
AVERAGES = (  # table, dataset, weights of its groups, the average's group
    ("1", "me", {"under": 2, "over": 3}, "all"),
    ("1", "me-v2", {"under": 1, "over": 1}, "all"),
    ("2", "sice", {"under": 1, "over": 1}, "all"),
    ("3", "sice", {"under": 1, "over": 1}, "all"),
    ("4", "task-mix", {"lol": 1, "sice-over": 1, "fivek": 1}, "average"),
    ("5", "dped", {"iphone": 1, "sony": 1, "blackberry": 1}, "average"),
)


def value(*place: str) -> Decimal:
    return Decimal(ENC.published[Place(*place)].value)


def half_step(number: Decimal) -> Decimal:
    """The most a printed number can differ from what was rounded."""
    return Decimal(1).scaleb(number.as_tuple().exponent) / 2


def contradictions() -> set[Place]:
    """Printed averages that the printed parts exclude, whatever their rounding."""
    found = set()
    for table, dataset, weights, average in AVERAGES:
        for place in ENC.published:
            if (place.table, place.dataset, place.group) != (table, dataset, average):
                continue
            parts = {group: value(table, place.row, dataset, group, place.metric) for group in weights}
            total = sum(weights.values())
            computed = sum(parts[g] * w for g, w in weights.items()) / total
            slack = sum(half_step(parts[g]) * w for g, w in weights.items()) / total + half_step(value(*place))
            if abs(computed - value(*place)) > slack:
                found.add(place)
    return found


def test_averages_follow_from_their_parts_except_the_listed_misprints() -> None:
    listed = {Place(t, e.row, e.dataset, e.group, e.metric) for e in ENC.errata if e.misprint for t in e.tables}
    assert contradictions() == listed
    assert len(listed) == 4


def test_me_averages_are_over_images_not_over_groups() -> None:
    """A 1 : 1 mean contradicts most rows of Table 1: "over" holds three exposures, 0 EV among them."""
    rows = [row.label for row in ENC.table("1").rows]
    assert len(rows) == 11
    plain = [(value("1", r, "me", "under", "psnr") + value("1", r, "me", "over", "psnr")) / 2 for r in rows]
    apart = [abs(p - value("1", r, "me", "all", "psnr")) for p, r in zip(plain, rows)]
    assert sum(d > Decimal("0.02") for d in apart) >= 9


def test_every_cell_of_every_table_has_its_number() -> None:
    counted = Counter(place.table for place in ENC.published)
    cells = {t.number: len(t.rows) * len(list(t.columns())) for t in ENC.paper.tables}
    cells["1"] += 10  # parameters, which the paper gives for all but CLAHE
    assert counted == cells == {"1": 142, "2": 66, "3": 36, "4": 72, "5": 24, "6": 40}
    assert Place("1", "CLAHE", "", "", PARAMETERS) not in ENC.published


def test_numbers_stay_as_printed() -> None:
    assert ENC.published[Place("1", "SID", "me-v2", "over", "psnr")].value == "21.1"
    assert ENC.published[Place("1", "SID-L", "", "", PARAMETERS)].value == "11.56M"
    assert ENC.published[Place("1", "CLAHE", "me", "all", "ssim")].value == "0.5990"
    assert {p.source for place, p in ENC.published.items() if place.table == "3"} == {"ENC Table 3"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("6", "none", "me", "all"), ("1", "SID", "me", "all")),
        (("6", "none", "sice", "all"), ("2", "SID", "sice", "all")),
        (("6", "IS+IC+IN+L_nd+L_ed", "sice", "all"), ("3", "SID-ENC", "sice", "all")),
        (("3", "I-SID", "sice", "under"), ("2", "I-SID", "sice", "under")),
        (("3", "I-DRBN-4", "sice", "over"), ("2", "I-DRBN-4", "sice", "over")),
    ],
)
def test_numbers_printed_twice_agree(one: tuple, other: tuple) -> None:
    for metric in ("psnr", "ssim"):
        assert value(*one, metric) == value(*other, metric)


def test_printed_parameters_are_in_units_of_2_to_the_20() -> None:
    known = {
        row.label: catalog.facts("methods", row.method).parameters for row in ENC.table("1").rows if row.method in catalog.names("methods")
    }
    trained = {label: count for label, count in known.items() if count and label not in ("RetinexNet", "Zero-DCE", "MSEC")}
    assert {"SID", "SID-L", "I-SID"} <= set(trained)
    for label, count in trained.items():
        assert f"{count / 2**20:.2f}M" == ENC.published[Place("1", label, "", "", PARAMETERS)].value
        assert f"{count / 1e6:.2f}M" != ENC.published[Place("1", label, "", "", PARAMETERS)].value


@pytest.mark.parametrize("name", names())
def test_metric_variants_exist_and_point_the_same_way(name: str) -> None:
    for table in load(name).paper.tables:
        for _, _, metric in table.columns():
            metric_name, _, variant = (metric.variant or "").partition(":")
            if metric_name in catalog.names("metrics"):
                spec = catalog.facts("metrics", metric_name)
                assert variant in spec.variants
                assert spec.higher_is_better == metric.higher_is_better


@pytest.mark.parametrize("name", names())
def test_options_of_rows_are_options_of_their_methods(name: str) -> None:
    for table in load(name).paper.tables:
        for row in table.rows:
            if row.method in catalog.names("methods"):
                assert set(row.options) <= set(catalog.options("methods", row.method))


def test_every_citation_has_its_entry() -> None:
    keys = re.findall(r"^@\w+\{([\w-]+),", REFERENCES.read_text(), re.MULTILINE)
    assert len(keys) == len(set(keys))
    used = {row.citation for name in names() for table in load(name).paper.tables for row in table.rows}
    used |= {load(name).paper.citation for name in names()}
    used |= {catalog.facts(kind, n).citation for kind in ("methods", "datasets") for n in catalog.names(kind)}
    assert used - {""} <= set(keys)


def test_references_are_balanced_bibtex() -> None:
    for entry in re.split(r"^(?=@)", REFERENCES.read_text(), flags=re.MULTILINE)[1:]:
        assert entry.count("{") == entry.count("}")
        assert all(f"{field} " in entry for field in ("title", "author", "year")), entry


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ENC's folder, as a copy that `load` reads."""
    shutil.copytree(FOLDER / "enc", tmp_path / "enc")
    monkeypatch.setattr("benchtool.papers.load.FOLDER", tmp_path)
    assert load("enc") == ENC
    return tmp_path / "enc"


def test_a_number_for_no_place_is_refused(copied: Path) -> None:
    with open(copied / "published.csv", "a") as stream:
        stream.write("1,SID,me,sideways,psnr,1.0,nowhere\n")
    with pytest.raises(ValueError, match="sideways"):
        load("enc")


def test_a_number_printed_twice_in_one_place_is_refused(copied: Path) -> None:
    with open(copied / "published.csv", "a") as stream:
        stream.write("1,SID,me,all,psnr,1.0,again\n")
    with pytest.raises(ValueError, match="twice"):
        load("enc")


def test_an_erratum_for_no_place_is_refused(copied: Path) -> None:
    with open(copied / "errata.yaml", "a") as stream:
        stream.write("\n- {tables: [1], row: SDI, text: a slip}\n")
    with pytest.raises(ValueError, match="a slip"):
        load("enc")
