"""What a person sees while work goes on: a progress bar with rate and time left, plain lines when not a terminal.

Everything here goes to standard error; standard output is for results.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

PLAIN_EVERY = 10.0  # seconds between plain progress lines


def say(message: str) -> None:
    """One line for the person, on standard error."""
    print(message, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds in a reader's units.

    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@contextlib.contextmanager
def progress(label: str, total: int, unit: str = "it") -> Iterator[Callable[..., None]]:
    """Show progress over `total` items; yields `advance(n=1, note="")`."""
    if sys.stderr.isatty():
        yield from _bar(label, total, unit)
    else:
        yield from _lines(label, total, unit)


def _bar(label: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, rate="", note="")
        begun = time.monotonic()

        def advance(n: int = 1, note: str = "") -> None:
            bar.advance(task, n)
            done = bar.tasks[0].completed
            rate = done / max(time.monotonic() - begun, 1e-9)
            bar.update(task, rate=f"{rate:.2f} {unit}/s", note=note)

        yield advance


def _lines(label: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
    begun = last = time.monotonic()
    done = 0

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if done < total and now - last < PLAIN_EVERY:
            return
        last = now
        rate = done / max(now - begun, 1e-9)
        left = f", {duration((total - done) / rate)} left" if 0 < done < total else ""
        say(f"{label}: {done}/{total}, {rate:.2f} {unit}/s{left}{'  ' + note if note else ''}")

    yield advance
