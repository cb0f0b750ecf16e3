"""What a dataset holds, for `benchtool data info`: counts, sizes, how bright its pictures are, its terms, what it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchtool.core import catalog
from benchtool.core.images import read_image
from benchtool.core.manifest import SPLITS, Dataset, Image, Sample
from benchtool.core.pool import Failure, run_batch
from benchtool.datasets.sources import in_words, sources

BINS = 32
LOOKED_AT = 256  # pixels of the longer side that are looked at
SPARKS = "▁▂▃▄▅▆▇█"
LUMA = np.float32([0.299, 0.587, 0.114])  # BT.601
DISPLAY_GAMMA = 2.2  # linear pictures are shown through it


@dataclass(frozen=True)
class Picture:
    """A picture to look at: where it is, and its encoding in the manifest."""

    path: Path
    encoding: str


def shown(picture: Picture, side: int = LOOKED_AT) -> np.ndarray:
    """A picture for the display, its longer side reduced to `side`: H x W x 3 float32, 0..1.

    Linear ones are scaled to their brightest part and gamma-coded; of a raw's four planes the first three stand for RGB.
    """
    pixels = read_image(picture.path)
    scale = side / max(pixels.shape[:2])
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    values = pixels.astype(np.float32) / (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    if picture.encoding in ("linear", "raw-rggb"):
        values = np.clip(values / max(float(np.percentile(values, 99.5)), 1e-9), 0, 1) ** np.float32(1 / DISPLAY_GAMMA)
    return np.clip(values, 0, 1)


def histogram(picture: Picture) -> np.ndarray:
    """Shares of the luminance of a picture in BINS equal steps from 0 to 1; they sum to 1."""
    counts, _ = np.histogram(shown(picture) @ LUMA, BINS, (0, 1))
    return counts / counts.sum()


def spread(items: Sequence[Any], wanted: int) -> list[Any]:
    """`wanted` of the items (all, where there are no more), evenly over their order."""
    wanted = min(wanted, len(items))
    return [items[int((k + 0.5) * len(items) / wanted)] for k in range(wanted)]


def picture_of(dataset: Dataset, sample: Sample, image: Image) -> Picture:
    """An image of a sample as a picture to look at."""
    return Picture(dataset.path(image), sample.encoding_in if image in sample.inputs else sample.encoding_target)


def target_of(dataset: Dataset, sample: Sample) -> Image | None:
    """The target used by default, or the first; None where there is none."""
    return sample.target(dataset.facts.default_target) or next(iter(sample.targets), None)


def ev_text(ev: float) -> str:
    """An exposure as people write it.

    >>> ev_text(0.0), ev_text(1.5), ev_text(-1.0)
    ('0', '+1.5', '-1')
    """
    return f"{ev:+g}" if ev else "0"


def counts(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Of each split: samples, scenes, and samples by subset, by exposure (EV) and by exposure group."""
    found = {}
    for split in SPLITS:
        samples = [s for s in dataset.samples if s.split == split]
        if samples:
            exposures = Counter(s.exposure for s in samples if s.exposure is not None)
            found[split] = {
                "samples": len(samples),
                "scenes": len({s.scene for s in samples}),
                "subsets": dict(sorted(Counter(s.subset for s in samples if s.subset is not None).items())),
                "exposures": {ev_text(ev): n for ev, n in sorted(exposures.items())},
                "groups": dict(Counter(g for s in samples if (g := dataset.group(s)) is not None)),
            }
    return found


def describe(dataset: Dataset, look_at: int = 100, jobs: int | None = None) -> tuple[dict[str, Any], list[Failure]]:
    """Everything `data info` prints, as plain JSON values, and the pictures that could not be read.

    Args:
        look_at: pictures of the inputs, and of the targets, whose luminance is measured; spread evenly over the manifest.
    """
    inputs = {i.path: picture_of(dataset, s, i) for s in dataset.samples for i in s.inputs}
    targets = {t.path: picture_of(dataset, s, t) for s in dataset.samples for t in [target_of(dataset, s)] if t}
    every = {i.path: f"{i.width} x {i.height}" for s in dataset.samples for i in (*s.inputs, *s.targets)}
    sizes = Counter(every.values())
    luminance, failures = _luminance({"inputs": inputs, "targets": targets}, look_at, jobs)
    facts = dataset.facts
    spec = catalog.facts("datasets", facts.name) if facts.name in catalog.names("datasets") else None
    return {
        "name": facts.name,
        "variant": facts.variant,
        "samples": len(dataset.samples),
        "files": len(every),
        "splits": counts(dataset),
        "roles": dict(Counter(i.role for s in dataset.samples for i in (*s.inputs, *s.targets))),
        "encodings": sorted({(s.encoding_in, s.encoding_target) for s in dataset.samples}),
        "inputs_per_sample": sorted({len(s.inputs) for s in dataset.samples}),
        "sizes": dict(sizes.most_common(8)),
        "other_sizes": max(0, len(sizes) - 8),
        "luminance": luminance,
        "default_target": facts.default_target,
        "exposure_groups": facts.exposure_groups,
        "licence": facts.licence,
        "citation": facts.citation,
        "terms": list(spec.terms) if spec else [],
        "page": spec.home if spec else "",
        "sources": [{"name": s.name, "where": in_words(s), "known_from": s.evidence} for s in sources(spec)] if spec else [],
        "roots": facts.roots,
        "made": facts.made,
        "missing": facts.made.get("missing", []),
        "fingerprint": facts.fingerprint,
    }, failures


def _luminance(kinds: dict[str, dict[str, Picture]], look_at: int, jobs: int | None) -> tuple[dict[str, Any], list[Failure]]:
    """Mean histogram of inputs and of targets, and the mean luminance."""
    items = [(f"{kind} {key}", pictures[key]) for kind, pictures in kinds.items() for key in spread(list(pictures), look_at)]
    found: dict[str, np.ndarray] = {}
    failures = run_batch(histogram, items, found.__setitem__, label="look at", jobs=jobs, unit="img") if items else []
    result = {}
    for kind in kinds:
        shares = [found[name] for name, _ in items if name in found and name.partition(" ")[0] == kind]
        if shares:
            mean = np.mean(shares, axis=0)
            centres = (np.arange(BINS) + 0.5) / BINS
            shape = [round(float(share), 5) for share in mean]
            result[kind] = {"pictures": len(shares), "mean": round(float(mean @ centres), 4), "histogram": shape}
    return result, failures


def sparkline(values: Sequence[float]) -> str:
    """A line of blocks as high as the square roots of the values, so that small ones are seen.

    >>> sparkline([0, 1, 4, 16])
    '▁▃▅█'
    """
    top = max(values, default=0) or 1
    return "".join(SPARKS[round((value / top) ** 0.5 * (len(SPARKS) - 1))] for value in values)
