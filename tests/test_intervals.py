"""Intervals of what was counted."""

import pytest

from dcgan_dist.intervals import wilson


def test_bounds_of_a_share_are_those_of_wilson() -> None:
    # Computed by hand from the formula: 8 of 10, z 1.95996.
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94331), abs=1e-5)
    assert wilson(0.0, 10)[0] == pytest.approx(0, abs=1e-12)
