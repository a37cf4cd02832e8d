"""What becomes of a worker group and of the run: tables of cases, one for each decision."""

from dataclasses import replace
from typing import Any

import pytest

from dcgan_dist.settings import WorkerSettings
from dcgan_dist.training.policy import (
    SETTLE_S,
    Budgets,
    Ended,
    Running,
    Waiting,
    cause_of,
    may_start,
    what_next,
    why_stop,
)

GOES_ON = Running(requested="", signalled=False, finding=False, leaving=0, arrived=0, workers=3, room=3)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({}, ""),
        ({"signalled": True}, "signal"),
        ({"finding": True}, "finding"),
        # What the user wants goes before all else, what ends the run before what would start it again.
        ({"signalled": True, "finding": True, "requested": "notice", "leaving": 1}, "signal"),
        ({"finding": True, "requested": "resize", "leaving": 1}, "finding"),
        ({"leaving": 2}, "notice"),
        ({"leaving": 1, "arrived": 1, "room": 5}, "notice"),
        # A group that is already stopping for a new one gets no new request: the next one has all nodes there are.
        ({"requested": "notice"}, "notice"),
        ({"requested": "resize"}, "resize"),
        ({"requested": "resize", "leaving": 1}, "resize"),
        ({"requested": "notice", "arrived": 1, "room": 5}, "notice"),
        ({"arrived": 1, "room": 4}, "resize"),
        # A node that brings no worker, or only takes the place of another one.
        ({"arrived": 1, "room": 3}, ""),
        ({"arrived": 1, "room": 2}, ""),
        # There was that room when the group was started, and Ray gave it fewer: a new one would get no more.
        ({"arrived": 0, "room": 4}, ""),
    ],
)
def test_why_a_group_is_asked_to_stop(facts: dict[str, Any], why: str) -> None:
    assert why_stop(replace(GOES_ON, **facts)) == why


STOPPED = Ended(how="in order", complete=False, requested="", signalled=False, finding=False)


@pytest.mark.parametrize(
    ("facts", "next_"),
    [
        # Trained to the end, or out of time.
        ({"complete": True}, "finish"),
        ({}, "finish"),
        ({"requested": "notice"}, "again"),
        ({"requested": "resize"}, "again"),
        # It was at its end when it was told to make way for another one.
        ({"requested": "notice", "complete": True}, "finish"),
        ({"requested": "resize", "complete": True}, "finish"),
        ({"requested": "signal", "signalled": True}, "finish"),
        # The signal came after the group was told to stop.
        ({"requested": "notice", "signalled": True}, "finish"),
        ({"requested": "finding", "finding": True}, "finding"),
        # However the group ended, the run ends with what was found.
        ({"how": "lost", "requested": "finding", "finding": True}, "finding"),
        ({"how": "fixable", "requested": "signal", "signalled": True, "finding": True}, "finding"),
        ({"how": "fixable"}, "fixable"),
        ({"how": "fixable", "requested": "notice"}, "fixable"),
        ({"how": "defect"}, "defect"),
        ({"how": "defect", "signalled": True}, "defect"),
        ({"how": "lost"}, "count the loss"),
        # It was to make place and was lost before its checkpoint: that counts.
        ({"how": "lost", "requested": "notice"}, "count the loss"),
        ({"how": "lost", "signalled": True}, "lost while stopping"),
    ],
)
def test_what_becomes_of_a_run_whose_group_has_ended(facts: dict[str, Any], next_: str) -> None:
    assert what_next(replace(STOPPED, **facts)) == next_


BEFORE = Waiting(room=3, free=3, waited_s=0.0, is_over=False, signalled=False, announced=False)
LATER = SETTLE_S + 0.1


@pytest.mark.parametrize(
    ("facts", "decision"),
    [
        ({}, "start"),
        ({"free": 4}, "start"),
        # The group before may still hold a part of the nodes, but not for long.
        ({"free": 2}, "wait"),
        ({"free": 2, "waited_s": SETTLE_S}, "wait"),
        ({"free": 2, "waited_s": LATER}, "start"),
        ({"free": 0}, "wait"),
        ({"free": 0, "waited_s": LATER}, "announce"),
        ({"free": 0, "waited_s": LATER, "announced": True}, "wait"),
        ({"free": 0, "is_over": True}, "give up"),
        ({"free": 0, "signalled": True}, "give up"),
        ({"free": 0, "room": 0, "waited_s": LATER}, "announce"),
        # Room that has come in the last moment is taken.
        ({"is_over": True}, "start"),
        ({"signalled": True}, "start"),
    ],
)
def test_when_a_group_starts(facts: dict[str, Any], decision: str) -> None:
    assert may_start(replace(BEFORE, **facts)) == decision


@pytest.mark.parametrize(
    ("hung", "node_gone", "cause"),
    [(False, False, "process"), (False, True, "node"), (True, False, "hang"), (True, True, "hang")],
)
def test_what_a_group_was_lost_with(hung: bool, node_gone: bool, cause: str) -> None:
    assert cause_of(hung=hung, node_gone=node_gone) == cause


def test_losses_count_in_a_row_and_a_new_checkpoint_ends_the_row() -> None:
    budgets = Budgets(WorkerSettings(max_failures=2))
    assert [budgets.take("process", step) for step in (0, 0, 10, 10, 20, 20)] == [None] * 6
    assert budgets.take("process", 20) == (
        "workers were lost 3 times in a row without a new checkpoint in between, more than "
        "workers.max_failures 2 allows"
    )


def test_each_cause_has_a_budget_of_its_own() -> None:
    budgets = Budgets(WorkerSettings(max_failures=0, max_nodes_lost=2, max_hangs=1))
    assert [budgets.take(cause, 0) for cause in ("node", "hang", "node")] == [None] * 3
    assert "machines were lost 3 times" in str(budgets.take("node", 0))
    assert "more than workers.max_hangs 1 allows" in str(budgets.take("hang", 0))
    assert "workers were lost 1 time in a row" in str(budgets.take("process", 0))


def test_a_new_checkpoint_ends_the_rows_of_all_causes() -> None:
    budgets = Budgets(WorkerSettings(max_failures=1, max_nodes_lost=1, max_hangs=1))
    for step in (0, 10):
        assert [budgets.take(cause, step) for cause in ("process", "node", "hang")] == [None] * 3
    # An older one, as after a rollback, is no new one.
    assert "workers hung 2 times" in str(budgets.take("hang", 5))


def test_a_checkpoint_of_the_first_step_is_a_new_one() -> None:
    budgets = Budgets(WorkerSettings(max_hangs=1))
    assert [budgets.take("hang", step) for step in (0, 1)] == [None] * 2
    assert "workers hung 2 times" in str(budgets.take("hang", 1))
