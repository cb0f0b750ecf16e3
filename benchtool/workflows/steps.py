"""Runs commands of benchtool one after another, each as its own process, so that memory is given back and what is shown is what works."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable

from benchtool.core.console import say
from benchtool.core.errors import UserError

Step = tuple[str, list[str]]  # what it does, and its command line


def run_steps(steps: Iterable[Step], name: str) -> None:
    """Run every step, saying its command.

    Raises:
        UserError: a step failed; its own message has been printed. `name` says whose steps they are.
    """
    everything = list(steps)
    for number, (title, arguments) in enumerate(everything, 1):
        say(f"\n[{number}/{len(everything)}] {title}\n$ {shlex.join(['benchtool', *arguments])}")
        done = subprocess.run([sys.executable, "-m", "benchtool", *arguments])
        if done.returncode:
            raise UserError(f"{name} stopped at step {number} ({title}); mend what it says above, then run it again to continue")
