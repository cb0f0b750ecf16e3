"""The small dataset, and scoring without starting processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_data import make_dataset

from benchtool.core import catalog
from benchtool.core.files import sha256_file
from benchtool.core.images import write_image
from benchtool.core.manifest import Dataset, Image
from benchtool.core.pool import Failure, reason
from benchtool.evaluation import evaluate


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "me")


METHOD = '''
"""A toy."""
import torch
from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Method

SPEC = MethodSpec(title="Toy", citation="", needs_target=False, players=(){spec})

class Toy(Method):
    def enhance(self, inputs, exposures=None):
        {enhance}
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`toy("half", "return inputs[:, 0] / 2", output='"linear"')` makes a method known: the body of its `enhance`, facts of its SPEC."""
    monkeypatch.setattr(catalog, "_plugins", [])

    def make(name: str, enhance: str, **spec: str) -> str:
        path = tmp_path / "plugins" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(METHOD.format(spec="".join(f", {key}={value}" for key, value in spec.items()), enhance=enhance))
        monkeypatch.delitem(sys.modules, f"benchtool_plugin_{name}", raising=False)
        catalog.add_plugin(path)
        return name

    return make


@pytest.fixture
def store() -> Callable[..., Image]:
    """`store(folder, "a.png", pixels, role="label")` writes an image of a dataset whose root `here` is `folder`."""

    def write(folder: Path, name: str, pixels: np.ndarray, ev: float | None = None, role: str = "input") -> Image:
        write_image(folder / name, pixels)
        return Image(f"here:{name}", sha256_file(folder / name), pixels.shape[1], pixels.shape[0], ev, role=role)

    return write


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_batch` in this process: the command line's tests use the real one."""

    def run(worker: Callable, items: Sequence[tuple[str, Any]], done: Callable, **_: Any) -> list[Failure]:
        failures = []
        for name, argument in items:
            try:
                result = worker(argument)
            except Exception as error:
                failures.append(Failure(name, reason(error)))
            else:
                done(name, result)
        return failures

    monkeypatch.setattr(evaluate, "run_batch", run)
