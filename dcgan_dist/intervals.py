"""Intervals of what was counted or measured in a sample."""

import math
from collections.abc import Iterable
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson(right: float, number: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Bounds of a share that was `right` in a sample of `number` (Wilson, 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (right + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * math.sqrt(right * (1 - right) / number + z * z / (4 * number * number))
    return middle - half, middle + half


def median_interval(values: Iterable[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Bounds of the median of what values were drawn from, whatever its distribution: two of the values.

    The k-th smallest and the k-th largest, for the largest k for which that holds, by the binomial distribution
    (Thompson, 1936); the smallest and the largest where no k does, which is so for fewer than 6 values at 95 %.
    """
    ordered = sorted(values)
    number, tail, k = len(ordered), 0.0, 0
    for below in range(number // 2):
        tail += math.comb(number, below) / 2**number
        if 2 * tail > 1 - confidence:
            break
        k = below
    return ordered[k], ordered[-1 - k]
