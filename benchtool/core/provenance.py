"""What produced a result: versions, git state, device. Reads package metadata; imports none of the heavy packages."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
import sys
from typing import Any

from benchtool.core.catalog import PACKAGE

PACKAGES = (
    "torch",
    "rawpy",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "accelerate",
    "safetensors",
    "pyiqa",
    "pandas",
    "pyarrow",
)


def version(package: str) -> str | None:
    """Installed version of a distribution, None where absent."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state() -> dict[str, Any] | None:
    """Commit and whether the checkout differs from it; None for an installed wheel or where git is absent."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=10)
        dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"commit": commit.stdout.strip(), "dirty": bool(dirty.stdout.strip())} if commit.returncode == 0 else None


def now() -> str:
    """The time, UTC, ISO 8601 with seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def provenance(**more: Any) -> dict[str, Any]:
    """An entry for `provenance.json`; `more` is added as it is (device, seeds, dataset fingerprint ...)."""
    return {
        "time": now(),
        "benchtool": version("benchtool"),
        "git": git_state(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := version(name))},
        "command": sys.argv[1:],
        **more,
    }
