"""A run that is trained on labels (`supervised.task`), from its options to its end: one worker, no generator.

It takes the place of `Launch` for such settings, alone and as a trial of a sweep. Its curves are the loss and, after
each ninth of the run, the accuracy on the images held out; test images are not touched. It writes a checkpoint at its
end, or where it is stopped, and goes on from there bit for bit.
"""

import json
import math
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.cluster.autoscaling import bundles_of, wait_for_room
from dcgan_dist.cluster.connect import carry_code, has_address, worker_environment
from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.cluster.placement import ClusterFacts, Placement, describe, place_workers
from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError, ClusterError, DataError, DcganDistError, SettingsError, TrainingError
from dcgan_dist.evaluation.classifiers.networks import judged_steps
from dcgan_dist.evaluation.labels import TOTAL_STEPS, LabeledImages, learning_of, open_task, pinned, read_labeled
from dcgan_dist.evaluation.probe import accuracy
from dcgan_dist.evaluation.service.online import first_after
from dcgan_dist.evaluation.task import STATISTICS_BATCH
from dcgan_dist.model.classification import LabelLearner, Learning
from dcgan_dist.monitoring.attempt_costs import attempt_costs, totals
from dcgan_dist.monitoring.messages import Scalars, WorkerInfo
from dcgan_dist.monitoring.monitor import ending
from dcgan_dist.monitoring.run_status import HELD_OUT
from dcgan_dist.monitoring.sinks.curves import Curves, read_lines
from dcgan_dist.monitoring.sinks.terminal import Terminal, Totals, open_terminal
from dcgan_dist.run_folder.attempts import attempts, begin_attempt, workers_file
from dcgan_dist.run_folder.checkpoint import load_checkpoint, newest_manifest, write_checkpoint
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, require_no_driver, sole_driver
from dcgan_dist.run_folder.record import RECORD_FILE, find_record
from dcgan_dist.run_folder.resuming import require_same
from dcgan_dist.run_folder.trained_on import FIELD, TrainedOn, inherited
from dcgan_dist.settings import Settings, from_yaml, to_yaml
from dcgan_dist.storage import Place, place, require_lasting
from dcgan_dist.training.launch import RunDone, SharedBySweep
from dcgan_dist.training.length import fit_length, passes, require_own_length
from dcgan_dist.training.options import TrainOptions
from dcgan_dist.training.worker import describe_device
from dcgan_dist.versions import versions

STATISTICS_IMAGES = 20 * STATISTICS_BATCH
"""Images over which statistics are taken to judge a network during training: a result of `evaluate` takes all."""


class LabelWorker:
    """Trains a network in a process of its own; an actor."""

    def __init__(
        self, learning: Learning, labeled: LabeledImages, state: Mapping[str, Any] | None, threads: int
    ) -> None:
        torch.set_num_threads(threads or local_cores())
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._labeled = labeled
        self._learner = LabelLearner(learning, labeled.images, labeled.labels, labeled.classes, self._device, state)

    def about(self) -> WorkerInfo:
        """Where it runs."""
        device = describe_device(self._device, torch.get_num_threads(), 1, local_cores())
        node = ray.get_runtime_context().get_node_id()
        return {"rank": 0, "node": node, "host": socket.gethostname(), "device": device}

    def train_to(self, step: int) -> tuple[float, float]:
        """Train until so many steps are done: the mean loss, and the seconds that it took."""
        began = time.perf_counter()
        loss = self._learner.train_to(step)
        assert loss is not None, "there are steps to do"
        return loss, time.perf_counter() - began

    def held_out_accuracy(self) -> float:
        """Accuracy of the network as it is now on the images held out."""
        labeled = self._labeled
        classifier = self._learner.frozen(STATISTICS_BATCH, STATISTICS_IMAGES)
        return accuracy(classifier.confusion(labeled.held_out, labeled.held_out_labels, labeled.classes, self._device))

    def state_dict(self) -> dict[str, Any]:
        """See `LabelLearner.state_dict`."""
        return self._learner.state_dict()


class SupervisedLaunch:
    """One run that is trained on labels, from options to its end; see `Launch`, whose place it takes."""

    def __init__(
        self,
        options: TrainOptions,
        shared: SharedBySweep | None = None,
        on_scalars: Callable[[int, Mapping[str, float]], None] = lambda images, values: None,
    ) -> None:
        """Check names and addresses; nothing is written and nothing is started.

        Raises:
            SettingsError: the name is taken; the length is not given; labels are too few.
            DataError: the labeled data is not there, or does not fit.
            CheckpointError: there is nothing to resume, or it was trained with other settings; the run to begin with
                is not there.
        """
        self.options, self.settings = options, options.settings
        if options.init_from:
            raise SettingsError(
                f"--init-from is {options.init_from} but a network that learns from labels begins with a "
                f"discriminator: give --supervised.begin-with {options.init_from}"
            )
        require_own_length(options.length_of)
        require_lasting(place(self.settings.storage), "--storage")
        self.run = place(self.settings.storage) / self.settings.name
        self._shared, self._is_trial, self._on_scalars = shared or SharedBySweep(), shared is not None, on_scalars
        self._stopped, self._deadline = threading.Event(), math.inf
        if options.resume:
            where = self.run / "settings.yaml"
            require_same(from_yaml(where.read_bytes().decode(), str(where)), self.settings, self.run)
            if not self._is_trial and not options.dry_run:
                require_no_driver(self.run)
        elif set(self.run.names()) - {LOCK_FILE}:
            raise SettingsError(
                f"name is {self.settings.name} but {self.run} exists: resume it with --resume {self.settings.name}, or "
                "choose another name"
            )
        self.settings = pinned(self.settings)
        self._task = None if self._shared.labeled else open_task(self.settings)
        learning_of(self.settings, 1)  # raises where there is nothing to begin with

    def preflight(self) -> None:
        """Print what the cluster has and what the run takes; raises `ClusterError` if that is too much."""

        def place_all(facts: ClusterFacts) -> Placement:
            return place_workers(self.settings, facts)

        def wanted(facts: ClusterFacts) -> Any:
            return bundles_of(self.settings, facts)

        facts, self.placement = wait_for_room(self.settings, place_all, wanted, lambda line: print(line, flush=True))
        joined = has_address(self.settings.workers.address)
        print(describe(self.placement, facts, None if joined else local_cores()), flush=True)

    def rehearse(self) -> None:
        """Print the settings and how long the run is; nothing is written."""
        print(to_yaml(self.settings), flush=True)
        self._settle()

    def open_data(self) -> None:
        """Decode the labeled images, and lay out the run.

        Raises:
            SettingsError: a batch is larger than all of them.
            DataError: one cannot be decoded, or a run that is resumed was trained on others.
            RunDone: the run has been trained to its end.
        """
        self._settle()
        recorded = find_record(self.run) if self.options.resume else None
        if recorded is not None and recorded.get("labeled_sha256") != self.labeled.sha256:
            raise DataError(
                f"the labeled images of {self.settings.supervised.task} are not those that {self.run} was trained on: "
                "restore those, or start a new run"
            )
        newest = newest_manifest(self.run) if self.options.resume else None
        if newest is not None and newest["step"] >= self.total_steps and not self._is_trial:
            raise RunDone(f"{self.run} is finished: it has seen {newest['images']:,} images")

    def _settle(self) -> None:
        size = self.settings.optimization.batch_size
        if self._shared.labeled is not None:
            self.labeled = self._shared.labeled
        else:
            assert self._task is not None, "a run of its own has opened it"
            self.labeled = read_labeled(self._task, size, self.settings.networks.channels)
        _, images = fit_length(self.settings, "", len(self.labeled.images))
        self.total_steps = max(1, -(-images // size))
        if not self._is_trial:
            print(describe_supervised(self.labeled, images), flush=True)
            for note in self.labeled.notes:
                print(f"warning: {self.labeled.task}: {note}", flush=True)

    def train(self, *, claimed: bool = False) -> int:
        """Train to the end, or until a signal or a failure; returns the command's status.

        Args:
            claimed: whether the caller is the sole driver of the run already.

        Raises:
            TrainingError: the network has diverged.
            ClusterError: its process was lost.
        """
        received: list[int] = []
        with ExitStack() as held:
            if not (self._is_trial or claimed):
                held.enter_context(sole_driver(self.run))
            if not self._is_trial:
                received = held.enter_context(_on_signals(self.stop))
            self._train()
        if not received:
            return 0
        again = ["--resume", self.settings.name, "--storage", self.settings.storage]
        print(f"resume with: {command_line('train', *again)}", flush=True)
        return 128 + received[0]

    def stop(self) -> None:
        """Stop the run with a checkpoint; callable from any thread."""
        self._stopped.set()

    def _train(self) -> None:
        settings = self.settings
        (self.run / "settings.yaml").write_bytes(to_yaml(settings).encode())
        self._record("running", 0)
        attempt = begin_attempt(self.run, 1)
        state = None if attempt.checkpoint is None else load_checkpoint(self.run, attempt.checkpoint).state
        carry_code()
        worker = (
            ray.remote(LabelWorker)
            .options(
                num_cpus=settings.workers.cpus,
                num_gpus=self.placement.gpus,
                max_restarts=0,
                scheduling_strategy="DEFAULT",  # not in the bundle of a trial's driver, which has no CPU
                runtime_env={"env_vars": worker_environment()},
            )
            .remote(
                learning_of(settings, self.total_steps),
                ray.put(self.labeled),
                state,
                settings.workers.threads,
            )
        )
        step, status = attempt.step, "failed"
        terminal = None if self._is_trial else self._open_terminal()
        saved = attempt.checkpoint
        with tempfile.TemporaryDirectory() as scratch:
            curves = Curves(self.run, Path(scratch), settings)
            curves.begin(attempt.number, attempt.step, attempt.images)
            try:
                where = [_get(worker.about.remote())]
                workers_file(self.run, attempt.number).write_bytes(json.dumps(where, indent=1).encode())
                if settings.minutes is not None:
                    self._deadline = time.monotonic() + 60 * settings.minutes
                for step, values in self._steps(worker, attempt.step):
                    images = step * settings.optimization.batch_size
                    point: Scalars = {
                        "kind": "scalars",
                        "attempt": attempt.number,
                        "step": step,
                        "images": images,
                        "values": values,
                    }
                    curves.add(point)
                    curves.flush()
                    if terminal is not None:
                        terminal.progress([point])
                        for told in judged_line(images, values):
                            terminal.say(told)
                    if not math.isfinite(values["supervised/loss"]):
                        raise TrainingError(
                            f"the loss is not finite after {images:,} images: the network has diverged; give a smaller "
                            "--lr"
                        )
                    self._on_scalars(images, values)
                status = "stopped" if step < self.total_steps else "finished"
                if step > attempt.step:
                    saved = self._save(_get(worker.state_dict.remote()), step, attempt.number)
            finally:
                if terminal is not None:
                    terminal.close()
                curves.flush()
                curves.copy_up()
                ray.kill(worker)
                self._record(status, step)
        if terminal is not None:
            for told in (*ending(self.run, saved), next_line(self.run, settings)):
                terminal.say(told)

    def _open_terminal(self) -> Terminal:
        size = self.settings.optimization.batch_size
        length = Totals(self.total_steps * size, len(self.labeled.images), size)
        terminal = open_terminal(sys.stdout, length, self.settings.monitoring.line_s, self._seconds_left)
        terminal.say(f"run {self.run}")
        return terminal

    def _steps(self, worker: Any, step: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Train piece by piece, and judge the network where it is to be: the steps done, and what is known then."""
        size, every = self.settings.optimization.batch_size, self.settings.monitoring.steps
        judged = self._judged()
        while step < self.total_steps and not self._stopped.is_set() and self._seconds_left() > 0:
            before, step = step, min([*(at for at in judged if at > step), (step // every + 1) * every])
            step = min(step, self.total_steps)
            loss, seconds = _get(worker.train_to.remote(step))
            values = {"supervised/loss": loss, "speed/images_per_second": (step - before) * size / seconds}
            if step in judged and math.isfinite(loss):
                values[HELD_OUT] = _get(worker.held_out_accuracy.remote())
            yield step, values

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def _judged(self) -> set[int]:
        """Steps after which the network is judged: the first at or after each number of images that a sweep compares
        at, or each ninth of the run."""
        at, size = self._shared.evaluated_at, self.settings.optimization.batch_size
        if not at:
            return set(judged_steps(self.total_steps))
        return {step for step in range(1, self.total_steps + 1) if first_after(at, step * size, size) is not None}

    def _save(self, state: Mapping[str, Any], step: int, attempt: int) -> str:
        """Write a checkpoint; returns its name."""
        if attempts(self.run)[-1].number != attempt:
            raise CheckpointError(f"{self.run} has been resumed elsewhere: this attempt writes no checkpoint")
        return write_checkpoint(
            self.run,
            {**state, TOTAL_STEPS: self.total_steps},
            self.settings,
            step=step,
            attempt=attempt,
            kept=step == self.total_steps,
        )

    def _record(self, status: str, step: int) -> None:
        settings, size = self.settings, self.settings.optimization.batch_size
        begun_with = settings.supervised.begin_with
        trained_on = inherited(begun_with) if begun_with else TrainedOn()
        record = {
            "name": settings.name,
            "status": status,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "total_steps": self.total_steps,
            "total_images": self.total_steps * size,
            "epoch_images": len(self.labeled.images),
            "held_out_images": len(self.labeled.held_out),
            "labeled_sha256": self.labeled.sha256,
            FIELD: trained_on.record(),
            "preset": self.options.began_with,
            "sequence": SEQUENCE,
            "step": step,
            "images": step * size,
            "updates": {"generator": 0, "discriminator": step},
            **totals(attempt_costs(attempts(self.run), read_lines(self.run))),
            "versions": versions("torch", "ray", "numpy"),
        }
        (self.run / RECORD_FILE).write_bytes(json.dumps(record, indent=1).encode())


def describe_supervised(labeled: LabeledImages, images: int) -> str:
    """One line about how long a run is, and what it learns from."""
    return (
        f"length: {images:,} images, {passes(images, len(labeled.images))} over the "
        f"{len(labeled.images):,} labeled ones of {labeled.task}, in {labeled.classes} classes; "
        f"judged on {len(labeled.held_out):,} that are held out"
    )


def judged_line(images: int, values: Mapping[str, float]) -> list[str]:
    """One line about how the network was judged after so many images; none, where it was not."""
    if HELD_OUT not in values:
        return []
    return [f"after {images:,} images: {100 * values[HELD_OUT]:.1f} % of the held-out images right"]


def next_line(run: Place, settings: Settings) -> str:
    """A line with the command that tests such a network."""
    features = "finetuned" if settings.supervised.begin_with else "supervised"
    given = ["--tasks", settings.supervised.task, "--features", features]
    return f"evaluate     {command_line('evaluate', str(run), *given)}"


def _get(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, DcganDistError):
            raise error.cause from error
        raise
    except RayActorError as error:
        raise ClusterError(
            "the process that trains the network was lost, with its machine or for want of memory: resume the run, or "
            "use fewer maps"
        ) from error


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """The signals SIGINT and SIGTERM that come within the block: the first stops the run, the second the process."""
    received: list[int] = []

    def answer(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        stop()
        # A signal comes in the middle of anything, also of a line: another thread prints this one.
        line = "stopping: a checkpoint is written first; interrupt again to stop at once"
        threading.Thread(target=print, args=(line,), kwargs={"flush": True}, name="stop").start()

    before = {number: signal.signal(number, answer) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
