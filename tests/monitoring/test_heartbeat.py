"""Heartbeats from a thread, and the requests in their answers."""

import sys
import threading
import time
from collections.abc import Callable

import pytest
import ray
import torch
from ray.actor import ActorHandle
from ray.exceptions import WorkerCrashedError

from dcgan_dist.monitoring.hangs import LastHeartbeat
from dcgan_dist.monitoring.heartbeat import HeartbeatSender, where_in_step
from dcgan_dist.monitoring.mailbox import Receiver

pytestmark = pytest.mark.ray

WAIT_S = 30.0
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(2)


def hear(receiver: Receiver, enough: Callable[[list[LastHeartbeat]], bool]) -> list[LastHeartbeat]:
    deadline = time.monotonic() + WAIT_S
    while not enough(heard := receiver.heartbeats(WAIT_S)):
        assert time.monotonic() < deadline, heard
        time.sleep(0.05)
    return heard


def test_a_rank_says_where_it_is_and_hears_of_a_stop(mailbox: ActorHandle) -> None:
    receiver = Receiver(mailbox)
    pulse = HeartbeatSender(mailbox, attempt=1, rank=3, host="here", device=CPU)
    pulse.at("data", 7)
    (heard,) = hear(receiver, lambda ranks: any(rank.heartbeat["stage"] == "data" for rank in ranks))
    assert (heard.heartbeat["rank"], heard.heartbeat["host"], heard.heartbeat["step"]) == (3, "here", 7)
    vitals = heard.heartbeat["vitals"]
    assert 0 < (vitals["memory"] or 0) < 8 << 30
    assert 0 < (vitals["machine_memory"] or 0) < 1
    assert vitals["gpu_memory"] is None
    assert pulse.stop_requested() is None
    receiver.request({"stop": "SIGTERM", "abandon": None})
    deadline = time.monotonic() + WAIT_S
    while pulse.stop_requested() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pulse.stop_requested() == "SIGTERM"
    pulse.close()
    hear(receiver, lambda ranks: ranks[0].heartbeat["stage"] == "done")


def test_only_the_attempt_that_was_given_up_ends(mailbox: ActorHandle) -> None:
    def work(handle: ActorHandle, attempt: int) -> str:
        HeartbeatSender(handle, attempt, rank=attempt, host="here", device=CPU)
        # As in a collective: this thread hears nothing.
        threading.Event().wait(4)
        return "alive"

    receiver = Receiver(mailbox)
    start = ray.remote(num_cpus=0, max_retries=0)(work).remote
    gone, there = start(mailbox, 1), start(mailbox, 2)
    receiver.request({"stop": None, "abandon": 1})
    receiver.heartbeats(WAIT_S)
    assert ray.get(there, timeout=WAIT_S) == "alive"
    with pytest.raises(WorkerCrashedError):
        ray.get(gone, timeout=WAIT_S)


def test_a_collective_counts_as_waiting_for_others() -> None:
    def frame_of(module: str) -> object:
        scope: dict[str, object] = {"__name__": module, "sys": sys}
        exec("def inner():\n    return sys._getframe()", scope)
        inner = scope["inner"]
        assert callable(inner)
        return inner()

    assert where_in_step(frame_of("torch.distributed.distributed_c10d")) == "all-reduce"  # type: ignore[arg-type]
    assert where_in_step(frame_of("torch.autograd.graph")) == "all-reduce"  # type: ignore[arg-type]
    assert where_in_step(frame_of("dcgan_dist.model.dcgan")) == "forward"  # type: ignore[arg-type]
    assert where_in_step(None) == "forward"
