"""Values of a method's options: a wrong type or range is one line that names method, option, value and what is allowed."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from made_training import make_dataset
from pydantic import PositiveInt, TypeAdapter

from benchtool import methods
from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.methods.base import Method


class Every(Method):
    """Takes an option of every kind."""

    def __init__(
        self,
        whole: int = 1,
        number: float = 1.0,
        truth: bool = False,
        text: str = "",
        choice: Literal["a", "b"] = "a",
        maybe: float | None = None,
        several: tuple[float, ...] = (),
        either: Sequence[float] | float = 1.0,
        width: PositiveInt = 1,
        open=None,
        foreign: Method | None = None,
    ) -> None:
        super().__init__()
        self.given = locals()


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "method_class", lambda _: Every)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("whole", (0, -3)), ("number", (2, 0.5)), ("truth", (True, False)), ("text", ("x",)), ("choice", ("b",)), ("maybe", (None, 2)),
        ("several", ((1, 2.5), [3], ())), ("either", ([1, 2], 3)), ("width", (1,)), ("open", (1, "x", None, [1])), ("foreign", (None, 3)),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("every")
def test_what_an_option_takes_arrives_unchanged(option: str, values: Sequence[Any]) -> None:
    for value in values:
        assert methods.create("sid", **{option: value}).given[option] is value


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("whole", True, "integer"), ("whole", 1.0, "integer"), ("whole", "1", "integer"), ("whole", None, "integer"),
        ("number", True, "number"), ("number", "abc", "number"), ("number", float("nan"), "finite number"),
        ("truth", 1, "boolean"), ("truth", "yes", "boolean"), ("text", 3, "string"), ("choice", "c", "'a' or 'b'"),
        ("maybe", "x", "number"),
        ("several", 3, "array"), ("several", [1, "x"], "number"), ("several", "abc", "array"),
        ("either", "x", "array or should be a valid number"),
        ("width", 0, "greater than 0"), ("width", -1, "greater than 0"), ("width", 2.5, "integer"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("every")
def test_what_it_does_not_take(option: str, value: object, allowed: str) -> None:
    with pytest.raises(UserError) as error:
        methods.create("sid", **{option: value})
    assert str(error.value).startswith(f"sid: option {option}={value!r}: should be ") and allowed in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", catalog.names("methods"))
def test_every_option_is_annotated_with_what_can_be_checked(name: str) -> None:
    """And its default, and those of the small build, are such values."""
    cls = methods.method_class(name)
    types = typing.get_type_hints(cls.__init__, include_extras=True)
    for option, parameter in inspect.signature(cls).parameters.items():
        TypeAdapter(types[option])
        methods._check_options(name, cls, {option: parameter.default})
    methods._check_options(name, cls, catalog.facts("methods", name).check)


@pytest.mark.parametrize("name", [name for name in catalog.names("methods") if "width" in catalog.options("methods", name)])
def test_no_network_has_no_channels(name: str) -> None:
    for width in (0, -8, "abc", 2.5):
        with pytest.raises(UserError, match=f"^{name}: option width="):
            methods.create(name, width=width)


def test_at_the_command_line(benchtool, tmp_path: Path) -> None:
    data, file = make_dataset(tmp_path / "me").folder, tmp_path / "weights.pth"
    file.write_bytes(b"")
    for command, says in (
        (
            ("train", "drbn", "--data", data, "--out", tmp_path / "run", "-s", "options.blocks=0"),
            "drbn: option blocks=0: should be greater than 0",
        ),
        (("methods", "import", "drbn", file, tmp_path / "in", "-s", "blocks=abc"), "drbn: option blocks='abc': should be a valid integer"),
        (
            ("evaluate", "bimef", "--data", data, "--out", tmp_path / "ev", "--set", "a=abc"),
            "bimef: option a='abc': should be a valid number",
        ),
    ):
        done = benchtool(*command)
        assert done.code == 2 and done.err.splitlines()[-1] == f"benchtool: {says}", done.err
    assert not (tmp_path / "run").exists() and not (tmp_path / "ev").exists()
