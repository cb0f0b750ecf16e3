"""A table as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchtool.report.grid import Entry, Grid, Head, layout
from benchtool.report.notes import emphasis, lead, legend
from benchtool.report.table import Report

CODE = re.compile(r"(?<!`)(`[\w .:/=,+-]+`)(?!`)")  # nothing in it has a meaning in Markdown or HTML
RANKED = {"best": "**{}**", "second": "<u>{}</u>", None: "{}"}


def render(report: Report) -> str:
    """The table as Markdown."""
    parts = [f"## {escape(report.title)}"]
    parts += [escape(line) for line in lead(report)]
    parts += [f"> {escape(line)}" for line in report.warnings]
    for grid in layout(report):
        parts += [f"### {escape(grid.title)}{_marks(grid.notes)}", _table(grid)]
    parts += [escape(line) for line in (*legend(report), *emphasis(report))]
    if report.hint:
        parts.append(escape(report.hint))
    if report.commands:
        parts.append("```sh\n" + "\n".join(report.commands) + "\n```")
    lists = (
        [f"**Could not be read:** {escape(line)}" for line in report.unreadable],
        [escape(line) for line in report.sources],
        [f"{_marks((number,))} {escape(text)}" for number, text in enumerate(report.footnotes, 1)],
        [escape(text) for text in report.notes],
    )
    parts += ["\n".join(f"- {line}" for line in lines) for lines in lists if lines]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, but for plain commands between back-ticks, which are code.

    >>> escape("a|b_c <i>"), escape("`a_b --c`, `<i>`")
    ('a\\\\|b\\\\_c &lt;i>', '`a_b --c`, \\\\`&lt;i>\\\\`')
    """
    parts = CODE.split(text)
    parts[::2] = [re.sub(r"([\\`*_\[\]|#~])", r"\\\1", part.replace("&", "&amp;").replace("<", "&lt;")) for part in parts[::2]]
    return "".join(parts)


def _table(grid: Grid) -> str:
    rows = [[""] + [_head(head) for head in grid.heads], ["---"] + ["---:"] * len(grid.heads)]
    rows += [[escape(row.label) + _marks(row.notes)] + [_entry(entry) for entry in row.entries] for row in grid.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _head(head: Head) -> str:
    steps = [escape(head.group) + _marks(head.group_notes), escape(head.metric) + _marks(head.metric_notes), f"*{escape(head.kind)}*"]
    return "<br>".join(step for step in steps if step)


def _entry(entry: Entry) -> str:
    text = RANKED[entry.rank].format(escape(entry.text))
    return text + escape(entry.whole.removeprefix(entry.text)) + _marks(entry.notes)


def _marks(notes: Sequence[int]) -> str:
    return f"<sup>{', '.join(map(str, notes))}</sup>" if notes else ""
