"""What limits training on 8, 64 and 512 GPUs: a cost model, fitted to what was measured here and carried further.

python -m benchmarks.scaling_model --json benchmarks/results/scaling.json
python -m benchmarks.scaling_model --tflops 120 --gbit 25

A model and no measurement. Measured are the bytes of a step (`wire.json`), what a chunk costs the coordinator
(`blocks.json`), what decoding costs a core (`ingest.json`), the size of a checkpoint (`checkpoints.json`), and on one
H100 what launching and computing a step take (`replay.json`). Assumed are the figures of another GPU and of networks,
which the options name. A GPU computes while its next kernels are launched; nothing else of a step overlaps, so that
times are upper limits: DDP hides a part of the reduction behind the backward pass.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from benchmarks.wire import EXCHANGE_STEPS, GRADIENTS, WEIGHTS
from dcgan_dist.data.streaming.source import MOST_LANES, lanes_for
from dcgan_dist.model.batchnorm import BatchNorm
from dcgan_dist.model.dcgan import build_networks, count_parameters
from dcgan_dist.settings import Settings, lsun64
from dcgan_dist.training.schedule import ALIGNED_EXCHANGES

RESULTS = Path(__file__).parent / "results"
BATCH = 128
"""Of the paper (section 4)."""
EXCHANGED_WEAK, EXCHANGED_STRONG = 16, 64
"""Steps between exchanges that are asked about: with a batch of the paper on each worker, and on all together."""
LEAST_WEAK, LEAST_STRONG = 0.8, 0.6
"""Efficiency of `BAR_WORKERS` that is wanted of these."""
BAR_WORKERS = 8
WAYS_WORKERS = (2, 8, 64)
"""For which all ways are shown."""
PARTS = ("exchange", "alignment")
STRONG = (1, 2, 4, 8, 64, 128)
WEAK = (1, 8, 64, 512)
FAST_GBIT = 400.0
"""Of machines with H100s, beside those of `cluster.yaml`."""
WIDE = 65_536
"""Images of a wide chunk (`data.window`)."""
MEASURED_CORES = 2
"""Whose rate `ingest.json` has."""
READ_CORES = 16
"""Of a machine that reads, as `cluster.yaml` has them."""
MOST_WORKERS = 4_096
"""More are not looked at."""


@dataclass(frozen=True)
class Machine:
    """A GPU, and the network of its machine.

    Attributes:
        launch_s: that a host takes to launch the kernels of a step that updates both networks.
        tflops: that the GPU sustains in the step; a quarter of the 121 bf16 TFLOP/s of an L4, which `cluster.yaml` has.
        gbit: of the network, each way.
        latency_s: of a message.
        name: for people.
    """

    launch_s: float
    tflops: float = 30.0
    gbit: float = 10.0
    latency_s: float = 50e-6
    name: str = "L4"

    @property
    def title(self) -> str:
        """As tables have it."""
        return f"{self.name}, {self.gbit:g} Gbit/s"


@dataclass(frozen=True)
class Way:
    """How workers learn of each other's steps.

    Attributes:
        name: for people.
        step: bytes that a worker sends in a step, over those of the gradients in float32, by 2 workers.
        exchange: bytes of an exchange of weights, likewise, of both networks.
        alignment: bytes of averaging all else, likewise.
        every: steps between two exchanges; 0: there are none, and statistics are those of the whole batch.
    """

    name: str
    step: float
    exchange: float = 0.0
    alignment: float = 0.0
    every: int = 0


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        ways: `fp32` first, the others with no `every` yet where it is asked for.
        chunk_s: what a chunk costs the coordinator that deals it out, without its blocks.
        block_s: what each block costs it.
        decode_s: what a core takes for an image.
        checkpoint_bytes: of a run of `lsun64`.
        launch_s: see `Machine`, of the host of an H100.
        tflops: that the H100 sustains, likewise.
    """

    ways: Mapping[str, Way]
    chunk_s: float
    block_s: float
    decode_s: float
    checkpoint_bytes: float
    launch_s: float
    tflops: float


@dataclass(frozen=True)
class Job:
    """What a step of a preset is.

    Attributes:
        launches: part of the kernels of a step that updates both networks; a mean where G and D take turns.
        flops: of an image in a step, likewise.
        gradients: bytes of the gradients that a step reduces, likewise.
        weights: bytes of both networks.
        norms: reductions of batch statistics, forward and backward, likewise.
        image_bytes: of a decoded image on its way to a worker.
        window: images of a chunk.
    """

    launches: float
    flops: float
    gradients: float
    weights: float
    norms: int
    image_bytes: int
    window: int


@dataclass(frozen=True)
class Cost:
    """Seconds of a step of so many workers, and what it takes of what all share.

    Attributes:
        coordinator: share of their time that the coordinators are busy; above 1 they are what limits.
        decode_s: what a core takes for an image.
        image_bytes: of a decoded image.
    """

    workers: int
    batch: int
    compute_s: float
    reduce_s: float
    norms_s: float
    coordinator: float
    decode_s: float
    image_bytes: int

    @property
    def alone_s(self) -> float:
        """All that workers do, one after the other."""
        return self.compute_s + self.reduce_s + self.norms_s

    @property
    def step_s(self) -> float:
        """What workers do, or as long as the coordinators need."""
        return self.alone_s * max(1.0, self.coordinator)

    @property
    def images_per_s(self) -> float:
        """Of all workers."""
        return self.batch / self.step_s

    @property
    def read_cores(self) -> float:
        """That decode what is used."""
        return self.images_per_s * self.decode_s

    @property
    def gbit_of_images(self) -> float:
        """A second, from those who read to those who train."""
        return self.images_per_s * self.image_bytes * 8 / 1e9


def job_of(settings: Settings) -> Job:
    """Count what a step of a preset takes; nothing is guessed."""
    networks = build_networks(settings.networks, 1, torch.device("cpu"), torch.float32, False)
    size = settings.networks.image_size
    forward = []
    for network, shape in zip(networks, ((2, settings.networks.latent_size), (2, 3, size, size)), strict=True):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(shape))
        forward.append(counter.get_total_flops() / 2)
    norms = [sum(isinstance(module, BatchNorm) for module in network.modules()) for network in networks]
    # Forward and backward through G once; through D for a real and a generated image, and once more to the image alone,
    # which takes two thirds of it. Where they take turns G's forward pass is made for either.
    both = settings.optimization.schedule != "alternate"
    of_g, of_d = (3.0, 8.0) if both else (2.0, 4.0)
    passes_g, passes_d = (2.0, 4.0) if both else (1.5, 2.0)
    return Job(
        launches=1.0 if both else 0.5,
        flops=of_g * forward[0] + of_d * forward[1],
        gradients=4.0 * sum(map(count_parameters, networks)) * (1.0 if both else 0.5),
        weights=4.0 * sum(map(count_parameters, networks)),
        norms=round(passes_g * norms[0] + passes_d * norms[1]),
        image_bytes=3 * size * size,
        window=settings.data.window,
    )


def cost(
    job: Job,
    machine: Machine,
    measured: Measured,
    workers: int,
    batch: int,
    way: Way | None = None,
    lanes: Callable[[int, int], int] = lanes_for,
) -> Cost:
    """Of a step of `batch` images, of all workers together.

    Args:
        way: None: `fp32`.
        lanes: coordinators for so many workers and steps of a chunk.

    Raises:
        ValueError: there are more workers than images.
    """
    if workers > batch:
        raise ValueError(f"{workers} workers cannot share {batch} images")
    mine = batch / workers
    way = measured.ways["fp32"] if way is None else way
    # A worker that is alone replays its step, see `dcgan_dist/model/cuda_graph.py`.
    launching = machine.launch_s * job.launches if workers > 1 else 0.0
    compute = max(launching, mine * job.flops / (machine.tflops * 1e12))

    # A ring: each sends 2 (n - 1) / n of all, which is all of it by 2 workers, where `wire` was measured.
    def ring(size: float) -> float:
        sent = 2 * (workers - 1) / workers * size
        return sent * 8 / (machine.gbit * 1e9) + 2 * (workers - 1) * machine.latency_s if workers > 1 else 0.0

    exchange = ring(job.weights * way.exchange) + ring(job.weights * way.alignment) / ALIGNED_EXCHANGES
    reduce = exchange / way.every if way.every else ring(job.gradients * way.step)
    # Few bytes, by a tree.
    shared = workers > 1 and not way.every
    norms = job.norms * 2 * math.ceil(math.log2(workers)) * machine.latency_s if shared else 0.0
    # As `Plan.chunk_steps` has it: a chunk has whole batches, and one at least.
    steps_of_a_chunk = math.ceil(job.window / batch)
    dealing = (measured.chunk_s + workers * measured.block_s) / steps_of_a_chunk
    coordinator = dealing / lanes(workers, steps_of_a_chunk) / (compute + reduce + norms)
    return Cost(workers, batch, compute, reduce, norms, coordinator, measured.decode_s, job.image_bytes)


def first_where(
    runs_out: Callable[[Cost], bool],
    job: Job,
    machine: Machine,
    measured: Measured,
    lanes: Callable[[int, int], int] = lanes_for,
) -> int | None:
    """The fewest workers, each with a batch of the paper, by which something runs out; None: not by `MOST_WORKERS`."""
    for workers in range(1, MOST_WORKERS + 1):
        if runs_out(cost(job, machine, measured, workers, BATCH * workers, lanes=lanes)):
            return workers
    return None


def limits(job: Job, machines: Sequence[Machine], measured: Measured) -> Table:
    """What runs out first as workers with a batch of the paper each are added, and what moves that."""

    def full(
        machine: Machine,
        job: Job = job,
        measured: Measured = measured,
        lanes: Callable[[int, int], int] = lanes_for,
    ) -> int | None:
        return first_where(lambda found: found.coordinator >= 1, job, machine, measured, lanes)

    def half(machine: Machine, measured: Measured = measured) -> int | None:
        return first_where(lambda found: found.reduce_s >= found.compute_s, job, machine, measured)

    def one(workers: int, steps_of_a_chunk: int) -> int:
        return 1

    # What comes after: a coordinator costs nothing here.
    freely = replace(measured, chunk_s=0.0, block_s=0.0)

    def cores(machine: Machine) -> int | None:
        return first_where(lambda found: found.read_cores >= READ_CORES, job, machine, freely)

    def images(machine: Machine) -> int | None:
        return first_where(lambda found: found.gbit_of_images >= machine.gbit, job, machine, freely)

    wide, halved = replace(job, window=WIDE), replace(measured, ways={"fp32": measured.ways["bf16"]})
    seldom, every = "weights in bf16", max(EXCHANGE_STEPS)
    apart = replace(measured, ways={"fp32": replace(measured.ways[seldom], every=every)})
    asked: list[tuple[str, Callable[[Machine], int | None]]] = [
        ("gradients take as long as computing", half),
        ("the same, gradients sent as bf16", partial(half, measured=halved)),
        (f"one coordinator would be busy all the time, data.window {job.window:,}", partial(full, lanes=one)),
        (f"up to {MOST_LANES} coordinators are, as a run has them", full),
        (f"the same, {seldom} every {every} steps", partial(full, measured=apart)),
        (f"the same, data.window {wide.window:,}", partial(full, measured=apart, job=wide)),
        (f"were that moved: decoding takes {READ_CORES} cores", cores),
        ("were that moved: images fill the network of one machine that reads", images),
    ]
    return Table(
        ["what runs out", *(f"workers, {machine.title}" for machine in machines)],
        [[what, *(_workers(found(machine)) for machine in machines)] for what, found in asked],
    )


def _workers(number: int | None) -> str:
    return f"more than {MOST_WORKERS:,}" if number is None else f"{number:,}"


def read_measured(results: Path) -> Measured:
    """From what the other benchmarks have left."""

    def rates(name: str) -> Mapping[str, float]:
        found: Mapping[str, float] = json.loads((results / f"{name}.json").read_text())["rates"]
        return found

    wire: Mapping[str, float] = json.loads((results / "wire.json").read_text())["ratios"]
    ways: dict[str, Way] = {way: Way(way, wire[f"{way}: bytes sent over bytes of gradients"]) for way in GRADIENTS}
    for way in WEIGHTS:
        exchange, alignment = (wire[f"{way}: bytes of an {part} over those of the weights"] for part in PARTS)
        ways[way] = Way(way, 0.0, exchange, alignment)
    return Measured(
        ways=ways,
        chunk_s=rates("blocks")["chunk_s"],
        block_s=rates("blocks")["block_s"],
        decode_s=MEASURED_CORES / rates("ingest")["limit_images_per_s"],
        checkpoint_bytes=rates("checkpoints")["state_megabytes"] * 1e6,
        launch_s=rates("replay")["launch_s"],
        tflops=rates("replay")["tflops"],
    )


def all_ways(measured: Measured) -> list[Way]:
    """Gradients in each way, and weights each so many steps."""
    apart = [
        replace(measured.ways[way], name=f"{way} every {every} steps", every=every)
        for way in WEIGHTS
        for every in EXCHANGE_STEPS
    ]
    return [*(measured.ways[way] for way in GRADIENTS), *apart]


def efficiency(job: Job, machine: Machine, measured: Measured, workers: int, batch: int, way: Way) -> float:
    """Images a second of each worker, over those of one that is alone with a batch of the paper."""
    alone = cost(job, machine, measured, 1, BATCH).images_per_s
    return cost(job, machine, measured, workers, batch, way).images_per_s / workers / alone


def _of_way(job: Job, machine: Machine, measured: Measured, workers: int, batch: int, way: Way) -> list[Cell]:
    found = cost(job, machine, measured, workers, batch, way)
    computing = batch / workers * job.flops / (machine.tflops * 1e12)
    network = found.reduce_s + found.norms_s
    parts = {"network": network, "computing" if found.compute_s == computing else "launches": found.compute_s}
    limit = "coordinator" if found.coordinator > 1 else max(parts, key=lambda part: parts[part])
    share = f"{100 * efficiency(job, machine, measured, workers, batch, way):.0f} %"
    milliseconds = 1e3 * found.compute_s, 1e3 * network
    return [workers, f"{batch:,}", way.name, *milliseconds, found.images_per_s, share, limit]


def report(job: Job, machine: Machine, measured: Measured) -> Report:
    """The tables."""
    networks = [machine, Machine(measured.launch_s, measured.tflops, FAST_GBIT, machine.latency_s, "H100")]
    shown = ["machine", "workers", "batch", "ms compute", "ms gradients", "ms statistics", "images/s", "efficiency"]
    shared = ["coordinator busy", "cores to decode", "Gbit/s of images"]

    def rows(network: Machine, batches: Mapping[int, int]) -> list[list[Cell]]:
        costs = [cost(job, network, measured, workers, batch) for workers, batch in batches.items()]
        alone = costs[0].images_per_s
        return [
            [
                network.name,
                one.workers,
                f"{one.batch:,}",
                1e3 * one.compute_s,
                1e3 * one.reduce_s,
                1e3 * one.norms_s,
                one.images_per_s,
                f"{100 * one.images_per_s / one.workers / alone:.0f} %",
                f"{100 * one.coordinator:,.1f} %",
                one.read_cores,
                one.gbit_of_images,
            ]
            for one in costs
        ]

    sent: list[list[Cell]] = [
        [
            f"bytes that a worker sends in a step, over those of the gradients, {way}",
            measured.ways[way].step,
            "wire.json",
        ]
        for way in GRADIENTS
    ]
    sent += [
        [f"bytes of an {part} of {way}, over those of the weights", getattr(measured.ways[way], part), "wire.json"]
        for way in WEIGHTS
        for part in PARTS
    ]
    fitted: list[list[Cell]] = [
        *sent,
        ["ms of a chunk in the coordinator", 1e3 * measured.chunk_s, "blocks.json"],
        ["ms of each block in it", 1e3 * measured.block_s, "blocks.json"],
        ["µs of a core to read and decode an image", 1e6 * measured.decode_s, "ingest.json"],
        [
            "MB of a checkpoint, which rank 0 writes, whatever the workers",
            measured.checkpoint_bytes / 1e6,
            "checkpoints.json",
        ],
        [
            "% of its network that one a minute takes",
            100 * measured.checkpoint_bytes * 8 / 60 / (machine.gbit * 1e9),
            "of these",
        ],
        ["GFLOP of an image in a step", job.flops / 1e9, "counted"],
        ["MB of gradients in a step", job.gradients / 1e6, "counted"],
        ["ms to launch the kernels of a step of several workers", 1e3 * job.launches * machine.launch_s, "replay.json"],
        ["TFLOP/s that an H100 sustains", measured.tflops, "replay.json"],
        [f"TFLOP/s that an {machine.name} sustains", machine.tflops, "assumed"],
        ["Gbit/s of its machine's network", machine.gbit, "assumed"],
        ["Gbit/s of the network of an H100's machine", FAST_GBIT, "assumed"],
        ["µs of a message", 1e6 * machine.latency_s, "assumed"],
    ]
    ways = all_ways(measured)
    asked = [(n, batch, way) for n in WAYS_WORKERS for batch in (BATCH, BATCH * n) for way in ways]
    efficiencies = {
        f"{BAR_WORKERS} {machine.name}s, {images} images {of}, {way.name}": efficiency(
            job, machine, measured, BAR_WORKERS, images * (BAR_WORKERS if of == "a worker" else 1), way
        )
        for images, of, every in ((BATCH, "a worker", EXCHANGED_WEAK), (BATCH, "in all", EXCHANGED_STRONG))
        for way in ways
        if way.every in (0, every)
    }
    bars = [
        Bar(f"efficiency of {name}", efficiencies[name], at_least=least)
        for of, every, least in (("a worker", EXCHANGED_WEAK, LEAST_WEAK), ("in all", EXCHANGED_STRONG, LEAST_STRONG))
        for way in WEIGHTS
        for name in [f"{BAR_WORKERS} {machine.name}s, {BATCH} images {of}, {way} every {every} steps"]
    ]
    return Report(
        command="python -m benchmarks.scaling_model --json benchmarks/results/scaling.json",
        tables={
            "scaling-inputs": Table(["figure", "value", "from"], fitted),
            "scaling-strong": Table(
                [*shown, *shared], [row for one in networks for row in rows(one, dict.fromkeys(STRONG, BATCH))]
            ),
            "scaling-weak": Table(
                [*shown, *shared], [row for one in networks for row in rows(one, {n: BATCH * n for n in WEAK})]
            ),
            "scaling-ways": Table(
                [
                    "workers",
                    "batch",
                    "what is sent",
                    "ms compute",
                    "ms network",
                    "images/s",
                    "efficiency",
                    "what limits",
                ],
                [_of_way(job, machine, measured, workers, batch, way) for workers, batch, way in asked],
            ),
            "scaling-limits": limits(job, networks, measured),
        },
        ratios=efficiencies,
        bars=bars,
        samples={"machine": asdict(machine), "measured": asdict(measured), "job": asdict(job)},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options: argparse.ArgumentParser = parser("What limits training on many GPUs.")
    measured = read_measured(RESULTS)
    machine = Machine(measured.launch_s)
    for name, told in (
        ("launch_s", "to launch the kernels of a step that updates both networks"),
        ("tflops", "that a GPU sustains"),
        ("gbit", "of a machine's network, each way"),
        ("latency_s", "of a message"),
    ):
        options.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(machine, name), help=told)
    given = options.parse_args(arguments)
    name = machine.name if given.tflops == machine.tflops else "a GPU"
    machine = Machine(given.launch_s, given.tflops, given.gbit, given.latency_s, name)
    publish(report(job_of(lsun64()), machine, measured), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
