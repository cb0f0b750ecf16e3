"""The tables of docs/reproduction.md, from the measured folders of run.sh: python results/brackets256/compare.py WORK/measured

Prints Markdown, and writes comparison.json beside this file. Differences are paired, their intervals from draws of whole scenes.
"""

import sys
from pathlib import Path

import numpy as np

from benchtool.core.files import write_json
from benchtool.report.frame import Evaluation, Scores, read_results
from benchtool.report.statistics import Comparison, compare

METRICS = {"psnr:rgb-u8": ("PSNR", ".2f"), "ssim:rgb-gauss": ("SSIM", ".4f")}
GROUPS = ("under", "over", "all")
HERE = Path(__file__).parent
ROWS = {  # folder of WORK/measured -> what it is
    "identity": "input",
    "sid.train.best": "SID",
    "sid-enc.train.best": "SID with ENC",
    "sid.again.best": "SID, twice the steps",
    "sid-enc.distil.best": "SID with ENC, distilled",
    "sid-enc.tune.last": "... tuned on the worse exposure, regularised",
    "sid-enc.seq.last": "... tuned on the worse exposure, nothing else",
    "drbn.train.best": "DRBN",
    "drbn-enc-4.train.best": "DRBN with ENC",
    "drbn.again.best": "DRBN, twice the steps",
    "drbn-enc-4.distil.best": "DRBN with ENC, distilled",
    "drbn-enc-4.tune.last": "... tuned on the worse exposure, regularised",
    "drbn-enc-4.seq.last": "... tuned on the worse exposure, nothing else",
}
PAIRS = [
    ("sid-enc.train.best", "sid.train.best"),
    ("sid-enc.distil.best", "sid.again.best"),
    ("sid-enc.tune.last", "sid-enc.distil.best"),
    ("sid-enc.seq.last", "sid-enc.distil.best"),
    ("sid-enc.tune.last", "sid-enc.seq.last"),
    ("drbn-enc-4.train.best", "drbn.train.best"),
    ("drbn-enc-4.distil.best", "drbn.again.best"),
    ("drbn-enc-4.tune.last", "drbn-enc-4.distil.best"),
    ("drbn-enc-4.seq.last", "drbn-enc-4.distil.best"),
    ("drbn-enc-4.tune.last", "drbn-enc-4.seq.last"),
]


def main(measured: Path) -> None:
    """Compare what is there; rows that are not measured yet are left out."""
    found = {Path(e.run).name: e for e in read_results([measured]).evaluations}
    rows = [name for name in ROWS if name in found]
    compared = {metric: {group: _compare([found[name] for name in rows], metric, group) for group in GROUPS} for metric in METRICS}
    kept: dict = {"means": {}, "differences": {}}
    print("| |", " | ".join(f"{title} {group}" for title, *_ in METRICS.values() for group in GROUPS), "|")
    print("|---" * (1 + len(METRICS) * len(GROUPS)) + "|")
    for name in rows:
        kept["means"][name] = means = {metric: {group: _mean(found[name], metric, group) for group in GROUPS} for metric in METRICS}
        cells = [format(means[metric][group], form) for metric, (_, form) in METRICS.items() for group in GROUPS]
        print(f"| {ROWS[name]} |", " | ".join(cells), "|")
    print("\n| PSNR, difference in dB |", " | ".join(GROUPS), "|")
    print("|---" * (1 + len(GROUPS)) + "|")
    for one, other in PAIRS:
        if one not in rows or other not in rows:
            continue
        cells, i, j = [], rows.index(one), rows.index(other)
        for group in GROUPS:
            for metric, by_group in compared.items():
                difference, interval = float(by_group[group].differences[i, j]), by_group[group].interval(i, j)
                entry = {"difference": difference, "low": interval.low, "high": interval.high}
                kept["differences"].setdefault(f"{one} - {other}", {}).setdefault(metric, {})[group] = entry
                if metric == "psnr:rgb-u8":
                    cells.append(f"{difference:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})")
        print(f"| `{one}` - `{other}` |", " | ".join(cells), "|")
    write_json(HERE / "comparison.json", kept)


def _part(scores: Scores, group: str) -> np.ndarray:
    return np.full(len(scores.keys), group == "all") | (scores.subsets == group)


def _mean(evaluation: Evaluation, metric: str, group: str) -> float:
    scores = evaluation.scores(metric)
    return float(scores.values[_part(scores, group)].mean())


def _compare(evaluations: list[Evaluation], metric: str, group: str) -> Comparison:
    scores = [evaluation.scores(metric) for evaluation in evaluations]
    if any(not np.array_equal(s.keys, scores[0].keys) for s in scores):
        raise SystemExit(f"{metric}: not all were measured on the same images")
    return compare(np.stack([s.values for s in scores]), scores[0].scenes, _part(scores[0], group)[None])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
