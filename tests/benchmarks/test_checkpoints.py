"""What a checkpoint costs, from the times of steps."""

import json
import statistics
from pathlib import Path

import pytest

from benchmarks.checkpoints import AFTER, BETWEEN, CHECKPOINTS, costs

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_the_extra_time_of_the_steps_after_a_checkpoint_is_its_cost() -> None:
    seconds = [0.5] * 45
    seconds[0] = 9.0  # the first step of a process is none of a checkpoint's
    seconds[20] += 1.0
    seconds[22] += 0.5
    seconds[40] += 0.25
    first, second = costs(seconds, between=20, after=5)
    assert (first.extra_s, first.slowest_s) == pytest.approx((1.5, 1.0))
    assert (second.extra_s, second.slowest_s) == pytest.approx((0.25, 0.25))


def test_a_checkpoint_whose_steps_were_not_seen_is_not_counted() -> None:
    assert len(costs([0.5] * 44, between=20, after=5)) == 1


def test_the_committed_bar_is_what_the_committed_steps_say() -> None:
    report = json.loads((RESULTS / "checkpoints.json").read_text())
    found = costs(report["samples"]["step_s"], BETWEEN, AFTER)
    assert len(found) == CHECKPOINTS
    (bar,) = report["bars"]
    assert bar["value"] == pytest.approx(statistics.fmean(cost.extra_s for cost in found) / 60, abs=1e-4)
    assert bar["at_most"] == 0.01
