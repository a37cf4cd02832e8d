"""How the workers' messages reach the driver: through an actor, so that neither end waits for the other.

    worker: Sender.send ──▶ Mailbox (actor, 0 CPUs, on the driver's node) ◀── driver: Receiver.receive

Heartbeats go the same way (`heartbeat.py`), and their answers carry the driver's requests.
"""

import logging
import time

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dcgan_dist.monitoring.hangs import LastHeartbeat
from dcgan_dist.monitoring.messages import Heartbeat, Message, MessageBuffer, Request

logger = logging.getLogger(__name__)

RETRY_S = 0.2
"""Between two deliveries to a mailbox that is being started again, where a worker waits for it."""


@ray.remote(num_cpus=0)
class Mailbox:
    """Buffers messages between workers and driver."""

    def __init__(self) -> None:
        self._buffer = MessageBuffer()
        self._heartbeats: dict[int, tuple[Heartbeat, float]] = {}
        self._request: Request = {"stop": None, "abandon": None}

    def put(self, messages: list[Message]) -> None:
        """Append messages to the buffer."""
        self._buffer.put(messages)

    def heartbeat(self, heartbeat: Heartbeat) -> Request:
        """Take the heartbeat of a rank; returns what the driver requests."""
        newest = max((other["attempt"] for other, _ in self._heartbeats.values()), default=0)
        if heartbeat["attempt"] > newest:
            self._heartbeats.clear()
        if heartbeat["attempt"] >= newest:
            self._heartbeats[heartbeat["rank"]] = heartbeat, time.monotonic()
        return self._request

    def request(self, request: Request) -> None:
        """Set what the driver requests from now on."""
        self._request = request

    def heartbeats(self, request: Request) -> list[LastHeartbeat]:
        """The newest heartbeat of each rank of the newest attempt; also sets the request, as `request` does."""
        self.request(request)
        now = time.monotonic()
        return [LastHeartbeat(heartbeat, now - at) for heartbeat, at in self._heartbeats.values()]

    def drain(self) -> list[Message]:
        """Remove and return what has come since the last call."""
        return self._buffer.drain()


def create_mailbox() -> ActorHandle:
    """Create a `Mailbox` on this process's node, which lives as long as this driver.

    Ray restarts it when its process dies: handles stay valid, and what it held is lost.
    """
    here = NodeAffinitySchedulingStrategy(node_id=ray.get_runtime_context().get_node_id(), soft=False)
    return Mailbox.options(scheduling_strategy=here, max_restarts=-1).remote()  # type: ignore[attr-defined]


class Sender:
    """A worker's end. No method waits or raises because of the mailbox, except `flush`, which waits for a given time.

    One delivery is under way at a time. What is sent meanwhile waits here, in a buffer with the mailbox's own limit;
    what a dead mailbox did not take is delivered again.
    """

    def __init__(self, mailbox: ActorHandle) -> None:
        self._mailbox = mailbox
        self._waiting = MessageBuffer()
        self._under_way: list[Message] = []
        self._delivery: ObjectRef | None = None
        self._lost = False

    def send(self, message: Message) -> None:
        """Send a message, now or with one of the next calls."""
        self._waiting.put([message])
        self._advance(timeout_s=0)

    def flush(self, timeout_s: float) -> bool:
        """Wait until the mailbox has everything; False if it has not after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self._delivery is not None or len(self._waiting):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._advance(left_s)
            if self._lost:
                time.sleep(min(RETRY_S, left_s))
        return True

    def _advance(self, timeout_s: float) -> None:
        """Take in the reply to the delivery under way if it is there, then start the next delivery."""
        try:
            if self._delivery is not None:
                ready, _ = ray.wait([self._delivery], timeout=timeout_s)
                if not ready:
                    return
                delivery, self._delivery = self._delivery, None
                ray.get(delivery)
                self._under_way, self._lost = [], False
            if len(self._waiting):
                self._under_way = self._waiting.drain()
                self._delivery = self._mailbox.put.remote(self._under_way)
        except RayError as error:
            newer = self._waiting.drain()
            self._waiting.put(self._under_way)
            self._waiting.put(newer)
            self._under_way = []
            if not self._lost:
                logger.warning("The mailbox cannot be reached, curves and pictures wait in this worker: %s", error)
            self._lost = True


class Receiver:
    """The driver's end."""

    def __init__(self, mailbox: ActorHandle) -> None:
        self._mailbox = mailbox
        self._request: Request = {"stop": None, "abandon": None}
        self._call: ObjectRef | None = None
        self._look: ObjectRef | None = None
        self._lost = False

    def request(self, request: Request) -> None:
        """Set what the workers are to do. `heartbeats` repeats it, so that a restarted mailbox knows it."""
        self._request = request
        self._mailbox.request.remote(request)

    def heartbeats(self, timeout_s: float) -> list[LastHeartbeat]:
        """The newest heartbeat of each rank; nothing if the mailbox does not answer in time."""
        try:
            self._look = self._look or self._mailbox.heartbeats.remote(self._request)
            ready, _ = ray.wait([self._look], timeout=timeout_s)
            if not ready:
                return []
            look, self._look = self._look, None
            heard: list[LastHeartbeat] = ray.get(look)
            return heard
        except RayError as error:  # reported by `receive`
            logger.debug("The mailbox did not answer: %s", error)
            return []

    def receive(self, timeout_s: float) -> list[Message]:
        """What has come since the last call; nothing if the mailbox does not answer in time.

        A death of the mailbox is reported once, as an event.
        """
        try:
            # A call that did not answer in time is kept: a second one would find the mailbox empty.
            self._call = self._call or self._mailbox.drain.remote()
            ready, _ = ray.wait([self._call], timeout=timeout_s)
            if not ready:
                return []
            call, self._call = self._call, None
            messages: list[Message] = ray.get(call)
            self._lost = False
            return messages
        except RayError as error:
            if self._lost:
                return []
            self._lost = True
            text = f"the mailbox was lost with what it held, Ray starts it again ({type(error).__name__})"
            return [{"kind": "event", "text": text, "step": 0, "images": 0}]
