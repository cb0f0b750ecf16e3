"""The workflows for continuous integration: their commands exist, and the one for users runs as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchtool.core import catalog

ROOT = catalog.PACKAGE.parent
WORKFLOWS = ROOT / ".github" / "workflows"


def commands(name: str) -> tuple[list[str], list[str]]:
    """The `benchtool` lines of a workflow: those its comments show (without what may stand in their place), and those it runs."""
    if not WORKFLOWS.is_dir():
        pytest.skip("the workflows are in the repository alone")
    text = (WORKFLOWS / name).read_text()
    (job,) = yaml.safe_load(text)["jobs"].values()
    lines = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    shown = re.findall(r"^#   (benchtool .*)$", text, re.MULTILINE)
    return shown, [line for line in lines if line.startswith("benchtool ")]


@pytest.mark.parametrize("name", ["regress.yml", "self-check.yml"])
def test_commands_of_the_workflows_exist(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "examples" / "enc_plugin.py", "my_method.py")
    shown, run = commands(name)
    assert any(line.startswith("benchtool regress check") for line in run)
    for line in (*shown, *run):
        done = benchtool(*shlex.split(line)[1:], "--help")
        assert done.code == 0, f"{line}: {done.err}"


def test_the_sample_workflow_needs_nothing_of_this_repository() -> None:
    shown, run = commands("regress.yml")
    text = (WORKFLOWS / "regress.yml").read_text()
    assert (
        f"pip install git+{(address := 'https://github.com/benchtool/benchtool')}" in text
        and address in (ROOT / "pyproject.toml").read_text()
    )
    assert "requirements.lock" not in text and " -e ." not in text
    assert "benchtool regress check --results runs --baseline baseline.json" in run
    assert [line for line in shown if "my" not in line] == [*run[:-1], run[-1].replace("check", "update")], "first, the same but `update`"


@pytest.mark.slow
def test_the_sample_workflow_runs_as_it_stands(benchtool: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown, run = commands("regress.yml")
    *before, check = (shlex.split(line)[1:] for line in run)
    for arguments in before:
        assert benchtool(*arguments).code == 0
    assert benchtool(*check).code == 2, "no baseline yet"
    assert benchtool(*shlex.split(next(line for line in shown if "regress update" in line))[1:]).code == 0
    done = benchtool(*check)
    assert done.code == 0 and "12 figures checked" in done.out and "0 moved" in done.out, done.out + done.err
