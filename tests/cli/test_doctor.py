"""`benchtool doctor`: what it prints, and that only a missing requirement is an exit code of 1."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path

import pytest

from benchtool.workflows import doctor


def test_here(benchtool: Callable) -> None:
    done = benchtool("doctor")
    assert done.code == 0
    for word in ("python", "torch", "LibRaw", "CUDA", "cores", "memory", "disk", "pdflatex", "model file nrqm"):
        assert word in done.out


def test_json_says_what_is_lost(benchtool: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("BENCHTOOL_MODELS", "BENCHTOOL_TEST_DATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    report = json.loads(benchtool("doctor", "--json").out)
    checks = {check["name"]: check for check in report["checks"]}
    assert report["healthy"]
    assert checks["pdflatex"]["status"] == "absent" and "LaTeX" in checks["pdflatex"]["lost"]
    assert checks["model file niqe"]["status"] == "absent" and str(tmp_path) in checks["model file niqe"]["found"]
    (tmp_path / "benchtool" / "models").mkdir(parents=True)
    (tmp_path / "benchtool" / "models" / "modelparameters.mat").write_bytes(b"")
    checks = {check.name: check for check in doctor.examine()}
    assert checks["model file niqe"].status == "ok"


def test_a_missing_requirement(benchtool: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.REQUIRED, "no_such_module", ("no-such-distribution", "nothing"))
    done = benchtool("doctor")
    assert done.code == 1
    assert "missing  no-such-distribution" in done.out


def test_a_second_opencv_is_noticed(benchtool: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    before = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "5.0" if name == "opencv-python" else before(name))
    done = benchtool("doctor")
    assert done.code == 0 and "second OpenCV" in done.out


def test_every_dependency_is_looked_at() -> None:
    """What `pip install benchtool` brings is in one of the two tables, under the name it is installed by."""
    wanted = {re.match(r"[\w-]+", line).group().lower() for line in requires("benchtool") if "extra ==" not in line}
    known = {distribution.lower() for distribution, _ in (*doctor.REQUIRED.values(), *doctor.OPTIONAL.values())}
    assert wanted - known == set()


def test_the_first_program_of_several_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("octave", "matlab"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    checks = {check.name: check for check in doctor.examine()}
    assert checks["octave-cli or octave or matlab"].found == str(tmp_path / "octave")
