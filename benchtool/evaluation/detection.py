"""Faces found in enhanced images: precision, recall and average precision of a user's detections (NIID, ACM MM 2020, Fig. 9).

Two rules: that of DARK FACE's evaluation tool, with its 1,000 thresholds over scaled scores and its silence about images without faces;
and the exact one, over every score and every image.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchtool import methods
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file, write_json, write_text
from benchtool.core.manifest import open_dataset
from benchtool.core.provenance import now

IOU = 0.5  # at least, for a face to be found
THRESHOLDS = 1000  # of the tool: 1 - t / 1000 for t in 1..1000
COLUMNS = ("sample", "x1", "y1", "x2", "y2", "score")
Boxes = Mapping[str, np.ndarray]  # sample -> [n, 4] boxes, or [n, 5] detections with their scores


@dataclass(frozen=True)
class Curve:
    """Precision and recall, both [T], from the highest threshold to the lowest, and the area under them."""

    precision: np.ndarray
    recall: np.ndarray

    @property
    def average_precision(self) -> float:
        """The area under precision's monotone envelope over recall (VOC, continuous)."""
        recall = np.concatenate(([0.0], self.recall, [1.0]))
        precision = np.concatenate(([0.0], self.precision, [0.0]))
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * envelope[1:]))


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box [4] with others [n, 4], whose last pixels are part of them (x2 - x1 + 1 wide)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:4], others[:, 2:4])
    shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
    areas = np.prod(others[:, 2:4] - others[:, :2] + 1, axis=1)
    return shared / (np.prod(box[2:4] - box[:2] + 1) + areas - shared)


def new_finds(detections: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """For each of one image's detections, in the order of their scores: whether it finds a face that none before it found.

    A detection goes to the face it overlaps most, found already or not.
    """
    found = np.zeros(len(truth), bool)
    new = np.zeros(len(detections), bool)
    for k, box in enumerate(detections if len(truth) else ()):
        share = overlaps(box, truth)
        best = int(share.argmax())
        new[k] = share[best] >= IOU and not found[best]
        found[best] |= share[best] >= IOU
    return new


def tool_curve(detections: Boxes, truth: Boxes) -> Curve:
    """By DARK FACE's tool (adapted from WIDER FACE's): scores are scaled to 0..1 over the whole; images without faces are skipped.

    Args:
        detections: [n, 5], the fifth their score; images without an entry have none. truth: [n, 4] of every image.
    """
    ordered = _ordered(detections)
    scores = np.concatenate([found[:, 4] for found in ordered.values()]) if ordered else np.zeros(0)
    low, span = (scores.min(), np.ptp(scores)) if len(scores) else (0.0, 0.0)
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    counted, hits, faces = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS), 0
    for name, boxes in truth.items():
        faces += len(boxes)
        if name not in ordered or not len(boxes):
            continue
        scaled = (ordered[name][:, 4] - low) / span if span else np.ones(len(ordered[name]))
        above = np.searchsorted(-scaled, -thresholds, side="right")  # detections of at least each threshold
        counted += above
        hits += np.concatenate(([0], np.cumsum(new_finds(ordered[name], boxes))))[above]
    return _curve(hits, counted, faces)


def exact_curve(detections: Boxes, truth: Boxes) -> Curve:
    """Over every score as it is, and every image: what is detected where there is no face is wrong."""
    ordered = _ordered(detections)
    nothing = np.zeros((0, 4))
    new = [new_finds(found, truth.get(name, nothing)) for name, found in ordered.items()]
    scores = np.concatenate([found[:, 4] for found in ordered.values()]) if ordered else np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(np.concatenate(new)[order]) if len(scores) else np.zeros(0)
    last = np.append(np.diff(scores[order]) != 0, True)[: len(scores)]  # of detections of one score, all or none
    return _curve(hits[last], np.arange(1, len(scores) + 1)[last], sum(map(len, truth.values())))


def _ordered(detections: Boxes) -> dict[str, np.ndarray]:
    return {name: found[np.argsort(-found[:, 4], kind="stable")] for name, found in detections.items() if len(found)}


def _curve(hits: np.ndarray, counted: np.ndarray, faces: int) -> Curve:
    """Nothing detected is a precision of 0; it has no width in the area."""
    return Curve(np.divide(hits, counted, out=np.zeros(len(hits)), where=counted > 0), hits / faces)


def read_detections(path: Path, samples: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A CSV of the columns sample, x1, y1, x2, y2, score: sample -> [n, 5], in pixels of the enhanced image.

    Raises:
        UserError: no such file, a column lacks, a sample that is none of `samples`, or numbers that are none; with the line.
    """
    found: dict[str, list[list[float]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if lacks := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise UserError(f"{path}: has no column {', '.join(lacks)}; a detection a line: {','.join(COLUMNS)}")
            for row in reader:
                if row["sample"] not in samples:
                    raise UserError(f"{path}, line {reader.line_num}: '{row['sample']}' is no image of this dataset's split")
                found.setdefault(row["sample"], []).append(_numbers(path, reader.line_num, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from None
    return {name: np.array(rows) for name, rows in found.items()}


def _numbers(path: Path, line: int, row: Mapping[str, str]) -> list[float]:
    try:
        numbers = [float(row[column]) for column in COLUMNS[1:]]
    except (TypeError, ValueError):
        raise UserError(f"{path}, line {line}: x1, y1, x2, y2 and score must be numbers") from None
    if not all(map(math.isfinite, numbers)) or numbers[2] < numbers[0] or numbers[3] < numbers[1]:
        raise UserError(f"{path}, line {line}: {numbers[:4]} with score {numbers[4]} is no box")
    return numbers


def evaluate_detections(
    source: str, data: Path, file: Path, *, split: str = "test", out: Path | None = None, checkpoint: str | None = None,
    roots: Mapping[str, str | Path] | None = None, options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Score a detector's boxes on what a method made of a dataset with boxes; written to `RUN/detection/<dataset>/<split>`.

    Args:
        source, out, checkpoint, roots, options: as `evaluate.evaluate`; file: see `read_detections`.

    Returns:
        What is written to `result.json`; the tool's curve is in `pr_curve.csv`.

    Raises:
        UserError: the dataset has no boxes or no faces, or the file is not as it should be.
    """
    loaded = methods.load(source, checkpoint, **(options or {}))
    dataset = open_dataset(data, roots)
    names = {sample.sample: sample for sample in dataset.split(split)}
    boxes = dataset.facts.made.get("boxes")
    if not isinstance(boxes, dict) or names.keys() - boxes.keys():
        raise UserError(f"{data}: the dataset '{dataset.facts.name}' has no boxes of faces; prepare darkface for --detector")
    truth = {name: np.array(boxes[name], np.float64).reshape(-1, 4) for name in names}
    faces = sum(map(len, truth.values()))
    if not faces:
        raise UserError(f"{data}: no image of its {split} split has a face")
    detections = read_detections(file, names)
    tool, exact = tool_curve(detections, truth), exact_curve(detections, truth)
    folder = Path(out or loaded.run or Path("runs") / loaded.name) / "detection" / dataset.facts.name / split
    thresholds = (1 - t / THRESHOLDS for t in range(1, THRESHOLDS + 1))
    lines = [f"{t:.3f},{p!r},{r!r}" for t, p, r in zip(thresholds, tool.precision.tolist(), tool.recall.tolist())]
    write_text(folder / "pr_curve.csv", "\n".join(["threshold,precision,recall", *lines, ""]))
    result = {
        "method": loaded.name, "checkpoint": loaded.checkpoint, "dataset": dataset.facts.name, "variant": dataset.facts.variant,
        "split": split, "fingerprint": dataset.facts.fingerprint, "images": len(names), "faces": faces,
        "detections": sum(map(len, detections.values())),
        "images_without_detections": len(names.keys() - detections.keys()), "iou": IOU, "ap_exact": exact.average_precision,
        "ap_tool": tool.average_precision, "detector_file": {"name": Path(file).name, "sha256": sha256_file(file)}, "finished": now(),
    }  # fmt: skip
    write_json(folder / "result.json", result)
    return {"folder": str(folder), **result}
