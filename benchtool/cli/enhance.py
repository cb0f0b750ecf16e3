"""`benchtool enhance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer


def enhance(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Photographs, and folders of them.", show_default=False)],
    method: Annotated[str, typer.Option("--method", "-m", help="A method that needs no training, or a run's folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to; it gets the inputs' tree.", show_default=False)],
    format: Annotated[Literal["same", "png", "jpg"], typer.Option(help="Type of the outputs; jpg is quality 95, 4:4:4.")] = "same",
    checkpoint: Annotated[Optional[str], typer.Option(help="STAGE.best or STAGE.last of a run; default: the last stage's best.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make outputs anew that are there already.")] = False,
    tile: Annotated[Optional[int], typer.Option(metavar="N", help="Enhance larger pictures in tiles of N x N pixels: less memory.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Tile also where the result is not the whole picture's.")] = False,
) -> None:
    """Enhance photographs and whole folders.

    Results are upright, in sRGB, with their alpha and bit depth; metadata is not copied.

    The same command continues interrupted work. Exit code 1 if some images failed: they are listed, the others are done.

    --tile gives what the whole picture gives, to rounding; methods that depend on the whole picture refuse it unless forced.

    Example: benchtool enhance holiday party.jpg -m runs/sid -o enhanced

    Example: benchtool enhance gigapixel.tif -m runs/sid -o enhanced --tile 1024
    """
    from benchtool.core.console import say
    from benchtool.workflows.enhance import enhance as run

    try:
        outcome = run(inputs, method, out, format=format, checkpoint=checkpoint, device=device, overwrite=overwrite, tile=tile, force=force)
    except KeyboardInterrupt:
        say("\nstopped; what is finished is kept: run the same command again to continue")
        raise typer.Exit(130) from None
    there = f", {len(outcome.existing)} there already (--overwrite makes them anew)" if outcome.existing else ""
    print(f"{out}: {outcome.done} enhanced by {outcome.name}{there}")
    if outcome.blended:
        say(f"note: {outcome.blended} enhanced in tiles (--force), which is not what {outcome.name} makes of the whole picture")
    for note in outcome.notes:
        say(f"note: {note}")
    for title, files in (("skipped", outcome.skipped), ("failed", outcome.failures)):
        if files:
            say(f"{len(files)} {title}:")
            for file in files:
                say(f"  {file.item}: {file.reason}")
    if outcome.failures:
        raise typer.Exit(1)
