"""Model files some metrics need: where they may lie, how they are verified and brought into the cache, and what is lost without them."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import dataclass
from pathlib import Path

from benchtool.core.download import Remote
from benchtool.core.download import download as download_file
from benchtool.core.errors import UserError
from benchtool.core.files import sha256_file, write_bytes


@dataclass(frozen=True)
class ModelFile:
    """A file that is not part of benchtool.

    Attributes:
        names: the names it goes by, one for each place it is published in; the first is the one in our cache.
        needed_for: what is n/a without it.
        licence: terms.
        home: where a person gets it.
        size: bytes, None where not established.
        sha256: of its bytes; None where not established: whoever uses such a file checks what is in it, and records its SHA-256.
        url: where it is fetched from when asked to; only with size and the whole sha256, so that nothing else can come instead.
    """

    names: tuple[str, ...]
    needed_for: str
    licence: str
    home: str
    size: int | None = None
    sha256: str | None = None
    url: str | None = None


IQA_WEIGHTS = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights"
LARGEST = 1 << 30  # bytes; none of the files below is half as large

MODEL_FILES = {
    "niqe": ModelFile(
        ("modelparameters.mat", "niqe_modelparameters.mat"),
        "the metrics niqe and pi",
        "LIVE, University of Texas at Austin: free use with notice and citation",
        "https://github.com/utlive/niqe",
        8347,
        "fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",
        "https://raw.githubusercontent.com/utlive/niqe/d80aead297ff48b0254c39806f3a277b3ecbfc8d/modelparameters.mat",
    ),
    "nrqm": ModelFile(
        ("NRQM_model.mat",),
        "the metrics ma and pi",
        "terms of its authors (Ma et al., 2017)",
        # put there on 2024-10-19 by commit 2fe24be, as a pointer that no source at hand quotes
        IQA_WEIGHTS,
    ),
    "lpips": ModelFile(
        ("LPIPS_v0.1_alex-df73285e.pth",),
        "the metric lpips",
        "BSD 2-Clause (Zhang et al., 2018)",
        IQA_WEIGHTS,
        6009,
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        # the authors' own file, which pyiqa publishes under the name above
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/"
        "082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/alex.pth",
    ),
    "alexnet": ModelFile(
        ("alexnet-owt-7be5be79.pth",),
        "the metric lpips",
        "BSD 3-Clause (torchvision)",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        244_408_911,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    ),
    "musiq": ModelFile(
        ("musiq_koniq_ckpt-e95806b9.pth",),
        "the metric musiq",
        "terms of its authors (Ke et al., 2021)",
        IQA_WEIGHTS,
        108_610_983,
        "e95806b9eae5f3814c410f574ba8e552362bd5bc63d758ed5b97860f5d6185aa",
        # the pointer of this commit states size and SHA-256
        f"{IQA_WEIGHTS}/resolve/ebbdd2dfb8fe6d653fb4652719cb6136fb1fe846/musiq_koniq_ckpt-e95806b9.pth",
    ),
}


def cache() -> Path:
    """The user's folder of model files."""
    return _user_cache() / "benchtool" / "models"


def places() -> list[Path]:
    """The folders searched, in order: $BENCHTOOL_MODELS, the user's cache, pyiqa's, $BENCHTOOL_TEST_DATA/niqe, torch's checkpoints."""
    found = [cache(), _torch_hub() / "pyiqa"]
    if models := os.environ.get("BENCHTOOL_MODELS"):
        found.insert(0, Path(models))
    if data := os.environ.get("BENCHTOOL_TEST_DATA"):
        found.append(Path(data) / "niqe")
    return [*found, _torch_hub() / "checkpoints"]


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _torch_hub() -> Path:
    return Path(os.environ.get("TORCH_HOME") or _user_cache() / "torch") / "hub"


def candidates(name: str) -> list[Path]:
    """Every path a model file is looked for at, in order."""
    return [folder / known for folder in places() for known in MODEL_FILES[name].names]


def find(name: str) -> Path | None:
    """Where a model file lies, None where it is in none of the places."""
    return next((path for path in candidates(name) if path.is_file()), None)


def require(name: str) -> Path:
    """Where a model file lies, its hash verified where the published one is established.

    Raises:
        UserError: it is nowhere (the message says which file to put where), or is not the published file.
    """
    path, file = find(name), MODEL_FILES[name]
    if path is None:
        known = [f"{file.size:,} bytes" if file.size else "", f"SHA-256 {file.sha256}" if file.sha256 else "", file.licence]
        raise UserError(f"{_absent(name)} ({', '.join(filter(None, known))})")
    _verify(file, sha256(path), path)
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a model file, computed once for as long as the file stays as it is; UserError where it is larger than `LARGEST`."""
    status = path.stat()
    if status.st_size > LARGEST:
        raise UserError(f"{path}: {status.st_size:,} bytes, no model file has more than {LARGEST:,}; put the published file there")
    return _sha256(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, modified: int) -> str:
    """Of a file as it was at a time: metrics ask for every image, and AlexNet's weights are 240 MB."""
    return sha256_file(path)


def _absent(name: str) -> str:
    """That a model file is in none of the places: which file, from where, to put where."""
    file = MODEL_FILES[name]
    return f"model file {file.names[0]} not found; get it from {file.home} and put it into {candidates(name)[0].parent}"


def fetch(name: str, download: bool = False) -> Path:
    """Bring a model file into the user's cache, from whichever place it lies in; returns its path there.

    Args:
        download: get it from its published address where it is in none of the places. Without it nothing is ever downloaded.

    Raises:
        UserError: as `require`, or the download failed or is not the published file; a file that cannot be verified, because the
            published SHA-256 is not established: it is left where it lies, and its own is in the message.
    """
    file, found = MODEL_FILES[name], find(name)
    if found is None and not (download and file.url):
        raise UserError(_absent(name))
    kept = cache() / file.names[0]
    if found is None:
        _download(file, kept)
        return kept
    own = sha256(found)
    if file.sha256 is None:
        raise UserError(
            f"unverified: {found} has the SHA-256 {own}, and that of the published {file.names[0]} is not established; "
            f"compare it with the one {file.home} shows. It is not copied; {file.needed_for} use it where it lies and record its SHA-256"
        )
    _verify(file, own, found)
    if found != kept:
        write_bytes(kept, found.read_bytes())
    return kept


def _verify(file: ModelFile, sha256: str, source: Path | str) -> None:
    if file.sha256 and sha256 != file.sha256:
        raise UserError(f"{source}: not the published {file.names[0]} (its SHA-256 differs); replace it by the one of {file.home}")


def _download(file: ModelFile, path: Path) -> None:
    """Bring a file from its address to `path`; what came of a broken download stays beside it and is continued by the next."""
    try:
        download_file(Remote(file.url, file.size, file.sha256), path)
    except UserError as error:
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # where nothing came, no empty folder stays
        raise UserError(f"{error}; or get {file.names[0]} from {file.home} yourself and put it into {path.parent}") from None
