"""Whether a claim holds, by what was measured of runs of both of its arms; pure.

Runs fail in many ways, some of them much worse than others, so that their numbers are far from normal: with Student's
interval one failed run of five hides any effect. What counts here is their order alone: the interval of the difference
is that of Wilcoxon's rank sum test, exact for any distribution (Hodges and Lehmann, 1963). With so few runs the
bootstrap is no way to get one: of five pairs all differences have the same sign in one of 16 cases where the arms are
equal, and then no resample has the other one, at whatever confidence.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dcgan_dist.errors import SettingsError

Better = Literal["max", "min"]
Verdict = Literal["holds", "does not hold", "cannot tell"]
CONFIDENCE = 0.95
"""That no claim of the table gets a verdict by chance alone."""


@dataclass(frozen=True)
class Effect:
    """By how much the arm that a claim is for is the better one.

    Attributes:
        size: in the unit of what was measured; above 0: better.
        low: lower bound of it; None: there are too few numbers for any.
        high: upper bound, likewise.
    """

    size: float
    low: float | None
    high: float | None


def effect(
    ours: Sequence[float | None], others: Sequence[float | None], better: Better, worst: float, claims: int
) -> Effect:
    """The effect that a claim says there is: the median of the differences of each run of ours to each of the others.

    Args:
        ours: of each run of the arm that the claim is for, at least one, what was measured; None: the run has failed.
        others: the same of the other arm.
        better: which end of the measure is the better one.
        worst: value that stands for a run that has failed.
        claims: number of claims that are judged together, which widens the interval (Bonferroni).
    """
    sign = 1 if better == "max" else -1
    both = itertools.product(ours, others)
    differences = sorted(sign * (_or_worst(one, worst) - _or_worst(other, worst)) for one, other in both)
    place = _left_out(len(ours), len(others), claims)
    bounds = (None, None) if place is None else (differences[place], differences[-1 - place])
    return Effect(statistics.median(differences), *bounds)


def paired_effect(ours: Sequence[float], others: Sequence[float], claims: int) -> Effect:
    """The mean difference of pairs that have nearly everything in common, of which more is better, with Student's
    interval. There is none where there is but one pair, nor where all differences are the same: numbers that were
    rounded, or that are as good as can be, say nothing of chance.

    Args:
        ours: of our arm, at least one.
        others: of the other one, in the order of their partners.
        claims: see `effect`.

    Raises:
        SettingsError: SciPy is not installed.
    """
    differences = [one - other for one, other in zip(ours, others, strict=True)]
    mean = statistics.fmean(differences)
    # Compared as numbers of few digits: 0.3 - 0.2 is not 0.2 - 0.1.
    if len({round(difference, 9) for difference in differences}) == 1:
        return Effect(mean, None, None)
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    half = _students_t(1 - (1 - CONFIDENCE) / claims, len(differences) - 1) * error
    return Effect(mean, mean - half, mean + half)


def verdict(found: Effect) -> Verdict:
    """What an effect says of its claim."""
    if found.low is not None and found.low > 0:
        return "holds"
    return "does not hold" if found.high is not None and found.high < 0 else "cannot tell"


def redrawn(values: Sequence[float | None], first: int, better: Better, worst: float, claims: int) -> tuple[int, int]:
    """Runs of equal arms, parted into two arms anew in all ways: how often that gets a verdict, and how many ways there
    are. What differs from 0 by chance alone gets one in at most `1 - CONFIDENCE` of the ways.

    Args:
        values: of each run.
        first: runs of the first arm.
        better, worst, claims: see `effect`.
    """
    told = ways = 0
    for places in map(set, itertools.combinations(range(len(values)), first)):
        ours = [values[place] for place in places]
        others = [value for place, value in enumerate(values) if place not in places]
        told += verdict(effect(ours, others, better, worst, claims)) != "cannot tell"
        ways += 1
    return told, ways


@cache
def _left_out(ours: int, others: int, claims: int) -> int | None:
    """How many of the sorted differences lie outside of the interval at each end; None: even all of them make none."""
    orders = _orders(ours, others)
    # The interval from the (k + 1)-th to the (k + 1)-th last one misses where k of the pairs or fewer are out of order.
    misses = itertools.accumulate(2 * number / math.comb(ours + others, ours) for number in orders)
    left_out = sum(1 for chance in misses if chance <= (1 - CONFIDENCE) / claims) - 1
    return left_out if left_out >= 0 else None


def _orders(ours: int, others: int) -> list[int]:
    """In how many of all orders of the runs of two arms k pairs of them are out of order: [ours * others + 1]."""
    found = [1] + [0] * (ours * others)
    # The coefficients of Gauss's binomial: for each run of ours a product with one polynomial, and a division by one.
    for run in range(1, ours + 1):
        for k in range(len(found) - 1, others + run - 1, -1):
            found[k] -= found[k - others - run]
        for k in range(run, len(found)):
            found[k] += found[k - run]
    return found


def _or_worst(value: float | None, worst: float) -> float:
    return worst if value is None else value


def _students_t(confidence: float, freedom: int) -> float:
    """How many standard errors an interval of this confidence reaches to either side."""
    try:
        from scipy.stats import t  # an extra
    except ImportError as error:
        raise SettingsError("intervals of pairs need SciPy: pip install 'dcgan-dist[sweep]'") from error
    return float(t.ppf((1 + confidence) / 2, freedom))
