"""How different candidate pairs are, with random pairs beside them: counts, and where their bars stand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 600, 465
LEFT, RIGHT = 70, 585
"""Where bars begin and end."""
TOPS, PANEL = (46, 252), 160
"""Upper ends of the two panels, and their height."""
_LEAST = 0.5
"""Where the logarithmic axis of counts begins, so that a single pair has a bar."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Pairs by how different they are.

    Attributes:
        edges: float64 [b + 1], ascending: bin i holds the differences d with edges[i] < d <= edges[i + 1]; the first
            and the last bin are open. The threshold should be one of them, so that no bar is on both of its sides.
        candidates: int64 [b], candidate pairs, the duplicate pairs among them.
        random: int64 [b], pairs of images that were drawn at random, so that nearly all show different things.
    """

    edges: NDArray[np.float64]
    candidates: NDArray[np.int64]
    random: NDArray[np.int64]

    def __post_init__(self) -> None:
        bins = (len(self.edges) - 1,)
        if (
            bins[0] < 1
            or self.candidates.shape != bins
            or self.random.shape != bins
            or (np.diff(self.edges) <= 0).any()
        ):
            raise ValueError("a histogram needs ascending edges, one more than it has counts")


def counted(differences: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64 [b]: how many differences are in each bin; those beyond the edges are in the first and the last one.

    Raises:
        ValueError: one of them is not a number.
    """
    if np.isnan(differences).any():
        raise ValueError("a difference is not a number")
    # In the precision of the differences, as they are compared with the threshold: as float32, 0.1 is more than 0.1.
    places = np.searchsorted(edges.astype(differences.dtype), differences) - 1
    return np.bincount(np.clip(places, 0, len(edges) - 2), minlength=len(edges) - 1)


@dataclass(frozen=True)
class Bar:
    """One bar, in units of the SVG; `duplicates`: it is on that side of the threshold."""

    x: float
    y: float
    width: float
    height: float
    duplicates: bool
    told: str


@dataclass(frozen=True)
class Tick:
    """Where a number of an axis stands."""

    at: float
    text: str


@dataclass(frozen=True)
class Panel:
    """The bars of one kind of pairs, and the ticks of their counts."""

    title: str
    top: float
    bars: Sequence[Bar]
    ticks: Sequence[Tick]


@dataclass(frozen=True)
class Drawing:
    """Two panels over one axis of differences.

    Attributes:
        panels: candidate pairs, random pairs; both have the same axis of counts.
        ticks: of the axis of differences.
        threshold: where it is; None where it is beyond the axis.
    """

    panels: Sequence[Panel]
    ticks: Sequence[Tick]
    threshold: float | None


def drawing(histogram: Histogram, threshold: float) -> Drawing:
    """Where everything stands. Candidate pairs up to the threshold are duplicates."""
    edges = histogram.edges
    low, high = float(edges[0]), float(edges[-1])
    # One scale for both, so that heights can be compared.
    most = max(int(histogram.candidates.max()), int(histogram.random.max()), 1)

    def x(value: float) -> float:
        return round(float(LEFT + (RIGHT - LEFT) * (value - low) / (high - low)), 1)

    def height(number: float) -> float:
        return round(PANEL * math.log(number / _LEAST) / math.log(most / _LEAST), 1)

    panels = []
    for title, top, counts in (
        ("Candidate pairs", TOPS[0], histogram.candidates),
        ("Random pairs of different images", TOPS[1], histogram.random),
    ):
        base = top + PANEL
        bars = [
            Bar(
                x(edges[i]),
                base - height(number),
                # A gap between bars, but none that makes a narrow one disappear.
                max(0.5, round(x(edges[i + 1]) - x(edges[i]) - 1, 1)),
                height(number),
                bool(title == "Candidate pairs" and (edges[i] + edges[i + 1]) / 2 <= threshold),
                f"{span(edges, i)}: {number:,}",
            )
            for i, number in enumerate(counts.tolist())
            if number
        ]
        powers = range(math.floor(math.log10(most)) + 1)
        step = max(1, math.ceil(len(powers) / 6))
        panels.append(Panel(title, top, bars, [Tick(base - height(10**p), short_power(p)) for p in powers[::step]]))
    ticks = [Tick(x(value), f"{value:g}") for value in round_values(low, high)]
    return Drawing(panels, ticks, x(threshold) if low <= threshold <= high else None)


def short_power(power: int) -> str:
    """10 to the power, in few letters: 1, 10, 100, 1k and so on."""
    return f"{10 ** (power % 3)}{('', 'k', 'M', 'G', 'T')[power // 3]}"


def span(edges: NDArray[np.float64], bin_number: int) -> str:
    """What differences a bin holds, for people."""
    low, high = f"{edges[bin_number]:.3g}", f"{edges[bin_number + 1]:.3g}"
    return f"{low} and more" if bin_number == len(edges) - 2 else f"{low} to {high}"


def round_values(low: float, high: float) -> list[float]:
    """Four to ten round numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10((high - low) / 4))
    step = max(power * factor for factor in (1, 2, 5) if power * factor * 4 <= high - low)
    first = math.ceil(low / step - 1e-9)
    # Rounded: 3 times 0.1 is not 0.3.
    return [round((first + i) * step, 12) for i in range(math.floor(high / step + 1e-9) - first + 1)]
