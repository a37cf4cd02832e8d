"""Histograms of differences."""

import numpy as np
import pytest

from dcgan_dist.data.deduplication.histogram import (
    LEFT,
    PANEL,
    RIGHT,
    TOPS,
    Histogram,
    counted,
    drawing,
    round_values,
    short_power,
    span,
)

EDGES = np.array([0.0, 0.1, 0.2, 0.4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_difference_is_counted_once_and_none_is_lost(dtype: type[np.floating]) -> None:
    differences = np.array([0.0, 0.05, 0.1, 0.19, 0.2, 0.4, 7.0, np.inf, -0.01], dtype)
    assert counted(differences, EDGES).tolist() == [4, 2, 3]
    assert counted(np.empty(0, dtype), EDGES).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_on_the_threshold_is_in_the_bar_of_duplicates(dtype: type[np.floating]) -> None:
    differences = np.linspace(0, 0.4, 41, dtype=dtype)
    assert counted(differences, EDGES)[0] == (differences <= 0.1).sum() == 11


def test_a_difference_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        counted(np.array([0.1, np.nan]), EDGES)


@pytest.mark.parametrize(
    ("edges", "candidates", "random"),
    [([0, 1, 2], [1], [1, 1]), ([0, 1, 2], [1, 1], [1]), ([0, 1, 1], [1, 1], [1, 1]), ([0], [], [])],
)
def test_counts_that_do_not_fit_their_edges_are_an_error(
    edges: list[float], candidates: list[int], random: list[int]
) -> None:
    with pytest.raises(ValueError, match="ascending edges"):
        Histogram(np.array(edges, float), np.array(candidates, int), np.array(random, int))


def test_bars_stand_where_their_differences_are_with_heights_on_one_logarithmic_scale() -> None:
    both = drawing(Histogram(EDGES, np.array([1000, 0, 1]), np.array([0, 1, 10])), threshold=0.1)
    candidates, random = both.panels
    assert [bar.x for bar in candidates.bars] == [LEFT, (LEFT + RIGHT) / 2]
    assert candidates.bars[0].width == pytest.approx((RIGHT - LEFT) / 4 - 1, abs=0.11)
    assert candidates.bars[0].height == PANEL
    assert [bar.y + bar.height for bar in candidates.bars] == [TOPS[0] + PANEL] * 2
    assert [bar.y + bar.height for bar in random.bars] == [TOPS[1] + PANEL] * 2
    # log(1 / 0.5) and log(10 / 0.5) of log(1000 / 0.5).
    assert candidates.bars[1].height == pytest.approx(PANEL * 0.09119, abs=0.1)
    assert [bar.height for bar in random.bars] == pytest.approx([PANEL * 0.09119, PANEL * 0.39413], abs=0.1)
    assert [bar.duplicates for bar in (*candidates.bars, *random.bars)] == [True, False, False, False]
    assert [bar.told for bar in candidates.bars] == ["0 to 0.1: 1,000", "0.2 and more: 1"]
    assert [tick.text for tick in random.ticks] == ["1", "10", "100", "1k"]
    assert random.ticks[1].at == random.bars[1].y
    assert both.threshold == pytest.approx(LEFT + (RIGHT - LEFT) / 4, abs=0.1)


@pytest.mark.parametrize("threshold", [-0.1, 0.41])
def test_a_threshold_beyond_the_axis_is_not_drawn(threshold: float) -> None:
    assert drawing(Histogram(EDGES, np.ones(3, int), np.ones(3, int)), threshold).threshold is None


def test_nothing_to_draw_gives_no_bars() -> None:
    empty = drawing(Histogram(EDGES, np.zeros(3, int), np.zeros(3, int)), 0.1)
    assert [list(panel.bars) for panel in empty.panels] == [[], []]


def test_pairs_up_to_a_threshold_within_a_bin_are_on_the_side_of_its_middle() -> None:
    codes = np.array([-0.5, 0.5, 1.5])
    both = drawing(Histogram(codes, np.array([3, 4]), np.array([0, 1])), threshold=0)
    assert [bar.duplicates for bar in both.panels[0].bars] == [True, False]


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0, 1.2, [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]),
        (0, 16, [0, 2, 4, 6, 8, 10, 12, 14, 16]),
        (-0.5, 8.5, [0, 2, 4, 6, 8]),
        (0, 0.03, [0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03]),
        (0, 400, [0, 100, 200, 300, 400]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, values: list[float]) -> None:
    assert round_values(low, high) == values


def test_numbers_of_pairs_are_short_on_the_axis() -> None:
    assert [short_power(power) for power in (0, 1, 2, 3, 5, 6, 9, 11)] == [
        "1",
        "10",
        "100",
        "1k",
        "100k",
        "1M",
        "1G",
        "100G",
    ]


def test_the_last_bin_is_open() -> None:
    assert [span(EDGES, number) for number in range(3)] == ["0 to 0.1", "0.1 to 0.2", "0.2 and more"]
