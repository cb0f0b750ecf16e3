"""The small dataset, and scoring without starting processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from small_data import make_dataset

from benchtool.core.manifest import Dataset
from benchtool.core.pool import Failure, reason
from benchtool.evaluation import evaluate


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "me")


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
