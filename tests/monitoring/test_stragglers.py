"""What ranks do with their time, from made-up heartbeats."""

import pytest

from dcgan_dist.monitoring.hangs import LastHeartbeat
from dcgan_dist.monitoring.messages import Heartbeat
from dcgan_dist.monitoring.stragglers import PERIOD_S, Ranks


def heard(rank: int, age_s: float, busy: float, data: float = 0.0, attempt: int = 1) -> LastHeartbeat:
    """A rank that has been busy, and waited for data, for such shares of its age."""
    heartbeat: Heartbeat = {
        "attempt": attempt,
        "rank": rank,
        "host": f"host-{rank}",
        "stage": "forward",
        "step": 1,
        "stage_s": 0.0,
        "vitals": {
            "age_s": age_s,
            "stages_s": {"data": data * age_s, "step": (1 - data) * age_s, "checkpoint": 0.0},
            "busy_s": busy * age_s,
            "memory": 3 << 29,
            "machine_memory": 0.5,
            "gpu_memory": None,
        },
    }
    return LastHeartbeat(heartbeat, 0.1)


def test_shares_are_those_of_a_period() -> None:
    ranks = Ranks()
    assert ranks.hear([heard(0, 10, 0.9), heard(1, 10, 0.9)]) == ({}, None)
    assert ranks.hear([heard(0, 9 + PERIOD_S, 0.9), heard(1, 9 + PERIOD_S, 0.9)]) == ({}, None)
    values, slow = ranks.hear([heard(0, 100, 0.5), heard(1, 100, 0.5, data=0.2)])
    # 50 s of 100, less 9 s of the first 10.
    assert values["worker/0/busy_share"] == pytest.approx(41 / 90)
    assert values["worker/1/data_share"] == pytest.approx(20 / 90)
    assert values["worker/1/step_share"] == pytest.approx(70 / 90)
    assert values["worker/0/memory_gib"] == 1.5
    assert values["worker/0/machine_memory_share"] == 0.5
    assert not any("gpu" in name for name in values)
    assert slow is None


def test_a_slow_rank_is_named_once_an_attempt() -> None:
    ranks = Ranks()
    told = []
    for attempt in (1, 2):
        for age_s in (0.0, 100.0, 200.0):
            # Rank 1 waits for its data; nobody waits for rank 0.
            told.append(ranks.hear([heard(0, age_s, 0.3, 0, attempt), heard(1, age_s, 0.3, 0.6, attempt)])[1])
    text = "slow: rank 1 on host-1 keeps the others waiting for 70% of the time"
    assert told == [None, text, None] * 2


def test_ranks_that_do_not_tell_how_busy_they_are_are_not_judged() -> None:
    ranks = Ranks()
    signs = [heard(0, age_s, 0.1) for age_s in (0.0, 100.0)]
    for sign in signs:
        sign.heartbeat["vitals"]["busy_s"] = None
    for sign in signs:
        values, slow = ranks.hear([sign, heard(1, sign.heartbeat["vitals"]["age_s"], 0.9)])
    assert slow is None
    assert "worker/0/busy_share" not in values
    assert values["worker/1/busy_share"] == pytest.approx(0.9)
