"""Verdicts on made-up numbers."""

import itertools
import random

import numpy as np
import pytest

from tuning.verdicts import Effect, effect, paired_effect, redrawn, verdict

GOOD, POOR = [0.90, 0.92, 0.91, 0.93, 0.90], [0.70, 0.73, 0.69, 0.74, 0.70]
MORE_GOOD = [*GOOD, 0.94, 0.89, 0.95, 0.91, 0.88]


@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        (MORE_GOOD, POOR, "holds"),
        (POOR, MORE_GOOD, "does not hold"),
        (MORE_GOOD, [0.7, 0.73, 0.1, 0.74, 0.3], "holds"),  # how bad those are that are worse makes no difference
        (MORE_GOOD, [0.885, 0.73, 0.69, 0.74, 0.70], "holds"),  # one pair of fifty is the other way round
        (MORE_GOOD, [0.895, 0.73, 0.69, 0.74, 0.70], "cannot tell"),
        ([0.9, 0.5, 0.8, 0.6, 0.95, 0.7, 0.4, 0.9, 0.8, 0.6], POOR, "cannot tell"),  # too noisy
        (MORE_GOOD, [None] * 5, "holds"),  # an arm that always fails
        ([None] * 5, MORE_GOOD, "does not hold"),
        ([None] * 10, [None] * 5, "cannot tell"),
        (MORE_GOOD, [0.7, None, 0.71, 0.7, 0.72], "holds"),
        (MORE_GOOD, [0.9, None, 0.91, 0.9, 0.92], "cannot tell"),  # one failure may be bad luck
        (GOOD, POOR, "cannot tell"),  # of five and five runs one order in 252 is this one
        (MORE_GOOD, MORE_GOOD, "cannot tell"),
    ],
)
def test_a_verdict_follows_from_the_numbers(
    ours: list[float | None], others: list[float | None], expected: str
) -> None:
    assert verdict(effect(ours, others, "max", 0.1, claims=35)) == expected
    # A measure of which less is better is the same one upside down.
    upside = [[None if one is None else -one for one in arm] for arm in (ours, others)]
    assert verdict(effect(upside[0], upside[1], "min", -0.1, claims=35)) == expected


def test_an_effect_is_the_interval_of_the_rank_sum_test() -> None:
    """Of 4 and 5 runs the critical value at 5 % is 1 (tables of Mann and Whitney's U): one difference is left out at
    each end."""
    ours, others = [3.0, 5.0, 4.0, 8.0], [1.0, 2.5, 3.5, 4.5, 0.5]
    differences = sorted(one - other for one, other in itertools.product(ours, others))
    assert effect(ours, others, "max", 0.0, claims=1) == Effect(
        float(np.median(differences)), differences[1], differences[-2]
    )
    wider = effect(ours, others, "max", 0.0, claims=2)
    assert (wider.low, wider.high) == (differences[0], differences[-1])
    assert effect(ours, others, "max", 0.0, claims=5) == Effect(wider.size, None, None), "not even all of them"
    turned = effect(ours, others, "min", 0.0, claims=1)
    assert (turned.size, turned.low, turned.high) == (-wider.size, -differences[-2], -differences[1])


@pytest.mark.parametrize(
    ("ours", "others", "critical"), [(5, 5, 2), (4, 4, 0), (8, 6, 8), (10, 5, 8), (10, 10, 23), (3, 3, None)]
)
def test_as_many_differences_are_left_out_as_tables_say(ours: int, others: int, critical: int | None) -> None:
    """Critical values of U at 5 %, two-sided."""
    distant = [float(100 * run) for run in range(ours)], [run + 0.5 for run in range(others)]
    differences = sorted(one - other for one, other in itertools.product(*distant))
    assert len(set(differences)) == len(differences)
    assert effect(*distant, "max", 0.0, claims=1).low == (None if critical is None else differences[critical])


@pytest.mark.parametrize("draw", ["normal", "laplace", "lognormal", "standard_cauchy"])
def test_equal_arms_get_a_verdict_in_at_most_one_of_twenty_redraws(draw: str) -> None:
    random = np.random.default_rng(4)
    told = 0
    for _ in range(2_000):
        values = getattr(random, draw)(size=15).tolist()
        told += verdict(effect(values[:10], values[10:], "max", 0.0, claims=1)) != "cannot tell"
    assert 0.02 * 2_000 < told <= 0.05 * 2_000 * 1.2


def test_many_claims_together_are_as_unlikely_to_get_one_by_chance() -> None:
    random = np.random.default_rng(5)
    tables = 0
    for _ in range(300):
        arms = random.normal(size=(20, 15)).tolist()
        tables += any(verdict(effect(arm[:10], arm[10:], "max", 0.0, claims=20)) != "cannot tell" for arm in arms)
    assert 0 < tables <= 0.05 * 300 * 1.4


def test_pairs_that_belong_together_have_students_interval() -> None:
    """By the table of t: 2.776 standard errors at 95 % and 4 degrees of freedom, 4.604 at 99 %."""
    ours, others = [3.0, 5.0, 4.0, 8.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    found = paired_effect(ours, others, claims=1)
    error = np.std([2, 3, 1, 4, 0], ddof=1) / np.sqrt(5)
    assert found == Effect(2.0, pytest.approx(2 - 2.776 * error, abs=2e-3), pytest.approx(2 + 2.776 * error, abs=2e-3))
    assert paired_effect(ours, others, claims=5).low == pytest.approx(2 - 4.604 * error, abs=2e-3)
    assert verdict(found) == "holds"


@pytest.mark.parametrize(("ours", "others"), [([3.0], [1.0]), ([0.3, 0.2, 0.8], [0.2, 0.1, 0.7])])
def test_pairs_that_say_nothing_of_chance_have_no_interval(ours: list[float], others: list[float]) -> None:
    found = paired_effect(ours, others, claims=1)
    assert (found.size, found.low, found.high) == (pytest.approx(ours[0] - others[0]), None, None)
    assert verdict(found) == "cannot tell"


def test_equal_runs_are_parted_in_all_ways() -> None:
    """Of eight runs there are 56 ways to take three. In one of them these are the best ones, in one the worst."""
    alike = random.Random(6).sample(range(100), 8)
    told, ways = redrawn(alike, 3, "min", 9.0, claims=1)
    assert ways == 56
    assert told == 2, "at 5 % the critical value of 3 and 5 runs is 0"
    assert redrawn(alike, 3, "min", 9.0, claims=2) == (0, 56)
    assert redrawn([*[None] * 5, *[0.1] * 5], 5, "max", 0.1, claims=1) == (0, 252), "a failed run has the worst value"
