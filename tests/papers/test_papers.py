"""What holds for the tables of every paper: protocols exist, columns are theirs, and figures are printed as figures."""

from __future__ import annotations

from decimal import Decimal

import pytest

from benchtool.core.manifest import ROLES
from benchtool.core.protocol import has_metric, read_protocol
from benchtool.papers.load import Library, load, names
from benchtool.papers.model import PARAMETERS, Table

LIBRARIES = [load(name) for name in names()]
TABLES = [pytest.param(each, table, id=f"{each.paper.name}-{table.number}") for each in LIBRARIES for table in each.paper.tables]


def test_the_papers() -> None:
    assert {"enc", "msec", "rsnet", "emvnet", "niid"} <= set(names())


@pytest.mark.parametrize(("library", "table"), TABLES)
def test_protocols_exist_and_measure_the_columns(library: Library, table: Table) -> None:
    for panel, _, metric in table.columns():
        protocol = read_protocol(table.protocol_of(panel))
        assert metric.variant is None or metric.variant in protocol.metrics
        targets = protocol.targets.get(panel.dataset, panel.target)
        assert panel.target == "" or panel.target in targets


@pytest.mark.parametrize(("library", "table"), TABLES)
def test_every_metric_of_a_table_exists(library: Library, table: Table) -> None:
    assert all(has_metric(metric.variant) for _, _, metric in table.columns() if metric.variant)


@pytest.mark.parametrize(("library", "table"), TABLES)
def test_panels_are_told_apart_and_targets_are_roles(library: Library, table: Table) -> None:
    keys = [panel.key for panel in table.panels]
    assert len(keys) == len(set(keys))
    assert all(panel.target in ("", *ROLES) for panel in table.panels)
    labels = [row.label for row in table.rows]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(("library", "table"), TABLES)
def test_numbers_have_no_more_decimals_than_their_column(library: Library, table: Table) -> None:
    decimals = {(panel.key, metric.key): metric.decimals for panel, _, metric in table.columns()}
    for place, published in library.published.items():
        if place.table == table.number and place.metric != PARAMETERS and published.source.startswith(library.paper.label):
            assert -Decimal(published.value).as_tuple().exponent <= decimals[place.dataset, place.metric]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.paper.name)
def test_a_number_that_is_absent_is_absent_in_the_paper_or_said_to_be_missing(library: Library) -> None:
    """Tables without a word on missing numbers are complete but for cells that the paper leaves empty."""
    empty = {("enc", "1"): 0, ("niid", "1"): 0, ("emvnet", "1"): 3, ("emvnet", "2"): 15, ("emvnet", "cost"): 13}
    for table in library.paper.tables:
        cells = len(table.rows) * len(list(table.columns()))
        given = sum(place.table == table.number and place.metric != PARAMETERS for place in library.published)
        assert table.missing or cells - given == empty.get((library.paper.name, table.number), 0)
