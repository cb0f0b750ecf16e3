"""Distributions as inline SVG: a histogram over a strip with every value as a dot, on one scale for all groups of a run.

Horizontal places are per cent and vertical ones pixels, so that a drawing fills any width and its texts keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

BARS, STRIP, AXIS = 130, 46, 24  # heights in pixels: of the histogram, the dots, the numbers under them
LANE = 26
MANY = 1_000  # from so many on, dots are small and faint
GOLDEN = (math.sqrt(5) - 1) / 2
TICKS, BINS = 6, 40  # at most about so many
WIDE = 10_000  # units across the parts that are stretched to the width


@dataclass(frozen=True)
class Scale:
    """A horizontal axis from `low` to `high`, marked every `tick`; histograms on it have bars of width `step`."""

    low: float
    high: float
    tick: float
    step: float

    def share(self, values: np.ndarray | float) -> np.ndarray | float:
        """Where values are, from 0 at the left to 1 at the right."""
        return (values - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """The marked values."""
        first, last = round(self.low / self.tick), round(self.high / self.tick)
        return [k * self.tick for k in range(first, last + 1)]


@dataclass(frozen=True)
class Chart:
    """A drawing, the width of its bars as printed, and how many values are in the tallest."""

    svg: Markup
    step: str
    tallest: int


def scale(values: np.ndarray) -> Scale:
    """A scale with round marks that holds all of [n] finite values, at least one."""
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - max(abs(low) * 0.05, 1e-3), high + max(abs(high) * 0.05, 1e-3)
    tick = nice((high - low) / TICKS)
    return Scale(math.floor(low / tick) * tick, math.ceil(high / tick) * tick, tick, tick / (10 if (high - low) / tick * 10 <= BINS else 5))


def nice(number: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... and their tenths that is not below a positive number.

    >>> nice(0.3), nice(7), nice(1000)
    (0.5, 10, 1000)
    """
    power = 10 ** math.floor(math.log10(number) + 1e-9)
    step = next(factor for factor in (1, 2, 5, 10) if factor * power >= number * (1 - 1e-9))
    return step * power


def plain(number: float, step: float) -> str:
    """A number with as many decimals as steps of that width need, and a true minus.

    >>> plain(-0.5, 0.25), plain(20, 5)
    ('−0.50', '20')
    """
    decimals = next((d for d in range(12) if math.isclose(round(step, d), step, rel_tol=1e-6)), 12)
    return f"{round(number, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def chart(values: np.ndarray, on: Scale, mean: float, says: str) -> Chart:
    """Histogram, dots, quartiles, median and mean of [n] finite values, at least one.

    Args:
        mean: as printed above it; not that of the values where groups count alike.
        says: what a reader who does not see it is told.
    """
    count = round((on.high - on.low) / on.step)
    counts, _ = np.histogram(values, bins=count, range=(on.low, on.high))
    width, tallest = WIDE / count, int(counts.max())
    bars = "".join(
        f"M{round(k * width)} {BARS}V{BARS - n / tallest * BARS:.1f}H{round((k + 1) * width)}V{BARS}Z" for k, n in enumerate(counts) if n
    )
    low, middle, high = (100 * on.share(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    at, y = 100 * on.share(mean), BARS + STRIP / 2
    parts = [
        *(f'<line class="rule" x1="{x:.3f}%" x2="{x:.3f}%" y1="0" y2="{BARS + STRIP}"/>' for x, _ in _marks(on)),
        _stretched(0, BARS, f'<path class="bars" d="{bars}"/>'),
        f'<line class="axis" x1="0" x2="100%" y1="{BARS}" y2="{BARS}"/>',
        _stretched(BARS + 4, STRIP - 4, _dots(values, on, STRIP - 4)),
        f'<line class="box" x1="{low:.3f}%" x2="{high:.3f}%" y1="{y}" y2="{y}"/>',
        f'<line class="middle" x1="{middle:.3f}%" x2="{middle:.3f}%" y1="{y - 8}" y2="{y + 8}"/>',
        f'<svg x="{at:.3f}%" y="{y}" overflow="visible"><path class="mean" d="M0 -6L6 0L0 6L-6 0Z"/></svg>',
        *(f'<text x="{x:.3f}%" y="{BARS + STRIP + AXIS - 6}" text-anchor="{_anchor(x)}">{text}</text>' for x, text in _marks(on)),
    ]
    return Chart(_svg(parts, BARS + STRIP + AXIS, says), plain(on.step, on.step), tallest)


def lane(values: np.ndarray, on: Scale, says: str) -> Markup:
    """A strip of the dots of [n] finite values with their quartiles, at least one."""
    low, middle, high = (100 * on.share(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    y = LANE / 2
    parts = [
        *(f'<line class="rule" x1="{x:.3f}%" x2="{x:.3f}%" y1="0" y2="{LANE}"/>' for x, _ in _marks(on)),
        _stretched(2, LANE - 4, _dots(values, on, LANE - 4)),
        f'<line class="box" x1="{low:.3f}%" x2="{high:.3f}%" y1="{y}" y2="{y}"/>',
        f'<line class="middle" x1="{middle:.3f}%" x2="{middle:.3f}%" y1="{y - 6}" y2="{y + 6}"/>',
    ]
    return _svg(parts, LANE, says)


def _marks(on: Scale) -> list[tuple[float, str]]:
    return [(100 * on.share(tick), plain(tick, on.tick)) for tick in on.ticks()]


def _anchor(x: float) -> str:
    return "start" if x < 1 else "end" if x > 99 else "middle"


def _dots(values: np.ndarray, on: Scale, height: int) -> str:
    """Every value as a point of one path; their heights only keep them apart."""
    across = np.rint(WIDE * on.share(np.sort(values))).astype(int)
    up = 3 + np.modf(np.arange(len(values)) * GOLDEN)[0] * (height - 6)
    many = " many" if len(values) >= MANY else ""
    return f'<path class="dots{many}" d="{"".join(f"M{x} {y:.0f}h0" for x, y in zip(across, up))}"/>'


def _stretched(y: float, height: int, inner: str) -> str:
    """A part whose horizontal units are those of WIDE, and whose vertical ones are pixels."""
    box = f'viewBox="0 0 {WIDE} {height}" preserveAspectRatio="none" overflow="visible"'
    return f'<svg x="0" y="{y}" width="100%" height="{height}" {box}>{inner}</svg>'


def _svg(parts: Sequence[str], height: int, says: str) -> Markup:
    """The whole; all but `says` are numbers of ours."""
    opening = Markup('<svg class="plot" role="img" aria-label="{}" height="{}">').format(says, height)
    return opening + Markup("".join(parts)) + Markup("</svg>")
