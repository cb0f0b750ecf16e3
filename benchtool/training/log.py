"""`log.csv`, always, and TensorBoard where wanted: losses averaged between two rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.recipe import Recipe
from benchtool.training.trainee import PENALTY

COLUMNS = ("stage", "epoch", "step", "lr", "loss")


class Log:
    """Appends rows to `log.csv`.

    Args:
        folder: the run's.
        names: losses, one column each.
        size: what is kept of an earlier log, in bytes: all rows up to the checkpoint training continues from.
        tensorboard: write events to `folder/tensorboard` too.

    Raises:
        UserError: TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, names: Iterable[str], size: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "log.csv"
        self.columns = [*COLUMNS, *names, "validation", "seconds"]
        self._writer = _summary_writer(folder / "tensorboard") if tensorboard else None
        if size and self.path.is_file():
            with open(self.path, "rb+") as stream:
                stream.truncate(size)
        else:
            self.path.write_text(",".join(self.columns) + "\n")

    def row(self, values: Mapping[str, Any]) -> None:
        """Append a row; what is not given stays empty."""
        with open(self.path, "a", newline="") as stream:
            csv.DictWriter(stream, self.columns, lineterminator="\n").writerow(values)
        if self._writer:
            for name in set(values) - {"stage", "step", "seconds"}:
                self._writer.add_scalar(f"{values['stage']}/{name}", values[name], values["step"])
            self._writer.flush()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("--tensorboard needs the package tensorboard: pip install 'benchtool[tensorboard]'") from None
    return SummaryWriter(str(folder))


def loss_names(recipe: Recipe) -> list[str]:
    """The loss columns of a recipe, in the order of its stages."""
    names = dict.fromkeys(name for stage in recipe.stages for name in stage.losses)
    return [*names, PENALTY] if any(stage.regularise for stage in recipe.stages) else list(names)


class Means:
    """Running means of named values; `state` goes into a checkpoint, so that a row is the same after a resume."""

    def __init__(self, state: Mapping[str, list[float]] | None = None) -> None:
        self.state: dict[str, list[float]] = {name: list(pair) for name, pair in (state or {}).items()}

    def add(self, values: Mapping[str, float]) -> None:
        """Take one more value of each."""
        for name, value in values.items():
            total, count = self.state.get(name, (0.0, 0))
            self.state[name] = [total + value, count + 1]

    def take(self) -> dict[str, float]:
        """The means so far, seven digits; begins anew."""
        means = {name: float(f"{total / count:.7g}") for name, (total, count) in self.state.items()}
        self.state = {}
        return means


def first_bad(values: Mapping[str, float]) -> str | None:
    """The name of the first value that is NaN or infinite."""
    return next((name for name, value in values.items() if not math.isfinite(value)), None)
