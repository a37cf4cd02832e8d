"""What each Train worker runs: the training loop. The only file that calls `ray.train` in a worker."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
from torch import nn

from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.data.streaming.batches import Batch, batches, to_device
from dcgan_dist.data.streaming.cache import Gatherer
from dcgan_dist.data.streaming.plan import chunks_of, share
from dcgan_dist.data.streaming.source import dataset_name
from dcgan_dist.extensions import named_by
from dcgan_dist.model.adversarial_step import AdversarialStep, load_weights
from dcgan_dist.model.batchnorm import set_process_group
from dcgan_dist.model.cuda_graph import replayed
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.local_steps import LocalSteps, exchange_weights
from dcgan_dist.model.original_gan import begin_with_mean, dropout_masks
from dcgan_dist.model.precision import of_networks, resolve_precision
from dcgan_dist.model.randomness import latents
from dcgan_dist.model.reductions import distribute
from dcgan_dist.monitoring.heartbeat import HeartbeatSender
from dcgan_dist.monitoring.mailbox import Sender
from dcgan_dist.monitoring.messages import WorkerInfo
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.attempts import Attempt, attempts
from dcgan_dist.run_folder.checkpoint import load_checkpoint
from dcgan_dist.training.checkpointing import Checkpointing
from dcgan_dist.training.reporter import Reporter
from dcgan_dist.training.sample_drawing import SampleDrawing
from dcgan_dist.training.schedule import alignment_is_due, exchange_is_due
from dcgan_dist.training.step_metrics import StepMetrics
from dcgan_dist.training.stop_consensus import REASONS, StopConsensus
from dcgan_dist.training.worker_job import Outcome, WorkerJob

REGROUPS = ("notice", "resize")
"""Stop requests after which the run goes on by itself, with other workers: nobody waits for a picture."""


def train_worker(job: WorkerJob) -> Outcome:
    """Train from where the newest attempt begins to the end of the run, or until the run is stopped."""
    context = ray.train.get_context()
    rank, workers, beside = context.get_world_rank(), context.get_world_size(), context.get_local_world_size()
    device = ray.train.torch.get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    cores = local_cores()
    threads = job.settings.workers.threads or max(1, cores // beside)
    torch.set_num_threads(threads)

    sender = Sender(job.mailbox)
    if rank == 0:
        sender.send({"kind": "event", "text": "workers are up, networks are built", "step": 0, "images": 0})
    # Asking for the data begins the attempt, see `source.SequenceConfig`.
    shard = ray.train.get_dataset_shard(dataset_name(0))
    attempt = attempts(job.run)[-1]
    steps = attempt.step, job.total_steps, job.chunk_steps
    # A lane without a chunk has nothing to ask for.
    others = range(1, min(job.lanes, len(chunks_of(*steps))))
    shards = [shard, *(ray.train.get_dataset_shard(dataset_name(lane)) for lane in others)]
    worker = Worker(job, attempt, rank, workers, device, sender)
    worker.announce(describe_device(device, threads, beside, cores))

    batch_size = job.settings.optimization.batch_size
    low, high = share(batch_size, rank, workers)
    padded = -(-batch_size // workers)
    gather = None if job.pictures is None else Gatherer(job.pictures)
    return worker.train(batches(shards, high - low, padded, *steps, device, gather))


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
        self._heartbeat = HeartbeatSender(job.mailbox, attempt.number, rank, socket.gethostname(), device)
        self._reporter = Reporter(sender, attempt, self._batch_size)
        self._consensus = StopConsensus(self._batch_size, self._control)
        self._audit = _open_audit(job, attempt, rank) if settings.monitoring.audit else None
        self._adversarial, self._local = self._build()
        # What code of a user's own does from step to step nobody knows, so it is not recorded; and no step with classes
        # or with a penalty on slopes was ever recorded on a GPU, nor one between exchanges.
        never = named_by(settings) or settings.networks.classes or settings.optimization.r1 or self._local is not None
        recorded = settings.workers.cuda_graph and not never
        self._update = replayed(self._adversarial, recorded)
        self._checkpoints = Checkpointing(job.run, settings, attempt, job.total_steps, self._state, self._reporter)
        self._samples = SampleDrawing(
            settings, self._adversarial, job.total_steps, device, job.code, has_grid=attempt.images > 0
        )

    def _build(self) -> tuple[AdversarialStep, LocalSteps | None]:
        """The networks as they are at the beginning of the attempt, and what averages them where workers step on their
        own."""
        settings, local = self._settings, None
        optimization = of_networks(settings)
        weights = resolve_precision(optimization.precision, self._device).weights
        apart = exchange_weights(settings.workers, self._workers)
        together = self._workers > 1 and not apart
        statistics = _new_group() if together and settings.networks.batchnorm_over == "global" else None
        networks: list[nn.Module] = []
        new = build_networks(
            settings.networks, settings.seed, self._device, weights, optimization.channels_last, self._job.code
        )
        if self._job.mean_image is not None:
            begin_with_mean(new[0], self._job.mean_image)
        for network in new:
            set_process_group(network, statistics)
            networks.append(distribute(network, settings.workers.gradients) if together else network)
        generator, discriminator = networks
        adversarial = AdversarialStep(
            generator, discriminator, optimization, self._job.total_steps, self._job.code, self._workers
        )
        resumed: dict[str, Any] = {}
        if self._attempt.checkpoint is not None:
            resumed = load_checkpoint(self._job.run, self._attempt.checkpoint).state
            adversarial.load_state_dict(resumed)
        elif self._job.init_from is not None:
            state = load_checkpoint(*self._job.init_from).state
            load_weights(adversarial.bare_generator, state["generator"], "generator")
            load_weights(adversarial.bare_discriminator, state["discriminator"], "discriminator")
            for name, weight in (adversarial.averaged or {}).items():
                weight.copy_(state.get("averaged", state["generator"])[name])
            for name, weight in (adversarial.averaged_discriminator or {}).items():
                weight.copy_(state.get("averaged_discriminator", state["discriminator"])[name])
        if apart:
            given = settings.workers
            local = LocalSteps(
                adversarial,
                _new_group(),
                lr=given.outer_lr,
                momentum=given.outer_momentum,
                bf16=given.gradients == "bf16",
            )
            local.load_state_dict(resumed)
        return adversarial, local

    def _state(self) -> dict[str, Any]:
        """All that the run resumes from."""
        return self._adversarial.state_dict() | ({} if self._local is None else self._local.state_dict())

    def _exchange(self, step: int, *, leaving: bool) -> bool:
        """Average what workers have learned on their own, where that is due; returns whether all are the same now."""
        if self._local is None:
            return True
        due = step, self._job.total_steps, self._settings.workers.exchange_steps
        if exchange_is_due(*due, leaving=leaving):
            self._local.exchange()
        aligned = alignment_is_due(*due, leaving=leaving)
        if aligned:
            self._local.align()
        return aligned

    def announce(self, device: str) -> None:
        """Report what runs where; `device` is for people."""
        node = ray.get_runtime_context().get_node_id()
        mine: WorkerInfo = {"rank": self._rank, "node": node, "host": socket.gethostname(), "device": device}
        everyone = [mine] * self._workers
        if self._workers > 1:
            dist.all_gather_object(everyone, mine, group=self._control)
        if self._rank == 0:
            self._reporter.started(everyone)

    def train(self, batches: Iterator[Batch]) -> Outcome:
        """Run the loop until the run is done or is to stop. All ranks leave it at the same step."""
        settings, total, leads = self._settings, self._job.total_steps, self._rank == 0
        metrics, diversity = StepMetrics(self._batch_size, self._control), dict[str, float]()
        step, reason, seed = self._attempt.step, "", settings.seed
        while step < total and not reason:
            self._heartbeat.at("data", step)
            batch = self._next_batch(batches, step, metrics)
            self._heartbeat.at("step", step)
            z = latents(settings.networks, self._batch_size, seed, "latents", step, self._rows)
            kept = dropout_masks(settings.networks, self._batch_size, seed, step, self._rows)
            known = {} if batch.labels is None else {"labels": batch.labels}
            masks = {} if kept is None else {"kept": to_device(kept, self._device)}
            metrics.add(self._update(batch.images, to_device(z, self._device), step, **known, **masks))
            step += 1
            if leads:
                diversity |= self._samples.diversity(step, batch.images)
            if step % settings.monitoring.steps == 0 or step == total:
                values = metrics.take()
                self._consensus.pace(values["speed/images_per_second"])
                if leads:
                    self._reporter.scalars(step, values | diversity)
                    diversity = {}
            reason = REASONS[self._consensus.reach(step, self._stop_flag())]
            whole = self._exchange(step, leaving=bool(reason))
            if leads:
                self._heartbeat.at("checkpoint", step)
                # First what must not be lost, whose writing goes on while pictures are drawn.
                self._checkpoints.save_if_due(step, leaving=bool(reason), whole=whole)
                last_grid = bool(reason) and self._heartbeat.stop_requested() not in REGROUPS
                for picture in self._samples.pictures(step, leaving=last_grid):
                    self._reporter.pictures(step, *picture)
        if leads:
            self._checkpoints.finish(step)
        self._reporter.flush()
        self._heartbeat.close()
        return Outcome(step, reason if step < total else "")

    def _next_batch(self, batches: Iterator[Batch], step: int, metrics: StepMetrics) -> Batch:
        """Wait for the next batch; where none comes, write a checkpoint before raising why."""
        began = time.monotonic()
        try:
            with metrics.waiting():
                batch = next(batches)
        except Exception:
            self._heartbeat.at("checkpoint", step)
            self._checkpoints.rescue(step, self._rank)
            raise
        if step == self._attempt.step:
            metrics.begin()  # reading had to start first: that says nothing of speed
            self._samples.begin()
            if self._rank == 0:
                self._reporter.event(step, f"training begins, after {time.monotonic() - began:.1f} s of reading")
        self._reporter.bad_images(step, batch.bad.tolist())
        if self._audit is not None:
            line = {"attempt": self._attempt.number, "step": step, "samples": batch.samples.tolist()}
            self._audit.write(json.dumps(line).encode() + b"\n")
        return batch

    def _stop_flag(self) -> int:
        """Whether this rank is to stop, and why: a place in `REASONS`."""
        if self._job.deadline is not None and time.time() > self._job.deadline:
            return 2
        return 1 if self._heartbeat.stop_requested() is not None else 0


def describe_device(device: torch.device, threads: int, beside: int, cores: int) -> str:
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
