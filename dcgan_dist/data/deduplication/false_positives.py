"""How many of the duplicate pairs are none, from a random sample of them that a person looked at."""

from dataclasses import dataclass
from statistics import NormalDist

from dcgan_dist.intervals import CONFIDENCE, wilson


@dataclass(frozen=True)
class FalsePositiveRate:
    """An estimate.

    Attributes:
        rate: share of pairs that are no duplicates; None where no pair was looked at.
        low, high: bounds of Wilson's interval, 0 to 1.
    """

    rate: float | None
    low: float
    high: float


def false_positive_rate(marked: int, seen: int, confidence: float = CONFIDENCE) -> FalsePositiveRate:
    """The share of false duplicate pairs, and Wilson's interval of it (1927).

    The page computes the same numbers in `page.js`.

    Args:
        marked: pairs of those seen that are not the same picture.
        seen: pairs that somebody looked at. They have to be a random sample of all duplicate pairs: pairs near the
            threshold are wrong more often than others.
        confidence: share of such intervals that hold the true rate, between 0 and 1.

    Raises:
        ValueError: more pairs are marked than were seen, or fewer than none.
    """
    if not 0 <= marked <= seen:
        raise ValueError(f"{marked} pairs marked of {seen} that were seen")
    if not seen:
        return FalsePositiveRate(None, 0.0, 1.0)
    rate = marked / seen
    low, high = wilson(rate, seen, confidence)
    return FalsePositiveRate(rate, max(0.0, low), min(1.0, high))


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """z of Wilson's interval: 1.96 at 95 %. The page is given it, as JavaScript has no such function."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
