"""Model files some metrics need: where they may lie, and what is lost without them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ModelFile:
    """A file that is not part of benchtool.

    Attributes:
        names: the names it goes by, in each place.
        needed_for: what is n/a without it.
    """

    names: tuple[str, ...]
    needed_for: str


MODEL_FILES = {
    "niqe": ModelFile(("modelparameters.mat", "niqe_modelparameters.mat"), "the metrics niqe and pi"),
    "nrqm": ModelFile(("NRQM_model.mat",), "the metrics ma and pi"),
}


def places() -> list[Path]:
    """The folders searched, in order: $BENCHTOOL_MODELS, the user's cache, pyiqa's cache, $BENCHTOOL_TEST_DATA/niqe."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    torch_home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    found = [cache / "benchtool" / "models", torch_home / "hub" / "pyiqa"]
    if models := os.environ.get("BENCHTOOL_MODELS"):
        found.insert(0, Path(models))
    if data := os.environ.get("BENCHTOOL_TEST_DATA"):
        found.append(Path(data) / "niqe")
    return found


def find(name: str) -> Path | None:
    """Where a model file lies, None where it is in none of the places."""
    candidates = (place / file for place in places() for file in MODEL_FILES[name].names)
    return next((path for path in candidates if path.is_file()), None)
