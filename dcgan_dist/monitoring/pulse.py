"""A worker's sign of life: a thread that tells the mailbox where the rank is, and hears what the driver wishes.

    worker: Pulse ──▶ Mailbox.beat ◀── driver: Receiver.beats

It also ends the process of a rank that waits for one that will never come: nothing else can, while the rank's own
thread is inside a collective.
"""

import logging
import os
import sys
import threading
import time
from types import FrameType
from typing import Literal

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError

from dcgan_dist.monitoring.messages import Beat, Wish

logger = logging.getLogger(__name__)

INTERVAL_S = 0.5
"""Between two signs of life."""
ANSWER_S = 5.0
"""How long a mailbox that is being started again may take to answer, before the next sign is tried."""
ABANDONED = 70
"""Exit status of a process that was told to end."""

Stage = Literal["start", "data", "step", "checkpoint", "done"]


class Pulse:
    """Signs of life of the thread that made it, until `close`."""

    def __init__(self, mailbox: ActorHandle, attempt: int, rank: int, host: str) -> None:
        self._mailbox, self._attempt, self._rank, self._host = mailbox, attempt, rank, host
        self._watched = threading.get_ident()
        self._now: tuple[Stage, int, float] = ("start", 0, time.monotonic())
        self._stop: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="pulse", daemon=True)
        self._thread.start()

    def at(self, stage: Stage, step: int) -> None:
        """The rank begins a stage of a step. Costs nothing: the thread looks by itself."""
        self._now = stage, step, time.monotonic()

    def stop_requested(self) -> str | None:
        """Why the run is to stop, None while it is to go on. Once told, it stays."""
        return self._stop

    def close(self) -> None:
        """One last sign: this rank has done its part."""
        self.at("done", self._now[1])
        self._closing.set()
        self._thread.join()

    def _loop(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(INTERVAL_S)
            try:
                wish: Wish = ray.get(self._mailbox.beat.remote(self._beat()), timeout=ANSWER_S)
            except RayError as error:  # it is started again, and the wish is repeated to it
                logger.debug("The mailbox did not answer: %s", error)
                continue
            self._stop = self._stop or wish["stop"]
            if wish["abandon"] == self._attempt:
                logger.error("The driver has given this worker group up.")
                os._exit(ABANDONED)

    def _beat(self) -> Beat:
        stage, step, since = self._now
        return {
            "attempt": self._attempt,
            "rank": self._rank,
            "host": self._host,
            "stage": where_in_step(sys._current_frames().get(self._watched)) if stage == "step" else stage,
            "step": step,
            "stage_s": time.monotonic() - since,
        }


def where_in_step(frame: FrameType | None) -> Literal["forward", "all-reduce"]:
    """Whether a thread that is in the adversarial step waits for other ranks, as far as its Python frames tell.

    DDP reduces gradients within the backward pass, in code without frames of its own: that counts as waiting.
    """
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("torch.distributed") or module == "torch.autograd.graph":
            return "all-reduce"
        if module.startswith("dcgan_dist"):
            return "forward"
        frame = frame.f_back
    return "forward"
