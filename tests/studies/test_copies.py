"""The test of copies: against scipy's rank test, and on samples of known kinds."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from dcgan_dist.studies.copies import compare, quotients


@pytest.mark.parametrize("shift", [0.0, 0.05, -0.2])
def test_the_rank_test_is_that_of_scipy(shift: float) -> None:
    random = np.random.default_rng(0)
    samples, held_out = random.beta(8, 2, 300) + shift, np.round(random.beta(8, 2, 400), 1)
    found = compare(samples, held_out)
    theirs = mannwhitneyu(samples, held_out, alternative="less", method="asymptotic", use_continuity=False)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-300)
    assert found.copies == (shift < 0)


def test_equal_values_are_no_evidence() -> None:
    found = compare(np.ones(50), np.ones(60))
    assert (found.z, found.p_value, found.copies) == (0.0, 0.5, False)


def test_a_training_image_that_is_there_twice_is_no_copy_of_it() -> None:
    assert quotients(np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 3.0], [0.25, 1.0]])).tolist() == [1.0, 0.5, 0.0, 0.25]


def test_medians_and_the_share_of_rare_quotients_are_told() -> None:
    held_out = np.linspace(0, 1, 101)  # of which 0.01 is the first percentile
    found = compare(np.array([0.0, 0.005, 0.01, 0.02, 0.5]), held_out)
    assert (found.sample_median, found.held_out_median) == (0.01, 0.5)
    assert found.rare == 2 / 5


def test_samples_that_are_all_alike_are_no_copies() -> None:
    held_out = np.random.default_rng(0).beta(30, 2, 400)
    alike = compare(np.full(400, np.quantile(held_out, 0.2)), held_out)
    assert alike.p_value < 1e-10
    assert not alike.copies
