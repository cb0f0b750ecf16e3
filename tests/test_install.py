"""What a newcomer relies on: the README's two commands are the ones CI runs, and an installed wheel works in an empty folder."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def readme_commands() -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(python3 -m venv.*?)```", (ROOT / "README.md").read_text(), re.S)]


def test_ci_runs_the_readmes_test_command() -> None:
    demo, test = readme_commands()
    assert demo.endswith("benchtool demo") and " -m pytest" in test
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("\n" + test)


def test_the_lock_names_versions_alone() -> None:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.\-]+==[\w.]+", line) for line in lines)
    names = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert {n for n in names if n.startswith("opencv")} == {"opencv-python-headless"}
    project = (ROOT / "pyproject.toml").read_text()
    needed = set(re.findall(r'^  "([\w-]+)[>=]', project, re.M))
    assert needed and needed <= names


def test_what_the_tests_import_is_installed_with_them() -> None:
    """By the package's own dependencies or its extra `test`; what an extra or a skip guards is imported inside functions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    there = {re.match(r"[\w.-]+", need).group().lower() for need in needs}
    of = importlib.metadata.packages_distributions()
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"benchtool", "tests"} | set(sys.stdlib_module_names)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            )
            for module in {name.partition(".")[0] for name in names} - local:
                assert there & {d.lower() for d in of[module]}, f"{path.name} imports {module}"


def test_pyiqa_which_is_for_noncommercial_use_is_not_installed_unasked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any(need.startswith("pyiqa") for need in project["dependencies"])
    assert [need.partition(">")[0] for need in project["optional-dependencies"]["iqa"]] == ["pyiqa"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which `benchtool` is an unpacked wheel, outside any checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = folder.glob("*.whl")
    site = folder / "site"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    return {**os.environ, "PYTHONPATH": str(site)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-c", "import benchtool; print(benchtool.__file__)"], "site"),
        (["-m", "benchtool", "methods", "list"], "i-sid"),
        (["-m", "benchtool", "report", "--table", "1"], "I-SID"),
        (["-m", "benchtool", "train", "i-sid", "--show"], "regularise"),
        (["-m", "benchtool", "methods", "show", "sid-enc"], "7,816,883"),
    ],
    ids=["where", "methods", "report", "recipe", "show"],
)
def test_the_wheel_works_in_an_empty_folder(installed: dict[str, str], tmp_path: Path, arguments: list[str], says: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=installed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert not any(tmp_path.iterdir()), "a command that only prints left files behind"


def test_the_wheel_builds_a_site(installed: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "benchtool", "site", "out"], cwd=tmp_path, env=installed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"index.html", "static", "tables"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert {"site.css", "tables.js", "viewer.css", "viewer.js"} <= {path.name for path in (tmp_path / "out" / "static").iterdir()}
