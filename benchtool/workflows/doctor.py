"""What this machine has, and what is lost without the rest."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchtool.core import models
from benchtool.core.pool import default_jobs
from benchtool.core.provenance import version

REQUIRED = {  # module: (distribution, what it is for)
    "torch": ("torch", "training and learned methods"),
    "accelerate": ("accelerate", "training"),
    "rawpy": ("rawpy", "rendering raws"),
    "numpy": ("numpy", "everything"),
    "cv2": ("opencv-python-headless", "reading and writing images"),
    "PIL": ("pillow", "resizing images"),
    "tifffile": ("tifffile", "raw tags and expert TIFFs"),
    "skimage": ("scikit-image", "CLAHE and the sample photographs"),
    "pandas": ("pandas", "tables"),
    "pyarrow": ("pyarrow", "manifests and scores"),
    "safetensors": ("safetensors", "checkpoints"),
    "pydantic": ("pydantic", "recipes"),
    "yaml": ("pyyaml", "recipes and protocols"),
    "h5py": ("h5py", "packed datasets"),
    "scipy": ("scipy", "classical methods, metrics and the retouched set"),
    "matplotlib": ("matplotlib", "figures and sheets"),
    "jinja2": ("jinja2", "web sites and HTML tables"),
    "psutil": ("psutil", "memory and processors"),
    "rich": ("rich", "tables and progress in the terminal"),
    "typer": ("typer", "the command line"),
}
OPTIONAL = {
    "pyiqa": ("pyiqa", "the metrics pi, ma, vif, lpips and musiq (pip install 'benchtool[iqa]')"),
    "pycvvdp": ("cvvdp", "the metrics cvvdp and cvvdp-hdr (pip install 'benchtool[cvvdp]')"),
    "OpenEXR": ("OpenEXR", "reading .exr files"),
    "tensorboard": ("tensorboard", "train --tensorboard"),
}
PROGRAMS = {  # the first that is there counts
    ("pdflatex",): "checking that LaTeX tables compile",
    ("git",): "the commit in a run's provenance",
    ("octave-cli", "octave", "matlab"): "the metric hdrvdp2, which also needs its authors' code",
    ("chromium", "google-chrome"): "benchtool's own tests of web sites",
}
OTHER_CV2 = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        status: `ok`, `missing` (required), `absent` (optional) or `warning`.
        lost: what does not work without it; empty where nothing is lost.
    """

    name: str
    status: str
    found: str
    lost: str = ""


def examine() -> list[Check]:
    """Look at the installation, the machine, the model files and the optional programs."""
    return [*_machine(), *_packages(), *_models(), *_programs()]


def healthy(checks: list[Check]) -> bool:
    """Whether nothing required is missing."""
    return all(check.status != "missing" for check in checks)


def as_json(checks: list[Check]) -> dict[str, Any]:
    """The report for programs."""
    return {"healthy": healthy(checks), "checks": [asdict(check) for check in checks]}


def _machine() -> list[Check]:
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    new_enough = sys.version_info >= (3, 11)
    gib = 2**30
    return [
        Check("benchtool", "ok", version("benchtool") or "not installed as a package"),
        Check(
            "python",
            "ok" if new_enough else "missing",
            platform.python_version(),
            "" if new_enough else "everything: 3.11 or newer is needed",
        ),
        Check("cores", "ok", f"{default_jobs()} usable of {os.cpu_count()}"),
        Check("memory", "ok", f"{memory.available / gib:.1f} GiB free of {memory.total / gib:.1f}"),
        Check("disk", "ok", f"{disk.free / gib:.1f} GiB free here"),
    ]


def _packages() -> list[Check]:
    checks = []
    for module, (distribution, use) in REQUIRED.items():
        problem = _import_problem(module)
        checks.append(
            Check(distribution, "missing" if problem else "ok", problem or version(distribution) or "present", use if problem else "")
        )
    checks += [_libraw(), _cuda()]
    others = [name for name in OTHER_CV2 if version(name)]
    if others:
        checks.append(
            Check(
                "second OpenCV",
                "warning",
                ", ".join(others),
                "whichever was installed last is used; uninstall all, then reinstall opencv-python-headless",
            )
        )
    for module, (distribution, use) in OPTIONAL.items():
        present = importlib.util.find_spec(module) is not None  # not imported: pyiqa takes seconds
        checks.append(Check(distribution, "ok" if present else "absent", version(distribution) or "not installed", "" if present else use))
    return checks


def _import_problem(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        return f"cannot be imported ({error})"
    return None


def _libraw() -> Check:
    if _import_problem("rawpy"):
        return Check("LibRaw", "missing", "rawpy cannot be imported", "rendering raws")
    import rawpy

    return Check("LibRaw", "ok", ".".join(map(str, rawpy.libraw_version)))


def _cuda() -> Check:
    if _import_problem("torch"):
        return Check("CUDA", "absent", "torch cannot be imported", "training on a GPU")
    import torch

    if not torch.cuda.is_available():
        return Check("CUDA", "absent", "no GPU in use", "training at full size in a reasonable time")
    return Check("CUDA", "ok", f"{torch.version.cuda}, {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}")


def _models() -> list[Check]:
    checks = []
    for name, file in models.MODEL_FILES.items():
        path = models.find(name)
        places = ", ".join(map(str, models.places()))
        found = str(path) if path else f"{file.names[0]} is in none of {places}"
        checks.append(Check(f"model file {name}", "ok" if path else "absent", found, "" if path else file.needed_for))
    return checks


def _programs() -> list[Check]:
    checks = []
    for names, use in PROGRAMS.items():
        path = next(filter(None, map(shutil.which, names)), None)
        checks.append(Check(" or ".join(names), "ok" if path else "absent", path or "not installed", "" if path else use))
    return checks
