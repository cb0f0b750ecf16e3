"""`benchtool bench`: speed, measured against peers in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="Speed against peers, in one run each.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Keeps the commands below named even while there is one."""


@app.command()
def render(
    raws: Annotated[Optional[list[Path]], typer.Argument(help="Raw files; default: one of 12 MP, made up.", show_default=False)] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")] = 5,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
) -> None:
    """Time the development of five exposures: rawpy called for each, ours in each quality, and the floor.

    Example: benchtool bench render photo.dng --json render.json
    """
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_render import DESCRIPTION, bench_render

    result = bench_render(raws or [], repeats)
    for raw in result["raws"]:
        print(f"{raw['raw']}: {raw['bytes']:,} bytes; one thread, medians of {repeats}, ratios of processor time")
        print(f"  {'':16} {'seconds':>8} {'cpu':>8} {'x faster':>8} {'x floor':>8} {'MiB':>6}")
        for name, row in raw["variants"].items():
            seconds = f"{row['median_s']:8.3f} {row['median_cpu_s']:8.3f}"
            ratios = f"{row['faster_than_naive']:8.2f} {row['of_floor']:8.2f}"
            print(f"  {name:16} {seconds} {ratios} {row['peak_mib']:6.0f}  {DESCRIPTION[name]}")
    if json is not None:
        write_json(json, result)


@app.command()
def inference(
    sources: Annotated[
        Optional[list[str]],
        typer.Argument(help="Methods, recipes or runs; default: every method.", metavar="[METHOD|RUN]...", show_default=False),
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the picture, in pixels.")] = "1280x720",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda ...")] = "auto",
    repeats: Annotated[int, typer.Option(min=1, help="Timed calls; the median counts.")] = 5,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
) -> None:
    """Time methods on one picture: parameters, seconds, megapixels per second and memory.

    Example: benchtool bench inference clahe sid --size 640x360 --json inference.json
    """
    from benchtool.core.console import say
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_inference import bench_inference, parse_size, table

    result, failures = bench_inference(sources or [], parse_size(size), device, repeats)
    for line in table(result):
        print(line)
    if json is not None:
        write_json(json, result)
    for failure in failures:
        say(f"failed: {failure.item}: {failure.reason}")
    if failures:
        raise typer.Exit(1)


@app.command()
def metrics(
    sizes: Annotated[str, typer.Option(help="Megapixels of the pictures, 0.05 to 50.")] = "0.5,12,24",
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")] = 5,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as it stands in docs/metrics.md.")] = False,
    into: Annotated[Optional[Path], typer.Option(help="Replace the table in this document, such as docs/metrics.md.")] = None,
) -> None:
    """Time metrics on made pictures beside independent programs: processor time of one thread, memory, and largest differences.

    Memory is what a call took beyond the pictures. Weights that are missing are made up: time and memory do not depend on them.
    Takes half an hour; --sizes 0.5 some minutes.

    Example: benchtool bench metrics --sizes 0.5,12 --json metrics.json
    """
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_metrics import bench_metrics, parse_sizes
    from benchtool.workflows.metric_table import put_into, table

    result = bench_metrics(parse_sizes(sizes), repeats)
    for line in table(result, markdown):
        print(line)
    if json is not None:
        write_json(json, result)
    if into is not None:
        put_into(into, result)


@app.command()
def loader(
    pictures: Annotated[int, typer.Option(min=1, help="Pairs of input and target.")] = 96,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the pictures, in pixels.")] = "1311x874",
    patch: Annotated[int, typer.Option(min=1, help="Side of the crops.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="Crops of a batch.")] = 16,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read.")] = 2,
    crops: Annotated[int, typer.Option(min=1, help="Crops of a decoded picture, where there are several.")] = 8,
    seconds: Annotated[float, typer.Option(min=0, help="Time of each timing.")] = 5.0,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved rounds; the median counts.")] = 3,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
) -> None:
    """Time the reading of training crops: from JPEGs, one and several crops a decode, from a pack, and from memory.

    Example: benchtool bench loader --workers 2 --crops 8 --json loader.json
    """
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_inference import parse_size
    from benchtool.workflows.bench_loader import Settings, bench_loader, table

    result = bench_loader(Settings(pictures, parse_size(size), patch, batch, workers, crops, seconds, repeats))
    for line in table(result):
        print(line)
    if json is not None:
        write_json(json, result)


@app.command()
def retouch(
    photographs: Annotated[
        Optional[list[Path]], typer.Argument(help="Photographs; default: four of scikit-image's.", show_default=False)
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; the least counts.")] = 3,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
) -> None:
    """Time the making of the retouched set, project it to COCO's 82,783 photographs, and compare with solving at full size.

    Example: benchtool bench retouch --json retouch.json
    """
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_retouch import bench_retouch, table

    result = bench_retouch(photographs or [], repeats)
    for line in table(result):
        print(line)
    if json is not None:
        write_json(json, result)


@app.command()
def report(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    json: Annotated[Optional[Path], typer.Option(help="Write every figure to this file.")] = None,
) -> None:
    """Time a table of eleven methods on all of ME's 5,905 test images: reading, intervals, differences and ranks, printing.

    Example: benchtool bench report --json report.json
    """
    from benchtool.core.files import write_json
    from benchtool.workflows.bench_report import bench_report

    result = bench_report(repeats)
    print(
        f"{result['methods']} methods x {result['images']:,} images x {result['metrics']} metrics, {result['cells']} cells; "
        f"medians of {repeats}"
    )
    for step, taken in result["steps"].items():
        print(f"  {step:7} {taken['seconds']:6.2f} s, {taken['cpu_seconds']:6.2f} s of the processor")
    print(f"  {'all':7} {sum(t['seconds'] for t in result['steps'].values()):6.2f} s")
    if json is not None:
        write_json(json, result)
