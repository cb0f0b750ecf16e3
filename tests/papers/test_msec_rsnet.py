"""Papers whose numbers are not all known here: what is given has a source, nothing else is given, and averages are checked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from benchtool.papers.load import Place, load

MSEC, ENC, RSNET = load("msec"), load("enc"), load("rsnet")
C = "me:expert_c"
FROM_ENC = "ENC Table 1"


def test_every_number_names_its_source() -> None:
    sources = Counter(published.source.split(",")[0] for published in MSEC.published.values())
    assert sources == {FROM_ENC: 21, "LZ-CH/Exposure_Correction-pytorch README": 2, "two public notes on UEC (ECCV 2024)": 8}
    assert RSNET.published == {} and RSNET.paper.tables[0].missing and MSEC.paper.tables[0].missing


def test_numbers_by_way_of_enc_are_encs() -> None:
    rows = {"Ours w/ L_adv": "MSEC"}
    quoted = [place for place, published in MSEC.published.items() if published.source == FROM_ENC]
    for place in quoted:
        there = Place("1", rows.get(place.row, place.row), "me", place.group, place.metric)
        assert place.dataset == C and MSEC.published[place].value == ENC.published[there].value


def test_encs_own_measurement_of_msecs_ssim_is_not_quoted() -> None:
    assert not any(place.row == "Ours w/ L_adv" and place.metric == "ssim" for place in MSEC.published)


def test_averages_follow_from_their_parts_except_the_listed_misprint() -> None:
    """All five exposures count alike: two are under, three over."""
    found = set()
    for place, published in MSEC.published.items():
        parts = [MSEC.published.get(place._replace(group=group)) for group in ("under", "over")]
        if place.group != "all" or None in parts:
            continue
        under, over = (Decimal(part.value) for part in parts)
        step = Decimal(1).scaleb(Decimal(published.value).as_tuple().exponent)
        if abs((2 * under + 3 * over) / 5 - Decimal(published.value)) > step:
            found.add(place)
    listed = {Place(t, e.row, e.dataset, e.group, e.metric) for e in MSEC.errata if e.misprint for t in e.tables}
    assert found == listed == {Place("1", "RetinexNet", C, "all", "ssim")}


def test_each_expert_is_a_target_of_its_own() -> None:
    panels = MSEC.table("1").panels
    assert [panel.target for panel in panels] == [*(f"expert_{e}" for e in "abcde"), "", ""]
    assert len({panel.key for panel in panels}) == len(panels)
    assert {panel.dataset for panel in panels} == {"me"}
