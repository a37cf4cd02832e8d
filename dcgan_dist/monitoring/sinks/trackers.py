"""Trackers of experiments that a team has already, Weights & Biases and MLflow: they are given what a run logs.

Each is asked in a thread of its own, so that a server that is slow or away delays nothing and ends nothing. Which of
its runs is this one stands in `trackers.json`, so that one that is resumed goes on there. Where they write, and who
logs in, is their libraries' business: WANDB_* and MLFLOW_* in the environment.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from queue import Full, Queue
from typing import Any, Protocol
from uuid import uuid4

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.monitoring.sinks.sink import Sink, Status
from dcgan_dist.settings import Settings, flatten
from dcgan_dist.storage import MissingFile, Place

FILE = "trackers.json"
PROJECT = "dcgan-dist"
"""Of W&B, and experiment of MLflow, where the environment names none."""
WAITING = 1_000
"""Calls that may wait for a tracker; what comes on top is dropped."""
END_S = 60.0
"""How long a tracker may take with what is left, at the end of a run."""
INSTALL = {"wandb": "wandb", "mlflow": "mlflow-skinny sqlalchemy alembic"}
"""What pip is asked for."""
PARAMETERS = 100
"""That MLflow takes at a time."""


class Tracker(Protocol):
    """A run of a tracker. All is called from one thread, `begin` first."""

    def begin(self, known: str | None) -> str:
        """Begin a run, or go on with the one that is `known`; returns what it is known by."""
        ...

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """Take values by metric name; `images` may lie behind those of the call before."""
        ...

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        """Take a picture, uint8 [H, W, 3]."""
        ...

    def text(self, name: str, words: str) -> None:
        """Take a text; the newest of a name counts."""
        ...

    def end(self, status: Status) -> None:
        """End the run."""
        ...


class WandbRun:
    """A run of Weights & Biases. Its own step only rises, so that curves are drawn over a number, `images`."""

    def __init__(self, name: str, settings: Mapping[str, object]) -> None:
        self._name, self._settings = name, settings

    def begin(self, known: str | None) -> str:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb = wandb
        identity = known or uuid4().hex[:12]
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=self._name,
            id=identity,
            resume="allow",
            reinit="create_new",
            # The terminal is the monitor's, and addresses of git may hold passwords.
            settings=wandb.Settings(console="off", quiet=True, silent=True, disable_git=True, disable_code=True),
        )
        self._run.config.update(dict(self._settings), allow_val_change=True)
        self._run.define_metric("images")
        self._run.define_metric("*", step_metric="images")
        return identity

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        self._run.log({"images": images, **values})

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        self._run.log({"images": images, name: self._wandb.Image(picture, caption=f"{images:,} images")})

    def text(self, name: str, words: str) -> None:
        self._run.summary[name] = words

    def end(self, status: Status) -> None:
        self._run.summary["status"] = status
        self._run.finish(exit_code=1 if status == "failed" else 0)


class MlflowRun:
    """A run of MLflow."""

    ENDS: Mapping[Status, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}

    def __init__(self, name: str, settings: Mapping[str, object]) -> None:
        self._name, self._settings = name, settings

    def begin(self, known: str | None) -> str:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow
        from mlflow.entities import Metric, Param

        for logger in ("mlflow", "alembic"):  # the terminal is the monitor's
            logging.getLogger(logger).setLevel(logging.WARNING)

        self._metric = Metric
        self._client = mlflow.MlflowClient()
        if known is None:
            experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
            found = self._client.get_experiment_by_name(experiment)
            number = found.experiment_id if found else self._client.create_experiment(experiment)
            self._id: str = self._client.create_run(number, run_name=self._name).info.run_id
        else:
            self._id = known
            self._client.update_run(known, status="RUNNING")
        # What MLflow once has of a parameter it keeps.
        there = self._client.get_run(self._id).data.params
        new = [Param(name, str(value)) for name, value in self._settings.items() if name not in there]
        for first in range(0, len(new), PARAMETERS):
            self._client.log_batch(self._id, params=new[first : first + PARAMETERS])
        return self._id

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        now = int(1000 * time.time())
        self._client.log_batch(self._id, [self._metric(name, value, now, images) for name, value in values.items()])

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        self._client.log_image(self._id, picture, key=name, step=images, synchronous=True)

    def text(self, name: str, words: str) -> None:
        self._client.set_tag(self._id, name, words)

    def end(self, status: Status) -> None:
        self._client.set_terminated(self._id, self.ENDS[status])


KINDS: Mapping[str, Callable[[str, Mapping[str, object]], Tracker]] = {"wandb": WandbRun, "mlflow": MlflowRun}


def tracker_names(settings: Settings) -> list[str]:
    """Trackers of these settings."""
    return [name for name in settings.monitoring.trackers.split(",") if name]


def require_trackers(settings: Settings) -> None:
    """See that the trackers of these settings can be used here.

    Raises:
        SettingsError: one is not installed, or asks who is logged in.
    """
    for name in tracker_names(settings):
        # A folder of that name, where it has left files before, is no library.
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise SettingsError(
                f"monitoring.trackers has {name}, which is not installed: pip install {INSTALL[name]}, or leave it out"
            )
    if "wandb" in tracker_names(settings):
        _require_login()


def _require_login() -> None:
    """W&B would ask for a key on the terminal, in the middle of a run."""
    import wandb

    if wandb.setup().settings.mode in ("online", None) and not wandb.login(prompt=False, verify=False):
        raise SettingsError(
            "monitoring.trackers has wandb, which does not know who you are: wandb login, or WANDB_MODE=offline before "
            "the command, and wandb sync afterwards"
        )


class Trackers(Sink):
    """All trackers of a run; none by default."""

    name = "trackers"

    def __init__(
        self,
        run: Place,
        settings: Settings,
        say: Callable[[str], None],
        kinds: Mapping[str, Callable[[str, Mapping[str, object]], Tracker]] = KINDS,
    ) -> None:
        """`say`: a line for people."""
        self._run, self._lock = run, threading.Lock()
        values = {name: value for name, value in flatten(settings).items() if value is not None}
        known = self._known()
        self._threads: Sequence[_Thread] = [
            _Thread(name, kinds[name](run.name, values), known.get(name), partial(self._remember, name), say)
            for name in tracker_names(settings)
        ]

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        for thread in self._threads:
            thread.put(lambda tracker: tracker.scalars(images, values))

    def picture(self, images: int, name: str, picture: Pixels) -> None:
        for thread in self._threads:
            thread.put(lambda tracker: tracker.picture(images, name, picture))

    def text(self, name: str, words: str) -> None:
        for thread in self._threads:
            thread.put(lambda tracker: tracker.text(name, words))

    def close(self, status: Status) -> None:
        for thread in self._threads:
            thread.finish(status)
        deadline = time.monotonic() + END_S
        for thread in self._threads:
            thread.join(deadline - time.monotonic())

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads((self._run / FILE).read_bytes())
        except (MissingFile, ValueError):
            return {}
        return known

    def _remember(self, name: str, identity: str) -> None:
        with self._lock:
            known = self._known()
            if known.get(name) != identity:
                (self._run / FILE).write_bytes(json.dumps(known | {name: identity}, indent=1).encode())


class _Thread:
    """A tracker, and the thread that asks it."""

    def __init__(
        self,
        name: str,
        tracker: Tracker,
        known: str | None,
        remember: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._name, self._tracker, self._known = name, tracker, known
        self._remember, self._say = remember, say
        self._queue: Queue[Callable[[Tracker], Any] | None] = Queue(WAITING)
        self._failing, self._full, self._dead = False, False, False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def put(self, act: Callable[[Tracker], Any]) -> None:
        """Let something be done."""
        if self._dead:
            return
        try:
            self._queue.put_nowait(act)
        except Full:
            if not self._full:
                self._full = True
                self._say(f"{self._name} is too slow; what it cannot take in time is not sent there")

    def finish(self, status: Status) -> None:
        """Let the tracker's run end, when all is done that was put."""
        if not self._dead:
            # It waits for room, and is not dropped: a run without an end would be shown as running for ever.
            threading.Thread(target=self._put_end, args=(status,), daemon=True).start()

    def _put_end(self, status: Status) -> None:
        self._queue.put(lambda tracker: tracker.end(status))
        self._queue.put(None)

    def join(self, wait_s: float) -> None:
        """Wait for that."""
        self._thread.join(max(0.0, wait_s))
        if self._thread.is_alive():
            self._say(f"{self._name} has not taken everything within {END_S:.0f} s; the rest is not sent")

    def _loop(self) -> None:
        try:
            self._remember(self._tracker.begin(self._known))
        except Exception as error:
            self._dead = True
            self._say(f"{self._name} cannot start; training continues without it: {_first_line(error)}")
            return
        while (act := self._queue.get()) is not None:
            try:
                act(self._tracker)
            except Exception as error:
                if not self._failing:
                    self._failing = True
                    self._say(f"{self._name} fails; training continues: {_first_line(error)}")
            else:
                if self._failing:
                    self._failing = False
                    self._say(f"{self._name} works again; what came in the meantime is missing there")


def _first_line(error: Exception) -> str:
    """The first line of an error, for people."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
