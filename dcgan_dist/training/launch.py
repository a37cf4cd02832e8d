"""One run from its options to its end: what is checked and prepared before workers start, and what is written after."""

import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.cluster.autoscaling import bundles_of, require_resource, wait_for_room
from dcgan_dist.cluster.connect import carry_code, has_address
from dcgan_dist.cluster.environment import interfaces, local_cores, require_interfaces
from dcgan_dist.cluster.placement import ClusterFacts, Placement, describe, most_beside, place_workers, set_aside
from dcgan_dist.cluster.ray_internals import start_data_processes
from dcgan_dist.cluster.shared_storage import require_shared
from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.labels import class_labels, labels_sha256, lacking
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.data.shards.index import Index, layout_sha256
from dcgan_dist.data.splits import trains_on_held_out
from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.errors import CheckpointError, DataError, DcganDistError, SettingsError, TrainingError
from dcgan_dist.extensions import Code, checksums, import_code
from dcgan_dist.monitoring.attempt_costs import attempt_costs, totals
from dcgan_dist.monitoring.sinks.curves import read_lines
from dcgan_dist.monitoring.sinks.sink import Status
from dcgan_dist.monitoring.sinks.trackers import require_trackers
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import folder, load_checkpoint, newest_checkpoint, newest_manifest
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, require_no_driver, sole_driver
from dcgan_dist.run_folder.naming import NamedRun, find_run, is_run
from dcgan_dist.run_folder.record import RECORD_FILE, find_record
from dcgan_dist.run_folder.resuming import require_same, require_same_keep, require_same_labels, require_same_sequence
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn, contents, from_record, inherited
from dcgan_dist.settings import Settings, from_yaml, to_yaml
from dcgan_dist.storage import Place, place, require_lasting
from dcgan_dist.training.advice import warnings
from dcgan_dist.training.estimate import (
    Budget,
    Expected,
    FirstMinute,
    checkpoint_bytes,
    checkpoints_kept,
    moments_kept,
    shared_cores,
)
from dcgan_dist.training.length import describe_length, fit_length
from dcgan_dist.training.options import TrainOptions
from dcgan_dist.versions import versions

if TYPE_CHECKING:
    from dcgan_dist.data.streaming.cache import CachedPictures
    from dcgan_dist.data.streaming.chunk_reader import ShardPictures
    from dcgan_dist.evaluation.labels import LabeledImages
    from dcgan_dist.evaluation.service.checkpoint_evaluator import CheckpointEvaluator
    from dcgan_dist.evaluation.service.online import LiveProbe
    from dcgan_dist.evaluation.task import Task
    from dcgan_dist.evaluation.tasks.fidelity import FidelityTask
    from dcgan_dist.training.supervisor import Supervisor

# Ray and PyTorch, and what imports them, are imported by functions of this file: the command sets Ray's environment
# first, and help, wrong settings and missing data are answered without the seconds that they take.

MEASURE_WAIT_S = 120.0
"""How long a dry run waits for the speed of a worker, for which room has to be found first."""
CHECKED_IMAGES = 32
"""Images that are decoded before workers start, to see whether any of them can be."""
PROBE_SEED = 0
"""Seed of the order of a probe's images: the same for every seed of a run, so that results can be compared."""


class RunDone(DcganDistError):
    """The run to be resumed has already been trained to its end."""


@dataclass(frozen=True)
class SharedBySweep:
    """What a sweep provides to the runs of its trials.

    Attributes:
        evaluator: of its checkpoints, in place of evaluation actors. A run that has one ends if it fails.
        tasks: that they are evaluated on then.
        pictures: the data, decoded already.
        code: networks and loss of the user's own, imported and tried already.
        evaluated_at: images after which checkpoints are evaluated, each of them; none: all, as far as there is time.
        keep: the keep-list of the data: a file that only the machine of the sweep needs.
        labeled: what runs that are trained on labels learn from, decoded already.
    """

    evaluator: "CheckpointEvaluator | None" = None
    tasks: "Sequence[Task | FidelityTask]" = ()
    pictures: "CachedPictures | None" = None
    code: Code | None = None
    evaluated_at: Sequence[int] = ()
    keep: KeepList | None = None
    labeled: "LabeledImages | None" = None


class Launch:
    """One run, from options to its end."""

    def __init__(
        self,
        options: TrainOptions,
        shared: SharedBySweep | None = None,
        on_scalars: Callable[[int, Mapping[str, float]], None] = lambda images, values: None,
    ) -> None:
        """Check names and addresses; nothing is written and nothing is started.

        Args:
            shared: what a sweep provides to its trials, which also resume once they are trained to their end, if
                checkpoints are left to evaluate; None: a run of its own.
            on_scalars: see `Monitor`.

        Raises:
            SettingsError: the name is taken; networks or loss of the user's own cannot be used.
            DataError: the data is not there.
            CheckpointError: there is nothing to resume, or it was trained with other settings, or is being trained.
        """
        from dcgan_dist.data.dataset import find_keep, find_shards
        from dcgan_dist.data.unprepared import look_at_first

        self.options, self.settings = options, with_absolute_keep(options.settings)
        require_lasting(place(self.settings.storage), "--storage")
        self.run = place(self.settings.storage) / self.settings.name
        self.init_from: tuple[Place, str] | None = None
        self.live: LiveProbe | None = None
        self._shared, self._on_scalars = shared or SharedBySweep(), on_scalars
        self._is_trial = shared is not None
        self._trained = False
        self._supervisor: Supervisor | None = None
        self._stopped = False
        self._recorded = find_record(self.run) if options.resume else None
        if options.resume:
            saved = from_yaml((self.run / "settings.yaml").read_bytes().decode(), str(self.run / "settings.yaml"))
            require_same(saved, self.settings, self.run)
            require_same_sequence(self.run, self._recorded)
            if not self._is_trial and not options.dry_run:
                require_no_driver(self.run)
        elif set(self.run.names()) - {LOCK_FILE}:
            raise self._taken()
        self._preset = str((self._recorded or {}).get("preset", "")) if options.resume else options.began_with
        self._begun_with = self._find_beginning()
        if self._begun_with and not (options.resume and newest_manifest(self.run)):
            self.init_from = _networks_of(find_run(self._begun_with, self.settings.storage), self.settings)
            self._begun_with = str(folder(self.init_from[0]) / self.init_from[1])
        if self.settings.monitoring.audit and not self.run.is_local:
            raise SettingsError(
                f"monitoring.audit needs storage on a local disk, but storage is {self.settings.storage}"
            )
        require_trackers(self.settings)
        if self._shared.code is None:
            self.code = import_code(self.settings)
            if self.code:
                from dcgan_dist.training.custom_code_checks import require_contract

                require_contract(self.settings, self.code)
        else:
            self.code = self._shared.code
        try:
            self.shards = find_shards(self.settings)
        except DataError as error:
            raise self._elsewhere(error) from error
        self.keep = self._shared.keep or find_keep(self.settings, self.shards)
        self._kept = None if self.keep is None else Kept(self.keep.file, self.keep.sha256)
        if options.resume:
            require_same_keep(self.run, self._recorded, self._kept)
        if self.settings.data.path != EMBEDDED and shared is None:
            look_at_first(self.shards, self.settings.data, self.settings.networks.image_size)
        # Those of the embedded data set may have yet to be drawn.
        self._trained_on = self._all_trained_on([] if self.settings.data.path == EMBEDDED else self.shards)
        self.tasks = open_tasks(self.settings, self._trained_on) if shared is None else []

    def _elsewhere(self, error: DataError) -> DataError:
        """The error for missing data; it says so if the path is relative to the folder that the run was started in."""
        path = self.settings.data.path
        relative = not path.startswith(("/", "~", "$")) and "://" not in path
        if not relative or not (self.options.resume or self.options.config):
            return error
        return DataError(f"{error}; data.path is {path}, relative to the folder that the run was started in: go there")

    def _taken(self) -> SettingsError:
        """The error for a new run whose name is taken."""
        go_on = f"resume it with --resume {shlex.quote(self.settings.name)}, or " if is_run(self.run) else ""
        return SettingsError(f"name is {self.settings.name} but {self.run} exists: {go_on}choose another name")

    def _find_beginning(self) -> str:
        """The run whose networks this one begins with, or began with, and its checkpoint; empty for its own."""
        given = self.options.init_from
        recorded = (self._recorded or {}).get("init_from")  # without one it was stopped before it was written
        if recorded is None:
            return given
        if given and (not recorded or find_run(given, self.settings.storage).place != find_run(recorded).place):
            theirs = f"the networks of {recorded}" if recorded else "newly initialized networks"
            raise SettingsError(
                f"--init-from is {given} but {self.run} was started with {theirs}: leave --init-from out"
            )
        return str(recorded)

    def preflight(self) -> None:
        """Print what the cluster has and what the run takes; raises `ClusterError` if that is too much."""
        settings, probe = self.settings, self.settings.probe

        def place_all(facts: ClusterFacts) -> Placement:
            if self.tasks and probe.resource:
                require_resource(probe.resource, probe.actors)
            left = set_aside(facts, probe.actors, probe.cpus, probe.gpus) if self.tasks else facts
            return place_workers(settings, left)

        self.facts, placement = wait_for_room(
            settings, place_all, partial(bundles_of, settings), partial(print, flush=True)
        )
        joined = has_address(settings.workers.address)
        print(describe(placement, self.facts, None if joined else local_cores()), flush=True)
        if placement.gpus and not joined:
            require_interfaces(os.environ, interfaces(), gpus=True)
        self.placement = placement
        if not placement.gpus and not joined:
            self._warn(shared_cores(placement.workers, local_cores()))
        if self.tasks:
            actors = count(probe.actors, "evaluation actor")
            print(f"probe: {', '.join(task.name for task in self.tasks)}, on {actors}", flush=True)
        print(f"data: {self.settings.data.path}, {count(len(self.shards), 'shard')}", flush=True)
        for sentence in doubts(self.shards, self.tasks):
            print(f"warning: {sentence}", flush=True)
        for module in self._changed_code():
            print(f"code: {module} has changed since the run was last started; the run continues with the new version")

    def open_data(self) -> None:
        """Index the data, or draw it; decode a few images; lay out the sequence."""
        from dcgan_dist.data.dataset import open_run_index
        from dcgan_dist.data.mean_image import mean_image
        from dcgan_dist.data.streaming.cache import cache_pictures, is_cached
        from dcgan_dist.data.streaming.plan import Plan, cut_slices
        from dcgan_dist.monitoring.sinks.terminal import Progress

        if not self._is_trial and not has_address(self.settings.workers.address):
            start_data_processes("dcgan_dist.data.streaming.source")
        settings, progress = self.settings, Progress(sys.stdout)
        require_shared(settings, self.shards, self.facts)
        self.index = open_run_index(settings, self.shards, progress, self.keep)
        if settings.data.path == EMBEDDED:
            self._trained_on = self._all_trained_on(self.shards)
        classes = settings.networks.classes
        self.labels = class_labels(self.index, settings.data, classes)
        if self.labels is not None and (sentence := lacking(self.labels, classes)):
            self._warn(sentence)
        shards = self._in_shards = open_pictures(self.index, settings)
        samples = np.unique(np.linspace(0, len(self.index) - 1, CHECKED_IMAGES).astype(np.int64))
        size = settings.networks.image_size
        pixels = np.empty((len(samples), size, size, 3), np.uint8)
        if shards.read(samples, pixels, np.arange(len(samples))).all():
            raise DataError(
                f"none of the {len(samples)} images tried can be decoded, for example "
                f"{shards.names(int(samples[0]))}: check the files, or choose other shards with --data"
            )
        settings, images = self._settle_length(len(self.index), self.index.image_size)
        slices = cut_slices(self.index.shard, self.index.size, settings.data.window)
        self.plan = Plan(slices, settings.optimization.batch_size, settings.data.window, settings.seed)
        self.total_steps = max(1, -(-images // settings.optimization.batch_size))
        newest = newest_checkpoint(self.run) if self.options.resume else None
        if self.options.resume:
            self._require_same_data()
        self._trained = newest is not None and newest.step >= self.total_steps
        if newest is not None and self._trained and not self._is_trial:
            raise RunDone(f"{self.run} is finished: it has seen {newest.images:,} images")
        self.mean_image = None
        if settings.networks.begins_with_mean and newest is None and self.init_from is None:
            progress("taking the mean of the images, with which G begins", 0, 0)
            self.mean_image = mean_image(shards)
        if self._shared.pictures is not None:
            self.pictures: ShardPictures | CachedPictures = self._shared.pictures
            return
        image_bytes = size * size * settings.networks.channels
        cached = is_cached(settings.data.cache, len(self.index), image_bytes, images, self.facts.store_bytes)
        self.pictures = cache_pictures(shards, progress) if cached else shards

    def rehearse(self) -> None:
        """Print how long the run is and what it is going to take, from some steps of one worker; nothing is written.

        Raises:
            DataError: the shards cannot be read.
            TrainingError: a step fails.
        """
        import ray
        from ray.exceptions import GetTimeoutError, RayError

        from dcgan_dist.data.dataset import count_images
        from dcgan_dist.training.failures import of_a_step
        from dcgan_dist.training.speed import measure_speed

        placement, beside = self.placement, most_beside(self.placement, self.facts)
        counted = count_images(self.settings, self.shards, self.keep, partial(print, flush=True))
        settings, images = self._settle_length(counted.images, counted.image_size, exact=counted.exact)
        print(to_yaml(settings), flush=True)
        carry_code()
        task = ray.remote(measure_speed).options(num_cpus=placement.cpus, num_gpus=placement.gpus)
        try:
            speed = ray.get(task.remote(settings, placement.workers, beside, self.code), timeout=MEASURE_WAIT_S)
        except GetTimeoutError:
            print(f"expected: not measured, because no worker could be placed within {MEASURE_WAIT_S:g} s", flush=True)
            return
        except RayError as error:
            raise of_a_step(error, settings) from error
        if not placement.gpus:
            self._warn(shared_cores(beside, speed.cores))
        workers = f", times {placement.workers} workers" if placement.workers > 1 else ""
        source = f"steps of {speed.step_images} images on {speed.device}, without data{workers}"
        for line in self._expect(images, placement.workers * speed.images_per_second, source).lines():
            print(line, flush=True)

    def _expect(
        self, images: int, images_per_second: float, source: str, before: int = 0, left_s: float | None = None
    ) -> Expected:
        """What this number of images is going to take at that speed.

        Args:
            before: images that the run has seen.
            left_s: seconds that are left where the run has so many minutes; None: all of them.
        """
        from dcgan_dist.model.dcgan import count_parameters, new_networks

        settings, networks = self.settings, self.settings.networks
        generator, discriminator = (count_parameters(net) for net in new_networks(networks, self.code))
        optimization = settings.optimization
        averaged = generator * bool(optimization.average_images)
        averaged += discriminator * bool(optimization.average_discriminator_images)
        weight_bytes = 8 if optimization.precision == "fp64" else 4
        budget_s = None if settings.minutes is None else 60 * settings.minutes
        return Expected(
            images,
            images_per_second,
            source,
            gpus=self.placement.workers * self.placement.gpus,
            maps=0 if networks.is_original else max(networks.generator_maps, networks.discriminator_maps),
            checkpoint_bytes=checkpoint_bytes(
                generator,
                discriminator,
                moments=moments_kept(optimization.optimizer, settings.workers.outer_momentum),
                averaged=averaged,
                weight_bytes=weight_bytes,
            ),
            checkpoints=checkpoints_kept(settings.checkpoints),
            budget=None if budget_s is None else Budget(budget_s, budget_s if left_s is None else left_s, before),
        )

    def _warn(self, sentence: str | None) -> None:
        if sentence is not None and not self._is_trial:
            print(f"warning: {sentence}", flush=True)

    def _settle_length(self, data_images: int, image_size: int | None, *, exact: bool = True) -> tuple[Settings, int]:
        """Print how long the run is, and warnings.

        Args:
            data_images: of the data set.
            image_size: height and width of its pictures, where it is known.
            exact: whether the number is more than a guess from the largest shard.

        Returns:
            the settings, whose length follows from the data where nobody gave one, and that length in images.
        """
        self.settings, images = fit_length(self.settings, self.options.length_of, data_images)
        settings = self.settings
        if not self._is_trial:
            guess = "" if exact else ", if the other shards are like the largest"
            print(f"{describe_length(settings.optimization, images, data_images)}{guess}", flush=True)
        for sentence in warnings(settings, data_images, images, image_size, self.facts.store_bytes):
            self._warn(sentence)
        return settings, images

    def _require_same_data(self) -> None:
        """Refuse to resume on other images, for which the position in the sequence means nothing."""
        # Without a record there are no checkpoints either: it was stopped before any training.
        if self._recorded is not None and self._recorded.get("data_sha256") != layout_sha256(self.index):
            raise DataError(
                f"the shards of {self.settings.data.path} are not those that {self.run} was trained on: restore "
                "those, or start a new run with --init-from"
            )
        if self.labels is not None:
            require_same_labels(self.run, self._recorded, labels_sha256(self.labels))

    def _all_trained_on(self, shards: Sequence[Place]) -> TrainedOn:
        """What the networks are trained on: these shards, and what they were trained on before."""
        own = TrainedOn(contents(shard.address for shard in shards), keep=self._kept)
        earlier = from_record(self._recorded)
        if earlier is not None:
            return own.after(earlier)
        return own.after(inherited(self._begun_with)) if self._begun_with else own

    def _changed_code(self) -> list[str]:
        """Names of the user's own modules that have changed since the attempt before."""
        before = (self._recorded or {}).get("code", {})
        return [name for name, checksum in checksums().items() if before.get(name, checksum) != checksum]

    def train(self, *, claimed: bool = False) -> int:
        """Train to the end, or until a signal, the time limit or a failure; returns the command's status.

        Args:
            claimed: whether the caller is the sole driver of the run already.

        Raises:
            CheckpointError: another command has begun to train the run meanwhile.
            SettingsError: another one has begun a run of that name.
        """
        # Of trials a sweep takes care, which may start one again while its lost driver is still ending.
        with nullcontext() if self._is_trial or claimed else sole_driver(self.run):
            if not self.options.resume and is_run(self.run):
                raise self._taken()
            return self._train()

    def _train(self) -> int:
        import ray

        from dcgan_dist.data.streaming.source import Reading
        from dcgan_dist.monitoring.mailbox import Receiver, create_mailbox
        from dcgan_dist.monitoring.monitor import Monitor
        from dcgan_dist.monitoring.sinks.terminal import Totals, open_terminal
        from dcgan_dist.training.supervisor import Supervisor
        from dcgan_dist.training.worker_group import Group
        from dcgan_dist.training.worker_job import Outcome

        settings, probe = self.settings, self.settings.probe
        (self.run / "settings.yaml").write_bytes(to_yaml(settings).encode())
        self._record("running")
        pool, evaluator = None, self._shared.evaluator
        if self.tasks:
            from dcgan_dist.evaluation.service.checkpoint_evaluator import PoolEvaluator
            from dcgan_dist.evaluation.service.pool import Pool

            # Before anything else: reading would take their CPUs.
            pool = Pool(probe.actors, probe.cpus, probe.gpus, probe.threads, probe.resource)
            evaluator = PoolEvaluator(pool, probe.actors, self.tasks)
        mailbox = create_mailbox()
        receiver = Receiver(mailbox)
        reading = Reading(self.plan, self.pictures, self.labels)
        deadline = None if settings.minutes is None else time.time() + 60 * settings.minutes

        def time_left() -> float:
            return math.inf if deadline is None else max(0.0, deadline - time.time())

        group = Group(
            self.run,
            settings,
            self.total_steps,
            mailbox,
            reading,
            ray.put(reading),
            deadline,
            self.init_from,
            self.code,
            self.mean_image,
        )
        batch_size = settings.optimization.batch_size
        length = Totals(self.total_steps * batch_size, len(self.index), batch_size)
        terminal = open_terminal(sys.stdout, length, settings.monitoring.line_s, time_left)

        def say_expected(images: int, images_per_second: float, seconds: float) -> None:
            source = f"measured over {seconds:.0f} s"
            expected = self._expect(length.images - images, images_per_second, source, images, time_left())
            for line in expected.lines(least_s=seconds):
                monitor.say(line)

        first_minute = FirstMinute(say_expected)

        def take_scalars(images: int, values: Mapping[str, float]) -> None:
            self._on_scalars(images, values)
            if not self._is_trial:
                first_minute(images, values)

        monitor = Monitor(self.run, settings, receiver, terminal, length, self._in_shards.names, take_scalars)
        monitor.start()
        if pool is not None:
            pool.say = monitor.say
        if evaluator is not None:
            import torch

            from dcgan_dist.evaluation.service.online import LiveProbe

            dtype = torch.float16 if probe.half else torch.float32
            tasks = self.tasks or self._shared.tasks
            wanted = self._is_wanted if self._shared.evaluated_at else None
            self.live = LiveProbe(self.run, evaluator, tasks, dtype, monitor.say, monitor.probed, self.code, wanted)
            self.live.start()
        held = dict if pool is None else pool.held_resources
        supervisor = self._supervisor = Supervisor(group, receiver, monitor, partial(self._check, monitor), held)
        if self._stopped:
            supervisor.stop()
        try:
            outcome = Outcome(self.total_steps, "") if self._trained else supervisor.run()
        except BaseException as error:
            # A second Ctrl-C leaves at once, which is a user's wish and no failure.
            ended: Status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            if self.live is not None:
                self.live.close(finish=False)
            monitor.close(ended)
            # Report what the run ended with, not that the record of it could not be written either.
            with suppress(DcganDistError):
                newest = newest_manifest(self.run)
                self._record(ended, newest["step"] if newest else 0)
            raise
        if self.live is not None:
            self._finish(self.live, monitor, wanted=supervisor.signal is None)
        status: Status = "stopped" if outcome.stopped else "finished"
        monitor.close(status)
        self._record(status, outcome.step)
        self._require_evaluator()
        if supervisor.signal is None:
            return 0
        again = ["--resume", settings.name, "--storage", settings.storage, *(["--trust-code"] if self.code else [])]
        print(f"resume with: {command_line('train', *again)}", flush=True)
        return 128 + supervisor.signal

    def _is_wanted(self, images: int) -> bool:
        """Whether the checkpoint at this number of images is to be evaluated."""
        from dcgan_dist.evaluation.service.online import first_after

        return first_after(self._shared.evaluated_at, images, self.settings.optimization.batch_size) is not None

    def stop(self) -> None:
        """Stop the run with a checkpoint, as SIGTERM does to the command; callable from any thread."""
        self._stopped = True
        if self._supervisor is not None:
            self._supervisor.stop()
        if self.live is not None:
            self.live.abandon()

    def _finish(self, live: "LiveProbe", monitor: Any, *, wanted: bool) -> None:
        """Let the newest checkpoint be evaluated, unless the user does not want to wait for it."""
        if wanted:
            monitor.say("training has finished; the probe is evaluating the last checkpoint (Ctrl-C skips it)")
            try:
                live.close(finish=True)
            except KeyboardInterrupt:
                monitor.say(
                    "the last checkpoint was not evaluated; evaluate it with: "
                    f"{command_line('evaluate', str(self.run))}"
                )
            finally:
                live.close(finish=False)  # while Ray still runs
        else:
            live.close(finish=False)

    def _check(self, monitor: Any) -> None:
        """Raise what ends a run: too many bad images; a collapse, if the settings say so; a lost evaluator."""
        self._require_evaluator()
        if monitor.findings and self.settings.on_collapse == "stop":
            raise TrainingError(
                f"{monitor.findings[0]}; the run stops because on_collapse is stop: start a new run with other "
                "settings, or resume this one with --on-collapse warn"
            )
        bad, limit = monitor.bad_samples, self.settings.data.max_bad_fraction * len(self.index)
        if len(bad) > limit:
            names = ", ".join(self._in_shards.names(sample) for sample in sorted(bad)[:3])
            raise DataError(
                f"{len(bad):,} of {len(self.index):,} images cannot be decoded, more than data.max_bad_fraction "
                f"{self.settings.data.max_bad_fraction:g} allows; the first are {names}: repair them, or "
                "raise it"
            )

    def _require_evaluator(self) -> None:
        """Raise if a run that is trained for its accuracies has lost its evaluator."""
        if self._shared.evaluator is not None and self.live is not None and self.live.failure:
            raise DcganDistError(f"its checkpoints cannot be evaluated: {self.live.failure}")

    def _record(self, status: str, step: int = 0) -> None:
        """Write `run.json`: what the run is, how it stands, what its attempts did, with which versions."""
        settings = self.settings
        both = settings.optimization.schedule != "alternate"
        record = {
            "name": settings.name,
            "status": status,
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "total_steps": self.total_steps,
            "total_images": self.total_steps * settings.optimization.batch_size,
            "epoch_images": len(self.index),
            "data_sha256": layout_sha256(self.index),
            **({} if self.labels is None else {"labels_sha256": labels_sha256(self.labels)}),
            FIELD: self._trained_on.record(),
            "preset": self._preset,
            "init_from": self._begun_with,
            "sequence": SEQUENCE,
            "step": step,
            "images": step * settings.optimization.batch_size,
            "updates": {
                "generator": step if both else -(-step // 2),
                "discriminator": step if both else step // 2,
            },
            **totals(attempt_costs(attempts(self.run), read_lines(self.run))),
            **({} if self.live is None else {"probe": self.live.record()}),
            **({"code": checksums()} if self.code else {}),
            "versions": versions("torch", "ray", "numpy", "pyarrow"),
        }
        (self.run / RECORD_FILE).write_bytes(json.dumps(record, indent=1).encode())


def with_absolute_keep(settings: Settings) -> Settings:
    """The settings, with a keep-list that is found from other folders too."""
    keep = settings.data.keep
    return replace(settings, data=replace(settings.data, keep=str(place(keep)))) if keep else settings


def open_pictures(index: Index, settings: Settings) -> "ShardPictures":
    """The images of an index as the networks of these settings see them."""
    from dcgan_dist.data.streaming.chunk_reader import ShardPictures

    data, networks = settings.data, settings.networks
    return ShardPictures(
        index, networks.image_size, data.fit, data.max_image_pixels, data.max_image_bytes, networks.channels
    )


def open_tasks(settings: Settings, trained_on: TrainedOn | None) -> "list[Task | FidelityTask]":
    """The tasks that the checkpoints of a run are evaluated on.

    Args:
        trained_on: what the run is trained on; tasks whose test images are among that say so. None: nobody asks them.

    Raises:
        SettingsError: a task that nobody knows.
        DataError: its images are not there, or cannot be used for networks of this size.
    """
    probe, size = settings.probe, settings.networks.image_size
    if not probe.tasks:
        return []
    from dcgan_dist.evaluation.fidelity.features import open_features
    from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
    from dcgan_dist.evaluation.tasks.fidelity import open_fidelity
    from dcgan_dist.evaluation.tasks.registry import parse_tasks

    named = parse_tasks(probe.tasks, "--probe")
    opened: list[Task | FidelityTask] = []
    for one in named:
        if one.name == FIDELITY:
            by = open_features(probe.fidelity_features, size, settings.storage)
            images = settings, trained_on, by, probe.fidelity_samples
            opened.append(open_fidelity(one.folder, *images, resize=probe.resize))
        else:
            task = one.open(size, resize=probe.resize, seed=PROBE_SEED)
            opened.append(task if trained_on is None else task.seen_by(trained_on))
    return opened


def doubts(shards: Sequence[Place], tasks: "Sequence[Task | FidelityTask]") -> list[str]:
    """Sentences about what makes evaluations of a run doubtful: the shards it is trained on, the tasks."""
    mixed = trains_on_held_out([shard.name for shard in shards])
    return [*([mixed] if mixed else []), *(f"probe {task.name}: {note}" for task in tasks for note in task.notes)]


def _networks_of(named: NamedRun, settings: Settings) -> tuple[Place, str]:
    """Run and checkpoint whose networks a new run begins with: the newest, where none was named."""
    run, checkpoint = named.place, load_checkpoint(named.place, named.checkpoint)
    if checkpoint.settings.supervised.task:
        raise CheckpointError(
            f"{run} was trained on labels, so it has no networks of a DCGAN: give another --init-from"
        )
    # What has no part in what a network computes from its weights.
    free = {"batchnorm_over": "global", "initial_sd": 1.0}
    theirs, ours = (asdict(replace(s.networks, **free)) for s in (checkpoint.settings, settings))  # type: ignore[arg-type]
    differ = [name for name in ours if ours[name] != theirs[name]]
    if differ:
        listed = ", ".join(f"networks.{name} is {theirs[name]} there and {ours[name]} here" for name in differ)
        given = " ".join(f"--networks.{name.replace('_', '-')} {theirs[name]}" for name in differ)
        raise CheckpointError(f"the networks of {run} do not fit: {listed}; give {given}")
    return run, checkpoint.name
