"""The parallel map: failures are listed, a dying worker costs one item, results do not depend on the number of jobs."""

from __future__ import annotations

import os

import pytest

from benchtool.core.errors import UserError
from benchtool.core.pool import THREADS, run_batch


def work(value: int) -> tuple[int, str | None]:
    if value == 3:
        raise UserError("three is bad")
    if value == 5:
        os._exit(1)  # as a crashing decoder would
    return value * value, os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize("jobs", [1, 2])
def test_failures_and_crashes(jobs: int) -> None:
    results: dict[str, tuple[int, str | None]] = {}
    failures = run_batch(work, [(str(v), v) for v in range(8)], results.__setitem__, label="squares", jobs=jobs)
    assert {k: v[0] for k, v in results.items()} == {str(v): v * v for v in (0, 1, 2, 4, 6, 7)}
    assert {v[1] for v in results.values()} == {"1"}  # one thread a worker
    assert [(f.item, f.reason) for f in failures] == [("3", "three is bad"), ("5", "the decoder crashed on this file")]


def test_environment_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.delenv(THREADS[1], raising=False)
    run_batch(work, [("1", 1)], lambda *_: None, label="one", jobs=1)
    assert os.environ[THREADS[0]] == "7" and THREADS[1] not in os.environ


def test_no_items() -> None:
    assert run_batch(work, [], lambda *_: None, label="none") == []
