"""`benchtool reproduce`: the graph of every table, what it says of what is missing, and what it costs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from made_training import make_dataset as training_data

from benchtool.core import catalog
from benchtool.core.protocol import read_protocol
from benchtool.core.recipe import load_recipe
from benchtool.datasets import niid_mix, task_mix
from benchtool.papers.load import load, names
from benchtool.papers.model import Panel, Row, Table
from benchtool.report.frame import Evaluation
from benchtool.report.rows import matches
from benchtool.report.schema import Entry, Summary, Trained
from benchtool.workflows.reproduce.graph import DERIVED, graph
from benchtool.workflows.reproduce.node import Node, Places, total

TABLES = [(paper, table.number) for paper in names() for table in load(paper).paper.tables]


def nodes_of(tmp_path: Path, paper: str = "enc", number: str = "1") -> list[Node]:
    library = load(paper)
    return graph(library, library.table(number), Places(tmp_path / "data", tmp_path / "runs"))


@functools.cache
def of_nothing(paper: str, number: str) -> list[Node]:
    return nodes_of(Path("nowhere"), paper, number)


def by_name(nodes: list[Node]) -> dict[str, Node]:
    return {node.name: node for node in nodes}


def measured(table: Table) -> list[tuple[Row, Panel]]:
    return [(row, panel) for row in table.rows for panel in table.panels if any(metric.variant for metric in panel.metrics)]


def identity(row: Row, panel: Panel) -> tuple:
    """What a run is of."""
    return row.method, row.recipe, repr(sorted(row.options.items())), (panel.trained_on or panel.dataset) if row.recipe else None


@pytest.mark.parametrize(("paper", "number"), TABLES)
def test_nothing_overwrites_anything(paper: str, number: str) -> None:
    """Each kind of run has a folder of its own, and each of its evaluations a node."""
    table, nodes = load(paper).table(number), of_nothing(paper, number)
    assert len({node.name for node in nodes}) == len(nodes)
    wanted = {(*identity(r, p), p.dataset, p.split, table.protocol_of(p)) for r, p in measured(table)}
    evaluations = [node for node in nodes if node.kind == "evaluate"]
    assert len(evaluations) == len(wanted)
    assert len({node.run for node in evaluations}) == len({identity(r, p) for r, p in measured(table)})
    order = {node.name: place for place, node in enumerate(nodes)}
    assert all(order[needed] < order[node.name] for node in nodes for needed in node.needs)


@pytest.mark.parametrize(("paper", "number"), TABLES)
def test_what_a_command_measures_is_what_the_report_takes(tmp_path: Path, paper: str, number: str) -> None:
    table, nodes = load(paper).table(number), of_nothing(paper, number)
    for row, panel in measured(table):
        protocol, source = table.protocol_of(panel), identity(row, panel)[-1]
        found = [
            n for n in nodes if n.kind == "evaluate" and n.command and n.run.name == (f"{row.recipe}.{source}" if source else row.method)
        ]
        commands = [dict(zip(n.command[2::2], n.command[3::2])) for n in found]
        for given in (c for c in commands if c["--protocol"] == protocol and Path(c["--data"]).name == panel.dataset):
            roles = read_protocol(protocol).roles(panel.dataset) or (catalog.facts("datasets", panel.dataset).default_target,)
            entry = Entry(
                dataset=panel.dataset, variant="", fingerprint="", split=given.get("--split", "test"), protocol=protocol,
                protocol_sha256="", checkpoint=None, target=given.get("--target", "+".join(roles)), finished="2026-01-01T00:00:00Z",
                complete=True, samples=1,
            )  # fmt: skip
            trained = Trained(dataset=source) if source else None
            options = load_recipe(row.recipe).options if row.recipe else dict(row.options)
            summary = Summary(schema=1, run="r", method=row.method, recipe=row.recipe, options=options, trained=trained)
            assert matches(row, panel, protocol, Evaluation(tmp_path, summary, entry, pa.table({})))


def test_derived_datasets_are_made_of_what_their_modules_say() -> None:
    assert set(DERIVED["task-mix"]) == set(task_mix.PARTS) and set(DERIVED["niid-mix"]) == set(niid_mix.SHARES)


@pytest.fixture
def nothing() -> list[Node]:
    return of_nothing("enc", "1")


def test_nothing_is_there(nothing: list[Node]) -> None:
    found = by_name(nothing)
    assert found["data me"].state == "blocked" and "render-me" in found["data me"].why and "17,675 train" in found["data me"].why
    assert found["data me-v2"].state == "blocked" and found["data me-v2"].needs == ["data me"]
    assert found["train i-sid.me"].state == "blocked" and "waits for data me" in found["train i-sid.me"].why
    assert found["evaluate i-sid.me on me"].why == "waits for train i-sid.me"
    assert nothing[-1].name == "report" and nothing[-1].state == "due"


def test_costs_by_the_papers_numbers(nothing: list[Node]) -> None:
    """ME has 17,675 training samples, three of five exposures in the larger group; I-SID takes 80, 80 and 40 epochs of batch 1."""
    node = by_name(nothing)["train i-sid.me"]
    assert node.cost.count == 80 * 17_675 + 80 * 17_675 + 40 * 10_605
    assert str(node.cost) == "about 3,252,200 steps, no pace known yet"
    assert str(by_name(nothing)["evaluate clahe on me"].cost) == "about 5,905 images"
    line = total(nothing)
    assert line.startswith("20 trainings, about ") and "no pace known yet" in line
    assert line.endswith(f"22 evaluations, about {11 * (5_905 + 4_724):,} images")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    folder = tmp_path_factory.mktemp("small")
    training_data(folder / "data" / "me")
    return by_name(nodes_of(folder))


def test_costs_by_the_data(small: dict[str, Node]) -> None:
    """12 training samples, 8 of them in the larger group; ME-v2 of it would have four of five."""
    assert str(small["train i-sid.me"].cost) == "2,240 steps, no pace known yet" and 2_240 == 160 * 12 + 40 * 8
    assert str(small["evaluate clahe on me"].cost) == "3 images"
    assert str(small["train sid.me-v2"].cost) == "about 800 steps, no pace known yet" and 800 == 80 * round(12 * 14_140 / 17_675)


def test_costs_that_only_the_data_can_tell() -> None:
    nodes = of_nothing("enc", "4")
    assert str(by_name(nodes)["train sid.task-mix"].cost) == "steps: known once the data is there"
    assert "6 not countable yet" in total(nodes)


def test_too_little_data_is_said_before(small: dict[str, Node]) -> None:
    node = small["train msec.me"]
    assert node.state == "blocked" and "12 training samples do not fill one step of 32" in node.why


def test_a_dataset_makes_its_rows_due(small: dict[str, Node]) -> None:
    assert small["data me"].state == "done" and small["data me-v2"].state == "due"
    assert small["train i-sid.me"].state == small["evaluate clahe on me"].state == "due"


def test_a_damaged_dataset_holds_up_only_what_needs_it(tmp_path: Path) -> None:
    training_data(tmp_path / "data" / "me")
    training_data(tmp_path / "data" / "sice", name="lol")
    found = by_name(nodes_of(tmp_path, "enc", "6"))
    assert found["data sice"].state == "blocked" and "is the dataset 'lol', not sice" in found["data sice"].why
    assert found["train sid.sice"].state == "blocked" and found["train sid.me"].state == "due"


def test_rows_and_data_that_benchtool_lacks() -> None:
    found = by_name(of_nothing("niid", "1"))
    assert found["evaluate npe on niid-mix"].why == "the method npe is not in benchtool yet"
    assert "data coco-retouch" not in found, "no row that can be run needs it"
    assert found["data niid-mix"].needs == ["data lol", "data sice", "data deepupe"]


@pytest.mark.parametrize(("arguments", "says"), [(["enc"], "PAPER:TABLE"), (["enk:1"], "enc"), (["enc:99"], "99")])
def test_refused(benchtool: Callable, arguments: list[str], says: str) -> None:
    done = benchtool("reproduce", *arguments, "--dry-run")
    assert done.code == 2 and says in done.err


def test_dry_run_changes_nothing(benchtool: Callable, tmp_path: Path) -> None:
    training_data(tmp_path / "data" / "me")
    before = sorted(tmp_path.rglob("*"))
    done = benchtool("reproduce", "enc:1", "--data", tmp_path / "data", "--runs", tmp_path / "runs", "--dry-run")
    assert done.code == 0 and "due      train i-sid.me" in done.out and sorted(tmp_path.rglob("*")) == before
    assert "distil: due; 80 epochs, 960 steps, start train.best, teacher train.best" in done.out
    assert "tune: due; 40 epochs, 320 steps, start distil.best, on the worst exposure" in done.out
    assert done.out.splitlines()[-1].startswith("still to do: 18 trainings, ")
