"""What each Train worker runs: the loop, told in order. The only file that calls `ray.train` in a worker."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
from ray.actor import ActorHandle
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.data.streaming.batches import Batch, batches, to_device
from dcgan_dist.data.streaming.cache import CachedPictures, Gatherer
from dcgan_dist.data.streaming.plan import share
from dcgan_dist.data.streaming.source import DATASET
from dcgan_dist.errors import DcganDistError
from dcgan_dist.extensions import Code, named_by
from dcgan_dist.model.adversarial_step import AdversarialStep, load_weights, scale
from dcgan_dist.model.batchnorm import set_process_group
from dcgan_dist.model.cuda_graph import replayed
from dcgan_dist.model.dcgan import build_networks, new_networks
from dcgan_dist.model.generate import Kind, choose_kind, freeze
from dcgan_dist.model.pixels import interpolate, to_uint8
from dcgan_dist.model.precision import of_networks, resolve_precision
from dcgan_dist.model.randomness import latents
from dcgan_dist.monitoring.heartbeat import Pulse
from dcgan_dist.monitoring.mailbox import Sender
from dcgan_dist.monitoring.messages import WorkerInfo
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.attempts import Attempt, attempts
from dcgan_dist.run_folder.checkpoint import checkpoint_name, load_checkpoint, manifests
from dcgan_dist.run_folder.saver import Saver
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place
from dcgan_dist.training.sample_diversity import drift, spread
from dcgan_dist.training.schedule import checkpoint_is_due, ends_a_quarter, grid_is_due, passes
from dcgan_dist.training.step_metrics import StepMetrics
from dcgan_dist.training.stop_consensus import AGREE_S, REASONS, StopConsensus

FLUSH_S = 10.0
"""How long a worker that is done waits for the driver to take its last messages."""
KEEP_S, YIELD_S, POLL_S = 30.0, 5.0, 0.5
"""Where data ends before its time: how long a last checkpoint may take; how long a rank leaves it to the one before it,
and the time between two looks whether that has written it."""
WALK_POINTS, WALK_IMAGES = 9, 100
"""StepMetrics of z that a walk leads through (paper, section 6.1: a series of 9), and its images (figure 4: 100)."""
REGROUPS = ("notice", "resize")
"""Wishes after which the run goes on by itself, with other workers: nobody waits for a picture."""


@dataclass(frozen=True)
class WorkerJob:
    """What a worker is told: nothing else reaches it but what lies in the run's folder.

    Attributes:
        total_steps: at which the run is done.
        pictures: where they are kept decoded.
        deadline: seconds since 1970 at which it stops even if it is not done.
        init_from: run and checkpoint whose networks it begins with.
        code: networks and loss of the user's own, by value.
    """

    run: Place
    settings: Settings
    total_steps: int
    mailbox: ActorHandle
    pictures: CachedPictures | None = None
    deadline: float | None = None
    init_from: tuple[Place, str] | None = None
    code: Code = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: how many steps of the run are done, and why it was stopped before the end, if it was."""

    step: int
    stopped: str


def train_worker(job: WorkerJob) -> Outcome:
    """Train from where the newest attempt begins to the end of the run, or until the run is stopped."""
    context = ray.train.get_context()
    rank, workers, beside = context.get_world_rank(), context.get_world_size(), context.get_local_world_size()
    device = ray.train.torch.get_device()
    cores = local_cores()
    threads = job.settings.workers.threads or max(1, cores // beside)
    torch.set_num_threads(threads)

    sender = Sender(job.mailbox)
    if rank == 0:
        sender.send({"kind": "event", "text": "workers are up, networks are built", "step": 0, "images": 0})
    # Asking for the data begins the attempt, see `source.SequenceConfig`.
    shard = ray.train.get_dataset_shard(DATASET)
    attempt = attempts(job.run)[-1]
    worker = Worker(job, attempt, rank, workers, device, sender)
    worker.announce(_describe(device, threads, beside, cores))

    batch_size = job.settings.optimization.batch_size
    low, high = share(batch_size, rank, workers)
    padded = -(-batch_size // workers)
    gather = None if job.pictures is None else Gatherer(job.pictures)
    return worker.train(batches(shard, high - low, padded, attempt.step, job.total_steps, device, gather))


class Worker:
    """One rank of the group: its networks, and the loop over its batches."""

    def __init__(
        self, job: WorkerJob, attempt: Attempt, rank: int, workers: int, device: torch.device, sender: Sender
    ) -> None:
        settings = job.settings
        self._job, self._settings, self._attempt = job, settings, attempt
        self._rank, self._workers, self._device = rank, workers, device
        self._batch_size = settings.optimization.batch_size
        self._rows = slice(*share(self._batch_size, rank, workers))
        # A group of its own, on the host: what is agreed on must not wait behind the gradients of a GPU.
        self._control = _new_group("gloo") if workers > 1 else None
        self._sender = sender
        self._pulse = Pulse(job.mailbox, attempt.number, rank, socket.gethostname(), device)
        self._agreement = StopConsensus(self._batch_size, self._control)
        self._saver = Saver(job.run, settings, attempt.number)
        self._audit = _open_audit(job, attempt, rank) if settings.monitoring.audit else None
        self._adversarial = self._build()
        # What code of a user's own does from step to step nobody knows, so it is not recorded.
        self._update = replayed(self._adversarial, settings.workers.cuda_graph and not named_by(settings))
        # Samples are drawn by rank 0 alone, so they need a G that shares its statistics with nobody.
        sampler, _ = new_networks(settings.networks, job.code)
        self._sampler = sampler.to(device, self._adversarial.precision.weights).eval()
        self._saved_at = time.monotonic()
        self._refused: str | None = None
        self._measures: dict[str, float] = {}
        self._measured: Tensor | None = None
        self._of_step: tuple[int, Kind, nn.Module] | None = None
        self._began = time.monotonic()
        # A run that goes on has its first grid already.
        self._drawn = attempt.images > 0

    def _build(self) -> AdversarialStep:
        settings = self._settings
        optimization = of_networks(settings)
        weights = resolve_precision(optimization.precision, self._device).weights
        shared = self._workers > 1 and settings.networks.batchnorm_over == "global"
        statistics = _new_group() if shared else None
        networks: list[nn.Module] = []
        for network in build_networks(
            settings.networks, settings.seed, self._device, weights, optimization.channels_last, self._job.code
        ):
            set_process_group(network, statistics)
            networks.append(DistributedDataParallel(network) if self._workers > 1 else network)
        generator, discriminator = networks
        adversarial = AdversarialStep(generator, discriminator, optimization, self._job.total_steps, self._job.code)
        if self._attempt.checkpoint is not None:
            adversarial.load_state_dict(load_checkpoint(self._job.run, self._attempt.checkpoint).state)
        elif self._job.init_from is not None:
            state = load_checkpoint(*self._job.init_from).state
            load_weights(adversarial.bare_generator, state["generator"], "generator")
            load_weights(adversarial.bare_discriminator, state["discriminator"], "discriminator")
            for name, weight in (adversarial.averaged or {}).items():
                weight.copy_(state.get("averaged", state["generator"])[name])
        return adversarial

    def announce(self, device: str) -> None:
        """Tell the driver what runs where."""
        node = ray.get_runtime_context().get_node_id()
        mine: WorkerInfo = {"rank": self._rank, "node": node, "host": socket.gethostname(), "device": device}
        everyone = [mine] * self._workers
        if self._workers > 1:
            dist.all_gather_object(everyone, mine, group=self._control)
        if self._rank == 0:
            self._sender.send(
                {
                    "kind": "started",
                    "attempt": self._attempt.number,
                    "step": self._attempt.step,
                    "images": self._attempt.images,
                    "checkpoint": self._attempt.checkpoint,
                    "workers": everyone,
                }
            )

    def train(self, batches: Iterator[Batch]) -> Outcome:
        """The loop. All ranks leave it at the same step."""
        settings, total = self._settings, self._job.total_steps
        points = StepMetrics(self._batch_size, self._control)
        step, reason, began = self._attempt.step, "", time.monotonic()
        while step < total and not reason:
            self._pulse.at("data", step)
            try:
                with points.waiting():
                    batch = next(batches)
            except Exception:
                self._keep(step)
                raise
            if step == self._attempt.step:
                points.begin()  # reading had to start first: that says nothing of speed
                self._began = time.monotonic()
                self._tell_first(time.monotonic() - began, step)
            self._note(step, batch)
            self._pulse.at("step", step)
            z = latents(settings.networks, self._batch_size, settings.seed, "latents", step, self._rows)
            points.add(self._update(batch.images, to_device(z, self._device), step))
            step += 1
            if self._rank == 0:
                self._measure(step, batch)
            if step % settings.monitoring.steps == 0 or step == total:
                self._point(step, points)
            reason = REASONS[self._agreement.reach(step, self._wish())]
            if self._rank == 0:
                self._pulse.at("checkpoint", step)
                # First what must not be lost, whose writing goes on while pictures are drawn.
                self._save_when_due(step, leaving=bool(reason))
                self._draw(step, leaving=bool(reason) and self._pulse.stop_requested() not in REGROUPS)
        if self._rank == 0:
            while not self._saver.wait(AGREE_S):
                self._tell_checkpoints(step)
            self._tell_checkpoints(step)
        self._sender.flush(FLUSH_S)
        self._pulse.close()
        return Outcome(step, reason if step < total else "")

    def _tell_first(self, waited_s: float, step: int) -> None:
        if self._rank == 0:
            text = f"training begins, after {waited_s:.1f} s of reading"
            self._sender.send({"kind": "event", "text": text, "step": step, "images": step * self._batch_size})

    def _keep(self, step: int) -> None:
        """Write a checkpoint before this group ends for want of data: between two steps the state is whole.

        It is the same on every rank, and rank 0 may be in a step for which this rank has no data any more. So a rank
        writes it if those before it do not.
        """
        if step == self._attempt.step:
            return
        self._pulse.at("checkpoint", step)
        name, deadline = checkpoint_name(self._settings, step), time.monotonic() + self._rank * YIELD_S
        # What is told is why the data ended, not that the storage refuses this checkpoint too.
        with suppress(DcganDistError):
            while time.monotonic() < deadline:
                if manifests(self._job.run).get(name, {}).get("attempt") == self._attempt.number:
                    return
                time.sleep(POLL_S)
            self._saver.save(self._adversarial.state_dict(), step, kept=False)
            self._saver.wait(KEEP_S)
            self._tell_checkpoints(step)
            self._sender.flush(FLUSH_S)

    def _note(self, step: int, batch: Batch) -> None:
        """Report bad images, and write down the samples where the run is audited."""
        if len(batch.bad):
            self._sender.send(
                {"kind": "bad_images", "samples": batch.bad.tolist(), "step": step, "images": step * self._batch_size}
            )
        if self._audit is not None:
            line = {"attempt": self._attempt.number, "step": step, "samples": batch.samples.tolist()}
            self._audit.write(json.dumps(line).encode() + b"\n")

    def _point(self, step: int, points: StepMetrics) -> None:
        """Send a point of the curves."""
        values = points.take()
        self._agreement.pace(values["speed/images_per_second"])
        if self._rank == 0:
            values |= self._measures
            self._measures = {}
            self._sender.send(
                {
                    "kind": "scalars",
                    "attempt": self._attempt.number,
                    "step": step,
                    "images": step * self._batch_size,
                    "values": values,
                }
            )

    def _wish(self) -> int:
        """Whether this rank is to stop, and why: a place in `REASONS`."""
        if self._job.deadline is not None and time.time() > self._job.deadline:
            return 2
        return 1 if self._pulse.stop_requested() is not None else 0

    def _measure(self, step: int, batch: Batch) -> None:
        """Compare samples of the same z with each other, with real images, and with those of the last time."""
        if not passes(step, self._batch_size, self._settings.monitoring.measure_images):
            return
        monitoring, networks = self._settings.monitoring, self._settings.networks
        z = latents(networks, max(monitoring.samples, self._batch_size), self._settings.seed, "samples")
        # Not those of the averaged G, which hides what the trained one does from step to step.
        images = self._generate(z, self._adversarial.bare_generator.state_dict())[: monitoring.samples].float().cpu()
        real = spread(scale(batch.images, images)) if len(batch.images) > 1 else 0.0
        if real:  # one picture many times says nothing of how far others should differ
            self._measures["samples/spread"] = spread(images) / real
        if self._measured is not None:
            self._measures["samples/drift"] = drift(images, self._measured)
        self._measured = images

    def _draw(self, step: int, *, leaving: bool) -> None:
        """Send the pictures that are due: always of the same z."""
        settings, monitoring, total = self._settings, self._settings.monitoring, self._job.total_steps
        waited_s = None if self._drawn else time.monotonic() - self._began
        if leaving or grid_is_due(step, total, self._batch_size, monitoring.samples_images, waited_s):
            z = latents(settings.networks, monitoring.samples, settings.seed, "samples")
            self._send_pictures("samples", step, z)
            self._drawn = True
        if step == total or passes(step, self._batch_size, monitoring.walk_images):
            points = latents(settings.networks, WALK_POINTS, settings.seed, "walk")
            self._send_pictures("walk", step, interpolate(points, WALK_IMAGES))

    def _send_pictures(self, name: Literal["samples", "walk"], step: int, z: Tensor) -> None:
        kind, generator = self._frozen(step)
        with torch.no_grad():
            images = generator(z.to(self._device, self._adversarial.precision.weights))
        self._sender.send(
            {
                "kind": "pictures",
                "name": name,
                "step": step,
                "images": step * self._batch_size,
                "generator": kind,
                "array": to_uint8(images),
            }
        )

    def _frozen(self, step: int) -> tuple[Kind, nn.Module]:
        """What draws the pictures of a step: as `dcgan_dist.sample` would, of a checkpoint of this step."""
        if self._of_step is None or self._of_step[0] != step:
            settings = self._settings
            kind = choose_kind(step * self._batch_size, settings.optimization.average_images)
            averaged = self._adversarial.averaged if kind == "averaged" else None
            self._sampler.load_state_dict(averaged or self._adversarial.bare_generator.state_dict())
            self._of_step = step, kind, freeze(self._sampler, settings.networks, self._batch_size)
        return self._of_step[1:]

    def _generate(self, z: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Images as training sees them: batch normalization by the statistics of these z."""
        self._sampler.load_state_dict(weights)
        with torch.no_grad():
            images: Tensor = self._sampler(z.to(self._device, self._adversarial.precision.weights))
        return images

    def _save_when_due(self, step: int, *, leaving: bool) -> None:
        """Write a checkpoint at intervals, at each quarter of the run, at its end, and when it is left."""
        checkpoints, total = self._settings.checkpoints, self._job.total_steps
        free = not self._saver.busy or self._saver.refused is not None
        timely = free and time.monotonic() - self._saved_at > checkpoints.minutes * 60
        if checkpoint_is_due(step, total, self._batch_size, checkpoints.images, leaving=leaving, timely=timely):
            self._saver.save(self._adversarial.state_dict(), step, kept=ends_a_quarter(step, total))
            self._saved_at = time.monotonic()
        self._tell_checkpoints(step)

    def _tell_checkpoints(self, now: int) -> None:
        """Send what was written, and once what is refused."""
        refused, before = self._saver.refused, self._refused
        self._refused = refused
        if refused is not None and before is None:
            text = f"no checkpoint can be written; training continues, and writing is retried: {refused}"
            self._sender.send({"kind": "event", "text": text, "step": now, "images": now * self._batch_size})
        for name, step, seconds in self._saver.written():
            self._sender.send(
                {
                    "kind": "checkpoint",
                    "name": name,
                    "step": step,
                    "images": step * self._batch_size,
                    "seconds": seconds,
                }
            )


def _describe(device: torch.device, threads: int, beside: int, cores: int) -> str:
    """For people: `cpu, 2 threads`, `cuda, NVIDIA L4`, `cpu, 1 thread, one of 4 that share 2 cores`."""
    if device.type == "cuda":
        return f"{device.type}, {torch.cuda.get_device_name(device)}"
    shared = f", one of {beside} that share {count(cores, 'core')}" if beside > cores else ""
    return f"{device.type}, {count(threads, 'thread')}{shared}"


def _new_group(backend: str | None = None) -> dist.ProcessGroup:
    group = dist.new_group(backend=backend)
    if not isinstance(group, dist.ProcessGroup):
        raise RuntimeError("this worker is not in the group of its own run")
    return group


def _open_audit(job: WorkerJob, attempt: Attempt, rank: int) -> BinaryIO:
    folder = (job.run / "audit").local_path
    folder.mkdir(exist_ok=True)
    # Unbuffered: a line is there even if the process is killed after it.
    return open(folder / f"{attempt.number:06d}-{rank:04d}.jsonl", "ab", buffering=0)
