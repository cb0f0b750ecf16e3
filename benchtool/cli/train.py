"""`benchtool train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from benchtool.core.manifest import Dataset
    from benchtool.core.recipe import Recipe


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe: NAME, NAME:DATASET or FILE.yaml.", show_default=False)],
    data: Annotated[Optional[Path], typer.Option(help="Folder of the dataset the recipe is for.")] = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Run folder.", show_default="runs/NAME")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="A minute on a CPU: every stage, few steps, small patches.")] = False,
    override: Annotated[Optional[list[str]], typer.Option("-s", "--set", help="KEY=VALUE put into the recipe; may be repeated.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Insist that OUT holds a run to continue.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, removing what OUT holds of an earlier run.")] = False,
    reuse: Annotated[Optional[Path], typer.Option(help="A run whose finished first stages are taken over where they are the same.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe with everything filled in, and stop.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[Optional[int], typer.Option(min=0, help="Processes that read images; default 2, with --smoke 0.")] = None,
    cache: Annotated[float, typer.Option(min=0, help="GiB of decoded images kept in memory, shared by them; a pack needs none.")] = 0.0,
    save_every: Annotated[float, typer.Option(min=0, help="Seconds between saves, the most that a kill loses.")] = 30.0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events to OUT/tensorboard.")] = False,
    root: Annotated[Optional[list[str]], typer.Option(help="NAME=DIR: where a root of the dataset is; may be repeated.")] = None,
) -> None:
    """Train a recipe.

    The same command continues an interrupted run, to the same bits.

    Example: benchtool train i-sid --data me/ --out runs/i-sid -s stages.0.epochs=1

    Its first stages out of another run: benchtool train i-sid --data me/ --reuse runs/sid-enc

    Many GPUs: torchrun --nproc_per_node 8 -m benchtool train i-sid --data me/
    """
    from benchtool.core.console import say
    from benchtool.core.errors import UserError
    from benchtool.core.files import clear_temporary
    from benchtool.core.key_value import pairs
    from benchtool.core.manifest import open_dataset
    from benchtool.core.recipe import load_recipe

    loaded = load_recipe(recipe, override or ())
    if resume and restart:
        raise UserError("--resume and --restart exclude each other")
    if data is None and (smoke or not show):
        raise UserError(f"--data is missing: give the folder of the dataset '{loaded.dataset}' (`benchtool data --help`: how to make one)")
    dataset = open_dataset(data, pairs("--root", root)) if data else None
    if show:
        print(resolved(loaded, dataset if smoke else None), end="")
        return

    from benchtool.training.run import Settings
    from benchtool.training.run import train as train_recipe

    folder = out or Path("runs") / run_name(recipe, loaded.name, loaded.dataset)
    reading = workers if workers is not None else 0 if smoke else 2
    settings = Settings(device, reading, int(cache * 2**30), save_every, tensorboard, resume, restart, reuse)
    try:
        train_recipe(loaded, dataset, folder, settings, smoke)
    except KeyboardInterrupt:
        clear_temporary(folder)  # Ctrl-C may fall between making a temporary file and the code that removes it
        say(f"interrupted; the same command continues {folder}")
        raise typer.Exit(130) from None


def resolved(recipe: Recipe, smoke: Dataset | None) -> str:
    """A recipe with everything filled in, as YAML; as --smoke shortens it on the dataset `smoke` where one is given."""
    from benchtool.core.recipe_text import write_yaml

    if smoke:
        from benchtool.training.smoke import shorten

        recipe = shorten(recipe, smoke)
    return write_yaml(recipe.resolved())


def run_name(source: str, name: str, dataset: str) -> str:
    """`sid`, or `sid.me-v2` where NAME:DATASET names another dataset than NAME.yaml does."""
    from benchtool.core.recipe import load_recipe

    return name if ":" not in source or load_recipe(name).dataset == dataset else f"{name}.{dataset}"
