"""The parallel map: failures are listed, a dying worker costs one item, results do not depend on the number of jobs."""

from __future__ import annotations

import concurrent.futures as cf
import errno
import multiprocessing
import os
import signal
import time

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


def full_disk(value: int) -> int:
    if value:
        raise OSError(errno.ENOSPC, "No space left on device", "x")
    return value


@pytest.mark.parametrize("together", [False, True])
def test_a_full_disk_ends_the_batch(together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every further item would fail too; what was done is kept, also where both are heard of at once."""
    if together:
        wait = cf.wait
        monkeypatch.setattr(cf, "wait", lambda futures, return_when: wait(futures))
    results: list[str] = []
    with pytest.raises(OSError, match="No space left") as error:
        run_batch(full_disk, [(str(v), v) for v in range(50)], lambda name, _: results.append(name), label="write", jobs=1)
    assert error.value.errno == errno.ENOSPC and error.value.filename == "x" and results == ["0"]


def unreadable(value: int) -> None:
    raise OSError(errno.EACCES, "Permission denied")


def test_an_unreadable_file_is_one_failure() -> None:
    assert len(run_batch(unreadable, [("a", 0), ("b", 1)], lambda *_: None, label="read", jobs=1)) == 2


def interrupting(value: int) -> None:
    if value == 0:
        os.kill(os.getppid(), signal.SIGINT)  # what Ctrl-C does to the parent
    time.sleep(600)


def test_ctrl_c_does_not_wait_for_work_in_flight() -> None:
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_batch(interrupting, [(str(v), v) for v in range(4)], lambda *_: None, label="slow", jobs=2)
    assert time.monotonic() - begun < 300 and not multiprocessing.active_children()
