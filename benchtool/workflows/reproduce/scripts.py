"""What is due of a graph as scripts: one for a shell, and one that submits itself to SLURM.

Both run a command only if those it needs did not fail, go on with the others, and end by naming what failed, with exit code 1.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from benchtool.workflows.reproduce.node import Node, Places, due

STEPS = r"""
bad=" "
failed=""
trap 'echo "stopped; run the same again to continue" >&2; exit 130' INT TERM

step() {  # ITS NUMBER, "THE NUMBERS IT NEEDS", ARGUMENTS OF BENCHTOOL
  local number=$1 needs=$2 need code; shift 2
  for need in $needs; do
    case "$bad" in *" $need "*)
      bad="$bad$number "; failed="$failed
  not run, as it needs what failed: benchtool $*"; return;;
    esac
  done
  printf '\n$ benchtool %s\n' "$*" >&2
  benchtool "$@"
  code=$?
  if [ $code -eq 130 ]; then exit 130; fi
  if [ $code -ne 0 ]; then
    bad="$bad$number "; failed="$failed
  exit code $code: benchtool $*"
  fi
}

finish() {
  if [ -n "$failed" ]; then echo "failed:$failed" >&2; exit 1; fi
}
""".strip()


def shell_script(nodes: Sequence[Node], title: str, places: Places) -> str:
    """A script of what is due, one command after the other; running it again continues."""
    lines = [
        "#!/usr/bin/env bash",
        f"# {title}. Every command continues what it finds begun, so that this may be run again.",
        *_blocked(nodes),
        "set -u",
        STEPS,
        "",
        *_steps(nodes, due(nodes), places),
        "finish",
    ]
    return "\n".join(lines) + "\n"


def slurm_script(nodes: Sequence[Node], title: str, places: Places) -> str:
    """A script that, run by hand, submits itself: datasets; then arrays, with a task a run folder so that no two write one; the report."""
    todo = due(nodes)
    datasets, report = ([node for node in todo if node.kind == kind] for kind in ("data", "report"))
    tasks = _tasks(todo)
    lines = [
        "#!/usr/bin/env bash",
        f"# {title} by SLURM. `bash THIS_FILE` submits everything, from the folder that relative paths begin at; again, it continues",
        "# what is unfinished. Do not submit it while its jobs still run. What each kind of job asks for, to be edited:",
        "GPU=(--gres=gpu:1 --cpus-per-task=8 --time=48:00:00)   # trainings, and networks that are evaluated",
        "CPU=(--cpus-per-task=8 --time=12:00:00)                # algorithms",
        "SMALL=(--cpus-per-task=2 --time=02:00:00)              # datasets made of others, and the report",
        *_blocked(nodes),
        "set -u",
        STEPS,
        "",
        "submit() {  # prints the number of the job",
        '  local job; job=$(sbatch --parsable --job-name=benchtool "$@") || { echo "sbatch $* failed" >&2; return 1; }',
        '  echo "${job%%;*}"',
        "}",
        "",
        'case "${1:-submit}" in',
        "submit)",
        *_submissions(tasks, datasets),
        "  ;;",
        "data)",
        *_indented(_steps(nodes, datasets, places)),
        "  ;;",
        "task)",
        '  case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for number, task in enumerate(tasks):
        lines += [f"  {number})", *_indented(_steps(nodes, task, places), 4), "    ;;"]
    lines += ["  esac", "  ;;", "report)", *_indented(_steps(nodes, report, places)), "  ;;", "esac", "finish"]
    return "\n".join(lines) + "\n"


def _tasks(todo: Iterable[Node]) -> list[list[Node]]:
    """The commands that write one run folder, in order, for each of them."""
    found: dict[object, list[Node]] = {}
    for node in todo:
        if node.run is not None:
            found.setdefault(node.run, []).append(node)
    return list(found.values())


def _submissions(tasks: Sequence[Sequence[Node]], datasets: Sequence[Node]) -> list[str]:
    """The lines that submit: an array for each of what needs a GPU or not, waits for datasets or not, and for which other tasks."""
    names = {node.name for node in datasets}
    homes = {node.name: number for number, task in enumerate(tasks) for node in task}
    arrays: dict[tuple[bool, bool, tuple[int, ...]], list[int]] = {}
    for number, task in enumerate(tasks):
        needs = {name for node in task for name in node.needs}
        before = tuple(sorted({homes[name] for name in needs & homes.keys()} - {number}))
        arrays.setdefault((any(node.learned for node in task), not names.isdisjoint(needs), before), []).append(number)
    jobs = {number: f"job{count}" for count, numbers in enumerate(arrays.values()) for number in numbers}
    lines = ['  data=$(submit "${SMALL[@]}" "$0" data) || exit 1'] if datasets else []
    lines.append("  jobs=")
    for (learned, waits, before), numbers in arrays.items():
        others = "".join(
            f":${{{jobs[number]}}}_{number}" for number in before
        )  # whose stages are taken over; which fails if there are none
        after = ",".join([*(["afterok:$data"] if waits else []), *([f"afterany{others}"] if others else [])])
        after = f"--dependency={after} --kill-on-invalid-dep=yes " if after else ""
        job, array = jobs[numbers[0]], ",".join(map(str, numbers))
        lines.append(f'  {job}=$(submit "${{{"GPU" if learned else "CPU"}[@]}}" --array={array} {after}"$0" task) || exit 1')
        lines.append(f'  jobs="$jobs:${job}"')
    after = "--dependency=afterany$jobs " if arrays else "--dependency=afterany:$data " if datasets else ""
    lines.append(f'  job=$(submit "${{SMALL[@]}}" {after}"$0" report) || exit 1')
    lines.append('  echo "submitted; the report is job $job, in slurm-$job.out"')
    return lines


def _steps(nodes: Sequence[Node], chosen: Iterable[Node], places: Places) -> list[str]:
    """`step` lines; numbers are places in the graph."""
    numbers = {node.name: number for number, node in enumerate(nodes)}
    lines = []
    for node in chosen:
        if node.kind == "report":
            lines.append(f"mkdir -p {shlex.quote(str(places.runs))}")
        needs = " ".join(str(numbers[name]) for name in node.needs)
        lines.append(f'step {numbers[node.name]} "{needs}" {shlex.join(node.command)}')
    return lines


def _indented(lines: Iterable[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _blocked(nodes: Iterable[Node]) -> list[str]:
    """Comments on what is not in the script."""
    return [f"# {node.state}: {node.name}: {' '.join(node.why.split())}" for node in nodes if node.state in ("blocked", "stale")]
