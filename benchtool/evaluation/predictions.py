"""Predictions on disk: `RUN/predictions/<dataset>/<split>/<sample>.png`, with a journal of what each was made from.

One is made anew only where the input's bytes, the method, its options, its files (`core.source_files`) or its weights are others.
Linear ones are `.tif`, of 32-bit floats. Those of a method that saw images of another size than the stored stand in `<split>-512` or
`<split>-multiple-of-4`, so that nothing takes them for ordinary ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from benchtool.core import catalog
from benchtool.core.console import progress
from benchtool.core.errors import UserError
from benchtool.core.files import Journal, sha256_bytes, sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Sample, safe_name
from benchtool.core.pool import STOPPING, Failure, reason
from benchtool.core.source_files import source_sha256
from benchtool.evaluation.predict import predict
from benchtool.evaluation.reduced import SIDE
from benchtool.evaluation.samples import LINEAR, MULTIPLES, check_inputs, enlarged, read_inputs
from benchtool.methods import Loaded

Seen = Literal[512, "multiple-of-4"]  # a long side of SIDE (`evaluation.reduced`), or `samples.enlarged`


class Predictions:
    """The predictions of one method on one split; `seen` is the size it sees images at, None for that of the images themselves."""

    def __init__(self, run: Path, loaded: Loaded, dataset: Dataset, split: str, seen: Seen | None = None) -> None:
        if not safe_name(dataset.facts.name):
            raise UserError(f"{dataset.folder}: the dataset's name '{dataset.facts.name}' cannot be a folder's")
        self.loaded, self.dataset, self.seen = loaded, dataset, seen
        self.linear = loaded.spec.output in LINEAR
        self.folder = run / "predictions" / dataset.facts.name / (split if seen is None else f"{split}-{seen}")
        self.made_by = identity(loaded, seen)
        self.journal = Journal(self.folder / ".journal.jsonl")
        self.latest = {entry["sample"]: entry for entry in self.journal.entries}

    def path(self, sample: Sample) -> Path:
        """Where a sample's prediction is, or will be."""
        return self.folder / f"{sample.sample}.{'tif' if self.linear else 'png'}"

    def sha256(self, sample: Sample) -> str | None:
        """The hash of what this method predicted for this sample, also where the file is gone; None where it has to be made."""
        entry = self.latest.get(sample.sample)
        current = entry and (entry["made_by"], entry["inputs"]) == (self.made_by, _inputs(sample))
        return entry["prediction_sha256"] if current else None

    def intact(self, sample: Sample) -> bool:
        """Whether the prediction's file is there, as it was written."""
        expected, path = self.sha256(sample), self.path(sample)
        return expected is not None and path.is_file() and sha256_file(path) == expected

    def make(self, samples: Sequence[Sample], device: str | torch.device) -> list[Failure]:
        """Predict these samples, one after another; returns those that failed."""
        failures: list[Failure] = []
        with progress("predict", len(samples), "img") as advance:
            for sample in samples:
                try:
                    self._make(sample, device)
                except Exception as error:  # a method may raise whatever it likes: it costs this sample, not the others
                    if isinstance(error, OSError) and error.errno in STOPPING:
                        raise
                    failures.append(Failure(sample.sample, reason(error)))
                    self.path(sample).unlink(missing_ok=True)  # one of other weights, perhaps
                advance(note=f"{len(failures)} failed" if failures else "")
        return failures

    def _make(self, sample: Sample, device: str | torch.device) -> None:
        check_inputs(self.loaded.name, self.loaded.spec, [sample])
        inputs, evs = read_inputs(self.dataset, sample), [image.ev for image in sample.inputs]
        if self.seen == MULTIPLES:
            inputs = [enlarged(image) for image in inputs]
        pixels = predict(self.loaded.method, inputs, evs, device, None if self.linear else 255, SIDE if self.seen == SIDE else None)
        sha256 = sha256_bytes(write_image(self.path(sample), pixels))
        entry = {"sample": sample.sample, "inputs": _inputs(sample), "made_by": self.made_by, "prediction_sha256": sha256}
        self.journal.append(entry)
        self.latest[sample.sample] = entry


def _inputs(sample: Sample) -> list[str]:
    return [image.sha256 for image in sample.inputs]


def identity(loaded: Loaded, seen: Seen | None = None) -> str:
    """A hash of what decides a method's output: its name, options, weights, the text of its files, and the size it sees where another."""
    source = source_sha256(catalog.entry("methods", loaded.name))
    decisive = [loaded.name, loaded.options, loaded.weights_sha256, source, *([] if seen is None else [seen])]
    return sha256_bytes(json.dumps(decisive, sort_keys=True).encode())
