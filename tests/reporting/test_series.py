import math

import pytest

from dcgan_dist.reporting.series import MOST_POINTS, series, thinned


def points(*values: float | None) -> list[dict[str, object]]:
    return [{"images": 10 * place, "values": {"loss": value}} for place, value in enumerate(values, 1)]


def test_a_metric_of_the_points_is_a_line_with_gaps() -> None:
    line = series([*points(1.0, None, 3.0), {"images": 99, "values": {"other": 1.0}}], "loss", "the loss", 2)
    assert line is not None
    assert (line.label, line.color, line.together, list(line.x)) == ("the loss", 2, 1, [10, 20, 30])
    assert math.isnan(line.mean[1])
    assert [line.mean[0], line.mean[2]] == [1.0, 3.0]


def test_a_metric_that_nobody_measured_is_no_line() -> None:
    assert series(points(1.0), "drift", "", 0) is None
    assert series(points(None, None), "loss", "", 0) is None
    assert series([], "loss", "", 0) is None


@pytest.mark.parametrize("number", [1, MOST_POINTS, MOST_POINTS + 1, 7 * MOST_POINTS - 3])
def test_long_lines_are_thinned_and_keep_their_ends_and_extremes(number: int) -> None:
    values = [math.sin(place) for place in range(number)]
    line = thinned([(float(place), value) for place, value in enumerate(values)], "", 0)
    assert len(line.x) == -(-number // line.together) <= MOST_POINTS
    assert line.x[-1] == number - 1
    assert (min(line.low), max(line.high)) == (min(values), max(values))
    weights = [min(line.together, number - first) for first in range(0, number, line.together)]
    assert sum(w * m for w, m in zip(weights, line.mean, strict=True)) == pytest.approx(sum(values))
    assert all(low <= mean <= high for low, mean, high in zip(line.low, line.mean, line.high, strict=True))
