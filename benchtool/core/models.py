"""Model files some metrics need: where they may lie, how they are verified, and what is lost without them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file


@dataclass(frozen=True)
class ModelFile:
    """A file that is not part of benchtool.

    Attributes:
        names: the names it goes by, one for each place it is published in.
        needed_for: what is n/a without it.
        size: bytes, None where not established.
        sha256: of its bytes, None where not established (then only the name is checked).
        licence: terms.
    """

    names: tuple[str, ...]
    needed_for: str
    licence: str
    size: int | None = None
    sha256: str | None = None


MODEL_FILES = {
    "niqe": ModelFile(
        ("modelparameters.mat", "niqe_modelparameters.mat"),
        "the metrics niqe and pi",
        "LIVE, University of Texas at Austin: free use with notice and citation",
        8347,
        "fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",
    ),
    "nrqm": ModelFile(("NRQM_model.mat",), "the metrics ma and pi", "terms of its authors (Ma et al., 2017)"),
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


def require(name: str) -> Path:
    """Where a model file lies, its hash verified.

    Raises:
        UserError: it is nowhere (the message says which file to put where), or is not the published file.
    """
    file, path = MODEL_FILES[name], find(name)
    if path is None:
        raise UserError(f"model file {file.names[0]} not found; put it into {places()[0]} ({file.licence})")
    if file.sha256 and sha256_file(path) != file.sha256:
        raise UserError(f"{path}: not the published {file.names[0]} (its SHA-256 differs); replace it")
    return path
