"""Runs commands of benchtool one after another, each as its own process, so that memory is given back and what is shown is what works."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence

from benchtool.core.console import say
from benchtool.core.errors import UserError

Step = tuple[str, list[str]]  # what it does, and its command line
BENCHTOOL = (sys.executable, "-m", "benchtool")
PATIENCE = 10.0  # seconds that an interrupted command has for putting its files in order
INTERRUPTED = (130, -signal.SIGINT)  # exit codes


def run_steps(steps: Iterable[Step], name: str) -> None:
    """Run every step, saying its command.

    Raises:
        UserError: a step failed; its own message has been printed. `name` says whose steps they are.
    """
    everything = list(steps)
    for number, (title, arguments) in enumerate(everything, 1):
        if run_step(f"[{number}/{len(everything)}] {title}", arguments):
            raise UserError(f"{name} stopped at step {number} ({title}); mend what it says above, then run it again to continue")


def run_step(title: str, arguments: Sequence[str]) -> int:
    """Say and run one command; returns its exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C, here or there; the command has ended.
    """
    say(f"\n{title}\n$ {shlex.join(['benchtool', *arguments])}")
    with subprocess.Popen([*BENCHTOOL, *arguments]) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:  # the terminal has told the command too
            try:
                child.wait(PATIENCE)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                child.kill()
            raise
    if code in INTERRUPTED:
        raise KeyboardInterrupt
    return code
