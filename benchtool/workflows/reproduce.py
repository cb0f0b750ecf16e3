"""The graph behind a paper's table: datasets, trainings, evaluations, and what of it exists, is stale, is missing, and costs.

Every node is a command a user can type; running the graph runs what is due and can run, and continues where it stopped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.files import read_json
from benchtool.core.manifest import Dataset, open_dataset
from benchtool.core.protocol import read_protocol
from benchtool.core.recipe import Recipe, load_recipe
from benchtool.papers.load import Library
from benchtool.papers.model import Panel, Row, Table

State = Literal["done", "due", "stale", "blocked"]
DERIVED = {"me-v2": "me"}  # datasets that are made of another one's manifest in a moment


@dataclass
class Node:
    """One command of the graph.

    Attributes:
        name: `data me`, `train i-sid.me`, `evaluate i-sid.me on me`.
        command: arguments of `benchtool`; None for what only a person can do.
        needs: names of the nodes before it.
        state: `stale`: made from something that is no longer so, which has to be begun anew by hand; `blocked`: waits for what is missing.
        why: for its state.
        cost: roughly, in words.
    """

    name: str
    command: list[str] | None
    needs: list[str] = field(default_factory=list)
    state: State = "due"
    why: str = ""
    cost: str = ""


@dataclass(frozen=True)
class Places:
    """Where things are: prepared datasets `DATA/NAME`, runs `RUNS/NAME`."""

    data: Path
    runs: Path


def graph(library: Library, table: Table, places: Places) -> list[Node]:
    """The nodes of a table in an order in which they can run."""
    nodes: dict[str, Node] = {}
    names = dict.fromkeys(name for p in table.panels for name in (p.trained_on or p.dataset, p.dataset))
    datasets = {name: _data(nodes, name, places) for name in dict.fromkeys([*(DERIVED[n] for n in names if n in DERIVED), *names])}
    for row in table.rows:
        for panel in table.panels:
            if any(metric.variant for metric in panel.metrics):
                _row(nodes, row, panel, table.protocol_of(panel), datasets, places)
    report = ["report", "--paper", library.paper.name, "--table", table.number, "--results", str(places.runs)]
    nodes["report"] = Node("report", report, [name for name in nodes if name.startswith("evaluate")])
    _block(nodes)
    nodes["report"].state, nodes["report"].why = "due", ""  # it shows whatever is there
    return list(nodes.values())


def _data(nodes: dict[str, Node], name: str, places: Places) -> Dataset | None:
    folder = places.data / name
    if (folder / "dataset.json").is_file():
        dataset = open_dataset(folder)
        if dataset.facts.name != name:
            raise UserError(f"{folder}: is the dataset '{dataset.facts.name}', not {name}")
        nodes[f"data {name}"] = Node(f"data {name}", None, state="done", why=f"{dataset.facts.variant}, {len(dataset.samples):,} samples")
        return dataset
    if name in DERIVED:
        command = ["data", "prepare", name, str(places.data / DERIVED[name]), str(folder)]
        nodes[f"data {name}"] = Node(f"data {name}", command, [f"data {DERIVED[name]}"])
    else:
        how = f"benchtool data prepare {name} FILES {folder}"
        if name == "me":
            how = f"benchtool data render-me FIVEK {folder}, or {how}"
        known = "" if name in catalog.names("datasets") else " (not in benchtool yet)"
        nodes[f"data {name}"] = Node(f"data {name}", None, state="blocked", why=f"missing{known}; make it: {how}")
    return None


def _row(nodes: dict[str, Node], row: Row, panel: Panel, protocol: str, datasets: dict[str, Dataset | None], places: Places) -> None:
    source = panel.trained_on or panel.dataset
    name = f"{row.recipe}.{source}" if row.recipe else row.method
    train = f"train {name}"
    lacking = _lacking(row, protocol)
    needs = [f"data {panel.dataset}"]
    run = places.runs / name
    if row.recipe:
        if train not in nodes:
            nodes[train] = _train(train, row, source, datasets[source], run, places, lacking)
        needs.append(train)
    evaluate = f"evaluate {name} on {panel.dataset}"
    what = str(run) if row.recipe else row.method
    command = ["evaluate", what, "--data", str(places.data / panel.dataset), "--protocol", protocol, "--out", str(run)]
    command += [part for key, value in row.options.items() if not row.recipe for part in ("--set", f"{key}={value}")]
    node = Node(evaluate, command, needs)
    if lacking:
        node.state, node.why, node.command = "blocked", lacking, None
    elif (dataset := datasets[panel.dataset]) is not None:
        node.cost = f"{sum(s.split == panel.split for s in dataset.samples):,} images"
        node.state, node.why = _evaluated(run, panel, protocol, dataset)
    nodes[evaluate] = node


def _lacking(row: Row, protocol: str) -> str:
    """Why benchtool cannot do a row yet; empty where it can."""
    if row.method not in catalog.entries("methods"):
        return f"the method {row.method} is not in benchtool yet"
    if row.recipe and row.recipe not in catalog.recipe_files():
        return f"the recipe {row.recipe} is not in benchtool yet"
    absent = read_protocol(protocol).lacking
    return f"protocol {protocol} lacks {'; '.join(absent)}" if absent else ""


def _train(name: str, row: Row, source: str, dataset: Dataset | None, run: Path, places: Places, lacking: str) -> Node:
    if lacking:
        return Node(name, None, [f"data {source}"], "blocked", lacking)
    command = ["train", f"{row.recipe}:{source}", "--data", str(places.data / source), "--out", str(run)]
    node = Node(name, command, [f"data {source}"])
    recipe = load_recipe(f"{row.recipe}:{source}")
    if dataset is not None:
        node.cost = _cost(recipe, dataset, run)
        node.state, node.why = _trained(run, recipe, dataset)
    return node


def _trained(run: Path, recipe: Recipe, dataset: Dataset) -> tuple[State, str]:
    from benchtool.training import folder

    there = folder.read_recipe(run)
    if there is None:
        return "due", ""
    if found := folder.difference(folder.as_asked(there, recipe).resolved(), recipe.resolved()):
        return "stale", f"{run} ran another recipe ({found}); train again with --restart"
    trained = (read_json(run / "summary.json") if (run / "summary.json").is_file() else {}).get("trained") or {}
    began = read_json(run / "provenance.json")[0]["fingerprint"] if (run / "provenance.json").is_file() else None
    if began not in (None, dataset.facts.fingerprint):
        return "stale", f"{run} was trained on other data (fingerprint {began[:8]}); train again with --restart"
    return ("done", trained["finished"]) if trained.get("finished") else ("due", "begun; goes on where it stopped")


def _evaluated(run: Path, panel: Panel, protocol: str, dataset: Dataset) -> tuple[State, str]:
    entries = (read_json(run / "summary.json") if (run / "summary.json").is_file() else {}).get("evaluations", [])
    alike = [
        e for e in entries if (e["dataset"], e["split"], e["protocol"], e["target"]) == (panel.dataset, panel.split, protocol, panel.target)
    ]
    for entry in alike:
        if (
            entry["fingerprint"] == dataset.facts.fingerprint
            and entry["protocol_sha256"] == read_protocol(protocol).sha256
            and entry["complete"]
        ):
            return _current(run, entry)
    return "due", "measured on other data, or by another protocol file: to be measured again" if alike else ""


def _current(run: Path, entry: dict) -> tuple[State, str]:
    """`done`, unless the weights have changed since."""
    if entry["checkpoint"] is None:
        return "done", entry["finished"]
    from benchtool.core.files import sha256_file

    stage, _, which = entry["checkpoint"].partition(".")
    weights = run / "checkpoints" / stage / f"{which}.safetensors"
    if weights.is_file() and sha256_file(weights) == entry["weights_sha256"]:
        return "done", entry["finished"]
    return "due", "its weights have changed: to be measured again"


def _cost(recipe: Recipe, dataset: Dataset, run: Path) -> str:
    """Steps, and hours where a log of the run says how long one takes."""
    count = sum(s.split == "train" for s in dataset.samples)
    steps = sum(stage.steps or stage.epochs * max(1, count // (stage.batch * stage.accumulate)) for stage in recipe.stages)
    text = f"{steps:,} steps"
    pace = _seconds_a_step(run)
    return f"{text}, about {steps * pace / 3600:.1f} h at this run's pace" if pace else text


def _seconds_a_step(run: Path) -> float | None:
    import csv

    if not (run / "log.csv").is_file():
        return None
    with open(run / "log.csv", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("seconds") and row.get("step")]
    return float(rows[-1]["seconds"]) / max(int(rows[-1]["step"]), 1) if rows else None


def _block(nodes: dict[str, Node]) -> None:
    """What needs something blocked or stale is blocked; what needs something due is due, even if an older result is there."""
    for node in nodes.values():
        before = [nodes[name] for name in node.needs]
        if node.state in ("due", "done") and (bad := [n for n in before if n.state in ("blocked", "stale")]):
            if node.state == "due":
                node.state, node.why = "blocked", f"waits for {', '.join(n.name for n in bad)}"
        elif node.state == "done" and any(n.state == "due" for n in before) and node.name.startswith("evaluate"):
            node.state, node.why = "due", "its training goes on first"


def due(nodes: Iterable[Node]) -> list[Node]:
    """The nodes to run, in order."""
    return [node for node in nodes if node.state == "due" and node.command]


def shell_script(nodes: Iterable[Node], title: str) -> str:
    """A script of what is due: a failure stops it, running it again continues."""
    lines = ["#!/usr/bin/env bash", f"# {title}. Every command continues what it finds begun.", "set -euo pipefail"]
    return "\n".join([*lines, *(shlex.join(["benchtool", *node.command]) for node in due(nodes))]) + "\n"


def slurm_script(nodes: Iterable[Node], title: str) -> str:
    """A SLURM array, a task a training with its evaluations; datasets that are due are made before, by the first lines of each task."""
    todo = due(nodes)
    before = [node for node in todo if node.name.startswith("data ")]
    chains = list(_chains(todo))
    lines = [
        "#!/usr/bin/env bash",
        f"#SBATCH --job-name=benchtool --array=0-{max(len(chains) - 1, 0)} --gres=gpu:1 --cpus-per-task=8 --time=48:00:00",
        f"# {title}. Make these datasets first, once: {'; '.join(shlex.join(['benchtool', *n.command]) for n in before) or 'none'}",
        "set -euo pipefail",
        'case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for number, chain in enumerate(chains):
        lines.append(f"{number})")
        lines += [f"  {shlex.join(['benchtool', *node.command])}" for node in chain]
        lines.append("  ;;")
    return "\n".join([*lines, "esac"]) + "\n"


def _chains(todo: list[Node]) -> Iterator[list[Node]]:
    """Each training with the evaluations that need it; evaluations that need none by themselves."""
    trainings = [node for node in todo if node.name.startswith("train ")]
    for training in trainings:
        yield [training, *(node for node in todo if training.name in node.needs)]
    names = {node.name for node in trainings}
    for node in todo:
        if node.name.startswith("evaluate ") and names.isdisjoint(node.needs):
            yield [node]
