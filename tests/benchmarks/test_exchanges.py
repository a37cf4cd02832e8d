"""What is said of ways to send less, from made-up measures."""

from typing import Any

import pytest

from benchmarks.exchanges import OWN_SEEDS, WAYS, WORKERS, Interval, experiments, interval, report


def entry(name: str, ours: list[float | None], other: list[float], wrong: int = 0) -> dict[str, Any]:
    """As claims.json has it."""
    return {"name": name, "measured": {"ours": ours, "other": other}, "condemned": {"ours": wrong, "other": 0}}


BASE = [0.5, 0.52, 0.48, 0.51, 0.49]


def test_the_interval_is_that_of_a_mean_of_further_runs() -> None:
    """Student's, by the table of t: 2.776 at 95 % and 4 degrees of freedom."""
    found = interval(BASE, 3)
    half = 2.776 * 0.0158114 * (1 / 5 + 1 / 3) ** 0.5
    assert (found.low, found.high) == (pytest.approx(0.5 - half, abs=1e-4), pytest.approx(0.5 + half, abs=1e-4))
    assert Interval(0.2, 0.4).holds(0.4)
    assert not Interval(0.2, 0.4).holds(0.41)


@pytest.mark.parametrize(
    ("measure", "ours", "told"),
    [
        ("rooms", [0.5, 0.51, 0.52], "as in float32"),
        ("rooms", [0.6, 0.61, 0.62], "worse"),
        ("rooms", [0.4, 0.41, 0.42], "better"),
        ("probe", [0.4, 0.41, 0.42], "worse"),
        ("probe", [0.6, 0.61, 0.62], "better"),
        ("rooms", [0.5, 0.5, None], "worse"),
    ],
)
def test_a_way_keeps_the_quality_or_it_is_said(measure: str, ours: list[float | None], told: str) -> None:
    made = report([entry(f"gradients-powersgd-4-{measure}", ours, BASE, wrong=1)])
    (row,) = made.tables["exchanges"].rows
    assert (row[1:4], row[-2:]) == (["4", "gradients powersgd", measure], ["1 of 3", told])
    assert [bar.met for bar in made.bars] == [told != "worse"]


def test_every_way_is_tried_beside_all_runs_in_float32() -> None:
    claims = experiments()
    assert len({claim.name for claim in claims}) == len(claims) == 2 * 2 * len(WORKERS) * len(WAYS)
    for claim in claims:
        ours, others = claim.runs()
        assert [run["seed"] for run in ours] == list(OWN_SEEDS)
        assert all(run.keys() > {"seed"} for run in ours)
        assert [run.keys() for run in others] == [{"seed"}] * 10
        own, base = (setup.settings for setup in claim.setups)
        assert (own.workers.number, base.workers.number) == (claim.setup.changes["workers.number"], 1)
        assert own.data == base.data
