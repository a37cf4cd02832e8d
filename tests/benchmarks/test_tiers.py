"""The times of the tiers are read from what pytest says; those of the last change are committed."""

import json
from pathlib import Path

import pytest

from benchmarks.tiers import Round, passed, report
from dcgan_dist.errors import DataError

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "tiers.json"


def test_each_tier_says_what_passed_in_what_time() -> None:
    lines = ["test_a.py .... [100%]\n", "===== 2899 passed, 3 skipped in 156.25s (0:02:36) =====\n"]
    assert passed([*lines, "12 passed, 2911 deselected in 347.50s\n"]) == [(2899, 156.25), (12, 347.5)]
    with pytest.raises(DataError, match="1 lines of pytest"):
        passed(lines)


def test_the_median_is_what_the_bar_asks_for() -> None:
    rounds = [Round(601, [(5, 60), (7, 480)]), Round(60, [(5, 6), (7, 48)]), Round(660, [(5, 30), (7, 540)])]
    found = report(rounds)
    assert not found.bars[0].met
    assert found.tables["tiers"].rows[-1] == ["make test", 12, 601 / 60, 1, 11, 601 / 60]
    assert found.tables["tiers"].rows[0] == ["without Ray", 5, 1, 0.1, 0.5, 0.5]


def test_the_committed_times_are_within_the_bar() -> None:
    (bar,) = json.loads(RESULTS.read_text())["bars"]
    assert bar["met"]
