"""The graph behind a paper's table: datasets, trainings and evaluations, each with its command, its state and what it costs.

An evaluation fills every panel of its dataset and protocol: against each of several experts, it is one.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.manifest import Dataset, open_dataset
from benchtool.core.protocol import Protocol, read_protocol
from benchtool.core.recipe import Recipe, load_recipe
from benchtool.papers.load import Library
from benchtool.papers.model import Panel, Row, Table
from benchtool.training.splits import check_splits
from benchtool.workflows.reproduce import cost, state
from benchtool.workflows.reproduce.node import Cost, Node, Places
from benchtool.workflows.reproduce.sharing import Training, ordered, share

# datasets that are made of others' manifests in a moment, and of which
DERIVED = {"me-v2": ("me",), "task-mix": ("lol", "fivek", "sice"), "niid-mix": ("lol", "sice", "deepupe")}


def graph(library: Library, table: Table, places: Places) -> list[Node]:
    """The nodes of a table in an order in which they can run; the last one reports whatever is there by then."""
    building = _Building(table, places)
    for row in table.rows:
        for panels in _measured_together(table, row):
            building.row(row, panels)
    barred = {node.run for node in building.nodes.values() if node.kind == "train" and node.state in ("stale", "blocked")}
    share(building.trainings, places.runs, barred)
    found = ordered(building.nodes)
    _spread(found)
    nodes = sorted(found.values(), key=lambda node: node.kind != "data")  # which need nothing but each other
    command = ["report", "--paper", library.paper.name, "--table", table.number, "--results", str(places.runs)]
    none = "" if nodes else "none of its figures is measured by `benchtool evaluate`"
    return [*nodes, Node("report", command, why=none)]


def _measured_together(table: Table, row: Row) -> list[list[Panel]]:
    """The panels of a table, those together whose figures one evaluation gives."""
    together: dict[tuple[str, ...], list[Panel]] = {}
    for panel in table.panels:
        if any(metric.variant for metric in panel.metrics):
            key = (_source(row, panel), panel.dataset, panel.split, table.protocol_of(panel))
            together.setdefault(key, []).append(panel)
    return list(together.values())


def _source(row: Row, panel: Panel) -> str:
    """The dataset that a row is trained on; empty where it is not."""
    return (panel.trained_on or panel.dataset) if row.recipe else ""


def run_name(row: Row, source: str) -> str:
    """The folder of a row's run: `i-sid.me`, `clahe`, `dped.phone=iphone`."""
    if row.recipe:
        return f"{row.recipe}.{source}"
    options = (re.sub(r"[^\w.+-]", "-", f"{value}") for value in row.options.values())
    return ".".join([row.method, *(f"{key}={value}" for key, value in zip(row.options, options))])


class _Building:
    """A graph that grows: `row` adds what a row needs and is not there yet."""

    def __init__(self, table: Table, places: Places) -> None:
        self.table, self.places = table, places
        self.nodes: dict[str, Node] = {}
        self.trainings: list[Training] = []
        self.datasets: dict[str, Dataset | None] = {}
        self.paces = cost.Paces(places.runs)
        self.protocols = {name: read_protocol(name) for name in {table.protocol_of(panel) for panel in table.panels}}

    def row(self, row: Row, panels: Sequence[Panel]) -> None:
        """Add what measures a row for panels of one dataset and protocol."""
        panel = panels[0]
        protocol, source = self.table.protocol_of(panel), _source(row, panel)
        name = run_name(row, source)
        run, options = self.places.runs / name, row.options
        what, trained, checkpoint = row.method, "", None
        lacking = _lacking(row, protocol, self.protocols[protocol])
        learned = not lacking and bool(catalog.facts("methods", row.method).players)
        if not lacking and row.recipe:
            recipe = load_recipe(f"{row.recipe}:{source}")
            what, trained, checkpoint = str(run), self.train(recipe, run), f"{recipe.stages[-1].name}.best"
        elif learned:
            alone = sum(other.method == row.method and not other.recipe for other in self.table.rows) == 1
            if found := state.imported(self.places.runs, row, alone):
                (run, options), checkpoint = found, "imported.best"
                what, name = str(run), run.name
            else:
                how = f"benchtool methods import {row.method} FILE --out {shlex.quote(f'{self.places.runs / name}-imported')}"
                lacking = f"a network that the paper takes as released; import its weights: {how}"
        text = f"evaluate {name} on {panel.dataset}" + (f", {panel.split}" if panel.split != "test" else "")
        text += f", by {protocol}" if protocol != self.table.protocol else ""
        if lacking:
            self.nodes[text] = Node(text, None, state="blocked", why=lacking, run=run)
            return
        dataset = self.data(panel.dataset)
        command = ["evaluate", what, "--data", str(self.places.data / panel.dataset), "--protocol", protocol, "--out", str(run)]
        command += ["--split", panel.split] if panel.split != "test" else []
        command += _targets(panels, self.protocols[protocol], dataset)
        if what == row.method:
            command += [part for key, value in options.items() for part in ("--set", f"{key}={json.dumps(value)}")]
        node = Node(text, command, [f"data {panel.dataset}", *([trained] if trained else [])], run=run, learned=learned)
        own = dataclasses.replace(row, options=options)
        node.state, node.why = state.evaluated(run, own, panels, protocol, dataset, checkpoint)
        node.cost = self._images(panel, dataset) if node.state != "done" else None
        self.nodes[text] = node

    def train(self, recipe: Recipe, run: Path) -> str:
        """Add a training; returns its node's name."""
        name = f"train {run.name}"
        if name in self.nodes:
            return name
        source, dataset = recipe.dataset, self.data(recipe.dataset)
        command = ["train", f"{recipe.name}:{source}", "--data", str(self.places.data / source), "--out", str(run)]
        node = self.nodes[name] = Node(name, command, [f"data {source}"], run=run, learned=True)
        node.state, node.why = state.trained(run, recipe, dataset)
        try:
            began = state.progress(run, recipe) if node.state != "stale" else {}
            steps = cost.steps(recipe, dataset, self._expected(source, "train"))
            if dataset is not None and node.state == "due":
                check_splits(recipe, dataset)
        except UserError as error:
            if node.state != "stale":
                node.state, node.why = "blocked", str(error)
            return name
        node.stages = state.stages(recipe, steps, began)
        if node.state != "done":
            seconds, paced_by = self.paces.of(run, recipe.method) or (None, "")
            node.cost = Cost(cost.left(recipe, steps, began), "steps", dataset is None, seconds, paced_by)
        self.trainings.append(Training(node, recipe, dataset, steps, began))
        return name

    def data(self, name: str) -> Dataset | None:
        """Add a dataset, and what it is made of; None where it is not there."""
        if name in self.datasets:
            return self.datasets[name]
        folder = self.places.data / name
        node, dataset = Node(f"data {name}", None), None
        if self._is_there(name):
            dataset = self._open(name, node)
            for part in [part for part in state.made_of(dataset) if self._is_there(part)] if dataset else ():
                self._compare(node, dataset, part)
        elif name in DERIVED:
            for part in DERIVED[name]:
                self.data(part)
            node.command, node.needs = self._derive(name), [f"data {part}" for part in DERIVED[name]]
        else:
            node.state, node.why = "blocked", _missing(name, folder)
        self.nodes[node.name], self.datasets[name] = node, dataset
        return dataset

    def _images(self, panel: Panel, dataset: Dataset | None) -> Cost:
        if dataset is None:
            return Cost(self._expected(panel.dataset, panel.split), "images", rough=True)
        return Cost(_count(dataset, panel.split), "images")

    def _expected(self, name: str, split: str) -> int | None:
        """How many samples a dataset that is not there would have: its paper's number, in proportion to what it is made of."""
        stated, parts = cost.published(name, split), DERIVED.get(name, ())
        if stated and len(parts) == 1 and (source := self.datasets.get(parts[0])) is not None:
            return round(stated * _count(source, split) / cost.published(parts[0], split))
        return stated

    def _is_there(self, name: str) -> bool:
        return (self.places.data / name / "dataset.json").is_file()

    def _open(self, name: str, node: Node) -> Dataset | None:
        folder = self.places.data / name
        try:
            dataset = open_dataset(folder)
            if dataset.facts.name != name:
                raise UserError(f"{folder}: is the dataset '{dataset.facts.name}', not {name}")
        except UserError as error:
            node.state, node.why = "blocked", str(error)
            return None
        node.state, node.why = "done", f"{dataset.facts.variant}, {len(dataset.samples):,} samples"
        return dataset

    def _compare(self, node: Node, dataset: Dataset, part: str) -> None:
        """A dataset that was made of another one than is there now is stale."""
        source, then = self.data(part), state.made_of(dataset)[part]
        node.needs.append(f"data {part}")
        if source is not None and source.facts.fingerprint != then:
            how = (
                f"; make it again: {shlex.join(['benchtool', *self._derive(dataset.facts.name)])}" if dataset.facts.name in DERIVED else ""
            )
            node.state = "stale"
            node.why = f"made of another {part} (fingerprint {then[:8]}, now {source.facts.fingerprint[:8]}){how}"

    def _derive(self, name: str) -> list[str]:
        """The command that makes a dataset of others: of one, or of a folder that holds several."""
        parts = DERIVED[name]
        source = self.places.data / parts[0] if len(parts) == 1 else self.places.data
        return ["data", "prepare", name, str(source), str(self.places.data / name)]


def _count(dataset: Dataset, split: str) -> int:
    return sum(sample.split == split for sample in dataset.samples)


def _missing(name: str, folder: Path) -> str:
    if name not in catalog.entries("datasets"):
        return "missing, and not in benchtool yet"
    counts = catalog.facts("datasets", name).counts
    size = f" ({', '.join(f'{count:,} {split}' for split, count in counts.items())} samples in its paper)" if counts else ""
    place = shlex.quote(str(folder))
    how = f"benchtool data prepare {name} FILES {place}"
    if name == "me":
        how = f"benchtool data render-me FIVEK {place}, or {how}"
    return f"missing{size}; make it: {how}"


def _lacking(row: Row, name: str, protocol: Protocol) -> str:
    """Why benchtool cannot do a row yet; empty where it can."""
    if row.method not in catalog.entries("methods"):
        return f"the method {row.method} is not in benchtool yet"
    if row.recipe and row.recipe not in catalog.recipe_files():
        return f"the recipe {row.recipe} is not in benchtool yet"
    return f"protocol {name} lacks {'; '.join(protocol.lacking)}" if protocol.lacking else ""


def _targets(panels: Sequence[Panel], protocol: Protocol, dataset: Dataset | None) -> list[str]:
    """`--target`, where the panels want others than `evaluate` takes by itself."""
    wanted, name = {panel.target for panel in panels} - {""}, panels[0].dataset
    default = dataset.facts.default_target if dataset else None
    if dataset is None and name in catalog.entries("datasets"):
        default = catalog.facts("datasets", name).default_target
    taken = protocol.roles(name) or (default,)
    return [] if wanted <= set(taken) else ["--target", "+".join(sorted(wanted))]


def _spread(nodes: dict[str, Node]) -> None:
    """What was made from something stale is stale itself; what is due and needs something stale or blocked is blocked."""
    for node in nodes.values():
        before = [nodes[name] for name in node.needs]
        training = next((one for one in before if one.kind == "train"), None)
        stale = [one.name for one in before if one.state == "stale"]
        if node.state == "done" and stale:
            node.state, node.why = "stale", f"made from what is stale: {', '.join(stale)}"
        elif node.state == "done" and training and training.state != "done":
            node.state, node.why = training.state, "its training goes on first"
        elif node.state == "due" and (bad := [one for one in before if one.state in ("stale", "blocked")]):
            implied = {name for one in bad for name in one.needs}
            node.state, node.why = "blocked", f"waits for {', '.join(one.name for one in bad if one.name not in implied)}"
