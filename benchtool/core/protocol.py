"""How a paper measured, as data: `protocols/NAME.yaml` says which metric variants, against which target, and how they are averaged.

A value that a key does not list here is refused. Metrics that a protocol names and benchtool has not are what it is `lacking`:
tables may name such a protocol, `load_protocol` refuses it.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from benchtool.core import catalog
from benchtool.core.catalog import PACKAGE
from benchtool.core.errors import UserError, unknown
from benchtool.core.files import sha256_bytes

FOLDER = PACKAGE / "protocols"
DEFAULT = "enc"  # what `benchtool evaluate` measures by unless told
LIMIT = 100.0  # dB, above which `excluded-above-100` leaves values out


class Departure(BaseModel):
    """A point on which paper, released code and we differ."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    paper: str
    released: str
    ours: str


class Protocol(BaseModel):
    """A protocol file.

    Attributes:
        title: what people call it.
        citation: BibTeX key in `papers/references.bib`.
        section: where the paper describes it.
        metrics: metric variants of the paper's tables.
        extra: variants measured as well unless others are asked for.
        targets: dataset -> role of the target, or several of which each is compared with; elsewhere the dataset's default.
        resize: `none`: outputs are compared at their own size. `inference-512`: methods see 512 pixels on the long side, and
            bilateral guided upsampling restores the size. `target-to-output`: the target is resized, bilinearly. `multiple-of-4`: inputs
            and targets are enlarged bilinearly to the next multiple of 4 along each side, and compared there.
        quantise: `round`: clamped, scaled to 255 and rounded. `none-linear`: linear values are compared as they are.
        average: `images`: the mean of the images' values; with several targets, the mean of the targets' means.
        infinite: `excluded` from means, and counted; `excluded-above-100`: so is everything above 100 dB.
        runtime: (width, height) at which `evaluate` times the method too; None where the paper's tables have no run time.
        departures: where we measure otherwise than the paper or its released code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    citation: str
    section: str
    metrics: list[str]
    extra: list[str] = []
    targets: dict[str, str | tuple[str, ...]] = {}
    resize: Literal["none", "inference-512", "target-to-output", "multiple-of-4"]
    quantise: Literal["round", "none-linear"]
    average: Literal["images"]
    infinite: Literal["excluded", "excluded-above-100"]
    runtime: tuple[PositiveInt, PositiveInt] | None = None
    departures: list[Departure] = []

    @property
    def sha256(self) -> str:
        """SHA-256 of what decides a score or its mean (not of titles, notes and timing): figures of equal ones may be compared."""
        decisive = self.model_dump(include={"targets", "resize", "quantise", "average", "infinite"})
        return sha256_bytes(json.dumps(decisive, sort_keys=True).encode())

    @property
    def lacking(self) -> list[str]:
        """What this version would have to have, and has not, to measure by it; empty where it can."""
        return [f"the metric {key}" for key in (*self.metrics, *self.extra) if not has_metric(key)]

    def ceiling(self, metric: str) -> float:
        """The greatest value of a metric variant that its mean takes in: LIMIT, or infinity; infinite values are never taken in."""
        return LIMIT if self.infinite == "excluded-above-100" and _in_decibels(metric) else math.inf

    def roles(self, dataset: str) -> tuple[str, ...]:
        """The targets that outputs on `dataset` are compared with; empty where the protocol leaves them to the dataset."""
        roles = self.targets.get(dataset, ())
        return (roles,) if isinstance(roles, str) else roles


def has_metric(key: str) -> bool:
    """Whether benchtool has a metric variant, `ssim:gray-uniform7`."""
    name, _, variant = key.partition(":")
    return name in catalog.entries("metrics") and variant in catalog.facts("metrics", name).variants


def _in_decibels(key: str) -> bool:
    name = key.partition(":")[0]
    return name in catalog.entries("metrics") and catalog.facts("metrics", name).unit == "dB"  # one of a plugin may be gone


def protocol_names() -> list[str]:
    """The names of all protocols, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_protocol(name: str) -> Protocol:
    """A protocol to measure by.

    Raises:
        UserError: as `read_protocol`; or one of its metrics is not there.
    """
    protocol = read_protocol(name)
    if protocol.lacking:
        raise UserError(f"protocol {name}: benchtool lacks {', '.join(protocol.lacking)}; name those to measure by with --metrics")
    return protocol


def read_protocol(name: str) -> Protocol:
    """Read and check a protocol's file, whether or not this version can measure by it.

    Raises:
        UserError: no such protocol, unknown keys (the nearest known one is named), missing or impossible values.
    """
    if name not in protocol_names():
        raise unknown("protocol", name, protocol_names())
    path = FOLDER / f"{name}.yaml"
    return _parse(path, path.read_text())


@functools.cache  # a report asks for the protocol of each of its runs
def _parse(path: Path, text: str) -> Protocol:
    try:
        return Protocol.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = Departure.model_fields if place[0] == "departures" else Protocol.model_fields
            raise UserError(f"{path}: {unknown('key', place[-1], known)}") from None
        raise UserError(f"{path}: {'.'.join(place) or 'content'}: {first['msg']}") from None
