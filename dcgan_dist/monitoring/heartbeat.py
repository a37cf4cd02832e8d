"""A worker's heartbeat: a thread that reports where the rank is, and learns what the driver requests.

    worker: HeartbeatSender ──▶ Mailbox.heartbeat ◀── driver: Receiver.heartbeats

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
import torch
from ray.actor import ActorHandle
from ray.exceptions import RayError

from dcgan_dist.monitoring.messages import Heartbeat, Request, Vitals
from dcgan_dist.monitoring.vitals import gpu_memory_share, machine_memory_share, process_memory, thread_seconds

logger = logging.getLogger(__name__)

INTERVAL_S = 0.5
"""Time between two heartbeats."""
ANSWER_S = 5.0
"""How long a mailbox that is being restarted may take to answer, before the next heartbeat is sent."""
ABANDONED = 70
"""Exit status of a process that exits on request."""

Stage = Literal["start", "data", "step", "checkpoint", "done"]


class HeartbeatSender:
    """Sends heartbeats of the thread that created it, until `close`."""

    def __init__(self, mailbox: ActorHandle, attempt: int, rank: int, host: str, device: torch.device) -> None:
        self._mailbox, self._attempt, self._rank, self._host, self._device = mailbox, attempt, rank, host, device
        self._watched, self._thread_id = threading.get_ident(), threading.get_native_id()
        self._began = time.monotonic()
        self._busy_before = thread_seconds(self._thread_id)
        self._now: tuple[Stage, int, float] = ("start", 0, self._began)
        self._stages_s = {"data": 0.0, "step": 0.0, "checkpoint": 0.0}
        self._stop: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)
        self._thread.start()

    def at(self, stage: Stage, step: int) -> None:
        """Note that the rank begins a stage of a step. Costs a microsecond: the thread reads it by itself."""
        now = time.monotonic()
        before, _, since = self._now
        if before in self._stages_s:
            self._stages_s[before] += now - since
        self._now = stage, step, now

    def stop_requested(self) -> str | None:
        """Why the run is to stop; None while it is to continue. A reason stays."""
        return self._stop

    def close(self) -> None:
        """Send a last heartbeat, which says that this rank is done."""
        self.at("done", self._now[1])
        self._closing.set()
        self._thread.join()

    def _loop(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(INTERVAL_S)
            try:
                request: Request = ray.get(self._mailbox.heartbeat.remote(self._heartbeat()), timeout=ANSWER_S)
            except RayError as error:  # it is started again, and the request is repeated to it
                logger.debug("The mailbox did not answer: %s", error)
                continue
            self._stop = self._stop or request["stop"]
            if request["abandon"] == self._attempt:
                logger.error("The driver has given up on this worker group.")
                os._exit(ABANDONED)

    def _heartbeat(self) -> Heartbeat:
        stage, step, since = self._now
        return {
            "attempt": self._attempt,
            "rank": self._rank,
            "host": self._host,
            "stage": where_in_step(sys._current_frames().get(self._watched)) if stage == "step" else stage,
            "step": step,
            "stage_s": time.monotonic() - since,
            "vitals": self._vitals(),
        }

    def _vitals(self) -> Vitals:
        now, before = thread_seconds(self._thread_id), self._busy_before
        spent = None if now is None or before is None else [one - other for one, other in zip(now, before, strict=True)]
        return {
            "age_s": time.monotonic() - self._began,
            "stages_s": dict(self._stages_s),
            "busy_s": None if spent is None else sum(spent),
            "ready_s": None if spent is None else spent[1],
            "memory": process_memory(),
            "machine_memory": machine_memory_share(),
            "gpu_memory": gpu_memory_share(self._device),
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
