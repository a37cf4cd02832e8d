"""Intervals of what was counted in a sample."""

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson(right: float, number: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Bounds of a share that was `right` in a sample of `number` (Wilson, 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (right + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * math.sqrt(right * (1 - right) / number + z * z / (4 * number * number))
    return middle - half, middle + half
