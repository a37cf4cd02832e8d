"""Which rank do the others wait for: a table of last heartbeats."""

import pytest

from dcgan_dist.monitoring.hangs import LastHeartbeat, describe, slow, stuck
from dcgan_dist.monitoring.messages import Heartbeat, Vitals

VITALS: Vitals = {
    "age_s": 0.0,
    "stages_s": {},
    "busy_s": None,
    "ready_s": None,
    "memory": None,
    "machine_memory": None,
    "gpu_memory": None,
}


def heard(rank: int, stage: str, step: int, stage_s: float, silent_s: float = 0.3) -> LastHeartbeat:
    sign: Heartbeat = {
        "attempt": 1,
        "rank": rank,
        "host": f"host-{rank}",
        "stage": stage,  # type: ignore[typeddict-item]
        "step": step,
        "stage_s": stage_s,
        "vitals": VITALS,
    }
    return LastHeartbeat(sign, silent_s)


@pytest.mark.parametrize(
    ("ranks", "culprit"),
    [
        ([heard(0, "all-reduce", 7, 90), heard(1, "data", 7, 90), heard(2, "all-reduce", 7, 90)], 1),
        ([heard(0, "checkpoint", 7, 90), heard(1, "all-reduce", 7, 90)], 0),
        ([heard(0, "all-reduce", 7, 90), heard(1, "forward", 7, 90)], 1),
        ([heard(0, "data", 8, 90), heard(1, "all-reduce", 7, 90)], 1),
        # A stopped process says nothing: what it said last may be further than the others came.
        ([heard(0, "all-reduce", 7, 90), heard(1, "all-reduce", 7, 0.1, silent_s=90)], 1),
        ([heard(0, "start", 0, 90)], 0),
    ],
)
def test_the_rank_that_the_others_wait_for(ranks: list[LastHeartbeat], culprit: int) -> None:
    found = stuck(ranks, 60)
    assert found is not None
    assert found.heartbeat["rank"] == culprit


@pytest.mark.parametrize(
    "ranks",
    [
        [],
        [heard(0, "all-reduce", 7, 90), heard(1, "data", 7, 59)],
        # The end of a run: rank 0 still writes, the others have left.
        [heard(0, "checkpoint", 9, 90), heard(1, "done", 9, 0, silent_s=90)],
    ],
)
def test_nobody_is_stuck_while_anybody_gets_on_or_has_left(ranks: list[LastHeartbeat]) -> None:
    assert stuck(ranks, 60) is None


def test_where_it_is_in_words() -> None:
    assert describe(heard(1, "data", 1_200, 61)) == "rank 1 on host-1 has been in data of step 1,200 for 61 s"
    assert describe(heard(1, "forward", 7, 1, silent_s=60)) == (
        "rank 1 on host-1 has been in forward of step 7 for 61 s, and silent for 60 s"
    )


@pytest.mark.parametrize(
    ("at_work", "culprit"),
    [
        ({0: 0.4, 1: 0.95, 2: 0.5}, 1),
        ({0: 0.9, 1: 0.3}, 0),
        ({0: 0.7, 1: 0.95}, None),
        ({0: 0.4, 1: 0.95, 2: 0.9}, None),
        ({0: 0.9}, None),
        # On GPUs no thread has much to do.
        ({0: 0.05, 1: 0.1}, None),
        ({}, None),
    ],
)
def test_a_rank_is_slow_if_all_others_wait_for_it(at_work: dict[int, float], culprit: int | None) -> None:
    assert slow(at_work) == culprit
