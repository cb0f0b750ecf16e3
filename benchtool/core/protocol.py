"""How a paper measured, as data: `protocols/NAME.yaml` says which metric variants, against which target, and how they are averaged.

A value that a key does not list here is one this version cannot measure by, and is refused.
"""

from __future__ import annotations

import json
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchtool.core.catalog import PACKAGE
from benchtool.core.errors import UserError, unknown
from benchtool.core.files import sha256_bytes

FOLDER = PACKAGE / "protocols"


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
        targets: dataset -> role of the target; elsewhere the dataset's default.
        resize: `none`: outputs are compared at their own size.
        quantise: `round`: clamped, scaled to 255 and rounded.
        average: `images`: the mean of the images' values.
        infinite: `excluded` from means, and counted.
        departures: where we measure otherwise than the paper or its released code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    citation: str
    section: str
    metrics: list[str]
    extra: list[str] = []
    targets: dict[str, str] = {}
    resize: Literal["none"]
    quantise: Literal["round"]
    average: Literal["images"]
    infinite: Literal["excluded"]
    departures: list[Departure] = []

    @property
    def sha256(self) -> str:
        """SHA-256 of what decides a value (not of titles and notes): figures of equal ones may be compared."""
        decisive = self.model_dump(include={"targets", "resize", "quantise", "average", "infinite"})
        return sha256_bytes(json.dumps(decisive, sort_keys=True).encode())


def protocol_names() -> list[str]:
    """The names of all protocols, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_protocol(name: str) -> Protocol:
    """Read and check a protocol.

    Raises:
        UserError: no such protocol, unknown keys (the nearest known one is named), missing or impossible values.
    """
    if name not in protocol_names():
        raise unknown("protocol", name, protocol_names())
    path = FOLDER / f"{name}.yaml"
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = Departure.model_fields if place[0] == "departures" else Protocol.model_fields
            raise UserError(f"{path}: {unknown('key', place[-1], known)}") from None
        raise UserError(f"{path}: {'.'.join(place) or 'content'}: {first['msg']}") from None
