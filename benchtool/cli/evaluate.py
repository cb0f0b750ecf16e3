"""`benchtool evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from benchtool.core.errors import UserError

if TYPE_CHECKING:
    from benchtool.evaluation.evaluate import Outcome


def evaluate(
    method: Annotated[str, typer.Argument(metavar="METHOD|RUN", help="A method that needs no training, or a run.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder of the dataset.", show_default=False)],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    protocol: Annotated[str, typer.Option(help="How to measure.")] = "enc",
    metrics: Annotated[Optional[str], typer.Option(help="Instead of the protocol's: psnr:rgb-u8,ssim,loe ...")] = None,
    target: Annotated[Optional[str], typer.Option(help="expert_a, or several, expert_a+expert_b; default: the protocol's.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Folder of the results; default: the run's, or runs/METHOD.")] = None,
    checkpoint: Annotated[Optional[str], typer.Option(help="STAGE.best or STAGE.last; default: the last stage's best.")] = None,
    keep: Annotated[str, typer.Option(help="Predictions to leave on the disk: all, none, or how many.")] = "all",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    jobs: Annotated[Optional[int], typer.Option(min=1, help="Scoring processes; default: one a core.")] = None,
    runtime: Annotated[bool, typer.Option("--runtime", help="Time the method at 1280 x 720 too; some protocols always do.")] = False,
    root: Annotated[Optional[list[str]], typer.Option(help="NAME=DIR: where a root of the dataset is now; may be repeated.")] = None,
    detector: Annotated[
        Optional[Path], typer.Option(help="CSV of faces found in the predictions (sample,x1,y1,x2,y2,score): score these instead.")
    ] = None,
    options: Annotated[Optional[list[str]], typer.Option("--set", "-s", help="option=value of a method; may be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print for programs: this evaluation's entry of summary.json.")] = False,
) -> None:
    """Predict a split and score it; or, with --detector, score what a detector found in the predictions of darkface.

    The same command continues interrupted work, and computes nothing twice.

    Predictions, scores.parquet and summary.json go to OUT. Exit code 1 if some samples failed: they are listed, the others are done.

    Example: benchtool evaluate runs/sid --data me; benchtool evaluate clahe --data darkface --detector faces.csv
    """
    from benchtool.core.console import say
    from benchtool.core.key_value import pairs, values
    from benchtool.evaluation.evaluate import evaluate as run

    if detector is not None:
        from benchtool.evaluation.detection import evaluate_detections

        found = evaluate_detections(
            method, data, detector, split=split, out=out, checkpoint=checkpoint, roots=pairs("--root", root), options=values(options)
        )
        _print_detections(found, json)
        return
    try:
        outcome = run(
            method, data, split=split, protocol=protocol, metric_keys=[key.strip() for key in (metrics or "").split(",") if key.strip()],
            target=target, out=out, checkpoint=checkpoint, keep=_count(keep), device=device, jobs=jobs,
            timed=runtime, roots=pairs("--root", root), options=values(options),
        )  # fmt: skip
    except KeyboardInterrupt:
        say("\nstopped; what is finished is kept: run the same command again to continue")
        raise typer.Exit(130) from None
    if json:
        import json as formatter

        print(formatter.dumps(outcome.entry, indent=2))
    else:
        _print(outcome)
    if outcome.failures:
        say(f"{len(outcome.failures)} failed; the rest is done:")
        for failure in outcome.failures:
            say(f"  {failure.item}: {failure.reason}")
        raise typer.Exit(1)


def _print_detections(found: dict[str, Any], json: bool) -> None:
    if json:
        import json as formatter

        print(formatter.dumps(found, indent=2))
        return
    print(f"{found['folder']}: {found['dataset']} ({found['variant']}), {found['split']}: {found['images']:,} images, "
          f"{found['faces']:,} faces, {found['detections']:,} detections")  # fmt: skip
    print(f"AP {found['ap_exact']:.6f} (exact), {found['ap_tool']:.6f} (DARK FACE's tool); the tool's curve is in pr_curve.csv")


def _count(keep: str) -> int | None:
    if keep == "all":
        return None
    if keep != "none" and not keep.isdecimal():
        raise UserError(f"--keep {keep}: give all, none, or a number")
    return 0 if keep == "none" else int(keep)


def _print(outcome: Outcome) -> None:
    from benchtool.core import catalog

    entry = outcome.entry
    measured = f"{entry['dataset']} ({entry['variant']}), {entry['split']}: {entry['samples']:,} samples of {entry['scenes']:,} scenes"
    done = f"{outcome.predicted:,} predicted and {outcome.scored:,} scored now"
    print(f"{outcome.folder}: {measured}, protocol {entry['protocol']}, target {entry['target']}; {done}")
    groups = list(dict.fromkeys(group for means in entry["means"].values() for group in means))
    lines = [(key, key, means) for key, means in entry["means"].items()]
    specs = {key: catalog.facts("metrics", key.partition(":")[0]) for key in entry["means"]}
    experts = entry.get("experts", {}).items()
    lines += [(f"{key} {role}", key, means[key]) for role, means in experts for key in means if "target" in specs[key].needs]
    width = max(len(label) for label, _, _ in lines)
    print(" " * width, *(f"{group:>9}" for group in groups))
    for label, key, means in lines:
        decimals = specs[key].decimals
        cells = ("-" if (value := means.get(group)) is None else f"{value:.{decimals}f}" for group in groups)
        left_out = ", ".join(f"{count} {why}" for why, count in entry["excluded"].get(label, {}).items())
        print(f"{label:{width}}", *(f"{cell:>9}" for cell in cells), f"   left out: {left_out}" if left_out else "")
    if time := entry.get("runtime"):
        print(f"run time: {time['seconds']:.3g} s at {time['size'][0]} x {time['size'][1]} on {time['device']}")
