"""`benchtool methods`: what methods there are, what one is, whether one keeps the contract, and weights that others published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

app = typer.Typer(help="List, show and check methods, and import published weights.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A method (sid-enc), or a recipe (i-sid) for the method it trains.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print for programs.")]
MARKS = {True: "✓", False: "✗", None: "–"}


@app.command("list")
def list_methods(json: Json = False) -> None:
    """List every method with its size and the recipes that train it.

    Example: benchtool methods list
    """
    from benchtool.core import catalog
    from benchtool.workflows import method_facts

    methods = [method_facts.summary(name) for name in catalog.names("methods")]
    if json:
        _print_json(methods)
        return
    rows = [
        (m["name"], m["title"], m["task"], m["kind"], f"{m['enhancing']:,}" if m["enhancing"] else "-", ", ".join(m["recipes"]) or "-")
        for m in methods
    ]
    _print_table(("name", "title", "task", "kind", "parameters", "recipes"), rows, right=("parameters",))
    for m in methods:
        if m["parameters"] != m["enhancing"]:
            print(f"{m['name']} has {m['parameters']:,} parameters in training; those of the network that enhances are listed")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show a method: its facts, options, recipes, and where paper and released code differ.

    Example: benchtool methods show sid-enc
    """
    from benchtool.workflows import method_facts

    found = method_facts.details(method_facts.resolve(name))
    if json:
        _print_json(found)
        return
    _print_facts(found)
    if found["options"]:
        print("\noptions and their defaults")
        for option, default in found["options"].items():
            print(f"  {option} = {default}" if default else f"  {option}")
    if found["departures"]:
        print("\nwhere paper and released code differ")
        rows = [(d["name"], d["paper"], d["released"], d["ours"]) for d in found["departures"]]
        _print_table(("", "paper", "released", "ours"), rows)
    for recipe, differences in found["released_recipes"].items():
        print(f"\nrecipe {recipe}, against that of the paper on the same data")
        _print_table(("", "paper", "released"), [(place, *values) for place, values in differences.items()])


@app.command()
def check(name: Name, json: Json = False) -> None:
    """Check that a method keeps the contract; exit code 1 if a point fails.

    Runs on the small build that the method's SPEC names. Example, for one that is not part of benchtool:
    benchtool --plugin my_method.py methods check my-method
    """
    from benchtool.workflows import check_method, method_facts

    width = max(map(len, check_method.POINTS))

    def show(c: check_method.Check) -> None:
        if not json:
            print(f"{MARKS[c.passed]} {c.point:{width}}  {c.note}", flush=True)

    checks = check_method.check_method(method_facts.resolve(name), seen=show)
    if json:
        _print_json([{"point": c.point, "passed": c.passed, "note": c.note} for c in checks])
    if any(c.passed is False for c in checks):
        raise typer.Exit(1)


@app.command("import")
def import_weights(
    name: Annotated[str, typer.Argument(help="A method (zero-dce).", show_default=False)],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Weights: .pth, .safetensors, .npz, .mat.", show_default=False)],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Run folder.", show_default="runs/NAME-imported")] = None,
    map: Annotated[Optional[str], typer.Option("--map", help="A map of names (YAML), or 'order' to match by order and shape.")] = None,
    options: Annotated[Optional[list[str]], typer.Option("--set", "-s", help="option=value of the method; may be repeated.")] = None,
) -> None:
    """Make a run of weights that others published; every tensor is accounted for, and nothing in the file is run.

    Example: benchtool methods import zero-dce Epoch99.pth --out runs/zero-dce-imported
    """
    from benchtool.core.key_value import values
    from benchtool.workflows import import_weights as workflow

    done = workflow.import_weights(name, files, out, map, values(options))
    matched = done.card["matched"]
    source = f", version {matched['version']}: {matched['source']}" if "version" in matched else ""
    print(f"{done.run}: {', '.join(file['name'] for file in done.card['files'])}, matched by {matched['by']}{source}")
    if done.card["left_out"]:
        print(f"left out, as the map says: {', '.join(done.card['left_out'])}")
    print(f"licence: {done.card['licence']}\nnext: benchtool evaluate {done.run} --data DIR")


def _print_facts(found: dict[str, Any]) -> None:
    count = f"{found['enhancing']:,} = {found['enhancing_mebi']} x 2^20" if found["parameters"] else "none"
    if found["by_player"]:
        count += f"; {found['parameters']:,} in training: {', '.join(f'{player} {n:,}' for player, n in found['by_player'].items())}"
    published = f"; published: {found['published_parameters']}" if found["published_parameters"] else ""
    facts = {
        "citation": found["citation"] or "none",
        "task": f"{found['task']}, {found['inputs']} image(s) of {found['input']} to {found['output']}",
        "kind": found["kind"] + (f", trained {'with' if found['needs_target'] else 'without'} targets" if found["players"] else ""),
        "parameters": count + published,
        "dead": f"some of {', '.join(found['dead'])}: no gradient can reach them",
        "tiling": _tiling(found),
        "defaults": f"follow the {found['faithful']} column",
        "recipes": ", ".join(found["recipes"]) or "none",
        "licence": found["licence"],
        "origin": ", ".join(f"{k} {v}" for k, v in found["origin"].items()) if found["origin"] else "benchtool",
    }
    for fact, said in (("defaults", found["departures"]), ("dead", found["dead"])):
        if not said:
            del facts[fact]
    print(f"{found['name']}: {found['title']}\n")
    for fact, value in facts.items():
        print(f"{fact:11} {value}")


def _tiling(found: dict[str, Any]) -> str:
    if found["tiling"] != "exact":
        return f"{found['tiling']}: `enhance --tile` only with --force"
    return f"exact, with {found['tile_margin']} pixels around a tile, tiles at multiples of {found['tile_step']}"


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[str, ...] = ()) -> None:
    """A table on standard output, as wide as the terminal, or as wide as it needs where there is none."""
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in head:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 1000, markup=False, highlight=False).print(table)


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))
