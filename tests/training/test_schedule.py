"""What a step ends with: tables. That the loop does it is in test_workers.py, test_resume.py and test_train.py."""

import pytest

from dcgan_dist.training.schedule import (
    FIRST_GRID_S,
    alignment_is_due,
    checkpoint_is_due,
    ends_a_quarter,
    exchange_is_due,
    grid_is_due,
    passes,
)


@pytest.mark.parametrize(
    ("step", "waited_s", "due"),
    [
        (60, None, True),  # a multiple of 320 images
        (61, None, False),
        (80, None, True),
        (81, None, False),
        (97, None, True),  # the last one
        (1, 3.5, False),
        (1, FIRST_GRID_S, True),  # nobody waits for long to see whether anything is learned
        (1, 99.0, True),
    ],
)
def test_when_a_grid_of_samples_is_drawn(step: int, waited_s: float | None, due: bool) -> None:
    assert grid_is_due(step, 97, 16, 320, waited_s) is due


def test_a_multiple_that_is_jumped_over_counts_once() -> None:
    assert [step for step in range(1, 14) if passes(step, 24, 100)] == [5, 9, 13]
    assert all(passes(step, 24, 10) for step in range(1, 14)), "more than one of them in a step"


@pytest.mark.parametrize(("total", "steps"), [(100, [25, 50, 75, 100]), (10, [3, 5, 8, 10]), (3, [1, 2, 3]), (1, [1])])
def test_the_last_step_of_each_quarter(total: int, steps: list[int]) -> None:
    assert [step for step in range(1, total + 1) if ends_a_quarter(step, total)] == steps


@pytest.mark.parametrize(
    ("step", "every", "leaving", "timely", "due"),
    [
        (7, 0, False, False, False),
        (7, 0, True, False, True),
        (7, 0, False, True, True),
        (25, 0, False, False, True),
        (100, 0, False, False, True),
        (7, 112, False, False, True),
        (8, 112, False, False, False),
        (14, 112, False, False, True),
    ],
)
def test_when_a_checkpoint_is_written(step: int, every: int, leaving: bool, timely: bool, due: bool) -> None:
    assert checkpoint_is_due(step, 100, 16, every, leaving=leaving, timely=timely) is due


@pytest.mark.parametrize(
    ("step", "asked", "due"), [(8, 7, False), (8, 6, True), (8, 5, True), (14, 8, True), (13, 7, False), (13, 6, True)]
)
def test_a_checkpoint_that_was_due_between_two_looks_is_due(step: int, asked: int, due: bool) -> None:
    assert checkpoint_is_due(step, 100, 16, 112, leaving=False, timely=False, asked=asked) is due


def test_workers_exchange_and_align_at_steps_that_no_other_setting_moves() -> None:
    total, every = 1_000, 7
    exchanges = [step for step in range(1, total + 1) if exchange_is_due(step, total, every, leaving=False)]
    assert exchanges == sorted({*range(7, total, 7), 250, 500, 750, 1_000})
    aligned = [step for step in range(1, total + 1) if alignment_is_due(step, total, every, leaving=False)]
    assert aligned == sorted({*range(7 * 16, total, 7 * 16), 250, 500, 750, 1_000})
    assert set(aligned) <= set(exchanges)
    assert exchange_is_due(3, total, every, leaving=True)
    assert alignment_is_due(3, total, every, leaving=True)
