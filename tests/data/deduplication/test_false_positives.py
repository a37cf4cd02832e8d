"""The estimate of the rate of false positives."""

import pytest

from dcgan_dist.data.deduplication.false_positives import FalsePositiveRate, false_positive_rate


@pytest.mark.parametrize(
    ("marked", "seen", "confidence", "rate", "low", "high"),
    [
        # By hand: with none, Wilson's interval ends at z^2 / (n + z^2); z is 1.95996 and 2.57583.
        (0, 100, 0.95, 0.0, 0.0, 0.036993),
        (0, 381, 0.95, 0.0, 0.0, 0.009982),
        (0, 50, 0.99, 0.0, 0.0, 0.117151),
        (7, 7, 0.95, 1.0, 0.645672, 1.0),
        # Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 1 of 29.
        (81, 263, 0.95, 0.307985, 0.2553, 0.3662),
        (15, 148, 0.95, 0.101351, 0.0624, 0.1605),
        (1, 29, 0.95, 0.034483, 0.0061, 0.1718),
    ],
)
def test_the_rate_has_the_interval_of_wilson(
    marked: int, seen: int, confidence: float, rate: float, low: float, high: float
) -> None:
    found = false_positive_rate(marked, seen, confidence)
    assert (found.rate, found.low, found.high) == pytest.approx((rate, low, high), abs=5e-5)
    assert 0 <= found.low <= found.high <= 1


def test_nothing_is_known_before_a_pair_was_seen() -> None:
    assert false_positive_rate(0, 0) == FalsePositiveRate(None, 0.0, 1.0)


@pytest.mark.parametrize(("marked", "seen"), [(3, 2), (-1, 5), (0, -1)])
def test_impossible_counts_are_refused(marked: int, seen: int) -> None:
    with pytest.raises(ValueError, match=f"{marked} pairs marked of {seen}"):
        false_positive_rate(marked, seen)
