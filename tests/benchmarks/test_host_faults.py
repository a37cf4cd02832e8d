"""What the table of faults on hosts says of what was found."""

import pytest

from benchmarks.faults import BETWEEN, OURS, STOCK, Broken, Draw
from benchmarks.host_faults import FAULTS, STEPS, in_order, report

KILLED, *_ = FAULTS
GOOD = Broken(KILLED.name, OURS, [Draw(50, 12.0, 11.5, 10)], [], 0, 0, True, True)


def test_no_checkpoint_comes_but_at_the_intervals() -> None:
    assert STEPS % (4 * BETWEEN) == 0


def test_what_went_well_meets_its_bars_and_has_a_line() -> None:
    made = report([GOOD])
    assert made.tables["host-faults"].rows == [[KILLED.name, OURS, "12", "11.5", "10", "0, 0", "yes"]]
    assert all(bar.met for bar in made.bars)
    assert len(made.bars) == 2


@pytest.mark.parametrize(
    "bad",
    [
        Broken(KILLED.name, OURS, GOOD.draws, [], 3, 0, True, True),
        Broken(KILLED.name, OURS, GOOD.draws, [], 0, 1, True, True),
        Broken(KILLED.name, OURS, GOOD.draws, [], 0, 0, False, True),
        Broken(KILLED.name, OURS, GOOD.draws, [], 0, 0, True, False),
        Broken(KILLED.name, OURS, GOOD.draws),
    ],
)
def test_what_went_wrong_misses_one(bad: Broken) -> None:
    assert not all(bar.met for bar in report([bad]).bars)


def test_a_notice_may_cost_no_step() -> None:
    (notice,) = [fault.name for fault in FAULTS if "notice" in fault.name]
    made = report([Broken(notice, OURS, [Draw(50, 12.0, 11.5, 1)], [], 0, 0, True, True)])
    assert [bar.name for bar in made.bars if not bar.met] == [f"{notice}: steps lost"]


def test_rays_loop_has_a_line_and_no_bars_also_where_it_does_not_go_on() -> None:
    given_up = Broken(KILLED.name, STOCK, ended=["a step after the fault: the job has failed"])
    made = report(in_order({(KILLED.name, STOCK): given_up, (KILLED.name, OURS): GOOD}))
    assert [row[1] for row in made.tables["host-faults"].rows] == [OURS, STOCK]
    assert made.tables["host-faults"].rows[1][2:] == ["-", "-", "-", "-", f"does not end: {given_up.ended[0]}"]
    assert len(made.bars) == 2
