"""`benchtool metrics`: what metrics there are, measuring image files, and the model files some metrics need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from benchtool.core.errors import UserError, unknown

if TYPE_CHECKING:
    from benchtool.workflows.metrics_files import Outcome

app = typer.Typer(help="List metrics, measure images, fetch models.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print for programs.")]


@app.command("list")
def list_metrics(json: Json = False) -> None:
    """List every variant of every metric: version, what it compares with, which direction is better, what it computes, its source.

    Example: benchtool metrics list
    """
    from dataclasses import asdict

    from benchtool.core import catalog

    specs = {name: catalog.facts("metrics", name) for name in catalog.names("metrics")}
    if json:
        _print_json([{"name": name, **asdict(spec)} for name, spec in specs.items()])
        return
    rows = [("metric", "version", "compares with", "better", "unit", "what it is (a name alone is its first variant)")]
    for name, spec in specs.items():
        facts = (spec.version, ", ".join(spec.needs) or "nothing", "higher" if spec.higher_is_better else "lower", spec.unit)
        rows += [(f"{name}:{variant}", *facts, what) for variant, what in spec.variants.items()]
        rows.append((f"  source: {spec.source}",))
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(5)]
    for *cells, last in rows:
        print("  ".join([*(f"{cell:{width}}" for cell, width in zip(cells, widths)), last]))


@app.command()
def measure(
    output: Annotated[Path, typer.Argument(help="An image, or a folder of images.", show_default=False)],
    target: Annotated[
        Optional[Path], typer.Argument(help="What it should look like; for a folder: a folder with the same names.", show_default=False)
    ] = None,
    source: Annotated[Optional[Path], typer.Option(help="What it was made from; for a folder: a folder with the same names.")] = None,
    metrics: Annotated[str, typer.Option(help="Names or NAME:VARIANT, with commas between.")] = "psnr,ssim",
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Processes for a folder; default: one a core.")] = None,
    json: Json = False,
) -> None:
    """Measure image files. Files of folders are matched by name without suffix; those without a partner are listed and left out, and so
    are files of a type that is not read.

    Nothing is resized; 16-bit images are rounded to 8 bits; HDR metrics take linear 32-bit floats: .tif, .hdr, .exr.
    Exit code 1 if some scores failed: they are listed, the others are done.

    Example: benchtool metrics measure result.png label.png

    Example: benchtool metrics measure results/ labels/ --source inputs/ --metrics psnr,ssim:gray-uniform7,niqe,loe --json
    """
    from benchtool.core.console import say
    from benchtool.workflows import metrics_files

    keys = [key.strip() for key in metrics.split(",") if key.strip()]
    outcome = metrics_files.measure(output, keys, target=target, source=source, jobs=jobs)
    if json:
        _print_json(metrics_files.as_json(outcome))
    else:
        _print_scores(outcome)
    for role, path in outcome.unused.items():
        say(f"the {role} {path} is not used: none of {', '.join(m.key for m in outcome.metrics)} compares with it")
    for lack, listed in (("without a partner", outcome.unmatched), ("of a type that is not read", outcome.unsupported)):
        for role, paths in listed.items():
            say(f"{len(paths)} of {role} {lack}, left out:")
            for path in paths:
                say(f"  {path}")
    failed = outcome.those("failed")
    different = outcome.infinite_though_different()
    for what, scores in (("infinite though the images differ", different), ("n/a", outcome.those("n/a")), ("failed", failed)):
        if scores:
            say(f"{len(scores)} {what}:")
            for line in _by_reason(scores):
                say(f"  {line}")
    if failed:
        raise typer.Exit(1)


@app.command()
def fetch(
    name: Annotated[Optional[str], typer.Argument(help="A model file's name, such as niqe; default: all.", show_default=False)] = None,
    download: Annotated[bool, typer.Option("--download", help="Get what is nowhere on this machine from its published address.")] = False,
    json: Json = False,
) -> None:
    """Verify the model files some metrics need and copy them into the user's cache.

    They are searched in $BENCHTOOL_MODELS, the user's cache, pyiqa's cache, $BENCHTOOL_TEST_DATA/niqe and torch's folder of checkpoints,
    in this order. Nothing is downloaded unless asked for. A file that is not the published one is refused; one that cannot be verified is
    not copied, and its own SHA-256 is named. Exit code 1 if one of them is missing, refused or unverified.

    Example: benchtool metrics fetch niqe --download
    """
    from benchtool.core import models

    if name is not None and name not in models.MODEL_FILES:
        raise unknown("model file", name, models.MODEL_FILES)
    found = [_fetch(each, download) for each in ([name] if name else models.MODEL_FILES)]
    if json:
        _print_json(found)
    else:
        for file in found:
            size = f"{file['size']:,} bytes" if file["size"] else "size not established"
            print(f"{file['name']}: {file['path'] or file['problem']}")
            print(f"  for {file['needed_for']}; {size}; SHA-256 {file['sha256'] or 'not established'}; {file['licence']}")
            if not file["found"]:
                print("".join(f"  looked for {path}\n" for path in file["searched"]), end="")
    if any(file["problem"] for file in found):
        raise typer.Exit(1)


def _fetch(name: str, download: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from benchtool.core import models

    path, problem = None, None
    try:
        path = models.fetch(name, download)
    except UserError as error:
        problem = str(error)
    facts, found = asdict(models.MODEL_FILES[name]), models.find(name)
    searched = [str(candidate) for candidate in models.candidates(name)]
    return {"name": name, **facts, "searched": searched, "found": found and str(found), "path": path and str(path), "problem": problem}


def _by_reason(scores: list[tuple[str, str, str]]) -> list[str]:
    """A line for each reason: a damaged file is damaged for every metric, what is not installed is so for every image of a folder."""
    keys: dict[tuple[str, str], list[str]] = {}
    for name, key, why in scores:
        keys.setdefault((name, why), []).append(key)
    names: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (name, why), found in keys.items():
        names.setdefault((tuple(found), why), []).append(name)
    return [f"{_first(some)}, {_first(found)}: {why}" for (found, why), some in names.items()]


def _first(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _print_scores(outcome: Outcome) -> None:
    """One line an image, then the mean of a folder's."""
    lines = [(job.name, [_cell(outcome.scores[job.name][m.key], m.spec.decimals) for m in outcome.metrics]) for job in outcome.jobs]
    if len(lines) > 1:  # last, for an image may be called `mean` too
        lines.append(("mean", [_number(outcome.mean(m), m.spec.decimals) for m in outcome.metrics]))
    width = max(len(name) for name, _ in lines)
    print(" " * width, *(f"{m.key:>12}" for m in outcome.metrics), sep="  ")
    for name, cells in lines:
        print(f"{name:{width}}", *(f"{cell:>{max(12, len(m.key))}}" for cell, m in zip(cells, outcome.metrics)), sep="  ")
    if len(outcome.jobs) > 1:
        for m in outcome.metrics:
            if excluded := outcome.excluded(m):
                print(f"left out of the mean of {m.key}: {', '.join(f'{count} {why}' for why, count in excluded.items())}")


def _cell(measured: Any, decimals: int) -> str:
    return measured.status if measured.value is None else _number(measured.value, decimals)


def _number(value: float, decimals: int) -> str:
    return "-" if value != value else f"{value:.{decimals}f}"


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
