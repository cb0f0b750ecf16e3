"""What the graph behind a table is made of: commands that need each other, with their state and rough cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchtool.core.console import duration

State = Literal["done", "due", "stale", "blocked"]
Found = tuple[State, str]  # and why


@dataclass(frozen=True)
class Places:
    """Where things are: prepared datasets `DATA/NAME`, runs `RUNS/NAME`."""

    data: Path
    runs: Path


@dataclass(frozen=True)
class Cost:
    """Roughly what is left to do.

    Attributes:
        count: optimiser steps of a training, images of an evaluation; None where only the data can tell.
        unit: `steps` or `images`.
        rough: counted by the numbers of samples that papers state, the data not being there.
        seconds: of a step, None where no run tells.
        paced_by: the run that tells.
    """

    count: int | None
    unit: Literal["steps", "images"]
    rough: bool = False
    seconds: float | None = None
    paced_by: str = ""

    def __str__(self) -> str:
        if self.count is None:
            return f"{self.unit}: known once the data is there"
        text = f"{'about ' if self.rough else ''}{self.count:,} {self.unit}"
        if self.unit == "images":
            return text
        return f"{text}, {self.time} at the pace of {self.paced_by}" if self.seconds else f"{text}, no pace known yet"

    @property
    def time(self) -> str:
        """How long the steps take, in words."""
        return f"about {duration(self.count * self.seconds)}"


@dataclass(frozen=True)
class Stage:
    """A stage of a training: its name, `done`, `begun at step 7 of 20` or `due`, and what it is."""

    name: str
    state: str
    about: str


@dataclass
class Node:
    """One command of the graph.

    Attributes:
        name: `data me`, `train i-sid.me`, `evaluate i-sid.me on me`.
        command: arguments of `benchtool`; None for what only a person can do.
        needs: names of the nodes before it.
        state: `stale`: made from something that is no longer so, which has to be begun anew by hand; `blocked`: waits for what is missing.
        why: for its state.
        cost: of what is left to do.
        stages: of a training.
        run: the run folder that its command writes.
        learned: whether its command trains or runs a network, for which a GPU is wanted.
    """

    name: str
    command: list[str] | None
    needs: list[str] = field(default_factory=list)
    state: State = "due"
    why: str = ""
    cost: Cost | None = None
    stages: tuple[Stage, ...] = ()
    run: Path | None = None
    learned: bool = False

    @property
    def kind(self) -> str:
        """`data`, `train`, `evaluate` or `report`."""
        return self.name.partition(" ")[0]


def due(nodes: Iterable[Node]) -> list[Node]:
    """The nodes to run, in order."""
    return [node for node in nodes if node.state == "due" and node.command]


def total(nodes: Iterable[Node]) -> str:
    """What all that is not done would cost, in a line; empty where nothing is left."""
    costs = [node.cost for node in nodes if node.state != "done" and node.cost]
    parts = [_sum([cost for cost in costs if cost.unit == unit], what) for unit, what in (("steps", "training"), ("images", "evaluation"))]
    return "; ".join(part for part in parts if part)


def _sum(costs: list[Cost], what: str) -> str:
    if not costs:
        return ""
    known = [cost for cost in costs if cost.count is not None]
    about = "about " if any(cost.rough for cost in known) else ""
    text = f"{len(costs)} {what}{'s' if len(costs) > 1 else ''}, {about}{sum(cost.count for cost in known):,} {costs[0].unit}"
    text += f" and {len(costs) - len(known)} not countable yet" if len(known) < len(costs) else ""
    if costs[0].unit == "images":
        return text
    paced = [cost for cost in known if cost.seconds]
    hours = f"about {duration(sum(cost.count * cost.seconds for cost in paced))}" if paced else "no pace known yet"
    return f"{text}, {hours}" + (f" for {len(paced)} of them, no pace known for the others" if 0 < len(paced) < len(costs) else "")
