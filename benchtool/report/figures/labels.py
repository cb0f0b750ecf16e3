"""Names beside points, so that no name covers another name or a point: the nearest free place around each, a line to it if far."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REACHES = (5, 8, 12, 17, 23, 30, 38, 47, 57, 68, 80, 95, 110)  # points from a mark's centre to its name
ANGLES = (0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 67, 113, 247, 293)  # degrees; to the right is read most easily
FAR = 12  # a name further away gets a line to its mark
PAD = 1.0  # points kept free around a name
Box = tuple[float, float, float, float]  # left, bottom, right, top in pixels


def place_labels(
    axes: Axes, labels: Sequence[tuple[str, float, float, str]], obstacles: Sequence[Box], lines: Sequence[Box] = (), size: float = 6
) -> list[str]:
    """Write the (text, x, y, colour) labels beside their points of data; returns the texts for which no free place was found.

    Limits and scales of `axes` must be final. Crowded points choose first; what is written already keeps its place.

    Args:
        obstacles: boxes in pixels that names must not cover: marks, error bars.
        lines: what they cover only where there is no other place.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(axes.figure).get_renderer()
    pixels = axes.figure.dpi / 72
    inside = axes.get_window_extent(renderer).extents
    written_before = [text.get_window_extent(renderer).extents for text in axes.texts if text.get_text()]
    taken: list[Box] = [*obstacles, *written_before]
    homeless = []
    places = [axes.transData.transform((x, y)) for _, x, y, _ in labels]
    for n in sorted(range(len(labels)), key=lambda n: _room(places, n)):
        text, x, y, colour = labels[n]
        written = axes.annotate(
            text, (x, y), (0, 0), textcoords="offset points", size=size, color=colour, ha="center", va="center", zorder=6
        )
        written.set_gid(f"label:{text}")
        box = written.get_window_extent(renderer)
        half = (box.width / 2 / pixels + PAD, box.height / 2 / pixels + PAD)
        for avoided, reach, dx, dy in ((avoided, *offset) for avoided in ((*taken, *lines), taken) for offset in _offsets(half)):
            left, bottom = places[n][0] + (dx - half[0]) * pixels, places[n][1] + (dy - half[1]) * pixels
            wanted = (left, bottom, left + 2 * half[0] * pixels, bottom + 2 * half[1] * pixels)
            if _within(wanted, inside) and not any(_overlap(wanted, other) for other in avoided):
                break
        else:
            written.remove()
            homeless.append(text)
            continue
        written.set_position((dx, dy))
        taken.append(wanted)
        if reach > FAR:
            edge = [math.copysign(max(abs(centre) - h, 0), centre) for centre, h in zip((dx, dy), half)]  # where the name begins
            line = {"arrowstyle": "-", "color": colour, "lw": 0.4, "alpha": 0.7, "shrinkA": 0, "shrinkB": 2.5}
            axes.annotate("", (x, y), edge, textcoords="offset points", arrowprops=line, zorder=2)
    return homeless


def _room(places: Sequence[Sequence[float]], n: int) -> float:
    """The distance to the nearest other point."""
    return min((math.dist(places[n], other) for k, other in enumerate(places) if k != n), default=math.inf)


def _offsets(half: tuple[float, float]) -> Iterator[tuple[float, float, float]]:
    """(reach, dx, dy): where a name's centre may stand relative to its point, in points, nearest first."""
    for reach in REACHES:
        for angle in ANGLES:
            cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            yield reach, cosine * (reach + half[0]), sine * (reach + half[1])


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _within(box: Box, outer: Box) -> bool:
    return outer[0] <= box[0] and outer[1] <= box[1] and box[2] <= outer[2] and box[3] <= outer[3]
