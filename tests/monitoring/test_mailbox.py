import os
import signal
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
import ray
from ray.actor import ActorHandle

from dcgan_dist.monitoring.mailbox import Receiver, Sender
from dcgan_dist.monitoring.messages import Event, Heartbeat, Message, Scalars

pytestmark = pytest.mark.ray

T = TypeVar("T")
WAIT_S = 30.0


def event(text: str) -> Event:
    return {"kind": "event", "text": text, "step": 0, "images": 0}


def scalars(step: int) -> Scalars:
    return {"kind": "scalars", "attempt": 1, "step": step, "images": 8 * step, "values": {"loss/generator": 1.0}}


def until(ask: Callable[[], T]) -> T:
    """The first true answer."""
    deadline = time.monotonic() + WAIT_S
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(2)


def process_of(mailbox: ActorHandle) -> int:
    def pid() -> int:
        return os.getpid()

    process: int = ray.get(mailbox.__ray_call__.remote(lambda _: pid()))
    return process


def kill(process: int) -> None:
    """As the kernel does when memory runs out."""
    os.kill(process, signal.SIGKILL)


def keep_busy(mailbox: ActorHandle, seconds: float) -> None:
    """What comes meanwhile has to wait."""
    mailbox.__ray_call__.remote(lambda _: time.sleep(seconds))


def test_messages_arrive_in_order_and_once(mailbox: ActorHandle) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    sent: list[Message] = [scalars(step) for step in range(50)]
    for message in sent:
        sender.send(message)
    assert sender.flush(WAIT_S)
    assert receiver.receive(WAIT_S) == sent
    assert receiver.receive(WAIT_S) == []


def test_several_workers_share_a_mailbox(mailbox: ActorHandle) -> None:
    def work(handle: ActorHandle, rank: int) -> bool:
        sender = Sender(handle)
        for number in range(20):
            sender.send({"kind": "event", "text": f"{rank} {number}", "step": 0, "images": 0})
        return sender.flush(30)

    start = ray.remote(num_cpus=0)(work).remote
    assert all(ray.get([start(mailbox, rank) for rank in range(2)]))
    texts = [message["text"] for message in Receiver(mailbox).receive(WAIT_S) if message["kind"] == "event"]
    for rank in range(2):
        assert [text for text in texts if text.startswith(str(rank))] == [f"{rank} {number}" for number in range(20)]


def heartbeat(rank: int, attempt: int = 1, step: int = 0) -> Heartbeat:
    return {"attempt": attempt, "rank": rank, "host": "here", "stage": "data", "step": step, "stage_s": 0.0}


def test_the_driver_hears_the_newest_sign_of_each_rank_of_the_newest_attempt(mailbox: ActorHandle) -> None:
    receiver = Receiver(mailbox)
    for sign in (heartbeat(0), heartbeat(1), heartbeat(1, step=3)):
        ray.get(mailbox.heartbeat.remote(sign))
    assert [heard.heartbeat for heard in receiver.heartbeats(WAIT_S)] == [heartbeat(0), heartbeat(1, step=3)]
    # A rank of the group before may still be there when the next one has begun.
    for sign in (heartbeat(0, attempt=2), heartbeat(1, attempt=1, step=4)):
        ray.get(mailbox.heartbeat.remote(sign))
    assert [heard.heartbeat for heard in receiver.heartbeats(WAIT_S)] == [heartbeat(0, attempt=2)]


def test_a_wish_is_the_answer_to_a_sign_of_life_and_can_be_withdrawn(mailbox: ActorHandle) -> None:
    receiver = Receiver(mailbox)
    assert ray.get(mailbox.heartbeat.remote(heartbeat(0))) == {"stop": None, "abandon": None}
    receiver.request({"stop": "SIGTERM", "abandon": None})
    receiver.heartbeats(WAIT_S)
    assert ray.get(mailbox.heartbeat.remote(heartbeat(0)))["stop"] == "SIGTERM"
    receiver.request({"stop": None, "abandon": 3})
    receiver.heartbeats(WAIT_S)
    assert ray.get(mailbox.heartbeat.remote(heartbeat(0))) == {"stop": None, "abandon": 3}


def test_messages_that_come_after_the_driver_stopped_waiting_are_not_lost(mailbox: ActorHandle) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    sender.send(event("first"))
    assert sender.flush(WAIT_S)
    keep_busy(mailbox, 1)
    assert receiver.receive(0.05) == []
    sender.send(event("second"))
    assert sender.flush(WAIT_S)
    assert [*receiver.receive(WAIT_S), *receiver.receive(WAIT_S)] == [event("first"), event("second")]


def test_the_death_of_the_mailbox_is_survived_and_told_once(mailbox: ActorHandle) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    receiver.request({"stop": "SIGTERM", "abandon": None})
    process = process_of(mailbox)
    keep_busy(mailbox, WAIT_S)
    assert receiver.receive(0.05) == []
    kill(process)
    received: list[Message] = []

    def delivered() -> bool:
        sender.send(event("after"))
        received.extend(receiver.receive(WAIT_S))
        return event("after") in received

    assert until(delivered)
    assert sender.flush(WAIT_S)
    lost = [message for message in received if message["kind"] == "event" and "mailbox was lost" in message["text"]]
    assert len(lost) == 1
    # Ray has started it again, and it has learnt the request anew.
    receiver.heartbeats(WAIT_S)
    assert ray.get(mailbox.heartbeat.remote(heartbeat(0)))["stop"] == "SIGTERM"


def test_messages_that_a_dead_mailbox_did_not_take_stay_in_order(mailbox: ActorHandle) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    process = process_of(mailbox)
    keep_busy(mailbox, WAIT_S)
    sent: list[Message] = [event("under way"), event("waiting"), event("waiting behind it")]
    for message in sent:
        sender.send(message)
    kill(process)
    assert sender.flush(WAIT_S)
    received: list[Message] = []

    def arrived() -> bool:
        received.extend(receiver.receive(WAIT_S))
        return len([message for message in received if message in sent]) >= len(sent)

    assert until(arrived)
    assert [message for message in received if message in sent] == sent


def test_a_mailbox_that_is_gone_for_good_stops_nobody(mailbox: ActorHandle, caplog: pytest.LogCaptureFixture) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    ray.kill(mailbox)
    for step in range(20):
        sender.send(scalars(step))
    assert not sender.flush(1)
    assert [record.levelname for record in caplog.records if "mailbox" in record.getMessage()] == ["WARNING"]
    (message,) = until(lambda: receiver.receive(WAIT_S))
    assert message["kind"] == "event"
    assert "mailbox was lost" in message["text"]
    assert receiver.receive(WAIT_S) == []
    assert receiver.heartbeats(WAIT_S) == []


def test_what_a_dead_mailbox_did_not_take_is_delivered_later(mailbox: ActorHandle) -> None:
    sender, receiver = Sender(mailbox), Receiver(mailbox)
    kill(process_of(mailbox))
    sender.send(event("kept"))
    assert sender.flush(WAIT_S)
    assert event("kept") in until(lambda: receiver.receive(WAIT_S))


def test_it_lives_on_the_drivers_node_and_takes_no_cpu(mailbox: ActorHandle) -> None:
    here = ray.get_runtime_context().get_node_id()
    assert ray.get(mailbox.__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())) == here
    assert ray.get(mailbox.__ray_call__.remote(lambda _: ray.get_runtime_context().get_assigned_resources())) == {}
