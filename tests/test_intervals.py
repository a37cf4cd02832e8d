"""Intervals of what was counted or measured."""

import pytest

from dcgan_dist.intervals import median_interval, wilson


def test_bounds_of_a_share_are_those_of_wilson() -> None:
    # Computed by hand from the formula: 8 of 10, z 1.95996.
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94331), abs=1e-5)
    assert wilson(0.0, 10)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("number", "confidence", "ranks"),
    [
        # From tables of the sign test: 1 to 6 of 6, 2 to 9 of 10, 6 to 15 of 20; 5 are too few for 95 %.
        (6, 0.95, (1, 6)),
        (10, 0.95, (2, 9)),
        (20, 0.95, (6, 15)),
        (20, 0.99, (4, 17)),
        (5, 0.95, (1, 5)),
        (1, 0.95, (1, 1)),
    ],
)
def test_bounds_of_a_median_are_values_of_these_ranks(number: int, confidence: float, ranks: tuple[int, int]) -> None:
    values = [float(value) for value in [*range(2, number + 1, 2), *range(1, number + 1, 2)]]
    assert median_interval(values, confidence) == ranks
