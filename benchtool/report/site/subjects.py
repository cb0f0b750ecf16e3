"""What the site has figures of: evaluations, their metrics, and the parts of their images that figures are means over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchtool.papers.model import Group
from benchtool.report.fill import entrant
from benchtool.report.frame import Evaluation, Scores
from benchtool.report.paired import Entrant
from benchtool.report.schema import printable
from benchtool.report.site.choose import Edition, editions, file_names, metric_keys, metric_spec
from benchtool.report.site.scenes import ScenePage

DECIMALS = 4  # of metrics that are not known here


@dataclass(frozen=True)
class Part:
    """A group of the images, compared with some of the targets; `targets` is empty for all there are."""

    group: Group
    targets: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others; titles differ between papers."""
        return (self.group.key, *self.group.mean_of, "", *self.targets)

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        title = "all images" if self.group.key == ALL.group.key and not self.group.mean_of else self.group.title.lower()
        title += f" (mean of {', '.join(self.group.mean_of)})" if self.group.mean_of else ""
        return printable(title + (f", {', '.join(self.targets)}" if self.targets else ""))


ALL = Part(Group("all images", "all"))


@dataclass(eq=False)
class Subject:
    """An evaluation as the site speaks of it.

    Attributes:
        label: what it is called, different from all others of its edition.
        folder: of its distributions, relative to the site.
        anchors: sample -> where its pictures are, relative to the site.
        parts: key -> what its images are divided into, and what papers' tables divide them into.
        used: (metric variant, key of a part) -> (title, address) of the tables that print the figure.
    """

    evaluation: Evaluation
    edition: Edition
    label: str
    folder: str
    anchors: Mapping[str, str]
    metrics: list[str]
    parts: dict[tuple[str, ...], Part]
    used: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def edition_text(self) -> str:
        """What it was measured on and by."""
        e = self.edition
        target = f", target {e.target}" if e.target else ""
        return f"{e.dataset} ({e.variant}), {e.split} split, protocol {e.protocol}{target}"

    def entrant(self, part: Part, scores: Scores) -> Entrant:
        """The scores of a part, as tables form means of them."""
        every = tuple(role for role in self.evaluation.entry.roles if role)
        return entrant(part.group, part.targets or every, scores, self.evaluation)

    def use(self, metric: str, group: Group, targets: Sequence[str], title: str, href: str) -> str:
        """Note that a table prints a figure; returns the address of its distribution."""
        every = set(targets) == {role for role in self.evaluation.entry.roles if role}
        part = Part(group, () if every else tuple(targets))
        part = self.parts.setdefault(part.key, part)
        tables = self.used.setdefault((metric, part.key), [])
        if (title, href) not in tables:
            tables.append((title, href))
        return self.href(metric, part)

    def href(self, metric: str, part: Part = ALL) -> str:
        """The address of a distribution, relative to the site."""
        name = ".".join(word for word in (metric.replace(":", "-"), *part.key) if word)
        return f"{self.folder}/{file_names([name])[name]}.html"


@dataclass(frozen=True)
class MetricView:
    """What a page says of a metric variant; `direction` is `higher` or `lower`, "" where it is not known."""

    key: str
    title: str
    unit: str
    direction: str
    says: str
    decimals: int


def subjects(evaluations: Sequence[Evaluation], pages: Iterable[ScenePage]) -> list[Subject]:
    """The evaluations, by edition and label, each with what it leads to."""
    pages = list(pages)
    found = []
    for edition, methods in editions(evaluations).items():
        begin = f"scenes/{edition.folder}/"
        anchors = {sample: href for page in pages if page.href.startswith(begin) for sample, href in page.anchors.items()}
        files = file_names(methods)
        for label, evaluation in methods.items():
            parts = [ALL] + [Part(Group(key, key)) for key in evaluation.entry.exposure_groups]
            folder = f"scores/{edition.folder}/{files[label]}"
            by_key = {part.key: part for part in parts}
            found.append(Subject(evaluation, edition, printable(label), folder, anchors, metric_keys(evaluation), by_key))
    return found


def metric_view(key: str) -> MetricView:
    """The facts of a metric variant; bare where it is a plugin's that is not there."""
    spec, (name, _, variant) = metric_spec(key), printable(key).partition(":")
    if spec is None:
        return MetricView(printable(key), name, "", "", "", DECIMALS)
    direction = "higher" if spec.higher_is_better else "lower"
    return MetricView(printable(key), spec.title, spec.unit, direction, spec.variants.get(variant, ""), spec.decimals)
