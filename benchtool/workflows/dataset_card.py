"""`benchtool data card`: a dataset's card in Markdown, from its manifest: its terms, counts, how it was made, what was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchtool.core import catalog
from benchtool.core.manifest import Dataset
from benchtool.core.spec import DatasetSpec
from benchtool.datasets.check.run import Checked, by_kind
from benchtool.datasets.check.show import count, looked_at
from benchtool.datasets.describe import counts, ev_text
from benchtool.datasets.sources import in_words, label
from benchtool.papers.load import REFERENCES
from benchtool.report.site.bibliography import entries

NAMED = 20  # findings of a kind and missing things that are written out


def card(dataset: Dataset, checked: Checked) -> str:
    """The card's Markdown, ending in a newline."""
    facts = dataset.facts
    spec = catalog.facts("datasets", facts.name) if facts.name in catalog.names("datasets") else None
    made = {key: value for key, value in facts.made.items() if key != "missing"}
    parts = [
        f"# {spec.title if spec else facts.name}",
        _table(("", ""), [
            ("name", f"`{facts.name}`"), ("variant", facts.variant), ("samples", f"{len(dataset.samples):,}"),
            ("licence", facts.licence or "not stated"), ("from", spec.home if spec and spec.home else "not stated"),
            ("default target", f"`{facts.default_target}`"), ("fingerprint", f"`{facts.fingerprint}`"),
        ]),
        *_sources(spec),
        "## Citation", _citation(facts.citation),
        "## What is in it", _counts(dataset), _groups(facts.exposure_groups),
        "## How it was made", _table(("", ""), [(key, _plain(value)) for key, value in made.items()]) if made else "Not recorded.",
        "Its files:", _table(("root", "folder, from the dataset's"), [(f"`{name}`", f"`{place}`") for name, place in facts.roots.items()]),
        *_missing(facts.made.get("missing", [])),
        "## Checks", _checks(checked),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(spec: DatasetSpec | None) -> list[str]:
    """Where its files come from, and the text of its terms."""
    if spec is None or not (spec.sources or spec.terms):
        return []
    found = [f"- text of the terms: <{address}>" for address in spec.terms]
    for source in spec.sources:
        found.append(f"- {label(source)}: {in_words(source)}" + (f" (known from: {source.evidence})" if source.evidence else ""))
    return ["## Where it comes from", "\n".join(found)]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def _citation(keys: str) -> str:
    """The BibTeX of the keys, which are apart by commas; a key that is not known is given as it is."""
    known = entries(REFERENCES.read_text(encoding="utf-8"))
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    if not wanted:
        return "None: cite the source of the photographs."
    return "\n\n".join(f"```bibtex\n{known[key]}\n```" if key in known else key for key in wanted)


def _counts(dataset: Dataset) -> str:
    rows = []
    for split, found in counts(dataset).items():
        by = found["exposures"] or found["groups"] or found["subsets"]
        rows.append((split, f"{found['scenes']:,}", f"{found['samples']:,}", ", ".join(f"{name}: {n:,}" for name, n in by.items()) or "-"))
    return _table(("split", "scenes", "samples", "by exposure, group or subset"), rows)


def _groups(groups: Mapping[str, list[float]]) -> str:
    named = (f"`{group}`" + (f": {', '.join(map(ev_text, evs))} EV" if evs else "") for group, evs in groups.items())
    return "Exposure groups: " + "; ".join(named) + "." if groups else ""


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_plain(one)}" for key, one in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_plain(one) for one in value[:NAMED]) or "none"
        return shown + (f" and {len(value) - NAMED:,} more" if len(value) > NAMED else "")
    return str(value)


def _missing(missing: list[str]) -> list[str]:
    if not missing:
        return []
    more = [f"- and {len(missing) - NAMED:,} more, listed in `dataset.json`"] if len(missing) > NAMED else []
    return ["## What is missing", "\n".join([*(f"- {text}" for text in missing[:NAMED]), *more])]


def _checks(checked: Checked) -> str:
    lines = [f"{looked_at(checked)}: {count(len(checked.of('error')), 'error')}, {count(len(checked.of('warning')), 'warning')}."]
    for kind, findings in by_kind(checked.findings).items():
        more = [f"  - and {len(findings) - NAMED:,} more"] if len(findings) > NAMED else []
        lines.append("\n".join([f"- {kind} ({len(findings):,})", *(f"  - {f.text}" for f in findings[:NAMED]), *more]))
    return "\n\n".join(lines)
