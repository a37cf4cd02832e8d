"""What ranks do with their time, from made-up heartbeats."""

import os
import subprocess
import sys
import threading
import time

import pytest

from dcgan_dist.monitoring.hangs import LastHeartbeat
from dcgan_dist.monitoring.messages import Heartbeat
from dcgan_dist.monitoring.stragglers import CROWDED, PERIOD_S, Ranks
from dcgan_dist.monitoring.vitals import thread_seconds


def heard(
    rank: int, age_s: float, busy: float, data: float = 0.0, attempt: int = 1, crowded: float = 0.0, host: str = ""
) -> LastHeartbeat:
    """A rank that has been busy, and waited for data, for such shares of its age; and for such a share of the former it
    had no processor."""
    heartbeat: Heartbeat = {
        "attempt": attempt,
        "rank": rank,
        "host": host or f"host-{rank}",
        "stage": "forward",
        "step": 1,
        "stage_s": 0.0,
        "vitals": {
            "age_s": age_s,
            "stages_s": {"data": data * age_s, "step": (1 - data) * age_s, "checkpoint": 0.0},
            "busy_s": busy * age_s,
            "ready_s": crowded * busy * age_s,
            "memory": 3 << 29,
            "machine_memory": 0.5,
            "gpu_memory": None,
        },
    }
    return LastHeartbeat(heartbeat, 0.1)


def test_shares_are_those_of_a_period() -> None:
    ranks = Ranks()
    assert ranks.hear([heard(0, 10, 0.9), heard(1, 10, 0.9)]) == ({}, [])
    assert ranks.hear([heard(0, 9 + PERIOD_S, 0.9), heard(1, 9 + PERIOD_S, 0.9)]) == ({}, [])
    values, slow = ranks.hear([heard(0, 100, 0.5), heard(1, 100, 0.5, data=0.2)])
    # 50 s of 100, less 9 s of the first 10.
    assert values["worker/0/busy_share"] == pytest.approx(41 / 90)
    assert values["worker/1/data_share"] == pytest.approx(20 / 90)
    assert values["worker/1/step_share"] == pytest.approx(70 / 90)
    assert values["worker/0/memory_gib"] == 1.5
    assert values["worker/0/machine_memory_share"] == 0.5
    assert not any("gpu" in name for name in values)
    assert not slow


def test_a_slow_rank_is_named_once_an_attempt() -> None:
    ranks = Ranks()
    told = []
    for attempt in (1, 2):
        for age_s in (0.0, 100.0, 200.0):
            # Rank 1 waits for its data; nobody waits for rank 0.
            told.append(ranks.hear([heard(0, age_s, 0.3, 0, attempt), heard(1, age_s, 0.3, 0.6, attempt)])[1])
    text = "slow: rank 1 on host-1 keeps the others waiting for 70% of the time"
    assert told == [[], [text], []] * 2


def test_ranks_that_do_not_tell_how_busy_they_are_are_not_judged() -> None:
    ranks = Ranks()
    signs = [heard(0, age_s, 0.1) for age_s in (0.0, 100.0)]
    for sign in signs:
        sign.heartbeat["vitals"]["busy_s"] = None
    for sign in signs:
        values, slow = ranks.hear([sign, heard(1, sign.heartbeat["vitals"]["age_s"], 0.9)])
    assert not slow
    assert "worker/0/busy_share" not in values
    assert values["worker/1/busy_share"] == pytest.approx(0.9)


def test_a_crowded_host_is_named_once_an_attempt() -> None:
    ranks, told = Ranks(), []
    for age_s in (0.0, 100.0, 200.0):
        of = {"age_s": age_s, "busy": 0.8}
        values, texts = ranks.hear(
            [
                heard(0, **of, crowded=CROWDED - 0.01, host="quiet"),
                heard(1, **of, crowded=CROWDED + 0.1, host="full"),
                heard(2, **of, crowded=CROWDED + 0.2, host="full"),
            ]
        )
        told.append(texts)
    assert values["worker/2/crowded_share"] == pytest.approx(CROWDED + 0.2)
    assert [len(texts) for texts in told] == [0, 1, 0]
    assert told[1][0].startswith("crowded: rank 1 on full waits for a processor for 45% of the time in which it could")
    assert "fewer --workers.threads" in told[1][0]


def test_a_thread_is_told_from_what_keeps_it_from_computing() -> None:
    """A process beside this one, on its only processor."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # it inherits the processor
    try:
        before, end = thread_seconds(threading.get_native_id()), time.monotonic() + 2
        while time.monotonic() < end:
            pass
        after = thread_seconds(threading.get_native_id())
    finally:
        os.sched_setaffinity(0, processors)
        other.kill()
        other.wait()
    assert before is not None
    assert after is not None
    running, ready = (one - other for one, other in zip(after, before, strict=True))
    assert ready > 0.25 * (running + ready)
