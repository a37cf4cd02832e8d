"""Checkpoints written in a thread while training goes on, also where the storage refuses some for a while."""

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import folder, manifests, write_checkpoint
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place

RETRY_S = 5.0
"""Between two tries to write a checkpoint that the storage refuses."""
POLL_S = 0.1
"""Between two looks whether the checkpoint before has become one that is refused."""


def expired(kept: Mapping[str, bool], keep: int) -> list[str]:
    """Names of the checkpoints that newer ones push out.

    Args:
        kept: for each name whether it stays whatever comes.
        keep: how many of the newest stay.
    """
    return [name for name in sorted(kept)[:-keep] if not kept[name]]


@dataclass
class _Due:
    """A checkpoint that is to be written; the state is on the CPU, and nobody else's."""

    state: Mapping[str, Any]
    step: int
    kept: bool
    since: float


LOWEST_PRIORITY = 19
"""Of a thread on Linux, as `nice` counts."""


class Saver:
    """Writes checkpoints in a thread, one at a time, so that training goes on meanwhile.

    Where the storage refuses one, it is tried again, or in its place a newer one that has become due meanwhile. After
    `checkpoints.patience_s` the storage's error is raised by the next call.
    """

    def __init__(self, run: Place, settings: Settings, attempt: int) -> None:
        self._run, self._settings, self._attempt = run, settings, attempt
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._refused: str | None = None
        self._newer: _Due | None = None
        self._error: Exception | None = None
        self._written: list[tuple[str, int, float]] = []

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def refused(self) -> str | None:
        """What the storage says where it refuses the checkpoint that is being written, else None."""
        return self._refused

    def save(self, state: Mapping[str, Any], step: int, *, kept: bool) -> None:
        """Copy the state to the CPU now, and write it while the caller goes on.

        Waits for the checkpoint before it, if that is being written; one that is refused gives its place up.

        Raises:
            DataError: the checkpoint before this one could not be written.
            CheckpointError: the run was resumed elsewhere.
        """
        due = _Due(_on_cpu(state), step, kept, time.perf_counter())
        while not self.wait(POLL_S):
            with self._lock:
                if self._refused is not None:
                    due.kept |= self._newer is not None and self._newer.kept
                    self._newer = due
                    return
        self._thread = threading.Thread(target=self._loop, args=(due,), name="checkpoint")
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until nothing is left to write, or the time is over; whether nothing is. Raises what `save` raises."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return True

    def take_written(self) -> list[tuple[str, int, float]]:
        """Checkpoints written since the last call: name, step, and the seconds from the copy to the manifest."""
        done, self._written = self._written, []
        return done

    def _loop(self, due: _Due) -> None:
        if sys.platform == "linux":
            # Where all cores compute, writing takes only what steps leave: each waits for the slowest of its threads.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        following: _Due | None = due
        refused_at: float | None = None
        try:
            while following is not None:
                try:
                    self._write(following)
                except DataError as error:
                    self._refused, refused_at = str(error), refused_at or time.monotonic()
                    if time.monotonic() - refused_at >= self._settings.checkpoints.patience_s:
                        raise
                    time.sleep(RETRY_S)
                    with self._lock:
                        if self._newer is not None:
                            self._newer.kept |= following.kept
                            following, self._newer = self._newer, None
                else:
                    with self._lock:
                        following, self._newer = self._newer, None
                        self._refused = refused_at = None
        except Exception as error:  # raised in the training thread by wait()
            self._error = error

    def _write(self, due: _Due) -> None:
        # Workers outlive a killed driver by a second or more, in which the run may have been resumed.
        if attempts(self._run)[-1].number != self._attempt:
            raise CheckpointError(f"{self._run} has been resumed elsewhere: this attempt writes no more checkpoints")
        name = write_checkpoint(
            self._run, due.state, self._settings, step=due.step, attempt=self._attempt, kept=due.kept
        )
        self._written = [*self._written, (name, due.step, time.perf_counter() - due.since)]
        whole = {
            name: manifest["kept"] or manifest.get("probe") is not None
            for name, manifest in manifests(self._run).items()
        }
        for old in expired(whole, self._settings.checkpoints.keep):
            (folder(self._run) / old).delete()


def _on_cpu(value: Any) -> Any:
    """A copy of nested dicts, lists and tensors that later updates do not reach."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_on_cpu(item) for item in value]
    return value
