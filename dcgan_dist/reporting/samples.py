"""Which grids of samples a report shows: the newest, and some from the beginning on, all of the same z. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_FRAMES = 10
"""The page's style sheet has as many positions of the slider."""
_GRID = re.compile(r"([0-9]{9,})-(raw|averaged)\.png")


@dataclass(frozen=True, order=True)
class Grid:
    """A grid of samples.

    Attributes:
        images: that had been seen.
        kind: of the generator that drew it, `raw` or `averaged`.
        file: its name.
    """

    images: int
    kind: str
    file: str


def grids(names: Sequence[str]) -> list[Grid]:
    """The grids among the files in `samples/`, oldest first; the averaged generator's where both drew one."""
    matches = [match for name in names if (match := _GRID.fullmatch(name))]
    found: dict[int, Grid] = {}
    for match in sorted(matches, key=lambda one: one[2], reverse=True):  # raw, then averaged
        found[int(match[1])] = Grid(int(match[1]), match[2], match[0])
    return [found[images] for images in sorted(found)]


def frames(every: Sequence[Grid], most: int = MOST_FRAMES) -> list[Grid]:
    """At most so many of them, evenly by their order: the first and the last are among them."""
    if len(every) <= most:
        return list(every)
    return [every[round(place * (len(every) - 1) / (most - 1))] for place in range(most)]
