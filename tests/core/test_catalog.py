"""Names and facts from files: nothing is imported, wrong names get the nearest right one, plugins are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.spec import MethodSpec

TOY = '''"""Toy."""
raise_if_run = 1 / {divisor}
from benchtool.core.spec import Departure, MethodSpec
SPEC = MethodSpec(title="Toy", citation="toy", parameters={parameters}, departures=(Departure("a", "b", "c", "d"),), check={{"width": 8}})
class Toy:
    def __init__(self, width: int = 4, *, mode: str = "a") -> None: ...
'''


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


def toy(folder: Path, name: str = "my_toy", divisor: int = 1, parameters: str = "3") -> Path:
    path = folder / f"{name}.py"
    path.write_text(TOY.format(divisor=divisor, parameters=parameters))
    return path


def test_facts_run_nothing(tmp_path: Path) -> None:
    [entry] = catalog.add_plugin(toy(tmp_path, divisor=0))
    spec = catalog.facts("methods", "my-toy")
    assert isinstance(spec, MethodSpec) and spec.title == "Toy" and spec.departures[0].ours == "d" and spec.check == {"width": 8}
    assert catalog.options("methods", "my-toy") == {"width": "4", "mode": "'a'"}
    assert entry.origin["sha256"] and entry.module not in sys.modules
    with pytest.raises(ZeroDivisionError):
        catalog.load("methods", "my-toy")


def test_a_spec_that_is_no_literal(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="literal"):
        catalog.add_plugin(toy(tmp_path, parameters="len('abc')"))


def test_plugins_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        catalog.add_plugin(tmp_path / "absent.py")
    (tmp_path / "empty.py").write_text("x = 1")
    with pytest.raises(UserError, match="no SPEC"):
        catalog.add_plugin(tmp_path / "empty.py")
    with pytest.raises(UserError, match="taken"):
        catalog.add_plugin(toy(tmp_path, "identity"))


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="did you mean 'identity'"):
        catalog.facts("methods", "identitty")


def test_recipes_are_found() -> None:
    assert {"sid", "sid-l", "sid-enc", "i-sid"} <= set(catalog.recipe_files())
