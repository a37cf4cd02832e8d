"""Images per second of the whole training job beside a plain PyTorch loop of the same networks on tensors in memory.

python -m benchmarks.step --data FOLDER [--json benchmarks/results/step.json]

The job is `python -m dcgan_dist.train` with one worker, streaming shards, checkpoints and curves included; FOLDER holds
shards of 64-pixel JPEGs. The loop is that of popular examples (`benchmarks/plain.py`) in a process of its own, and
the step of the job, without the job, in another. They take turns, each with all cores. GPUs are left out of it:
`benchmarks/replay.py` is of them. The table has the name of the file, so that the results of processors with AMX, where
the job computes in bf16, lie beside the others: --json benchmarks/results/step_amx.json.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain import PlainLoop
from benchmarks.report import Bar, Report, Table, interleave, medians, parser, publish, ratio
from dcgan_dist.cluster.connect import worker_environment
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.precision import of_networks, resolve_precision
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import PRESETS, NetworkSettings

EQUAL = ("--optimization.precision=fp32", "--optimization.no-channels-last")
"""The options that the plain loop has: fp32 and the default layout."""
CHECKPOINT_AFTER = 0.55
"""After how much of a turn of the job a checkpoint is written: one a turn."""
OF_ALONE = 0.9
"""What the job needs of the speed that its step has without it."""
WARM_UP = 2
"""Points of the job's curves that are left out: threads and memory settle in them."""
PLAIN_POINTS = 8
"""Length of a turn of the plain loop, and of the step alone, after one point to warm up."""


@dataclass(frozen=True)
class Case:
    """Widths that are measured.

    Attributes:
        preset: whose networks they are.
        batch: its batch here.
        steps: of a point of its curves.
        minutes: length of a turn of the job; its start takes a quarter of a minute of it.
        rounds: turns of each contender.
    """

    preset: str
    batch: int
    steps: int
    minutes: float
    rounds: int = 3

    @property
    def networks(self) -> NetworkSettings:
        return PRESETS[self.preset]().networks


# A point takes about two seconds on two cores; 128 images a step would take the two wide ones ten.
CASES = (Case("scenes32", 128, 18, 0.6, 5), Case("lsun64", 32, 2, 1.5), Case("imagenet32", 32, 2, 1.5))


def job(case: Case, data: str, options: tuple[str, ...], waits: list[float], cache: str = "off") -> float:
    """Images per second of the training job, from its own curves; the wait share is appended to `waits`."""
    with tempfile.TemporaryDirectory(prefix="step-") as scratch:
        command = [
            sys.executable,
            *("-m", "dcgan_dist.train", "--preset", case.preset, "--name", "job", "--storage", scratch),
            *(f"--data={data}", f"--batch-size={case.batch}", "--images=1000000000"),
            *(f"--minutes={case.minutes}", f"--checkpoints.minutes={CHECKPOINT_AFTER * case.minutes}"),
            *("--optimization.schedule=both", "--optimization.average-images=0", f"--data.cache={cache}"),
            *(f"--monitoring.steps={case.steps}", *options),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the job failed:\n{done.stdout}{done.stderr}")
        lines = (Path(scratch) / "job" / "metrics.jsonl").read_text().splitlines()
    values = [json.loads(line)["values"] for line in lines][WARM_UP:]
    waits.append(statistics.fmean(value["speed/wait_share"] for value in values))
    return statistics.harmonic_mean([float(value["speed/images_per_second"]) for value in values])


def in_a_process(case: Case, data: str, which: str, environment: Mapping[str, str]) -> float:
    """Images per second of the plain loop, or of the job's step alone: `which` is an option of this command."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.step", which, case.preset, "--data", data],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return float(done.stdout)


def load_images(size: int, batch: int, number: int, data: str) -> torch.Tensor:
    """Batch number `number` of what the job trains on, in memory: uint8 [batch, 3, S, S], channels last."""
    samples = np.arange(number * batch, (number + 1) * batch)
    images = np.empty((batch, size, size, 3), np.uint8)
    if size == 32:
        for row, sample in enumerate(samples):
            images[row] = draw("rooms", size, 0, int(sample)).image
    else:
        index = concatenate([index_shard(shard) for shard in expand(data)])
        ShardPictures(index, size, "resize", 1 << 24, 1 << 24).read(samples % len(index), images, np.arange(batch))
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def as_floats(images: torch.Tensor) -> torch.Tensor:
    """As the plain loop takes them: float32 [batch, 3, S, S] in [-1, 1], in the default layout."""
    return images.contiguous().float() / 127.5 - 1


def run_plain(case: Case, data: str) -> float:
    """Images per second of the plain loop in this process."""
    torch.manual_seed(0)
    latent_size, plain = case.networks.latent_size, PlainLoop(case.networks)
    floats = [as_floats(images) for images in load_turn(case, data)]
    return timed(case, floats, lambda real, number: plain(real, torch.rand(case.batch, latent_size) * 2 - 1))


def run_alone(case: Case, data: str) -> float:
    """Images per second of the step that the job takes, in this process and without all else that a job does."""
    settings = PRESETS[case.preset]()
    settings = replace(settings, optimization=replace(settings.optimization, schedule="both", average_images=0))
    optimization, cpu = of_networks(settings), torch.device("cpu")
    weights = resolve_precision(optimization.precision, cpu).weights
    networks = build_networks(settings.networks, settings.seed, cpu, weights, optimization.channels_last)
    step = AdversarialStep(*networks, optimization, 1 << 30)

    def take(real: torch.Tensor, number: int) -> None:
        step(real, latents(settings.networks, case.batch, settings.seed, "latents", number), number)

    return timed(case, load_turn(case, data), take)


def load_turn(case: Case, data: str) -> list[torch.Tensor]:
    """The batches of a turn, one point to warm up among them.

    Real pictures: D tells noise from G's images at once, and the loop became far slower with such a D (lsun64).
    """
    size, steps = case.networks.image_size, (1 + PLAIN_POINTS) * case.steps
    return [load_images(size, case.batch, number, data) for number in range(steps)]


def timed(case: Case, batches: Sequence[torch.Tensor], take: Callable[[torch.Tensor, int], object]) -> float:
    """Images per second of steps on these batches, of which those of the first point count for nothing."""
    for number, real in enumerate(batches):
        if number == case.steps:
            start = time.perf_counter()
        take(real, number)
    return (len(batches) - case.steps) * case.batch / (time.perf_counter() - start)


def step_flops(networks: NetworkSettings) -> float:
    """Floating point operations that an update of D and of G needs for an image, as our step computes them."""
    generator, discriminator = build_networks(networks, 0, torch.device("cpu"), torch.float32, channels_last=False)
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            images = generator(torch.rand(2, networks.latent_size) * 2 - 1)  # batch norm needs two
        of_generator = counter.get_total_flops()
        with FlopCounterMode(display=False) as counter:
            discriminator(images)
        of_discriminator = counter.get_total_flops()
    # A backward pass is two forward ones, one for the weights and one for what comes before them. G: forward and
    # backward. D: both on a real and a generated image, then forward and to the image alone in G's update.
    return float(3 * of_generator + 8 * of_discriminator) / 2


def matrix_rate(dtype: torch.dtype) -> float:
    """Floating point operations per second of a large matrix product on all cores."""
    n = 2_048
    a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
    rates = []
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        rates.append(2 * n**3 / (time.perf_counter() - start))
    return statistics.median(rates)


def report(data: str, stem: str) -> Report:
    """Measure all cases; `stem` is the name of the file for the results, without its ending."""
    best = resolve_precision("auto", torch.device("cpu"))
    fp32_rate, best_rate = matrix_rate(torch.float32), matrix_rate(best.compute)
    least = 1.5 if best.name == "bf16" else 1.15
    rows: list[tuple[str | int | float, ...]] = []
    bars: list[Bar] = []
    samples: dict[str, object] = {"fp32_matrix_flops_per_s": fp32_rate, f"{best.name}_matrix_flops_per_s": best_rate}
    ratios: dict[str, float] = {}
    rates: dict[str, float] = {}
    for case in CASES:
        images = "scenes" if case.networks.image_size == 32 else data
        waits: dict[str, list[float]] = {"equal": [], "best": []}
        contenders: dict[str, Callable[[], float]] = {
            "plain": partial(in_a_process, case, data, "--plain", {}),
            "alone": partial(in_a_process, case, data, "--alone", worker_environment()),
            "equal": partial(job, case, images, EQUAL, waits["equal"]),
            "best": partial(job, case, images, (), waits["best"]),
        }
        measured = interleave(contenders, case.rounds)
        median, flops = medians(measured), step_flops(case.networks)
        equal, fastest = ratio(measured, "equal", "plain"), ratio(measured, "best", "plain")
        alone, of_alone = ratio(measured, "alone", "plain"), ratio(measured, "best", "alone")
        waited = max(statistics.median(values) for values in waits.values())
        name = f"{case.preset}, batch {case.batch}"
        rows += [
            (name, "plain PyTorch loop, fp32", median["plain"], 1.0, f"{median['plain'] * flops / fp32_rate:.0%}"),
            (name, "the job, equal options", median["equal"], equal, f"{median['equal'] * flops / fp32_rate:.0%}"),
            (
                name,
                f"the job's step alone, {best.name}",
                median["alone"],
                alone,
                f"{median['alone'] * flops / best_rate:.0%}",
            ),
            (name, f"the job, {best.name}", median["best"], fastest, f"{median['best'] * flops / best_rate:.0%}"),
        ]
        bars += [
            Bar(f"{name}: the job over the plain loop, equal options", equal, at_least=1.0),
            Bar(f"{name}: the job at its best over the plain loop", fastest, at_least=least),
            Bar(f"{name}: the job at its best over its step alone", of_alone, at_least=OF_ALONE),
            Bar(f"{name}: share of the time that waits for data", waited, at_most=0.03),
        ]
        ratios |= {f"{case.preset}: equal over plain": equal, f"{case.preset}: best over plain": fastest}
        ratios[f"{case.preset}: best over alone"] = of_alone
        rates |= {f"{case.preset}: {which}_images_per_s": rate for which, rate in median.items()}
        samples[case.preset] = measured | {"wait_shares": waits, "flops_per_image": flops}
        print(name, median, waits, flush=True)
    columns = ["networks", "loop", "images/s", "over the plain loop", "share of the matrix rate"]
    return Report(
        command=f"python -m benchmarks.step --data FOLDER --json benchmarks/results/{stem}.json",
        tables={stem.replace("_", "-"): Table(columns, rows)},
        ratios=ratios,
        rates=rates,
        samples=samples,
        bars=bars,
    )


def main() -> None:
    """The command."""
    options = parser("images per second of the training job beside a plain loop")
    options.add_argument("--data", metavar="FOLDER", help="shards of 64-pixel JPEGs, as train-*.tar")
    cases = {case.preset: case for case in CASES}
    options.add_argument("--plain", choices=cases, help="measure the plain loop here, and leave")
    options.add_argument("--alone", choices=cases, help="measure the job's step here, and leave")
    given = options.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if given.plain or given.alone:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        run = run_plain if given.plain else run_alone
        print(run(cases[given.plain or given.alone], given.data))
    elif given.data:
        stem = given.json.stem if given.json else "step"
        publish(report(f"{given.data}/train-*.tar", stem), given.json)
    else:
        sys.exit("give the folder of the shards with --data")


if __name__ == "__main__":
    main()
