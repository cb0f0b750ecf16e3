"""`benchtool data check`: every file against the manifest, pairs against each other, and every picture against those of other scenes."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchtool.core.manifest import Dataset, Image, Sample
from benchtool.core.pool import run_batch
from benchtool.datasets.check import alike
from benchtool.datasets.check.aligned import LOOKED_AT, Shift
from benchtool.datasets.check.read import File, SceneSeen, Seen, Task, read_scene
from benchtool.datasets.describe import target_of

SHIFTED = 1.0  # pixels, or half a pixel of what is looked at where that is more
DARKER = 0.5 / 255  # by which a longer exposure may be darker than a shorter one


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`error`) or should be known (`warning`).

    Attributes:
        kind: `missing`, `changed`, `size`, `leak` ... ; findings of a kind are shown together.
        files: the `root:path` of those concerned.
        text: what it is, with the files' names.
    """

    level: str
    kind: str
    files: tuple[str, ...]
    text: str


@dataclass
class Checked:
    """What `check` found and what it looked at.

    Attributes:
        files, pairs: numbers looked at.
        median_shift: of the clear ones, in pixels; None where there are none.
        compared: pictures compared with those of other scenes; `blank`: those that show too little for it.
    """

    quick: bool
    files: int = 0
    pairs: int = 0
    median_shift: float | None = None
    compared: int = 0
    blank: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def of(self, level: str) -> list[Finding]:
        """The findings of a level."""
        return [f for f in self.findings if f.level == level]


def check(dataset: Dataset, *, quick: bool = False, jobs: int | None = None) -> Checked:
    """Check a dataset; nothing is written, so a kill loses nothing.

    Args:
        quick: files are there and their headers are right; no hashes and no pixels.
        jobs: worker processes.
    """
    tasks = {scene: _task(dataset, samples, quick) for scene, samples in _by_scene(dataset.samples).items()}
    seen: dict[str, SceneSeen] = {}
    failures = run_batch(read_scene, list(tasks.items()), seen.__setitem__, label="check", jobs=jobs, unit="scenes")
    files = {key: found for scene in tasks if scene in seen for key, found in seen[scene].files.items()}
    shifts = {pair: shift for scene in tasks if scene in seen for pair, shift in seen[scene].shifts.items()}
    clear = [s.pixels for s in shifts.values() if s.clear]
    result = Checked(quick, len(files), len(shifts), statistics.median(clear) if clear else None)
    result.findings += [Finding("error", "unreadable", (), f"scene {f.item}: {f.reason}") for f in failures]
    result.findings += [Finding(level, kind, (key,), f"{key}: {text}") for key, one in files.items() for level, kind, text in one.problems]
    result.findings += [*_sizes(dataset.samples), *_copies(dataset.samples)]
    if not quick:
        result.findings += [*_shifted(dataset.samples, shifts), *_exposures(dataset.samples, files)]
        result.findings += _leaks(dataset.samples, files, result)
    result.findings.sort(key=lambda f: (f.level != "error", f.kind))
    return result


def _by_scene(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    found = defaultdict(list)
    for sample in samples:
        found[sample.scene].append(sample)
    return dict(found)


def images(sample: Sample) -> list[tuple[Image, str]]:
    """Its images with their encodings."""
    return [*((i, sample.encoding_in) for i in sample.inputs), *((t, sample.encoding_target) for t in sample.targets)]


def _task(dataset: Dataset, samples: list[Sample], quick: bool) -> Task:
    """The scene's files, each once, and the pairs of input and target that are trained on."""
    files: dict[str, File] = {}
    for image, encoding in (found for sample in samples for found in images(sample)):
        root = dataset.roots[image.path.partition(":")[0]]
        files.setdefault(image.path, File(image.path, root, image.sha256, image.width, image.height, encoding))
    place = {key: n for n, key in enumerate(files)}
    pairs = {(place[i.path], place[t.path]): None for s in samples if (t := target_of(dataset, s)) for i in s.inputs if i.path != t.path}
    return Task(tuple(files.values()), tuple(pairs), quick)


def _sizes(samples: Iterable[Sample]) -> Iterable[Finding]:
    """Images of one sample are trained on together, and so have one size; a raw's or an enlarged output's target may have more."""
    for sample in samples:
        first = sample.inputs[0]
        for image, _ in images(sample)[1:]:
            if (image.width, image.height) != (first.width, first.height):
                sizes = f"{first.path} is {first.width} x {first.height}, {image.path} {image.width} x {image.height}"
                yield Finding("warning", "sizes differ", (first.path, image.path), f"sample {sample.sample}: {sizes}")


def _copies(samples: Iterable[Sample]) -> Iterable[Finding]:
    """The same bytes under two names, or the same file in two splits."""
    places: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sample in samples:
        for image, _ in images(sample):
            places[image.sha256][image.path].add(sample.split)
    for names in places.values():
        splits = set().union(*names.values())
        if len(names) > 1 or len(splits) > 1:
            text = " = ".join(f"{name} ({', '.join(sorted(of))})" for name, of in sorted(names.items()))
            yield Finding("error" if len(splits) > 1 else "warning", "copies", tuple(sorted(names)), f"the same file: {text}")


def _shifted(samples: Iterable[Sample], shifts: Mapping[tuple[str, str], Shift]) -> Iterable[Finding]:
    sides = {image.path: max(image.width, image.height) for sample in samples for image, _ in images(sample)}
    for pair, shift in sorted(shifts.items(), key=lambda item: -item[1].pixels):
        names = f"{pair[1]} against {pair[0]}"
        if not shift.clear:
            text = f"{names}: cannot be aligned: too dark, too bright, or not the same scene"
            yield Finding("warning", "not aligned", pair, text)
        elif shift.pixels > max(SHIFTED, 0.5 * sides[pair[0]] / LOOKED_AT):
            text = f"{names}: shifted by {shift.pixels:.1f} pixels ({shift.right:+.1f} right, {shift.down:+.1f} down)"
            yield Finding("warning", "shifted", pair, text)


def _exposures(samples: Iterable[Sample], files: Mapping[str, Seen]) -> Iterable[Finding]:
    """A longer exposure of a scene is no darker than a shorter one, where exposures are known."""
    shots: dict[tuple[str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for sample in samples:
        for image in sample.inputs:
            if image.ev is not None and image.path in files and (level := files[image.path].level) is not None:
                shots[sample.scene, sample.encoding_in][image.path] = (image.ev, level)
    for (scene, _), found in shots.items():
        ordered = sorted(found.items(), key=lambda item: item[1])
        for (a, (ev_a, level_a)), (b, (ev_b, level_b)) in itertools.pairwise(ordered):
            if ev_a < ev_b and level_b < level_a - DARKER:
                text = f"scene {scene}: {b} at {ev_b:+g} EV is darker ({level_b:.3f}) than {a} at {ev_a:+g} EV ({level_a:.3f})"
                yield Finding("error", "exposures", (a, b), text)


def _leaks(samples: Iterable[Sample], files: Mapping[str, Seen], result: Checked) -> Iterable[Finding]:
    """Pictures of one scene under the names of two, whatever their exposure, also turned or mirrored."""
    of: dict[str, tuple[Image, Sample]] = {}
    for sample in samples:  # equal files are told of by `_copies`
        for image, _ in images(sample):
            if image.path in files and files[image.path].looks is not None:
                of.setdefault(image.sha256, (image, sample))
    shown = list(of.values())
    prints = [files[image.path].looks for image, _ in shown]
    result.blank = [image.path for (image, _), one in zip(shown, prints) if one.waves is None]
    result.compared = len(prints) - len(result.blank)
    for match in alike.find(prints, [sample.scene for _, sample in shown]):
        pair = [shown[match.candidate.first], shown[match.candidate.second]]
        (a, b), turn = pair, alike.TURNS[match.candidate.turn]
        names = " and ".join(f"{image.path} ({sample.split}, scene {sample.scene})" for image, sample in pair)
        across = "in two splits" if a[1].split != b[1].split else "under two names"
        says = f"show the same scene, {across}" if match.sure else "may show the same scene"
        text = f"{names} {says}; the second {turn}, agreement {match.agreement:.2f}"
        yield Finding("error" if match.sure else "warning", "leak" if match.sure else "alike", (a[0].path, b[0].path), text)


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by `level: kind`, errors first."""
    found = defaultdict(list)
    for finding in findings:
        found[f"{finding.level}: {finding.kind}"].append(finding)
    return dict(found)
