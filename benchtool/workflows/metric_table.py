"""The table of `bench metrics`: as text, as Markdown, and into a document between the marks of the table that stood there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.core.files import write_text

HEADER = ("metric", "peer", "MP", "ours, ms", "peer, ms", "times faster", "largest difference", "ours, MB", "peer, MB")
WORDS = 2  # columns that are no numbers
NONE = "-"
MADE = "made weights: time and memory only"
BEGIN, END = "<!-- bench metrics: made by the command -->", "<!-- end of bench metrics -->"
NAMED = ("torch", "scikit-image", "pyiqa")


def table(result: dict[str, Any], markdown: bool = False) -> list[str]:
    """What `bench_metrics` returned as lines: a table, and its notes: why figures are missing from it, and what they hold for."""
    notes: list[str] = []
    rows = [HEADER, *(_cells(row, notes) for row in result["rows"])]
    if markdown:
        rows.insert(1, ("---",) * WORDS + ("---:",) * (len(HEADER) - WORDS))
        lines = [f"| {' | '.join(cells)} |" for cells in rows]
    else:
        wide = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(f"{cell:{'<' if k < WORDS else '>'}{wide[k]}}" for k, cell in enumerate(cells)).rstrip() for cells in rows]
    return lines + [line for k, note in enumerate(notes, start=1) for line in ("", f"({k}) {note}")]


def put_into(document: Path, result: dict[str, Any]) -> None:
    """Replace what stands between BEGIN and END in a document by the table in Markdown and a line saying what measured it.

    Raises:
        UserError: the document cannot be read, or has not each mark once.
    """
    try:
        text = document.read_text()
    except OSError as error:
        raise UserError(f"{document}: cannot be read ({error.strerror})") from None
    before, _, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not ended or BEGIN in rest or END in before + after:
        raise UserError(f"{document}: needs the lines {BEGIN} and {END} once each; the table is put between them")
    versions = ", ".join(f"{name} {result['packages'][name]}" for name in NAMED if name in result["packages"])
    measured = f"Measured on {result['time'][:10]} by `benchtool bench metrics --repeats {result['repeats']}` ({versions}):"
    write_text(document, "\n".join([before + BEGIN, measured, "", *table(result, markdown=True), "", END]) + after)


def _cells(row: dict[str, Any], notes: list[str]) -> list[str]:
    """A row's cells in the order of HEADER; what is to be said of a figure goes to `notes`."""

    def mark(note: str) -> str:
        if note not in notes:
            notes.append(note)
        return f"({notes.index(note) + 1})"

    size = " ".join([f"{row['megapixels']:g}", *([mark(row["why_no_larger"])] if "why_no_larger" in row else [])])
    times, memory = [], []
    for side in (row["ours"], row.get("theirs", {})):
        if "missing" in side:
            times.append(f"n/a {mark(side['missing'].partition(';')[0])}")  # what to do about it names this machine's paths
        elif "runs" in side:
            times.append(" ".join([_milliseconds(side["median_cpu_s"]), *([mark(MADE)] if row.get("made_weights") else [])]))
        else:
            times.append(NONE)
        memory.append(_or_missing(side.get("extra_mb"), ",.0f"))
    faster, difference = row.get("times_faster"), row.get("largest_difference")
    compared = [_or_missing(faster, ".3g" if (faster or 0) < 100 else ",.0f"), "0" if difference == 0 else _or_missing(difference, ".1e")]
    return [row["metric"], row.get("peer", NONE), size, *times, *compared, *memory]


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if seconds < 0.1 else f"{1e3 * seconds:,.0f}"


def _or_missing(value: float | None, style: str) -> str:
    return NONE if value is None else format(value, style)
