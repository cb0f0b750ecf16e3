"""`benchtool data`: datasets from raws and from other datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from benchtool.cli import _data_fetch
from benchtool.core.errors import UserError

if TYPE_CHECKING:
    from benchtool.core.manifest import Dataset
    from benchtool.datasets.me import Outcome as Rendered
    from benchtool.datasets.prepare import Outcome

app = typer.Typer(help="Get datasets, and make them from raws and from files.", no_args_is_help=True)
app.command("fetch")(_data_fetch.fetch)
app.command("unpack")(_data_fetch.unpack)


@app.command("sample-raws")
def sample_raws(
    out: Annotated[Path, typer.Argument(help="Folder to write them to.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Seed of the sensor noise.")] = 0,
    noise: Annotated[bool, typer.Option("--noise/--no-noise", help="Sensor noise.")] = True,
) -> None:
    """Make raws to try everything with: DNGs and expert images of real photographs, in FiveK's layout.

    Example: benchtool data sample-raws raws
    """
    from benchtool.datasets.sample_raws import build

    build(out, seed=seed, noise=noise)
    print(f"{out}: next, benchtool data render-me {out} me --scale 1")


@app.command("render-me")
def render_me(
    raws: Annotated[Path, typer.Argument(help="Folder of raws: FiveK's archive, or any folder of files LibRaw reads.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset.", show_default=False)],
    experts: Annotated[Optional[Path], typer.Option(help="Folder of tiff16_a ... tiff16_e; default: looked for beside the raws.")] = None,
    mode: Annotated[Literal["adobe", "linear"], typer.Option(help="White-preserving as published, or a plain gain.")] = "adobe",
    quality: Annotated[Literal["exact", "fast", "reference"], typer.Option(help="Demosaic and order of steps.")] = "exact",
    tone: Annotated[Literal["none", "profile"], typer.Option(help="The DNG's own tone curve, or none.")] = "none",
    scale: Annotated[Optional[float], typer.Option(min=0.01, max=1, help="Output side over raw side; default: 0.3, as published.")] = None,
    long_edge: Annotated[Optional[int], typer.Option(min=16, help="Pixels of the longer output side, instead of --scale.")] = None,
    format: Annotated[Literal["jpg", "png"], typer.Option(help="jpg is quality 75, 4:2:0, as published.")] = "jpg",
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core, as memory allows.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split of raws that are not FiveK's.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Insist on continuing what is in OUT.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Remove what this command made in OUT and begin anew.")] = False,
) -> None:
    """Render raws at EV -1.5, -1, 0, +1 and +1.5 into the multi-exposure dataset ME.

    FiveK's photos get the published split, other raws a seeded one. The same command continues interrupted work.
    Exit code 1 if some raws failed: they are listed, the others are done.

    Example: benchtool data render-me fivek_dataset me
    """
    if scale is not None and long_edge is not None:
        raise UserError("--scale and --long-edge exclude each other; give one")
    if resume and restart:
        raise UserError("--resume and --restart exclude each other; give one")
    from benchtool.core.console import say
    from benchtool.datasets import me
    from benchtool.rendering.develop import Settings

    settings = Settings(mode=mode, quality=quality, tone=tone, scale=0.3 if scale is None else scale, long_edge=long_edge)
    start = "resume" if resume else "restart" if restart else "auto"
    try:
        outcome = me.render_me(raws, out, settings, format=format, seed=seed, experts=experts, jobs=jobs, start=start)
    except KeyboardInterrupt:
        say(f"\nstopped; what is finished is kept in {out}: run the same command again to continue")
        raise typer.Exit(130) from None
    _report(outcome, out)


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="The dataset to make, such as me-v2.", show_default=False)],
    src: Annotated[Path, typer.Argument(help="Folder of what it is made from.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset.", show_default=False)],
    option: Annotated[
        Optional[list[str]], typer.Option("-s", "--set", help="An option of the dataset, KEY=VALUE; may be repeated.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images into OUT; without it they stay where they are.")] = False,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Make a dataset's manifest from files that are there.

    `benchtool data list` names the datasets and their options. The same command continues interrupted work. What the folder
    lacks is said; exit code 1 if some files could not be read: they are listed, the others are done.

    Example: benchtool data prepare sice SICE sice -s target=label
    """
    from benchtool.core.console import say
    from benchtool.core.key_value import values
    from benchtool.datasets.prepare import prepare as prepare_files

    try:
        _report(prepare_files(name, src, out, options=values(option), copy=copy, jobs=jobs), out)
    except KeyboardInterrupt:
        say(f"\nstopped; what is finished is kept in {out}: run the same command again to continue")
        raise typer.Exit(130) from None


@app.command("coco-sheet")
def coco_sheet(
    src: Annotated[Path, typer.Argument(help="COCO, or any folder of photographs.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset.", show_default=False)],
    option: Annotated[Optional[list[str]], typer.Option("-s", "--set", help="Option of coco-retouch, KEY=VALUE; may be repeated.")] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Make contact sheets to choose a cluster's retouching by eye: OUT/sheets/index.html.

    It clusters the photographs and tries coefficients as `data prepare coco-retouch` does, which goes on from there. Give the
    same -s to both, and the file the page saves to the second as -s choices=choices.csv.

    Example: benchtool data coco-sheet coco retouched -s clusters=100
    """
    from benchtool.core.console import say
    from benchtool.core.key_value import values
    from benchtool.datasets.coco_retouch import coco_sheet as write
    from benchtool.datasets.prepare import read_options

    try:
        page, failures = write(src, out, read_options("coco-retouch", values(option)), jobs)
    except KeyboardInterrupt:
        say(f"\nstopped; what is finished is kept in {out}: run the same command again to continue")
        raise typer.Exit(130) from None
    if page:
        print(f"{page}: open it in a browser")
    for failure in failures:
        say(f"failed: {failure.item}: {failure.reason}")
    if failures:
        raise typer.Exit(1)


@app.command("pack")
def pack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the dataset.", show_default=False)],
    patch: Annotated[int, typer.Option(min=2, help="Side of the crops that will be read, in pixels; any other works, less fast.")] = 384,
    target: Annotated[
        Optional[list[str]], typer.Option(metavar="ROLE", help="Targets; may be repeated. Default: the dataset's.", show_default=False)
    ] = None,
    root: Annotated[Optional[list[str]], typer.Option(help="Where a root's folder is, NAME=DIR; may be repeated.")] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Decode the training images once, into DIR/train.h5, from which training then reads its crops.

    Every file is checked to be the one the manifest was written for. It takes 3 bytes a pixel (6 of 16-bit images), some
    40 times what JPEGs take. Training reads it while it is there, to the same bits as from the files. If images cannot be
    read they are listed, nothing is written, and the exit code is 1.

    Example: benchtool data pack me --patch 384
    """
    from benchtool.core.console import say
    from benchtool.core.key_value import pairs
    from benchtool.core.manifest import open_dataset
    from benchtool.datasets.pack import pack as write

    try:
        packed = write(open_dataset(folder, pairs("--root", root)), patch, target or (), jobs)
    except KeyboardInterrupt:
        say("\nstopped; nothing was written")
        raise typer.Exit(130) from None
    if packed.failures:
        say(f"{len(packed.failures)} images could not be packed, so {packed.path} was not written:")
        for failure in packed.failures:
            say(f"  {failure.item}: {failure.reason}")
        raise typer.Exit(1)
    print(f"{packed.path}: {packed.images:,} images, {packed.size / 2**20:,.0f} MiB; training reads it from now on")


@app.command("list")
def list_all() -> None:
    """List the datasets, how each is got (`benchtool data fetch NAME OUT` says where), and what it can be told with -s.

    Example: benchtool data list
    """
    from benchtool.core import catalog
    from benchtool.datasets.sources import ways

    for name in catalog.names("datasets"):
        options = ", ".join(f"{key}={value}" for key, value in catalog.dataclass_fields("datasets", name, "Options").items())
        print(f"{name:14} {catalog.facts('datasets', name).title} ({ways(name)})" + (f"   -s {options}" if options else ""))


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the dataset.", show_default=False)],
    quick: Annotated[bool, typer.Option("--quick", help="Files and headers only: no hashes, no pixels.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was found, as JSON.")] = False,
    root: Annotated[Optional[list[str]], typer.Option(help="Where a root's folder is, NAME=DIR; may be repeated.")] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Check a dataset: files, pairs, exposures, and whether a scene has leaked from one split into another.

    Pictures are compared with those of all other scenes, whatever their exposure, also rotated or mirrored.
    Exit code 1 if there are errors, 0 if there are warnings only.

    Example: benchtool data check me
    """
    from benchtool.core.key_value import pairs
    from benchtool.core.manifest import open_dataset
    from benchtool.datasets.check import run, show

    checked = run.check(open_dataset(folder, pairs("--root", root)), quick=quick, jobs=jobs)
    print(show.as_json(checked) if as_json else show.as_text(checked))
    if checked.of("error"):
        raise typer.Exit(1)


@app.command("info")
def info(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the dataset.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    sheet: Annotated[Optional[Path], typer.Option(metavar="FILE.png", help="Draw a sheet of samples to this file.")] = None,
    curves: Annotated[Optional[Path], typer.Option(metavar="FILE.png", help="Draw the exposure adjustment curves of its pairs.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Inputs and targets looked at, spread evenly; likewise pairs of each curve.")] = 100,
    root: Annotated[Optional[list[str]], typer.Option(help="Where a root's folder is, NAME=DIR; may be repeated.")] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Say what a dataset holds: counts, sizes, brightness, terms, what it was made from, what is missing.

    Exit code 1 if some pictures could not be read: they are listed.

    Example: benchtool data info me --sheet me.png --curves me-curves.png
    """
    from benchtool.core.console import say
    from benchtool.core.key_value import pairs
    from benchtool.core.manifest import open_dataset
    from benchtool.datasets import describe, show_description

    dataset = open_dataset(folder, pairs("--root", root))
    found, failures = describe.describe(dataset, pictures, jobs)
    print(show_description.as_json(found) if as_json else show_description.as_text(found))
    if sheet or curves:
        from benchtool.datasets import adjustment
        from benchtool.datasets import sheet as sheets

        if sheet:
            say(f"{sheet}: {sheets.write_sheet(dataset, sheet)} scenes")
        if curves:
            of_groups, unread = adjustment.curves(dataset, pictures, jobs)
            failures += unread
            adjustment.write_curves(dataset, of_groups, curves)
            say(f"{curves}: {', '.join(of_groups)}")
    if failures:
        say(f"{len(failures)} pictures could not be looked at:")
        for failure in failures:
            say(f"  {failure.item}: {failure.reason}")
        raise typer.Exit(1)


@app.command("card")
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the dataset.", show_default=False)],
    out: Annotated[Optional[Path], typer.Option("-o", "--out", metavar="CARD.md", help="Write it here; default: standard output.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Check hashes and pixels, too, as `data check` does.")] = False,
    root: Annotated[Optional[list[str]], typer.Option(help="Where a root's folder is, NAME=DIR; may be repeated.")] = None,
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Worker processes; default: one a core.")] = None,
) -> None:
    """Write a dataset's card in Markdown: terms, citation, counts, how it was made, and what a check finds.

    Example: benchtool data card me --full -o me/CARD.md
    """
    from benchtool.core.console import say
    from benchtool.core.files import write_text
    from benchtool.core.key_value import pairs
    from benchtool.core.manifest import open_dataset
    from benchtool.datasets.check import run
    from benchtool.workflows import dataset_card

    dataset = open_dataset(folder, pairs("--root", root))
    text = dataset_card.card(dataset, run.check(dataset, quick=not full, jobs=jobs))
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        say(f"{out}: the card of {dataset.facts.name}")


def _report(outcome: Outcome | Rendered, out: Path) -> None:
    """Counts, then notes, then every failure; exit code 1 where there is one."""
    from benchtool.core.console import say

    if outcome.dataset:
        _print_counts(outcome.dataset, out)
    for note in outcome.notes:
        say(f"note: {note}")
    if outcome.failures:
        whole = "the rest is done" if outcome.dataset else "nothing is left, so there is no dataset"
        say(f"{len(outcome.failures)} failed; {whole}:")
        for failure in outcome.failures:
            say(f"  {failure.item}: {failure.reason}")
        raise typer.Exit(1)


def _print_counts(dataset: Dataset, out: Path) -> None:
    facts = dataset.facts
    counts = ", ".join(f"{split} {c['samples']:,} of {c['scenes']:,} scene{'s' * (c['scenes'] != 1)}" for split, c in facts.counts.items())
    print(f"{out}: {facts.name} ({facts.variant}), {len(dataset.samples):,} samples: {counts}")
