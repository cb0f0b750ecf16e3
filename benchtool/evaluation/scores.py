"""`scores.parquet`: one row a sample, metric variant and expert, for every evaluation of a run; and which scores need no new computing.

A score depends on the bytes of prediction, target and source, and on the metric's variant and version; on nothing else, but for
how images of another size were resized.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchtool.core.errors import UserError
from benchtool.core.files import Journal, atomic_path
from benchtool.evaluation.score import RESIZED, Measured

TEXT = (
    "run", "method", "recipe", "checkpoint", "dataset", "variant_of_data", "fingerprint", "split", "subset", "scene", "sample", "expert",
    "protocol", "metric", "variant", "metric_version", "status", "reason", "facts", "prediction_sha256", "target_sha256", "source_sha256",
)  # fmt: skip
NUMBERS = ("exposure", "value")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXT), *((name, pa.float64()) for name in NUMBERS)])
Row = dict[str, Any]


class Key(NamedTuple):
    """All that a score depends on; a hash is None where the metric does not look at that image."""

    metric: str
    variant: str
    metric_version: str
    prediction_sha256: str
    target_sha256: str | None
    source_sha256: str | None


class KnownScores:
    """Scores computed earlier: those of `scores.parquet`, and those of an interrupted evaluation, from its journal."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "scores.parquet"
        self.journal = Journal(folder / ".scores.jsonl")
        self.rows = read_rows(self.path)
        self._scores: dict[tuple[Key, str], Measured] = {}  # by how its images were resized, as protocols call it
        for row in self.rows:
            measured = Measured(row["status"], row["value"], row["reason"], json.loads(row["facts"]))
            self._put(Key(*(row[name] for name in Key._fields)), measured)
        for entry in self.journal.entries:
            for score in entry["scores"]:
                value = None if score["value"] is None else float(score["value"])
                self._put(Key(*score["key"]), Measured(score["status"], value, score["reason"], score["facts"]))

    def _put(self, key: Key, measured: Measured) -> None:
        if measured.status != "failed":
            resize = next((way for way, fact in RESIZED.items() if fact in measured.facts), "none")
            self._scores[key, resize] = measured

    def get(self, key: Key, resize: str = "none") -> Measured | None:
        """What is known of a score, of images resized so, or of ones that needed no resizing."""
        return self._scores.get((key, "none")) or self._scores.get((key, resize))

    def add(self, scores: Mapping[Key, Measured]) -> None:
        """Keep new scores, at once on the disk too; failures are not kept, so that they are tried again next time."""
        new = {key: measured for key, measured in scores.items() if measured.status != "failed"}
        as_json = [
            {"key": key, "value": None if m.value is None else repr(m.value), "status": m.status, "reason": m.reason, "facts": m.facts}
            for key, m in new.items()  # a value is text: JSON has no infinity
        ]
        self.journal.append({"scores": as_json})
        for key, measured in new.items():
            self._put(key, measured)

    def write(self, rows: Iterable[Row]) -> None:
        """Make `scores.parquet` hold these rows; the journal is then no longer needed."""
        rows = list(rows)
        with atomic_path(self.path) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)
        self.rows = rows
        self.journal.path.unlink(missing_ok=True)
        self.journal.entries.clear()


def read_rows(path: Path) -> list[Row]:
    """The rows of a scores file, none where it does not exist; UserError where it is damaged."""
    if not path.exists():
        return []
    try:
        return pq.ParquetFile(path).read(columns=list(SCHEMA.names)).cast(SCHEMA).to_pylist()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged scores ({' '.join(str(error).split())}); delete the file and evaluate again") from None
