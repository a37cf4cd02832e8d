"""Memory and logs of a long run, from looks at it."""

import json
from pathlib import Path

import pytest

from benchmarks.longrun import STEPS, Look, report

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
STEP = STEPS // 200


def looks(growth_mb: float, logs_mb: float = 1.0, largest_log_kib: float = 30.0) -> list[Look]:
    """Of a run whose driver grows by so much from its beginning to its end."""
    return [
        Look(step, {"driver": 100 + growth_mb * step / STEPS, "worker 0": 500.0}, logs_mb, largest_log_kib)
        for step in range(STEP, STEPS + 1, STEP)
    ]


def test_a_run_that_stays_as_it_is_meets_its_bars() -> None:
    assert all(bar.met for bar in report(looks(0.0)).bars)


@pytest.mark.parametrize(
    "bad", [looks(20.0), looks(0.0, logs_mb=50.0), looks(0.0, largest_log_kib=300.0)], ids=["memory", "logs", "one log"]
)
def test_what_grows_misses_a_bar(bad: list[Look]) -> None:
    assert [bar.met for bar in report(bad).bars].count(False) == 1


def test_a_peak_of_one_moment_is_no_growth() -> None:
    peak = looks(0.0)
    peak[-1].memory["driver"] = 900.0
    assert all(bar.met for bar in report(peak).bars)


def test_the_committed_report_meets_its_bars() -> None:
    content = json.loads((RESULTS / "longrun.json").read_text())
    assert content["samples"]["steps"][-1] >= 0.99 * STEPS
    assert {name.split()[0] for name in content["samples"]["memory_mb"]} == {"driver", "mailbox", "worker"}
    assert [bar["name"] for bar in content["bars"] if not bar["met"]] == []
