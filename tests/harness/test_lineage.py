import json
from pathlib import Path

from tests.harness.lineage import AttemptSteps, SampleLog, Use, Verdict, attempts, judge, lost, same, surviving


def uses(attempt: int, steps: range, samples: dict[int, int] | None = None) -> list[Use]:
    """Two ranks with a sample each; step s uses samples 2s and 2s + 1 of eight."""
    return [Use(attempt, rank, step, ((2 * step + rank) % 8,)) for step in steps for rank in range(2)]


def test_lives_and_what_each_lost() -> None:
    log = uses(1, range(7)) + uses(2, range(4, 9)) + uses(3, range(9, 12))
    assert attempts(log) == [AttemptSteps(1, 0, 6), AttemptSteps(2, 4, 8), AttemptSteps(3, 9, 11)]
    assert [lost(log, attempt) for attempt in (1, 2, 3)] == [3, 0, 0]


def test_what_survives_is_each_step_once() -> None:
    log = uses(1, range(7)) + uses(2, range(4, 12))
    assert [(use.attempt, use.step) for use in surviving(log)][::2] == [
        *((1, step) for step in range(4)),
        *((2, step) for step in range(4, 12)),
    ]
    assert judge(log, images=8, epochs=3) == Verdict(0, 0)
    assert same(log, uses(1, range(12)))


def test_a_life_that_began_before_the_one_before_it_takes_its_steps_away() -> None:
    log = uses(1, range(7)) + uses(2, range(6, 9)) + uses(3, range(2, 12))
    assert [use.attempt for use in surviving(log)][::2] == [1, 1, *[3] * 10]
    assert judge(log, images=8, epochs=3) == Verdict(0, 0)


def test_holes_and_doubles_are_counted() -> None:
    whole = uses(1, range(8))
    assert judge(whole[:-1], images=8, epochs=2) == Verdict(1, 0)
    assert judge([*whole, Use(1, 0, 8, (3, 4))], images=8, epochs=2) == Verdict(0, 2)
    assert not same(whole[:-1], whole)
    # A rank that wrote a step down twice in one attempt is no step of the plan either.
    assert not same([*whole, whole[-1]], whole)


def test_a_step_may_be_shared_by_another_number_of_ranks() -> None:
    whole = uses(1, range(8))
    alone = [Use(1, 0, step, (2 * step % 8, (2 * step + 1) % 8)) for step in range(3)]
    grown = [*alone, *uses(2, range(3, 8))]
    assert same(grown, whole, of_ranks=False)
    assert not same(grown, whole)
    turned = [Use(1, 0, 0, (1, 0)), *alone[1:], *uses(2, range(3, 8))]
    assert not same(turned, whole, of_ranks=False)
    assert not same(grown[1:], whole, of_ranks=False)


def test_a_log_is_read_while_it_grows(tmp_path: Path) -> None:
    moments = iter(range(100))
    log = SampleLog(tmp_path, clock=lambda: float(next(moments)))
    log.look()
    assert log.newest is None
    file = tmp_path / "000001-0000.jsonl"
    file.write_text(json.dumps({"step": 0, "samples": [5]}) + '\n{"step": 1, "sam')
    log.look()
    assert log.uses == [Use(1, 0, 0, (5,))]
    file.write_text(file.read_text() + 'ples": [6]}\n')
    log.look()
    log.look()
    assert [use.step for use in log.uses] == [0, 1]
    assert log.newest == AttemptSteps(1, 0, 1)


def test_training_goes_on_when_a_step_of_a_later_life_is_done() -> None:
    log = SampleLog(Path("nowhere"))
    log.seen = {(1, 0): 10.0, (1, 1): 11.0, (1, 2): 12.0}
    assert log.went_on(1) is None
    assert log.went_on(1, step=1) is None
    assert log.went_on(1, step=0) == 12.0
    log.seen |= {(2, 1): 20.0}
    assert log.went_on(1) is None
    log.seen |= {(2, 2): 21.5}
    assert log.went_on(1) == 21.5
    assert log.standstill(since=12.3, until=21.5) == (12.0, 20.0)
