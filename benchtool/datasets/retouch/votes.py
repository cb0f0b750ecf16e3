"""What people chose for clusters, as they hand it in: a table of candidate numbers (.csv), or values themselves (.jsonl).

Each line carries the hash of the clusters and candidates it was made for, so that it is never applied to others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchtool.core.errors import UserError
from benchtool.datasets.retouch.retouching import Coefficients, read_coefficients

COLUMNS = ("cluster_id", "choice", "rater", "note", "clusters")
MOST = 64_000_000  # bytes of a file of choices


@dataclass(frozen=True)
class Vote:
    """One rater's choice for a cluster: a number on its sheet (0: the picture as it is), values, or None where the rater skipped it."""

    rater: str
    choice: int | Coefficients | None


def read_votes(path: Path, mark: str, clusters: int, candidates: int) -> dict[int, list[Vote]]:
    """Cluster -> its votes, from a file or all the files of a folder; a rater's later word replaces the earlier one of the same kind.

    Args:
        mark: the hash each line must carry.
        clusters, candidates: how many there are; numbers start at 0 and at 1.

    Raises:
        UserError: no such file, no file of choices, or a line that is wrong, naming it.
    """
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in (".csv", ".jsonl")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UserError(f"{path}: no file of choices (.csv or .jsonl) there; `benchtool data coco-sheet` makes what to choose from")
    found: dict[tuple[int, str, bool], Vote] = {}
    for file in files:
        for where, line in _lines(file):
            cluster, vote = _vote(line, where, mark, clusters, candidates)
            if vote:
                found[cluster, vote.rater, isinstance(vote.choice, Coefficients)] = vote
    votes: dict[int, list[Vote]] = {}
    for (cluster, _, _), vote in sorted(found.items(), key=lambda item: item[0]):
        votes.setdefault(cluster, []).append(vote)
    return votes


def _lines(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each line stands, and what it says."""
    if file.stat().st_size > MOST:
        raise UserError(f"{file}: over {MOST:,} bytes; not a file of choices")
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text") from None
    if file.suffix.lower() == ".jsonl":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{file}: line {number}", _json(line, f"{file}: line {number}")
        return
    rows = csv.DictReader(text.splitlines())
    lacking = [name for name in ("cluster_id", "choice", "clusters") if name not in (rows.fieldnames or ())]
    if lacking:
        raise UserError(f"{file}: no column {lacking[0]}; the columns are {','.join(COLUMNS)}, as in the template beside the sheets")
    for row in rows:
        yield f"{file}: line {rows.line_num}", row


def _json(line: str, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON ({error})") from None
    if not isinstance(found, dict):
        raise UserError(f'{where}: must be an object, such as {{"cluster": 17, "alpha": 0.25, ...}}')
    return found


def _vote(line: Mapping[str, Any], where: str, mark: str, clusters: int, candidates: int) -> tuple[int, Vote | None]:
    """A line's cluster and vote; None where nothing was chosen yet."""
    values = {name: line[name] for name in (f.name for f in fields(Coefficients)) if name in line}
    choice = str(line.get("choice") or "").strip().lower()
    if not choice and not values:
        return -1, None
    if (line.get("clusters") or "") != mark:
        raise UserError(f"{where}: is for the clusters '{line.get('clusters') or ''}', and these are '{mark}'; "
                        "photographs or options differ from those of the sheets: use the same, or choose anew")  # fmt: skip
    cluster = str(line.get("cluster_id", line.get("cluster", "")))
    if not cluster.isdecimal() or int(cluster) >= clusters:
        raise UserError(f"{where}: cluster '{cluster}'; they are numbered 0 to {clusters - 1}")
    rater = str(line.get("rater") or "").strip()
    if values:
        strange = sorted(set(line) - set(values) - {"cluster", "cluster_id", "rater", "note", "clusters"})
        if strange:
            raise UserError(f"{where}: '{strange[0]}' is unknown; coefficients are {', '.join(f.name for f in fields(Coefficients))}")
        return int(cluster), Vote(rater, read_coefficients(values, where))
    if choice in ("identity", "skip"):
        return int(cluster), Vote(rater, 0 if choice == "identity" else None)
    if not choice.isdecimal() or not 1 <= int(choice) <= candidates:
        raise UserError(f"{where}: choice '{choice}'; it is 1 to {candidates}, identity or skip")
    return int(cluster), Vote(rater, int(choice))
