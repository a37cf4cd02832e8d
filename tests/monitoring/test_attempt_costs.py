"""What attempts did, lost and cost: a run of three attempts by hand."""

from dcgan_dist.monitoring.attempt_costs import attempt_costs, totals
from dcgan_dist.monitoring.sinks.curves import Point
from dcgan_dist.run_folder.attempts import Attempt


def attempt(number: int, step: int, workers: int, started: float) -> Attempt:
    return Attempt(number, f"{step:012d}" if step else None, step, 64 * step, workers, started)


def point(number: int, step: int, time: float) -> Point:
    return {"time": time, "attempt": number, "step": step, "images": 64 * step, "values": {}}


ATTEMPTS = [attempt(1, 0, 2, 100.0), attempt(2, 20, 1, 200.0), attempt(3, 40, 3, 300.0)]
LINES = [
    *(point(1, step, 110.0 + step) for step in (10, 20, 30)),
    *(point(2, step, 190.0 + step) for step in (30, 40)),
    point(3, 50, 320.0),
]


def test_steps_beyond_the_next_attempts_start_were_done_in_vain() -> None:
    one, two, three = attempt_costs(ATTEMPTS, LINES)
    assert (one.first_step, one.last_step, one.kept_step, one.steps_rolled_back) == (0, 30, 20, 10)
    assert (two.steps_rolled_back, three.steps_rolled_back) == (0, 0)
    assert (one.start_s, one.train_s, one.redone_s) == (20.0, 20.0, 10.0)
    assert (three.start_s, three.train_s) == (20.0, 0.0)


def test_totals_count_workers_by_the_hour() -> None:
    assert totals(attempt_costs(ATTEMPTS, LINES)) == {
        "attempts": 3,
        "steps_rolled_back": 10,
        "seconds_training": 20.0,
        "seconds_starting": 60.0,
        "seconds_redone": 10.0,
        "worker_hours": round((2 * 40 + 1 * 30 + 3 * 20) / 3600, 4),
    }


def test_an_attempt_without_a_point_did_nothing() -> None:
    (cost,) = attempt_costs([attempt(1, 0, 2, 100.0)], [])
    assert (cost.last_step, cost.steps_rolled_back, cost.start_s, cost.train_s) == (0, 0, 0.0, 0.0)
    assert totals([])["attempts"] == 0
