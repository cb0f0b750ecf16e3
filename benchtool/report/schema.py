"""What a run's `summary.json` says, checked; and texts of files made fit to be printed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field


def printable(text: str) -> str:
    """Text from a file, with anything a terminal might obey replaced."""
    return "".join(c if c.isprintable() else "?" for c in text)


Text = Annotated[str, AfterValidator(printable)]


class Trained(BaseModel):
    """How a run's weights came about.

    Attributes:
        stages: in order.
        altered: setting (`stages.0.steps`) -> its value in the recipe that benchtool ships under the run's, and in the run; None where an
            earlier version trained, which did not record it.
    """

    dataset: Text
    variant: Text = ""
    smoke: bool = False
    steps: int = 0
    seed: int = 0
    stages: list[Text] = []
    altered: dict[Text, tuple[Any, Any]] | None = None


class ImportedFile(BaseModel):
    """A file that weights came from."""

    name: Text
    sha256: Text


class Imported(BaseModel):
    """Weights that `methods import` took from elsewhere."""

    files: list[ImportedFile]


class Runtime(BaseModel):
    """Seconds of `enhance` on one picture of (width, height) `size`: the median, and [shortest, longest]."""

    seconds: float = Field(gt=0, allow_inf_nan=False)
    spread: tuple[float, float]
    size: tuple[int, int]
    device: Text
    threads: int
    version: Text


class Entry(BaseModel):
    """One evaluation of a run, as in `summary.json`."""

    dataset: Text
    variant: Text
    fingerprint: Text
    split: Text
    protocol: Text
    protocol_sha256: Text
    checkpoint: Text | None
    target: Text | None
    predictions: Text | None = None
    finished: AwareDatetime
    complete: bool
    samples: int = Field(ge=0)
    exposure_groups: dict[str, list[float]] = {}
    runtime: Runtime | None = None

    @property
    def roles(self) -> tuple[str | None, ...]:
        """Of the targets that every output was compared with, each with each; None stands for no target."""
        return (None,) if self.target is None else tuple(self.target.split("+"))

    @property
    def folder_of_predictions(self) -> str:
        """Where its predictions are, in the run's folder; runs of earlier versions do not say."""
        return self.predictions or f"predictions/{self.dataset}/{self.split}"


class Summary(BaseModel):
    """`summary.json` of a run folder."""

    version: Literal[1] = Field(alias="schema")
    run: Text
    method: Text
    recipe: Text | None = None
    options: dict[str, Any] = {}
    parameters: int = Field(default=0, ge=0)
    trained: Trained | None = None
    imported: Imported | None = None
    evaluations: list[Entry] = []
