"""`benchtool`: puts the command groups together, and turns a UserError into one line and exit code 2."""

from __future__ import annotations

import errno
import importlib
import pkgutil
import sys
from typing import Annotated, Optional

import typer

from benchtool import __version__, cli
from benchtool.core.errors import UserError

ORDER = ("demo", "data", "methods", "train", "evaluate", "enhance", "metrics", "report", "site", "reproduce", "regress", "bench", "doctor")

app = typer.Typer(
    name="benchtool",
    help="Datasets and benchmarks for photo exposure correction: from camera raws to a paper's table.",
    epilog="Start with: benchtool demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"benchtool {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    plugin: Annotated[
        Optional[list[str]], typer.Option(help="A Python file with a third-party method, dataset or metric; may be repeated.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    for path in plugin or ():
        from benchtool.core import catalog

        catalog.add_plugin(path)


def _register() -> None:
    """`cli/NAME.py` is the command NAME: a group where it has `app`, else its function of the same name; `_NAME.py` is a part of one."""
    present = [module.name for module in pkgutil.iter_modules(cli.__path__) if module.name != "main" and module.name[0] != "_"]
    for name in sorted(present, key=ORDER.index):
        module = importlib.import_module(f"benchtool.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))


_register()


def run(arguments: list[str] | None = None) -> None:
    """Run the command line; leaves through SystemExit with 0 (done), 1 (some items failed) or 2 (bad input)."""
    try:
        app(arguments)
    except UserError as error:
        print(f"benchtool: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where, advice = error.filename or "the output folder", "free some space or choose another place, then run the same command again"
        print(f"benchtool: {error.strerror}: {where}; {advice}", file=sys.stderr)
        raise SystemExit(2) from None
