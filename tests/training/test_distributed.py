"""Two processes under torchrun: the same weights on both, and those of one process with the doubled batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_training import TOY, moved, toy_recipe, weights
from safetensors.torch import load_file

from benchtool.core import files
from benchtool.core.manifest import Dataset

TRAIN = {
    "losses": {"mse": 1.0, "adversarial": 0.1, "critic": 1.0},
    "players": {"critic": {"before": "model"}},
    "accumulate": 2,
    "clip": 1.0,
    "ema": 0.5,
    "optimizer": {"name": "sgd", "lr": 0.05},  # Adam divides by the gradient's size, and with it by rounding
}

TUNE = {"name": "tune", "start": "train.best", "exposures": "worst", "regularise": {}, "optimizer": TRAIN["optimizer"]}


def launch(arguments: list[str], processes: int, dump: Path) -> subprocess.CompletedProcess:
    dump.mkdir()
    alone = ["--standalone", "--local_addr", "127.0.0.1"]  # on a port that torchrun takes and keeps
    many = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), *alone] if processes > 1 else []
    command = [sys.executable, *many, "-m", "benchtool", "--plugin", str(TOY), *arguments, "--device", "cpu"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TOY_DUMP": str(dump)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=900)


def test_two_gloo_processes_are_one_with_the_doubled_batch(dataset: Dataset, tmp_path: Path) -> None:
    runs = {}
    for processes, batch in ((2, 1), (1, 2)):
        recipe = toy_recipe(tmp_path, [TRAIN | {"batch": batch}, TUNE | {"batch": batch}])
        out, dump = tmp_path / f"run{processes}", tmp_path / f"dump{processes}"
        done = launch(["train", str(recipe), "--data", str(dataset.folder), "--out", str(out), "--workers", "0"], processes, dump)
        assert done.returncode == 0, done.stderr
        runs[processes] = (out, sorted(dump.iterdir()))
        assert done.stderr.count("trained\n") == 1, "one process speaks"
    out, ranks = runs[2]
    assert [path.name for path in ranks] == ["rank0.safetensors", "rank1.safetensors"]
    assert moved(*(load_file(path) for path in ranks)) == set(), "bit for bit"
    assert moved(load_file(ranks[0]), weights(out, stage="tune")) == set()
    for stage in ("train", "tune"):
        two, one = weights(out, stage=stage), weights(runs[1][0], stage=stage)
        assert max(float((two[name] - one[name]).abs().max()) for name in one) < 1e-6, "sums are rounded in another order"
    logs = [[line.split(",")[:5] for line in (runs[n][0] / "log.csv").read_text().splitlines()[1:]] for n in (1, 2)]
    for one, two in zip(*logs, strict=True):
        assert one[:3] == two[:3] and float(one[4]) == pytest.approx(float(two[4]), rel=1e-5), "the log's losses are of all processes"
    assert files.read_json(out / "provenance.json")[0]["processes"] == 2
