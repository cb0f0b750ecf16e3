"""BibTeX of everything the site shows: each entry of papers/references.bib that a row, a paper or a method cites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from benchtool.core import catalog
from benchtool.core.files import write_text
from benchtool.papers.load import REFERENCES
from benchtool.report.site.tables import TablePage

FILE = "references.bib"


@dataclass(frozen=True)
class Reference:
    """What is cited: its BibTeX ("" where references.bib lacks it, as of a plugin's method), and (page, address, rows) that cite it."""

    key: str
    bibtex: str
    title: str
    cited: list[tuple[str, str, list[str]]]


def entries(text: str) -> dict[str, str]:
    """Key -> entry of a BibTeX file whose entries begin in the first column.

    >>> entries("@misc{a,\\n  title = {A}\\n}\\n\\n@misc{b,\\n}")
    {'a': '@misc{a,\\n  title = {A}\\n}', 'b': '@misc{b,\\n}'}
    """
    found = {}
    for entry in re.split(r"^(?=@)", text, flags=re.MULTILINE):
        if head := re.match(r"@\w+\{([^,\s]+),", entry):
            found[head[1]] = entry.strip()
    return found


def citations(pages: Sequence[TablePage]) -> dict[str, list[tuple[str, str, list[str]]]]:
    """Key -> what cites it, sorted by key."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for page in pages:
        found.setdefault(page.report.paper.citation, {}).setdefault((page.name, page.href), [])
        for line in page.report.lines:
            if line.row.citation:
                found.setdefault(line.row.citation, {}).setdefault((page.name, page.href), []).append(line.row.label)
    for name in catalog.names("methods"):
        if key := catalog.facts("methods", name).citation:
            found.setdefault(key, {}).setdefault(("Methods", "methods.html"), []).append(name)
    return {key: [(*place, rows) for place, rows in found[key].items()] for key in sorted(found) if key}


def references(pages: Sequence[TablePage]) -> list[Reference]:
    """What the site cites, sorted by key."""
    known = entries(REFERENCES.read_text(encoding="utf-8"))
    return [Reference(key, known.get(key, ""), _title(known.get(key, "")) or key, cited) for key, cited in citations(pages).items()]


def _title(bibtex: str) -> str:
    found = re.search(r"\btitle\s*=\s*\{(.*?)\},?\s*$", bibtex, re.MULTILINE | re.DOTALL)
    return " ".join(re.sub(r"[{}]", "", found[1]).split()) if found else ""


def write_bibliography(out: Path, found: Sequence[Reference], environment: jinja2.Environment) -> None:
    """Write the page and the file."""
    write_text(out / FILE, "\n\n".join(reference.bibtex for reference in found if reference.bibtex) + "\n")
    page = environment.get_template("bibliography.html.j2").render(root="", here="bibliography", references=found, file=FILE)
    write_text(out / "bibliography.html", page + "\n")
