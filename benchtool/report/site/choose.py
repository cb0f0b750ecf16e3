"""Which scenes the site shows: the worst, median and best of each method, by the first metric of its protocol.

Only evaluations of one edition (the same data, split, protocol and target) are shown, and chosen from, together.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from benchtool.core import catalog
from benchtool.core.spec import MetricSpec
from benchtool.report.frame import Evaluation

KINDS = ("worst", "median", "best")
PER_KIND = 20
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,()+@=-]{0,79}")
_TAKEN = ("index", "con", "prn", "aux", "nul")  # the gallery's, and names Windows keeps for itself


@dataclass(frozen=True, order=True)
class Edition:
    """What evaluations must have in common to be shown side by side; `target` is "" where they have none."""

    dataset: str
    variant: str
    fingerprint: str
    split: str
    protocol: str
    protocol_sha256: str
    target: str

    @property
    def role(self) -> str:
        """The target that is shown."""
        return shown_role(self.target)

    @property
    def folder(self) -> str:
        """A short name, the same in every build, that no other edition has."""
        digest = hashlib.sha256("\0".join(astuple(self)).encode()).hexdigest()
        return f"{file_names([self.dataset])[self.dataset]}-{digest[:8]}"


def shown_role(target: str) -> str:
    """Of several targets, `expert_a+expert_b+expert_c`, the one that pages show and give the figures of: expert C, else the first."""
    roles = target.split("+")
    return "expert_c" if "expert_c" in roles else roles[0]


def editions(evaluations: Iterable[Evaluation]) -> dict[Edition, dict[str, Evaluation]]:
    """Edition -> label -> evaluation, sorted by both."""
    found: dict[Edition, list[Evaluation]] = {}
    for evaluation in evaluations:
        e = evaluation.entry
        edition = Edition(e.dataset, e.variant, e.fingerprint, e.split, e.protocol, e.protocol_sha256, e.target or "")
        found.setdefault(edition, []).append(evaluation)
    return {edition: dict(sorted(zip(labels(found[edition]), found[edition]))) for edition in sorted(found)}


def labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """What each is called: its recipe or method; with its run's folder, and then its number, where others are called the same."""
    names = [e.summary.recipe or e.summary.method for e in evaluations]
    for finer in (lambda e: e.folder.name, lambda e: e.entry.checkpoint or "no checkpoint", lambda e: str(evaluations.index(e) + 1)):
        again = Counter(names)
        names = [f"{name} ({finer(e)})" if again[name] > 1 else name for name, e in zip(names, evaluations)]
    return names


def metric_spec(key: str) -> MetricSpec | None:
    """What is known of the metric of a variant `psnr:rgb-u8`; None for one of a plugin that is not there."""
    name = key.partition(":")[0]
    return catalog.facts("metrics", name) if name in catalog.entries("metrics") else None


def metric_keys(evaluation: Evaluation) -> list[str]:
    """The metric variants it was scored by: those of its protocol in their order, then the others."""
    pairs = evaluation.table.select(["metric", "variant"]).group_by(["metric", "variant"], use_threads=False).aggregate([]).to_pylist()
    measured = [f"{pair['metric']}:{pair['variant']}" for pair in pairs]
    if (protocol := evaluation.protocol) is None:  # of another version of benchtool: its order is not known
        return measured
    first = [key for key in (*protocol.metrics, *protocol.extra) if key in measured]
    return first + [key for key in measured if key not in first]


def deciding_metric(evaluation: Evaluation) -> str | None:
    """The first of its metrics whose direction is known: scenes are chosen by it; None where there is none."""
    return next((key for key in metric_keys(evaluation) if metric_spec(key)), None)


def scene_values(evaluation: Evaluation, metric: str) -> dict[str, float]:
    """Scene -> mean over its samples, as in the tables (finite values alone); scenes without any are left out."""
    scores = evaluation.scores(metric)
    if scores is None:
        return {}
    names = sorted(evaluation.table["scene"].unique().to_pylist())
    valid = ~np.isnan(scores.values)
    counts = np.bincount(scores.scenes[valid], minlength=len(names))
    sums = np.bincount(scores.scenes[valid], scores.values[valid], len(names))
    return {name: float(total / count) for name, total, count in zip(names, sums, counts) if count}


def choose(values: Mapping[str, float], higher_is_better: bool, per_kind: int = PER_KIND) -> dict[str, list[str]]:
    """Kind -> its scenes, from worse to better; equal values are in the order of their names.

    With fewer than three times `per_kind` scenes, a third are the worst, a third the best, and all between them the median ones.

    Args:
        values: scene -> value.
        per_kind: scenes of each kind, at least 1.
    """
    if not values:
        return {kind: [] for kind in KINDS}
    ordered = sorted(values, key=lambda scene: (values[scene] if higher_is_better else -values[scene], scene))
    count = len(ordered)
    if 3 * per_kind > count:
        ends = max(1, count // 3)
        middle = ordered[ends : count - ends] or ordered[(count - 1) // 2 : (count + 1) // 2]
    else:
        ends, begin = per_kind, (count - per_kind) // 2
        middle = ordered[begin : begin + per_kind]
    return {"worst": ordered[:ends], "median": middle, "best": ordered[-ends:]}


def chosen_scenes(methods: Mapping[str, Evaluation], per_kind: int | None) -> dict[str, dict[str, list[str]]]:
    """Scene -> label -> the kinds it was chosen for, sorted by scene.

    Args:
        methods: label -> evaluation, of one edition.
        per_kind: scenes of each kind; every scene where None, those of the default number marked.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for label, evaluation in methods.items():
        if per_kind is None:
            for scene in evaluation.table["scene"].unique().to_pylist():
                found.setdefault(scene, {})
        metric = deciding_metric(evaluation)
        if metric is None:
            continue
        values = scene_values(evaluation, metric)
        for kind, scenes in choose(values, metric_spec(metric).higher_is_better, per_kind or PER_KIND).items():
            for scene in scenes:
                found.setdefault(scene, {}).setdefault(label, []).append(kind)
    return dict(sorted(found.items()))


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> what its file, and its place on a page, is called: itself, or a hash where that would not do everywhere.

    Never equal but for case: a site may be copied to a disk that knows no difference.
    """
    found: dict[str, str] = {}
    used = set(_TAKEN)
    for name in sorted(set(names)):
        plain = _PLAIN.fullmatch(name) and not name.endswith(".") and name.lower() not in used
        found[name] = name if plain else f"x-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        used.add(found[name].lower())
    return found
