"""A trial's run: the real training job, driven by a thread, which reports metrics as they come."""

import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from typing import Any

from dcgan_dist.errors import DcganDistError, TrainingError
from dcgan_dist.training.launch import Launch, SharedBySweep
from dcgan_dist.training.options import TrainOptions
from dcgan_dist.training.supervised import SupervisedLaunch
from tuning.folder import State
from tuning.objective import AT, IMAGES, KEY, Objective, Reports, Value

END_S = 60.0
"""Seconds that a run may take to write a checkpoint and release its workers, once it is asked to end."""


class Driving:
    """Drives a run until it ends or `stop` is called; `take` returns its reports."""

    def __init__(
        self,
        options: TrainOptions,
        shared: SharedBySweep,
        objective: Objective,
        at: Sequence[int],
        before: Sequence[Value],
    ) -> None:
        """
        Args:
            options: options of the run.
            shared: what the sweep provides to all trials.
            objective: what trials are compared by.
            at: images at which trials are compared; the last of them is the length of the run.
            before: values of the objective from an earlier attempt at the run.
        """
        self._options, self._shared = options, shared
        self._reports, self._total = Reports(objective, at, options.settings.optimization.batch_size), at[-1]
        self._final: dict[str, Any] = {}
        self._queue: Queue[dict[str, Any]] = Queue()
        self._images, self._speed = 0, 0.0
        self._launch: Launch | SupervisedLaunch | None = None
        self._stopped = False
        self._error: BaseException | None = None
        self._began = time.monotonic()
        for value in before:
            self._report(value)
        self._thread = threading.Thread(target=self._drive, name="trial", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """Seconds since this attempt at the run began."""
        return time.monotonic() - self._began

    def take(self, wait_s: float) -> dict[str, Any]:
        """The next report: images, and the objective if there is a new value; the last one is marked `done`.

        If none comes for `wait_s` seconds, one that says how far the run is. If a defect ended the run, raises it.
        """
        try:
            report = self._queue.get(timeout=wait_s)
        except Empty:
            report = {IMAGES: self._images}
        if report.get("done") and self._error is not None:
            raise self._error
        return {**report, "speed": self._speed, "seconds": self.seconds}

    def stop(self) -> None:
        """End the run with a checkpoint, and wait for that."""
        self._stopped = True
        if self._launch is not None:
            self._launch.stop()
        self._thread.join(END_S)

    def _drive(self) -> None:
        state, reason = "finished", ""
        try:
            kind = SupervisedLaunch if self._options.settings.supervised.task else Launch
            launch = self._launch = kind(self._options, self._shared, self._on_scalars)
            launch.preflight()
            launch.open_data()
            if self._stopped:
                return
            launch.train()
        except TrainingError as error:
            state, reason = "condemned", str(error)
        except DcganDistError as error:
            state, reason = "failed", str(error)
        except BaseException as error:
            traceback.print_exc()
            self._error = error
        finally:
            self._queue.put(self._last(state, reason))  # type: ignore[arg-type]

    def _last(self, state: State, reason: str) -> dict[str, Any]:
        return {IMAGES: self._images, **self._final, "done": True, "state": state, "reason": reason}

    def _report(self, value: Value) -> None:
        """Report a value; that of the whole run comes with its end, so that no scheduler cuts a run that is done."""
        report = {IMAGES: value.images, AT: value.at, KEY: value.value}
        if value.at < self._total:
            self._queue.put(report)
        else:
            self._final = report

    def _on_scalars(self, images: int, values: Mapping[str, float]) -> None:
        """Called by the run's monitor."""
        if "speed/images_per_second" in values:
            self._images, self._speed = images, values["speed/images_per_second"]
        for value in self._reports.add(images, values):
            self._report(value)
