"""Reads what `train` and `evaluate` left behind: finds run folders, checks them, hands out the scores of an evaluation.

Nothing here trusts a file: what is malformed is named and left out, never half-used.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from benchtool.core.errors import UserError
from benchtool.core.files import inside, read_json
from benchtool.core.protocol import LIMIT, Protocol, read_protocol
from benchtool.report.schema import Entry, Summary, printable

DEPTH = 4  # run folders are looked for this far below a results folder
MAX_JSON = 16 << 20  # bytes of a summary.json
MAX_ROWS = 50_000_000  # of a scores.parquet
# field of an evaluation -> column of its scores that must equal it; besides, `expert` is one of its targets
KEY = {name: name for name in ("dataset", "fingerprint", "split", "protocol", "checkpoint")}
TEXT = ("scene", "sample", "subset", "expert", "metric", "variant", "metric_version", "status", "reason", *KEY.values())


@dataclass(frozen=True)
class Scores:
    """The scores of one metric variant, a row a sample and expert.

    Attributes:
        values: [n] float, NaN where there is none, or none that the protocol's means take in.
        measured: [n] float, the infinite ones and those above a protocol's limit as well; NaN where there is none.
        scenes: [n] numbers of the scenes, in the order of their names.
        subsets: [n] names; a sample without a subset has "".
        exposures: [n] EV, NaN where unknown.
        samples: [n] names.
        experts: [n] roles of the targets; "" where there is none.
        keys: [n] what a row has in common with that of another method: scene, sample and expert.
        failed: [n] bool, samples whose prediction or score failed.
        reasons: [n] why a row is in no mean; "" where it is.
        versions: of the metric.
    """

    values: np.ndarray
    measured: np.ndarray
    scenes: np.ndarray
    subsets: np.ndarray
    exposures: np.ndarray
    samples: np.ndarray
    experts: np.ndarray
    keys: np.ndarray
    failed: np.ndarray
    reasons: np.ndarray
    versions: frozenset[str]

    @property
    def missing(self) -> np.ndarray:
        """[n] bool: rows without a value, be it an infinite one."""
        return np.isnan(self.measured)

    @property
    def infinite(self) -> np.ndarray:
        """[n] bool: rows whose value is infinite, as the PSNR of an image without any error."""
        return np.isinf(self.measured)

    @property
    def above(self) -> np.ndarray:
        """[n] bool: rows whose value is above what the protocol's means take in."""
        return np.isfinite(self.measured) & np.isnan(self.values)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation of one run."""

    folder: Path
    summary: Summary
    entry: Entry
    table: pa.Table = field(repr=False)

    @property
    def run(self) -> str:
        """The run's folder, fit to be printed."""
        return printable(str(self.folder))

    @property
    def predictions(self) -> Path:
        """The folder of its predictions; UserError where it leads out of the run's."""
        return inside(self.folder, self.entry.folder_of_predictions)

    @functools.cached_property
    def protocol(self) -> Protocol | None:
        """What it was measured by; None where this version of benchtool does not know it."""
        try:
            return read_protocol(self.entry.protocol)
        except UserError:
            return None

    @property
    def scenes(self) -> int:
        """How many scenes it covers."""
        return len(self.table["scene"].unique())

    def scores(self, metric: str) -> Scores | None:
        """Of a metric variant (`psnr:rgb-u8`); None where it was not computed."""
        name, _, variant = metric.partition(":")
        rows = self.table.filter((pc.field("metric") == name) & (pc.field("variant") == variant))
        if rows.num_rows == 0:
            return None

        def column(name: str, missing: Any = "") -> np.ndarray:
            return pc.fill_null(rows[name], missing).to_numpy()

        ceiling = self.protocol.ceiling(metric) if self.protocol else np.inf
        measured = np.where(column("status") == "ok", column("value", np.nan), np.nan)
        values = np.where(np.isfinite(measured) & (measured <= ceiling), measured, np.nan)
        return Scores(
            values=values,
            measured=measured,
            scenes=_numbered(rows["scene"]),
            subsets=column("subset"),
            exposures=column("exposure", np.nan),
            samples=column("sample"),
            experts=column("expert"),
            keys=pc.binary_join_element_wise(*(pc.fill_null(rows[name], "") for name in ("scene", "sample", "expert")), "\n").to_numpy(),
            failed=column("status") == "failed",
            reasons=_reasons(values, measured, column("reason")),
            versions=frozenset(column("metric_version")),
        )


def _reasons(values: np.ndarray, measured: np.ndarray, told: np.ndarray) -> np.ndarray:
    """[n] why a row is in no mean, by what its file tells of those without a value; "" of those that are."""
    reasons = np.full(len(values), "", object)
    for n in np.flatnonzero(np.isnan(values)):
        if np.isnan(measured[n]):
            reasons[n] = printable(told[n]) or "no value"
        else:
            reasons[n] = "infinite: no difference to the target" if np.isinf(measured[n]) else f"above {LIMIT:g} dB"
    return reasons


def _numbered(names: pa.ChunkedArray) -> np.ndarray:
    """[n] numbers of names, in their order."""
    coded = pc.dictionary_encode(pc.fill_null(names, "").combine_chunks())
    return np.argsort(np.argsort(coded.dictionary.to_numpy(zero_copy_only=False)))[coded.indices.to_numpy()]


@dataclass(frozen=True)
class Results:
    """Everything found in the results folders.

    Attributes:
        evaluations: complete ones, newest first.
        unfinished: (run folder as printed, dataset) of evaluations that were interrupted.
        unreadable: one line a folder: which, and what is wrong with it.
        runs: run folders that could be read.
    """

    evaluations: list[Evaluation] = field(default_factory=list)
    unfinished: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    runs: int = 0


def read_results(folders: Iterable[Path]) -> Results:
    """Read every run folder at most DEPTH levels below the given folders."""
    results, runs = Results(), 0
    for folder in dict.fromkeys(run for top in folders for run in find_runs(Path(top))):
        try:
            found, unfinished = read_run(folder)
        except (UserError, OSError) as error:
            results.unreadable.append(printable(str(error)))
            continue
        runs += 1
        results.evaluations.extend(found)
        results.unfinished.extend((printable(str(folder)), dataset) for dataset in unfinished)
    results.evaluations.sort(key=lambda e: (e.entry.finished, str(e.folder)), reverse=True)
    return Results(results.evaluations, results.unfinished, results.unreadable, runs)


def find_runs(top: Path) -> Iterator[Path]:
    """Folders holding a summary.json or a scores.parquet, sorted; nothing is looked for inside one, links are not followed."""
    if (top / "summary.json").is_file() or (top / "scores.parquet").is_file():
        yield top
        return
    level = [top]
    for _ in range(DEPTH):
        below = [Path(e.path) for folder in level for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)]
        level = []
        for folder in sorted(below):
            if (folder / "summary.json").is_file() or (folder / "scores.parquet").is_file():
                yield folder
            else:
                level.append(folder)


def read_run(folder: Path) -> tuple[list[Evaluation], list[str]]:
    """The complete evaluations of a run, and the datasets of its unfinished ones.

    Raises:
        UserError: summary or scores are missing, malformed, or do not fit each other.
    """
    path = folder / "summary.json"
    if path.is_file() and path.stat().st_size > MAX_JSON:
        raise UserError(f"{path}: larger than a summary can be")
    try:
        summary = Summary.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(str(p) for p in first['loc']) or 'content'}: {first['msg']}") from None
    complete = [entry for entry in summary.evaluations if entry.complete]
    unfinished = [entry.dataset for entry in summary.evaluations if not entry.complete]
    if not complete:
        return [], unfinished
    table = _read_scores(folder / "scores.parquet")
    return [Evaluation(folder, summary, entry, _rows_of(entry, table, folder)) for entry in complete], unfinished


def _read_scores(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise UserError(f"{path}: more than {MAX_ROWS:,} rows")
            table = file.read(columns=[*TEXT, "exposure", "value"])
        types = {name: pa.string() for name in TEXT} | {"exposure": pa.float64(), "value": pa.float64()}
        return pa.table({name: table[name].cast(kind).combine_chunks() for name, kind in types.items()})
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, although summary.json tells of an evaluation; evaluate again") from None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged scores ({error}); evaluate again") from None


def rows_of(entry: Entry) -> pc.Expression:
    """What chooses an evaluation's rows from a `scores.parquet`."""
    wanted = {column: getattr(entry, name) for name, column in KEY.items()}
    equal = (pc.field(column).is_null() if text is None else pc.field(column) == text for column, text in wanted.items())
    compared = pc.field("expert").is_null() if entry.target is None else pc.field("expert").isin(list(entry.roles))
    return functools.reduce(operator.and_, equal, compared)


def _rows_of(entry: Entry, table: pa.Table, folder: Path) -> pa.Table:
    """The rows of an evaluation, of which each metric variant must hold every sample exactly once for each target."""
    rows = table.filter(rows_of(entry))
    groups = rows.group_by(["metric", "variant", "expert"]).aggregate([("sample", "count"), ("sample", "count_distinct")]).to_pylist()
    variants = list(dict.fromkeys((g["metric"], g["variant"]) for g in groups)) or [("any metric", "")]
    told = {(variant, role): (0, 0) for variant in variants for role in entry.roles}
    told |= {((g["metric"], g["variant"]), g["expert"]): (g["sample_count"], g["sample_count_distinct"]) for g in groups}
    for ((metric, _), role), (count, distinct) in told.items():
        if (count, distinct) != (entry.samples, entry.samples):
            against = f" against {role}" if len(entry.roles) > 1 else ""
            raise UserError(
                f"{folder / 'scores.parquet'}: {distinct} samples scored by {metric}{against} on {entry.dataset}, "
                f"{entry.samples} in summary.json; evaluate again"
            )
    return rows
