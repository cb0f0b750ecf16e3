"""The resumable parallel map every batch command uses.

Processes are spawned, never forked (LibRaw's OpenMP can deadlock after a fork). Results do not depend on the number
of workers. A worker that dies (a decoder crashing on a hostile file) costs its item alone. Workers end with their
parent, however it ends: Ctrl-C and a full disk stop a batch at once, a killed parent leaves no process behind.
"""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from benchtool.core.console import progress
from benchtool.core.errors import UserError

STOPPING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what no further item could be written after
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@dataclass(frozen=True)
class Failure:
    """An item that could not be done, and why."""

    item: str
    reason: str


def default_jobs() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_batch(
    worker: Callable[[Any], Any],
    items: Sequence[tuple[str, Any]],
    done: Callable[[str, Any], None],
    *,
    label: str,
    jobs: int | None = None,
    unit: str = "it",
) -> list[Failure]:
    """Call `worker(argument)` in spawned processes for every (name, argument) of `items`.

    Args:
        worker: a module-level function; what it returns must pickle. Exceptions it raises are failures of the item.
        items: names are unique; skip finished ones before calling (see `core.files.Journal`).
        done: called here, in this process, for each finished item, in order of completion.
        jobs: worker processes; each runs one thread. At most twice as many items are in flight.

    Returns:
        The failures, in the order of `items`.

    Raises:
        OSError: a worker found the disk full or read-only; the items in flight are lost, the others are not begun.
        KeyboardInterrupt: likewise.
    """
    jobs = min(jobs or default_jobs(), max(1, len(items)))
    if jobs < 1:
        raise UserError("--jobs must be at least 1")
    failures: dict[str, str] = {}
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the spawned children as they start
    try:
        with progress(label, len(items), unit) as advance:

            def finish(name: str, future: cf.Future) -> None:
                error = future.exception()
                if _stops(future):
                    raise error
                if error is None:
                    done(name, future.result())
                else:
                    failures[name] = reason(error)
                advance(note=f"{len(failures)} failed" if failures else "")

            crashed = _round(worker, items, jobs, finish)
            arguments = dict(items)
            for name in crashed:  # whoever was in flight when a worker died gets a process of its own
                alone = _round(worker, [(name, arguments[name])], 1, finish)
                if alone:
                    failures[name] = "the decoder crashed on this file"
                    advance(note=f"{len(failures)} failed")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return [Failure(name, failures[name]) for name, _ in items if name in failures]


def reason(error: BaseException) -> str:
    """One line saying what went wrong."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"


def _stops(future: cf.Future) -> bool:
    """Whether a finished item found what no further item could be written after."""
    error = future.exception()
    return isinstance(error, OSError) and error.errno in STOPPING


def _round(
    worker: Callable[[Any], Any], items: Iterable[tuple[str, Any]], jobs: int, finish: Callable[[str, cf.Future], None]
) -> list[str]:
    """Run items through one pool after another; returns those that were in flight when a pool broke."""
    waiting = list(items)[::-1]
    crashed: list[str] = []
    context = multiprocessing.get_context("spawn")
    while waiting:
        flying: dict[cf.Future, str] = {}
        others = set(multiprocessing.active_children())
        pool = cf.ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent)
        try:
            broken = False
            while (waiting and not broken) or flying:
                while waiting and not broken and len(flying) < 2 * jobs:
                    name, argument = waiting.pop()
                    try:
                        with no_interrupt():  # workers start here, and inherit it: Ctrl-C is for this process
                            flying[pool.submit(worker, argument)] = name
                    except BrokenProcessPool:
                        waiting.append((name, argument))
                        broken = True
                ready, _ = cf.wait(flying, return_when=cf.FIRST_COMPLETED)
                for future in sorted(ready, key=_stops):  # what is done is kept before a full disk ends the batch
                    name = flying.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        broken = True
                        crashed.append(name)
                    else:
                        finish(name, future)
        except BaseException:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return crashed


@contextlib.contextmanager
def no_interrupt() -> Iterator[None]:
    """Hold back SIGINT in this thread and in processes started meanwhile; one that comes is delivered afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """In a worker: leave at once when the parent is gone; a queue shared by workers would never tell them."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
