"""Whether a claim holds, by what was measured of runs of both of its arms; pure.

Runs of the same seed have the same data in the same order and the same z, so they are compared in pairs. The interval
of the mean difference is Student's. With the few seeds that are affordable the bootstrap is no way to get one: of five
differences all have the same sign in one of 16 cases where the arms are equal, and then no resample has the other one,
at whatever confidence.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dcgan_dist.errors import SettingsError

Better = Literal["max", "min"]
Verdict = Literal["holds", "does not hold", "cannot tell"]
CONFIDENCE = 0.95
"""That no claim of the table gets a verdict by chance alone."""
LEAST_PAIRS = 3


@dataclass(frozen=True)
class Effect:
    """By how much the arm that a claim is for is the better one.

    Attributes:
        mean: of the differences, in the unit of what was measured; above 0: better.
        low: lower bound of it.
        high: upper bound.
        pairs: runs of each arm.
    """

    mean: float
    low: float
    high: float
    pairs: int


def effect(
    ours: Sequence[float | None], others: Sequence[float | None], better: Better, worst: float, claims: int
) -> Effect:
    """The effect that a claim says there is.

    Args:
        ours: of each run of the arm that the claim is for, what was measured; None: the run has failed.
        others: the same of the other arm, in the order of the same seeds.
        better: which end of the measure is the better one.
        worst: value that stands for a run that has failed.
        claims: number of claims that are judged together, which widens the interval (Bonferroni).

    Raises:
        ValueError: there are fewer than `LEAST_PAIRS` pairs.
    """
    if len(ours) < LEAST_PAIRS:
        raise ValueError(f"{len(ours)} pairs of runs say nothing: {LEAST_PAIRS} are needed")
    sign = 1 if better == "max" else -1
    both = zip(ours, others, strict=True)
    differences = [sign * (_or_worst(one, worst) - _or_worst(other, worst)) for one, other in both]
    mean = statistics.fmean(differences)
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    half = _students_t(1 - (1 - CONFIDENCE) / claims, len(differences) - 1) * error
    return Effect(mean, mean - half, mean + half, len(differences))


def verdict(found: Effect) -> Verdict:
    """What an effect says of its claim."""
    if found.low > 0:
        return "holds"
    return "does not hold" if found.high < 0 else "cannot tell"


def redrawn(values: Sequence[float | None], better: Better, worst: float, claims: int) -> tuple[int, int]:
    """Runs of equal arms, parted into two arms anew in all ways: how often that gets a verdict, and how many ways there
    are. What differs from 0 by chance alone should get one in at most `1 - CONFIDENCE` of the ways.

    Args:
        values: of each run, an even number of them.
        better, worst, claims: see `effect`.
    """
    half = len(values) // 2
    told = ways = 0
    for places in itertools.combinations(range(2 * half), half):
        ours = [values[place] for place in places]
        others = [values[place] for place in range(2 * half) if place not in places]
        told += verdict(effect(ours, others, better, worst, claims)) != "cannot tell"
        ways += 1
    return told, ways


def _or_worst(value: float | None, worst: float) -> float:
    return worst if value is None else value


def _students_t(confidence: float, freedom: int) -> float:
    """How many standard errors an interval of this confidence reaches to either side."""
    return float(_students().ppf((1 + confidence) / 2, freedom))


def require_scipy() -> None:
    """Raises `SettingsError` where SciPy is not installed."""
    _students()


def _students() -> Any:
    try:
        from scipy.stats import t  # an extra
    except ImportError as error:
        raise SettingsError("intervals of claims need SciPy: pip install 'dcgan-dist[sweep]'") from error
    return t
