"""A table as LaTeX: a `table*` with booktabs, the best figure of a column bold, the second underlined."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchtool.report.grid import Entry, Grid, by_panel
from benchtool.report.notes import emphasis, lead, legend
from benchtool.report.table import Report

RANKED = {"best": r"\textbf{%s}", "second": r"\underline{%s}", None: "%s"}
SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "−": "$-$",
    "±": r"$\pm$",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{c: rf"\{c}" for c in "&%$#_{}"},
}
PREAMBLE = r"% needs \usepackage[T1]{fontenc}, \usepackage{booktabs}, \usepackage{graphicx}"
LINES = 70  # of tabulars in one float, which cannot break over pages
FIT = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"  # shrinks what is too wide, enlarges nothing


def render(report: Report) -> str:
    """The table as LaTeX source, to be `\\input` into a two-column paper; one that is too long for a page is several floats."""
    name = "-".join([report.paper.name, report.table.number, *(report.view.name.split() if report.view else [])])
    lines = [PREAMBLE]
    floats = _floats(by_panel(report))
    for part, grids in enumerate(floats):
        lines += [r"\end{table*}"] * (part > 0)
        lines += [r"\begin{table*}", r"\centering\scriptsize\setlength{\tabcolsep}{2.5pt}"]
        if part == 0:
            lines += [rf"\caption{{{_caption(report)}}}", rf"\label{{tab:{name}}}", r"\par\smallskip"]
        else:
            lines += [rf"Table~\ref{{tab:{name}}}, part {part + 1} of {len(floats)}\par\smallskip"]
        for number, grid in enumerate(grids):
            lines += [r"\par\medskip"] * (number > 0)
            lines += [rf"\textbf{{{escape(grid.title)}}}{_marks(grid.notes)}\par\smallskip", *_tabular(grid)]
    lines += [r"\par\smallskip", r"\begin{minipage}{\textwidth}\raggedright"]
    lines += [rf"{escape(line)}\par" for line in legend(report)]
    lines += [rf"Could not be read: {escape(line)}\par" for line in report.unreadable]
    lines += [rf"{_marks((number,))}~{escape(text)}\par" for number, text in enumerate(report.footnotes, 1)]
    lines += [rf"{escape(text)}\par" for text in report.notes]
    lines += [r"\end{minipage}", r"\end{table*}"]
    lines += [f"% {line}" for line in report.sources]
    return "\n".join(lines) + "\n"


def _floats(grids: Sequence[Grid]) -> list[list[Grid]]:
    """As few floats as hold the grids, each of at most LINES lines where a single grid has no more."""
    floats: list[list[Grid]] = []
    room = 0
    for grid in grids:
        height = len(grid.rows) + 5  # its title and heads
        if height > room or not floats:
            floats.append([])
            room = LINES
        floats[-1].append(grid)
        room -= height
    return floats


def escape(text: str) -> str:
    r"""Text that LaTeX sets as it is; what T1 fonts may lack becomes a question mark.

    >>> escape("50 % of a_b")
    '50 \\% of a\\_b'
    """
    shown = "".join(SPECIAL.get(c) or (c if c.isascii() or c.isalpha() and ord(c) < 0x180 else "?") for c in text)
    return re.sub(r"\s+", " ", shown)


def _caption(report: Report) -> str:
    return escape(" ".join([f"{report.title}.", *lead(report), *report.warnings, *emphasis(report)]))


def _tabular(grid: Grid) -> list[str]:
    rows = [[""] + [_spanning(span, head.group, head.group_notes) for head, span in grid.group_spans()]]
    if metrics := grid.metric_spans():
        rows.append([""] + [_spanning(span, head.metric, head.metric_notes) for head, span in metrics])
    rows.append([""] + [escape(head.kind) for head in grid.heads])
    body = [[escape(row.label) + _marks(row.notes), *map(_entry, row.entries)] for row in grid.rows]
    lines = [[" & ".join(cells) + r" \\" for cells in part] for part in (rows, body)]
    return [
        FIT,
        rf"\begin{{tabular}}{{l{'r' * len(grid.heads)}}}",
        r"\toprule",
        *lines[0],
        r"\midrule",
        *lines[1],
        r"\bottomrule",
        r"\end{tabular}}",
    ]


def _spanning(span: int, text: str, notes: Sequence[int]) -> str:
    return rf"\multicolumn{{{span}}}{{c}}{{{escape(text)}{_marks(notes)}}}"


def _entry(entry: Entry) -> str:
    text = RANKED[entry.rank] % escape(entry.text)
    if entry.spread.startswith("±"):
        text += rf"$_{{\pm{entry.spread.removeprefix('±')}}}$"
    elif entry.spread:
        text += " " + escape(entry.spread)
    return text + (rf"\,\makebox[2em][l]{{\tiny({escape(entry.places)})}}" if entry.places else "") + _marks(entry.notes)


def _marks(notes: Sequence[int]) -> str:
    return rf"\textsuperscript{{{','.join(map(str, notes))}}}" if notes else ""
