"""Verdicts on made-up numbers."""

import numpy as np
import pytest

from tuning.verdicts import Effect, effect, redrawn, verdict

GOOD, POOR = [0.90, 0.92, 0.91, 0.93, 0.90], [0.70, 0.73, 0.69, 0.74, 0.70]


@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        (GOOD, POOR, "holds"),
        (POOR, GOOD, "does not hold"),
        ([0.9, 0.5, 0.8, 0.6, 0.95], POOR, "cannot tell"),  # too noisy
        (GOOD, [None] * 5, "holds"),  # an arm that always fails
        ([None] * 5, GOOD, "does not hold"),
        ([None] * 5, [None] * 5, "cannot tell"),
        (GOOD, [0.9, None, 0.91, 0.9, 0.92], "cannot tell"),  # one failure may be bad luck
        (GOOD, GOOD, "cannot tell"),
    ],
)
def test_a_verdict_follows_from_the_numbers(
    ours: list[float | None], others: list[float | None], expected: str
) -> None:
    assert verdict(effect(ours, others, "max", 0.1, claims=20)) == expected
    # A measure of which less is better is the same one upside down.
    upside = [[None if one is None else -one for one in arm] for arm in (ours, others)]
    assert verdict(effect(upside[0], upside[1], "min", -0.1, claims=20)) == expected


def test_an_effect_is_students_interval_of_the_paired_differences() -> None:
    """By the table of t: 2.776 standard errors at 95 % and 4 degrees of freedom, 4.604 at 99 %."""
    ours, others = [3.0, 5.0, 4.0, 8.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    found = effect(ours, others, "max", 0.0, claims=1)
    error = np.std([2, 3, 1, 4, 0], ddof=1) / np.sqrt(5)
    assert found == Effect(
        2.0, pytest.approx(2 - 2.776 * error, abs=2e-3), pytest.approx(2 + 2.776 * error, abs=2e-3), 5
    )
    assert effect(ours, others, "max", 0.0, claims=5).low == pytest.approx(2 - 4.604 * error, abs=2e-3)
    assert effect(ours, others, "min", 0.0, claims=1).mean == -2


@pytest.mark.parametrize("draw", ["normal", "laplace", "lognormal"])
def test_equal_arms_get_a_verdict_in_at_most_one_of_twenty_redraws(draw: str) -> None:
    random = np.random.default_rng(4)
    told = 0
    for _ in range(2_000):
        ours, others = getattr(random, draw)(size=(2, 5)).tolist()
        told += verdict(effect(ours, others, "max", 0.0, claims=1)) != "cannot tell"
    assert told <= 0.05 * 2_000 * 1.2


def test_many_claims_together_are_as_unlikely_to_get_one_by_chance() -> None:
    random = np.random.default_rng(5)
    tables = 0
    for _ in range(300):
        arms = random.normal(size=(20, 2, 5)).tolist()
        tables += any(verdict(effect(ours, others, "max", 0.0, claims=20)) != "cannot tell" for ours, others in arms)
    assert tables <= 0.05 * 300 * 1.4


def test_two_pairs_say_nothing() -> None:
    with pytest.raises(ValueError, match="2 pairs of runs say nothing"):
        effect([1.0, 2.0], [3.0, 4.0], "max", 0.0, claims=1)


def test_equal_runs_are_parted_in_all_ways() -> None:
    """Of ten runs there are 252. Only few of them part what is alike into the good and the poor."""
    alike = np.random.default_rng(6).normal(size=10).tolist()
    told, ways = redrawn(alike, "min", 9.0, claims=1)
    assert ways == 252
    assert told <= 0.05 * 252
    assert redrawn(alike, "min", 9.0, claims=30)[0] <= told
    # By order: the first five against the last five, and the other way round.
    apart = redrawn([*GOOD, *POOR], "max", 0.0, claims=1)
    assert apart[0] >= 2
    assert redrawn([*[None] * 5, *[0.1] * 5], "max", 0.1, claims=1) == (0, 252), "a failed run has the worst value"
