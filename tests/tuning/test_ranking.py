"""Which trial is the best, by values at equally many images."""

import itertools

import pytest

from tuning.objective import Objective
from tuning.ranking import ValuesByTrial, ranking, remarks, shared_marks

ACCURACY = Objective("probe/rooms/accuracy", "max")
LOSS = Objective("loss/generator", "min")

CASES: dict[str, tuple[Objective, ValuesByTrial, list[tuple[int, int, int]], list[str]]] = {
    "whole trials are compared at their ends": (
        ACCURACY,
        {0: {100: 0.9, 900: 0.5}, 1: {100: 0.1, 900: 0.6}},
        [(1, 1, 900), (0, 2, 900)],
        [],
    ),
    "the other end may be the better one": (
        LOSS,
        {0: {900: 0.5}, 1: {900: 0.6}},
        [(0, 1, 900), (1, 2, 900)],
        [],
    ),
    "a trial that was cut does not beat a whole one by a value of fewer images": (
        ACCURACY,
        {0: {100: 0.5, 900: 0.6}, 1: {100: 0.4}, 2: {100: 0.45, 300: 0.9}},
        [(0, 1, 900), (2, 2, 300), (1, 3, 100)],
        [],
    ),
    "where it was ahead at equally many, that is said": (
        ACCURACY,
        {0: {100: 0.5, 300: 0.55, 900: 0.6}, 1: {100: 0.7}, 2: {100: 0.5, 300: 0.55}},
        [(0, 1, 900), (2, 2, 300), (1, 3, 100)],
        [
            "trial 2 was level with trial 0 at 300 images (55.00 % and 55.00 %), but was not trained to 900",
            "trial 1 was ahead of trial 0 at 100 images (70.00 % and 50.00 %), but was not trained to 900",
        ],
    ),
    "a value that the best one lacks is compared with none": (
        ACCURACY,
        {0: {900: 0.6}, 1: {300: 0.9}},
        [(0, 1, 900), (1, 2, 300)],
        [],
    ),
    "equal trials share a rank, and the first is taken": (
        ACCURACY,
        {2: {900: 0.6}, 1: {100: 0.2, 900: 0.6}, 3: {900: 0.5}},
        [(1, 1, 900), (2, 1, 900), (3, 3, 900)],
        ["trials 1 and 2 are level at 900 images: the first of them is taken"],
    ),
    "of trials without values nothing is said": (ACCURACY, {0: {}, 1: {}}, [], []),
    "nor of none": (ACCURACY, {}, [], []),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_trials_are_ranked_by_values_at_equally_many_images(case: str) -> None:
    objective, found, places, told = CASES[case]
    assert [(placed.number, placed.rank, placed.at) for placed in ranking(found, objective)] == places
    assert remarks(found, objective) == told
    for placed in ranking(found, objective):
        assert placed.value == found[placed.number][placed.at]


def test_two_equal_trials_are_equal_whenever_they_were_evaluated() -> None:
    """Whatever of two equal trials was evaluated by now, no value of the one beats another value of the other."""
    curve = {100: 0.5, 300: 0.8, 900: 0.6}
    for one, other in itertools.product([[100], [100, 300], [300], [100, 300, 900], [900]], repeat=2):
        found = {0: {at: curve[at] for at in one}, 1: {at: curve[at] for at in other}}
        placed = ranking(found, ACCURACY)
        if max(one) == max(other):
            assert [place.rank for place in placed] == [1, 1]
        else:
            assert placed[0].at == max(*one, *other), "the one that went further, whatever it is worth"


def test_many_that_were_ahead_are_counted() -> None:
    found = {0: {100: 0.1, 900: 0.5}} | {number: {100: 0.2} for number in range(1, 7)}
    told = remarks(found, ACCURACY)
    assert len(told) == 4
    assert told[-1] == "so were 3 more: results.csv has all values"


def test_figures_show_what_all_have_and_what_the_longest_have() -> None:
    assert shared_marks({0: {100: 1, 300: 1, 900: 1}, 1: {100: 1, 300: 1}, 2: {}}) == [300, 900]
    assert shared_marks({0: {100: 1, 900: 1}, 1: {900: 1}}) == [900]
    assert shared_marks({0: {900: 1}, 1: {300: 1}}) == [900]
    assert shared_marks({0: {}}) == []
