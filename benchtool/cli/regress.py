"""`benchtool regress`: measured figures against a baseline, for continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from benchtool.workflows.regress import Comparison
    from benchtool.workflows.regress_figures import Figure

app = typer.Typer(help="Guard measured figures against a baseline.", no_args_is_help=True)

Results = Annotated[
    Optional[list[Path]], typer.Option(help="A folder of runs; may be repeated. Default: build the mini-benchmark.", show_default=False)
]
File = Annotated[Optional[Path], typer.Option(help="The baseline file; default: results/baseline.json.", show_default=False)]
Work = Annotated[
    Optional[Path],
    typer.Option(
        help="Build the mini-benchmark in this folder and keep it; what is there is used again. Default: anew.", show_default=False
    ),
]
Data = Annotated[
    Optional[Path],
    typer.Option(
        help="Folder of real brackets and raws; default: $BENCHTOOL_TEST_DATA, or shared/data beside the checkout.", show_default=False
    ),
]
Methods = Annotated[Optional[str], typer.Option(help="Only these, comma-separated.", show_default=False)]


@app.command()
def check(
    results: Results = None, baseline: File = None, work: Work = None, data: Data = None, methods: Methods = None,
    strict: Annotated[bool, typer.Option("--strict", help="Allow no more where the data's bytes are others.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:  # fmt: skip
    """Compare measured figures with the baseline; exit code 1 where one has moved beyond its tolerance.

    Data that another processor rendered has other bytes: a method without training may then move as little as a trained one (every
    move is printed), unless --strict.

    Example: benchtool regress check --results runs --baseline our-baseline.json
    """
    from benchtool.core.errors import UserError
    from benchtool.workflows import regress

    known = regress.read_baseline(baseline or _default())
    figures = _figures(results, work, data, methods)
    found = regress.compare(known, figures, _names(methods), strict)
    if not found.checked and not found.moved:
        where = ", ".join(map(str, results)) if results else "the mini-benchmark"
        raise UserError(
            f"nothing was checked: {where} holds no complete evaluation; `benchtool evaluate` first, or name its folder with --results"
            if not figures
            else f"nothing was checked: none of the {len(figures)} evaluations in {where} is in {baseline or _default()}; "
            "name the baseline they belong to with --baseline, or add them with `benchtool regress update`"
        )
    if json:
        _print_json(found)
    else:
        made = f"{known.made.get('time', '')[:10]}, benchtool {known.made.get('benchtool')}"
        print(f"{found.checked:,} figures checked against {baseline or _default()} ({made}): {len(found.moved)} moved")
        for moved in found.moved:
            print(f"  {moved}")
        if found.tolerated:
            print(f"{len(found.tolerated)} within what is allowed, yet not the same:")
        for moved in found.tolerated:
            print(f"  {moved}")
        for title, figures in (
            ("not in the baseline", found.new),
            ("not measured here", found.absent),
            ("data of other bytes", found.other_data),
        ):
            if figures:
                print(f"{title}: {'; '.join(map(str, figures[:5]))}" + (f" and {len(figures) - 5} more" if len(figures) > 5 else ""))
    if found.moved:
        raise typer.Exit(1)


@app.command()
def update(results: Results = None, baseline: File = None, work: Work = None, data: Data = None, methods: Methods = None) -> None:
    """Write measured figures into the baseline; its other figures and its tolerances stay.

    Example: benchtool regress update --results runs --baseline our-baseline.json
    """
    from benchtool.workflows import regress

    path = baseline or _default()
    figures = _figures(results, work, data, methods)
    kept = regress.update(path, figures)
    print(f"{path}: {len(figures)} evaluations written, {len(kept.figures)} in all")


def _default() -> Path:
    from benchtool.core.catalog import data_folder

    return data_folder("results") / "baseline.json"


def _names(methods: str | None) -> list[str] | None:
    return [name.strip() for name in methods.split(",")] if methods else None


def _figures(results: list[Path] | None, work: Path | None, data: Path | None, methods: str | None) -> list[Figure]:
    """Those of the runs named, else of the mini-benchmark, built first where it has to be."""
    import tempfile

    from benchtool.core import catalog
    from benchtool.core.errors import UserError
    from benchtool.workflows.regress_figures import read_figures

    chosen = _names(methods)
    for name in chosen or ():
        catalog.entry("methods", name)
    for folder in results or ():
        if not folder.is_dir():
            raise UserError(f"--results {folder}: no such folder")
    if results:
        return [figure for figure in read_figures(results) if chosen is None or figure.method in chosen]
    if work:
        return _built(work, data, chosen)
    with tempfile.TemporaryDirectory(prefix="benchtool-regress-") as folder:
        return _built(Path(folder), data, chosen)


def _built(work: Path, data: Path | None, chosen: list[str] | None) -> list[Figure]:
    """Build the mini-benchmark in `work`."""
    from benchtool.core.console import say
    from benchtool.core.errors import UserError
    from benchtool.workflows import mini_benchmark
    from benchtool.workflows.regress_figures import read_figures
    from benchtool.workflows.steps import run_steps

    if data is not None and not mini_benchmark.at_hand(data):
        raise UserError(f"--data {data}: {mini_benchmark.BRACKETS} and {mini_benchmark.RAWS} are not in it")
    place = data or mini_benchmark.default_data()
    steps = list(mini_benchmark.mini(work / "mini", chosen))
    if mini_benchmark.at_hand(place):
        steps += mini_benchmark.shared(work / "shared", place, chosen)
    else:
        say("no real brackets and raws are at hand (give --data, or set BENCHTOOL_TEST_DATA): the figures on them are not measured")
    run_steps(steps, "the mini-benchmark")
    folders = [folder for part in ("mini", "shared") if (folder := work / part / "runs").is_dir()]
    rendered = [mini_benchmark.levels(work / place) for place in mini_benchmark.RENDERED_DATA if (work / place).is_dir()]
    return rendered + [figure for figure in read_figures(folders) if chosen is None or figure.method in chosen]


def _print_json(found: Comparison) -> None:
    import json

    lists = {name: [str(one) for one in getattr(found, name)] for name in ("moved", "tolerated", "new", "absent", "other_data")}
    print(json.dumps({"checked": found.checked, **lists}, indent=2))
