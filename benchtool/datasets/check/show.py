"""What `data check` found, for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from benchtool.datasets.check.run import Checked, by_kind

NAMED = 10  # findings of a kind that are shown


def as_json(checked: Checked) -> str:
    """Every finding and what was looked at; `errors` and `warnings` are numbers."""
    numbers = {"errors": len(checked.of("error")), "warnings": len(checked.of("warning"))}
    return json.dumps({**asdict(checked), **numbers}, indent=2, ensure_ascii=False)


def as_text(checked: Checked) -> str:
    """What was looked at, findings by kind with errors first, then their numbers."""
    lines = [looked_at(checked)]
    for kind, findings in by_kind(checked.findings).items():
        lines.append(f"{kind} ({len(findings):,})")
        lines += [f"  {finding.text}" for finding in findings[:NAMED]]
        if len(findings) > NAMED:
            lines.append(f"  and {len(findings) - NAMED:,} more; --json lists them all")
    if checked.blank:
        shown = ", ".join(checked.blank[:3]) + (" ..." if len(checked.blank) > 3 else "")
        lines.append(f"note: {len(checked.blank):,} pictures show too little to be compared with other scenes: {shown}")
    lines.append(f"{count(len(checked.of('error')), 'error')}, {count(len(checked.of('warning')), 'warning')}")
    return "\n".join(lines)


def looked_at(checked: Checked) -> str:
    """One line saying what was done."""
    if checked.quick:
        return f"{count(checked.files, 'file')} looked for and their headers read; no hashes, no pixels"
    shift = "" if checked.median_shift is None else f" (median shift {checked.median_shift:.2f} pixels)"
    done = (f"{count(checked.files, 'file')} hashed and decoded", f"{count(checked.pairs, 'pair')} aligned{shift}")
    return f"{'; '.join(done)}; {count(checked.compared, 'picture')} compared with those of other scenes"


def count(number: int, thing: str) -> str:
    """A number with its noun.

    >>> count(1, "error"), count(1200, "file")
    ('1 error', '1,200 files')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"
