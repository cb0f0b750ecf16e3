"""What `data info` prints of a description, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchtool.datasets.describe import sparkline

NAMED = 10  # missing things that are named


def as_json(found: Mapping[str, Any]) -> str:
    """A description as indented JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_text(found: Mapping[str, Any]) -> str:
    """A description in lines, a subject a line."""
    lines = [f"{found['name']} ({found['variant']}): {found['samples']:,} samples, {found['files']:,} files"]
    for split, of in found["splits"].items():
        lines.append(f"  {split:6}{of['samples']:>8,} samples of {of['scenes']:,} scenes")
        for kind in ("exposures", "groups", "subsets"):
            if of[kind] and not (kind == "subsets" and sorted(of[kind].items()) == sorted(of["groups"].items())):  # groups that are subsets
                unit = " EV" if kind == "exposures" else ""
                lines.append(f"  {'':6}{kind:>11}: " + ", ".join(f"{name}{unit} {n:,}" for name, n in of[kind].items()))
    roles = ", ".join(f"{role} {n:,}" for role, n in found["roles"].items())
    lines.append(f"roles: {roles}; default target {found['default_target']}")
    lines.append("encodings: " + ", ".join(f"{a} to {b}" for a, b in found["encodings"]))
    other = f" and {found['other_sizes']:,} other sizes" if found["other_sizes"] else ""
    lines.append("sizes: " + ", ".join(f"{size} ({n:,})" for size, n in found["sizes"].items()) + other)
    for kind, of in found["luminance"].items():
        lines.append(f"{kind:8} 0 {sparkline(of['histogram'])} 1  luminance of {of['pictures']:,}, mean {of['mean']:.3f}")
    lines.append(f"licence: {found['licence'] or 'not stated'}")
    lines += [f"terms: {address}" for address in found["terms"]]
    lines += [f"page: {found['page']}"] if found["page"] else []
    lines += [f"got from: {source['name']}: {source['where']}" for source in found["sources"]]
    lines.append(f"citation: {found['citation'] or 'none'} (BibTeX: benchtool data card)")
    lines.append("files in: " + ", ".join(f"{name} = {place}" for name, place in found["roots"].items()))
    lines += [f"made: {key}: {_plain(value)}" for key, value in found["made"].items() if key != "missing" and value not in (None, {}, [])]
    lines += [f"missing: {text}" for text in found["missing"][:NAMED]]
    if len(found["missing"]) > NAMED:
        lines.append(f"missing: {len(found['missing']) - NAMED:,} more, listed in dataset.json")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value[:NAMED]) + (f" and {len(value) - NAMED:,} more" if len(value) > NAMED else "")
    return str(value)
