"""Which trial is the best when most were cut early: pure.

Values are compared only after the same number of images. Trials that went further rank first, as they do in successive
halving (Jamieson and Talwalkar, 2016) and in how Optuna treats pruned trials; among those that went equally far, the
one with the better value. So a trial that was cut early never beats a longer one by a value after fewer images; if it
was ahead of it after the same number, `remarks` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.objective import Objective

REMARKS = 3
"""How many trials that were ahead of the best one are named at most."""

ValuesByTrial = Mapping[int, Mapping[int, float]]
"""Values of the objective by the images at which they are compared, for each trial by its number."""


@dataclass(frozen=True)
class Placed:
    """A trial's place in the ranking.

    Attributes:
        number: number of the trial.
        rank: 1 is the best; equal ones share a rank.
        at: images at which it is compared: the most at which it has a value.
        value: its value there.
    """

    number: int
    rank: int
    at: int
    value: float


def ranking(values_by_trial: ValuesByTrial, objective: Objective) -> list[Placed]:
    """The trials that have a value, best first; among equal ones, the lower number first."""
    sign = -1 if objective.mode == "max" else 1
    last = {number: max(values) for number, values in values_by_trial.items() if values}
    order = sorted(last, key=lambda number: (-last[number], sign * values_by_trial[number][last[number]], number))
    placed: list[Placed] = []
    for position, number in enumerate(order, start=1):
        at, value = last[number], values_by_trial[number][last[number]]
        level = placed and (placed[-1].at, placed[-1].value) == (at, value)
        placed.append(Placed(number, placed[-1].rank if level else position, at, value))
    return placed


def remarks(values_by_trial: ValuesByTrial, objective: Objective) -> list[str]:
    """Lines about the best trial: which others tie with it, and which were ahead of it before they were cut."""
    placed = ranking(values_by_trial, objective)
    if not placed:
        return []
    best, lines = placed[0], []
    level = [str(one.number) for one in placed if one.rank == 1]
    if len(level) > 1:
        lines.append(f"trials {' and '.join(level)} are level at {best.at:,} images: the first of them is taken")
    ahead = [
        (one.number, at, values_by_trial[one.number][at], values_by_trial[best.number][at])
        for one in placed
        if one.at < best.at
        for at in [max(set(values_by_trial[one.number]) & set(values_by_trial[best.number]), default=0)]
        if at and not objective.better(values_by_trial[best.number][at], values_by_trial[one.number][at])
    ]
    for number, at, theirs, ours in ahead[:REMARKS]:
        how = "level with" if theirs == ours else "ahead of"
        lines.append(
            f"trial {number} was {how} trial {best.number} at {at:,} images ({objective.show(theirs)} and "
            f"{objective.show(ours)}), but was not trained to {best.at:,}"
        )
    if len(ahead) > REMARKS:
        lines.append(f"so were {len(ahead) - REMARKS} more: results.csv has all values")
    return lines


def shared_marks(values_by_trial: ValuesByTrial) -> list[int]:
    """Images at which trials can be shown side by side: the most at which all have a value, and the most any reached.

    One number if the two are the same, none if no trial has a value.
    """
    every: Sequence[Mapping[int, float]] = [values for values in values_by_trial.values() if values]
    if not every:
        return []
    common = set(every[0]).intersection(*every[1:])
    return sorted({max(common, default=0), max(max(values) for values in every)} - {0})
