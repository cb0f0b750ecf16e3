"""A run's folder, begun, continued or begun anew: what ran (`recipe.resolved.yaml`), on what (`provenance.json`), what came of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchtool.core.errors import UserError
from benchtool.core.files import clear_temporary, read_json, write_json, write_text
from benchtool.core.recipe import Recipe
from benchtool.core.recipe_text import read_yaml, write_yaml

RECIPE = "recipe.resolved.yaml"
WEIGHTS = ("last.safetensors", "best.safetensors")  # of each finished stage
OWN = ("log.csv", "tensorboard", "provenance.json", "summary.json", "predictions", "scores.parquet")  # less recipe and checkpoints


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder`; it is made, and removed again where nothing comes into it.

    Raises:
        UserError: another process is training there.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{folder}: another process is training there; wait for it, or choose another --out") from None


def begin(folder: Path, recipe: Recipe, restart: bool = False) -> Recipe:
    """Make `folder` the run of `recipe`; one that already is goes on.

    Returns:
        The recipe to run: with what an interrupted run has already settled (the worst exposure).

    Raises:
        UserError: another recipe there (the first difference is named), or something else.
    """
    there = None if restart else read_recipe(folder)
    if restart:
        _discard(folder)
    if there is not None:
        if found := difference(as_asked(there, recipe).resolved(), recipe.resolved()):
            raise UserError(f"{folder}: holds a run of another recipe ({found}); choose another --out, or --restart to begin anew")
        clear_temporary(folder / "checkpoints")
        return there
    if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"{folder}: is not empty and holds no run of `benchtool train`; choose another --out")
    write_recipe(folder, recipe)
    return recipe


def read_recipe(folder: Path) -> Recipe | None:
    """What runs in `folder`, None where nothing does; UserError where its recipe is damaged."""
    path = folder / RECIPE
    if not path.is_file():
        return None
    try:
        return Recipe.model_validate(read_yaml(path.read_text(), str(path)))
    except ValidationError as error:
        raise UserError(f"{path}: not a recipe this version writes ({error.errors()[0]['msg']}); begin anew with --restart") from None


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write `recipe.resolved.yaml`."""
    write_text(folder / RECIPE, write_yaml(recipe.resolved()))


def as_asked(there: Recipe, asked: Recipe) -> Recipe:
    """`there` without what training settled and `asked` leaves open."""
    pairs = zip(there.stages, asked.stages)
    stages = [t.model_copy(update={"worst": None}) if t.exposures == a.exposures == "worst" and a.worst is None else t for t, a in pairs]
    return there.model_copy(update={"stages": [*stages, *there.stages[len(stages) :]]})


def alike(there: Recipe, asked: Recipe) -> tuple[int, str]:
    """How many leading stages of two recipes come to the same weights, and what ends them: the first difference, in words.

    A stage's result is a function of the weights it begins from, the seed, its name and its settings; the recipe's name is none of them.
    """
    one, two = as_asked(there, asked).resolved(), asked.resolved()
    apart = {"name", "stages"}
    if found := difference(*({key: value for key, value in plain.items() if key not in apart} for plain in (one, two))):
        return 0, found
    for number, pair in enumerate(zip(one["stages"], two["stages"])):
        if found := difference(*pair, f"stages.{number}"):
            return number, found
    return min(len(one["stages"]), len(two["stages"])), ""


def difference(there: Any, here: Any, place: str = "") -> str | None:
    """The first place where plain values differ, in words.

    >>> difference({"stages": [{"epochs": 3}]}, {"stages": [{"epochs": 4}]})
    'stages.0.epochs: 3 there, 4 here'
    """
    found = next(iter(differences(there, here, place).items()), None)
    return f"{found[0]}: {_short(found[1][0])} there, {_short(found[1][1])} here" if found else None


def differences(there: Any, here: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    """Every place where plain values differ -> both; None stands for what one of them lacks.

    >>> differences({"stages": [{"epochs": 3}]}, {"stages": [{"epochs": 4, "steps": 2}]})
    {'stages.0.epochs': (3, 4), 'stages.0.steps': (None, 2)}
    """
    if isinstance(there, dict) and isinstance(here, dict):
        pairs = {key: (there.get(key), here.get(key)) for key in (*there, *here)}
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = {str(number): pair for number, pair in enumerate(zip(there, here))}
    else:
        return {} if there == here else {place: (there, here)}
    found = (differences(*pair, f"{place}.{key}" if place else key) for key, pair in pairs.items())
    return {where: values for one in found for where, values in one.items()}


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _discard(folder: Path) -> None:
    """Remove a run, checkpoints first and in one rename, its recipe last: killed on the way, it is a run still."""
    old = folder / ".discarded"
    shutil.rmtree(old, ignore_errors=True)
    if not (folder / RECIPE).is_file():
        return
    if (folder / "checkpoints").exists():
        (folder / "checkpoints").rename(old)
    for name in (*OWN, RECIPE):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def add_provenance(folder: Path, entry: dict[str, Any]) -> None:
    """Append what a start of training ran on.

    Raises:
        UserError: an earlier start saw other data, or shared the batches among another number of processes.
    """
    path = folder / "provenance.json"
    entries = read_json(path) if path.is_file() else []
    for key, what in (("fingerprint", "on data with the fingerprint"), ("processes", "with a number of processes of")):
        if entries and entries[0][key] != entry[key]:
            raise UserError(f"{folder}: was begun {what} {entries[0][key]}, not {entry[key]}; continue as it was begun, or --restart")
    write_json(path, [*entries, entry])


def write_summary(folder: Path, facts: dict[str, Any]) -> None:
    """Put training's part into `summary.json`; what `evaluate` wrote there stays."""
    path = folder / "summary.json"
    before = read_json(path) if path.is_file() else {"evaluations": []}
    own = {"schema": 1, "run": folder.resolve().name, **facts}
    write_json(path, own | {key: value for key, value in before.items() if key not in own})


def finished(folder: Path) -> str | None:
    """When the run's training ended, None while it has not."""
    path = folder / "summary.json"
    return ((read_json(path) if path.is_file() else {}).get("trained") or {}).get("finished")
