"""Curves of a run, thinned to what a figure can show. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_POINTS = 240
"""Of a line: more are not told apart in a figure of this size."""


@dataclass(frozen=True)
class Series:
    """A line of a figure; NaN where nothing is known.

    Attributes:
        label: for people.
        color: its number among the colors of the page.
        x: images seen.
        mean: of the points that are drawn as one.
        low, high: the least and the most of these, or bounds of an interval.
        together: how many points are drawn as one.
    """

    label: str
    color: int
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    together: int = 1


def series(points: Sequence[Mapping[str, object]], metric: str, label: str, color: int) -> Series | None:
    """A metric of the points of the curves; None where they have no finite value of it.

    Args:
        points: as `read_points` gives them.
    """
    found = []
    for point in points:
        values, images = point["values"], point["images"]
        if isinstance(values, Mapping) and metric in values and isinstance(images, int):
            value = values[metric]
            finite = isinstance(value, int | float) and math.isfinite(value)
            found.append((images, float(value) if finite else math.nan))
    return thinned(found, label, color) if any(not math.isnan(value) for _, value in found) else None


def thinned(points: Sequence[tuple[float, float]], label: str, color: int) -> Series:
    """A line through points (x, value), of which at most `MOST_POINTS` are left: means of as many in a row."""
    together = math.ceil(len(points) / MOST_POINTS) or 1
    x, mean, low, high = [], [], [], []
    for first in range(0, len(points), together):
        part = points[first : first + together]
        known = [value for _, value in part if not math.isnan(value)]
        x.append(part[-1][0])
        mean.append(sum(known) / len(known) if known else math.nan)
        low.append(min(known, default=math.nan))
        high.append(max(known, default=math.nan))
    return Series(label, color, x, mean, low, high, together)
