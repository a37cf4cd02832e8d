"""Which trial is the best, where most were cut early: pure.

Values are compared only where they are of equally many images. Trials that went further stand in front, as they do in
successive halving (Jamieson and Talwalkar, 2016) and in Optuna's account of pruned trials; of those that went equally
far the one with the better value does. So a trial that was cut early never beats a longer one by a value of fewer
images; where it was ahead of it at equally many, `remarks` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.objective import Objective

REMARKS = 3
"""Trials that are named as having been ahead of the best, at most."""

Found = Mapping[int, Mapping[int, float]]
"""Of each trial, by number, its values by the images at which they are compared."""


@dataclass(frozen=True)
class Placed:
    """A trial's place.

    Attributes:
        number: of the trial.
        rank: 1 is the best; equal ones share a rank.
        at: images at which it is compared: the most at which it has a value.
        value: that one.
    """

    number: int
    rank: int
    at: int
    value: float


def ranking(found: Found, objective: Objective) -> list[Placed]:
    """The trials that have a value, the best first; of equal ones the one with the lower number."""
    sign = -1 if objective.mode == "max" else 1
    last = {number: max(values) for number, values in found.items() if values}
    order = sorted(last, key=lambda number: (-last[number], sign * found[number][last[number]], number))
    placed: list[Placed] = []
    for position, number in enumerate(order, start=1):
        at, value = last[number], found[number][last[number]]
        level = placed and (placed[-1].at, placed[-1].value) == (at, value)
        placed.append(Placed(number, placed[-1].rank if level else position, at, value))
    return placed


def remarks(found: Found, objective: Objective) -> list[str]:
    """What has to be said of the best trial: which others are level with it, and which were ahead of it once."""
    placed = ranking(found, objective)
    if not placed:
        return []
    best, told = placed[0], []
    level = [str(one.number) for one in placed if one.rank == 1]
    if len(level) > 1:
        told.append(f"trials {' and '.join(level)} are level at {best.at:,} images: the first of them is taken")
    ahead = [
        (one.number, at, found[one.number][at], found[best.number][at])
        for one in placed
        if one.at < best.at
        for at in [max(set(found[one.number]) & set(found[best.number]), default=0)]
        if at and not objective.better(found[best.number][at], found[one.number][at])
    ]
    for number, at, theirs, ours in ahead[:REMARKS]:
        how = "level with" if theirs == ours else "ahead of"
        told.append(
            f"trial {number} was {how} trial {best.number} at {at:,} images ({objective.show(theirs)} and "
            f"{objective.show(ours)}), but was not trained to {best.at:,}"
        )
    if len(ahead) > REMARKS:
        told.append(f"so were {len(ahead) - REMARKS} more: results.csv has all values")
    return told


def shared_marks(found: Found) -> list[int]:
    """Images at which trials can be shown side by side: the most that all have a value at, and the most that any has.

    One number where they are the same, none where no trial has a value.
    """
    every: Sequence[Mapping[int, float]] = [values for values in found.values() if values]
    if not every:
        return []
    common = set(every[0]).intersection(*every[1:])
    return sorted({max(common, default=0), max(max(values) for values in every)} - {0})
