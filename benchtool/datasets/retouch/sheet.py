"""Contact sheets for people who choose coefficients: a numbered picture a cluster, one page to click through, and tables to fill in."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchtool.core.files import atomic_folder, write_text
from benchtool.core.images import quantise, write_image
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.retouch.choices import SHOWN, Searched
from benchtool.datasets.retouch.grouping import Grouping
from benchtool.datasets.retouch.histograms import read_photograph, reduced
from benchtool.datasets.retouch.retouching import Coefficients, Retoucher
from benchtool.datasets.retouch.search import SIDE
from benchtool.datasets.retouch.votes import COLUMNS

PAGE, CANDIDATES, TEMPLATE = "index.html", "candidates.jsonl", "choices.csv"
COLUMNS_OF_TILES = 3


@dataclass(frozen=True)
class SheetTask:
    """A cluster's sheet: its medoid as it is, and with each of these coefficients."""

    photograph: Path
    coefficients: tuple[Coefficients, ...]
    path: Path
    reduce: int


def write_sheets(
    grouping: Grouping, photographs: dict[str, Path], found: Searched, folder: Path, reduce: int, jobs: int | None
) -> list[Failure]:
    """Write `folder`: a sheet a cluster, `index.html`, `candidates.jsonl` and an empty `choices.csv`; one made before is replaced whole.

    Raises:
        UserError: `folder` holds other things.
    """
    with atomic_folder(folder, PAGE) as place:
        numbers = sorted(found.clusters)
        shown = {n: tuple(found.coefficients(n, c) for c in found.shown(n)) for n in numbers}
        medoid = {n: grouping.names[grouping.clusters.medoids[n]] for n in numbers}
        items = [(f"cluster {n}", SheetTask(photographs[medoid[n]], shown[n], place / _name(n), reduce)) for n in numbers]
        made: list[str] = []
        failures = run_batch(write_sheet, items, lambda name, _: made.append(name), label="sheets", jobs=jobs, unit="sheets")
        numbers = [n for n in numbers if f"cluster {n}" in set(made)]
        sizes = np.bincount(grouping.clusters.assignment).tolist()
        best = {n: 1 + shown[n].index(found.best(n)) if found.best(n) in shown[n] else 0 for n in numbers}
        clusters = [{"cluster": n, "sheet": _name(n), "photographs": sizes[n], "tiles": len(shown[n]), "score": best[n]} for n in numbers]
        write_text(place / PAGE, page(found.hash, clusters))
        lines = (
            {"cluster": n, "choice": k, "photograph": medoid[n], **c.plain(), "clusters": found.hash}
            for n in numbers
            for k, c in enumerate(shown[n], 1)
        )
        write_text(place / CANDIDATES, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        write_text(place / TEMPLATE, _template(numbers, found.hash))
    return failures


def write_sheet(task: SheetTask) -> None:
    """Write a sheet. Runs in a worker."""
    image = read_photograph(task.photograph)
    small = reduced(image, SIDE)
    retoucher = Retoucher(small, task.reduce, scale=max(image.shape[:2]) / max(small.shape[:2]))
    tiles = [small, *(retoucher.retouch(coefficients) for coefficients in task.coefficients)]
    labelled = [label(quantise(tile), str(number or "as it is")) for number, tile in enumerate(tiles)]
    labelled += [np.full_like(labelled[0], 255)] * (SHOWN + 1 - len(labelled))
    rows = [np.hstack(labelled[k : k + COLUMNS_OF_TILES]) for k in range(0, len(labelled), COLUMNS_OF_TILES)]
    write_image(task.path, np.vstack(rows), quality=90, subsampling="4:4:4")


def label(tile: np.ndarray, text: str) -> np.ndarray:
    """The tile with white text on black in its upper left corner."""
    tile = np.ascontiguousarray(tile)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    cv2.rectangle(tile, (0, 0), (width + 8, height + below + 6), (0, 0, 0), cv2.FILLED)
    cv2.putText(tile, text, (4, height + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def page(mark: str, clusters: list[dict]) -> str:
    """The page; it needs no server, and keeps what was clicked in the browser until it is saved."""
    data = json.dumps({"clusters": clusters, "hash": mark, "columns": COLUMNS}).replace("<", "\\u003c")
    return Path(__file__).with_name("sheet.html").read_text().replace("{{ data }}", data)


def _template(numbers: list[int], mark: str) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerows([COLUMNS, *((n, "", "", "", mark) for n in numbers)])
    return stream.getvalue()


def _name(number: int) -> str:
    return f"cluster-{number:04}.jpg"
