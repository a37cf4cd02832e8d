"""What it brings on a GPU to record the adversarial step and replay it (`dcgan_dist/model/cuda_graph.py`).

python -m benchmarks.replay --data FOLDER [--json benchmarks/results/replay.json]

First the step alone, launched and replayed, by images a step, all on the GPU. Then the whole training job on shards of
64-pixel JPEGs in FOLDER, and the loop of popular examples (`benchmarks/plain.py`) on tensors in the GPU's memory, one
turn each. The report is written after each turn, so that a machine that is there for minutes only leaves what it has.
"""

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.plain import PlainLoop
from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from benchmarks.step import Case, as_floats, job, load_images, step_flops
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.cuda_graph import replayed
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.settings import PRESETS, Settings

SIZES = (("lsun64", (16, 32, 64, 128, 256, 512, 1024)), ("scenes32", (128,)), ("imagenet32", (128,)))
"""Presets, and images a step."""
CASE = Case("lsun64", 128, 100, 0.7)
"""Of the whole job. Processes take half a minute to start on a machine that has not read their files yet."""
TURNS = {
    "the job, launched, images kept decoded": ("on", ("--workers.no-cuda-graph",)),
    "the job, replayed, images kept decoded": ("on", ()),
    "the job, replayed, JPEGs decoded on the way": ("off", ()),
}
DISTINCT, WARM_UP = 32, 10
"""Batches that the loops go through again and again, and steps before the clock starts."""
GPU = torch.device("cuda")


def settings_of(preset: str, batch: int) -> Settings:
    """A preset with another batch, both networks updated in each step."""
    settings = PRESETS[preset]()
    both = dataclasses.replace(settings.optimization, batch_size=batch, schedule="both", average_images=0)
    return dataclasses.replace(settings, optimization=both)


def milliseconds(step: Callable[[int], object], steps: int) -> float:
    """Of a step, the GPU's work included; the median of three rows of them."""
    taken, number = [], 0
    for row in (WARM_UP, steps, steps, steps):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(row):
            step(number)
            number += 1
        torch.cuda.synchronize()
        taken.append(1e3 * (time.perf_counter() - start) / row)
    return statistics.median(taken[1:])


def step_milliseconds(preset: str, batch: int, wanted: bool, steps: int) -> float:
    """Of the step alone, on data in the GPU's memory, launched or replayed."""
    settings = settings_of(preset, batch)
    networks = build_networks(settings.networks, 1, GPU, torch.float32, settings.optimization.channels_last)
    step = replayed(AdversarialStep(*networks, settings.optimization, 1_000_000), wanted)
    size = settings.networks.image_size
    real = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8, device=GPU).permute(0, 3, 1, 2)
    z = torch.rand(batch, settings.networks.latent_size, device=GPU) * 2 - 1
    return milliseconds(lambda number: step(real, z, number), steps)


def plain_rate(data: str) -> float:
    """Images per second of the plain loop on the GPU."""
    networks = CASE.networks
    torch.backends.cudnn.benchmark = True  # as in PyTorch's own example
    loop = PlainLoop(networks, GPU.type)
    loaded = [load_images(networks.image_size, CASE.batch, number, data) for number in range(DISTINCT)]
    batches: list[Tensor] = [as_floats(images).to(GPU) for images in loaded]

    def step(number: int) -> object:
        z = torch.rand(CASE.batch, networks.latent_size, device=GPU) * 2 - 1
        return loop(batches[number % DISTINCT], z)

    return 1e3 * CASE.batch / milliseconds(step, CASE.steps)


def measure(data: str, file: Path | None) -> None:
    """Measure all, and write the report after each turn."""
    steps: list[list[Cell]] = []
    launched: dict[tuple[str, int], float] = {}
    repeated: dict[tuple[str, int], float] = {}
    tuned: dict[str, float] = {}
    for preset, batches in SIZES:
        flops = step_flops(PRESETS[preset]().networks)
        for batch in batches:
            one = launched[preset, batch] = step_milliseconds(preset, batch, False, 40)
            two = repeated[preset, batch] = step_milliseconds(preset, batch, True, 40)
            steps.append([preset, batch, one, two, one / two, 1e3 * batch / two, flops * batch / two / 1e9])
            torch.backends.cudnn.benchmark = True
            tuned[f"{preset} at {batch}"] = step_milliseconds(preset, batch, True, 40)
            torch.backends.cudnn.benchmark = False
            torch.cuda.empty_cache()
            print(steps[-1], flush=True)
    (preset, (small, *_, large, largest)), *_ = SIZES
    # Between two batches that fill the GPU nothing but the images differs.
    grown = (repeated[preset, largest] - repeated[preset, large]) / (largest - large)
    rates = {
        "launch_s": launched[preset, small] / 1e3,
        "tflops": step_flops(PRESETS[preset]().networks) / grown / 1e9,
    }
    plain = plain_rate(data)
    found: dict[str, float] = {"plain PyTorch loop, fp32, tensors in the GPU's memory": plain}
    waits: dict[str, list[float]] = {}

    def report() -> Report:
        job_rows: list[list[Cell]] = [
            [name, rate, rate / plain, _percent(waits.get(name))] for name, rate in found.items()
        ]
        names = list(TURNS)
        bars = [
            Bar(f"{name} over the plain loop", found[name] / plain, at_least=3.0) for name in names[1:] if name in found
        ]
        return Report(
            command="python -m benchmarks.replay --data FOLDER --json benchmarks/results/replay.json",
            tables={
                "replay-step": Table(
                    ["networks", "images", "ms launched", "ms replayed", "ratio", "images/s", "TFLOP/s"], steps
                ),
                "replay-job": Table(["loop", "images/s", "over the plain loop", "host waits for data"], job_rows),
            },
            ratios={
                f"replayed over launched, {preset} at {batch}": launched[preset, batch] / repeated[preset, batch]
                for preset, batch in launched
            }
            | ({"job replayed over launched": found[names[1]] / found[names[0]]} if names[1] in found else {}),
            rates=rates,
            samples={"images_per_s": found, "wait_shares": waits, "ms_replayed_with_cudnn_benchmark": tuned},
            bars=bars,
        )

    publish(report(), file)
    for name, (cache, options) in TURNS.items():
        waits[name] = []
        found[name] = job(CASE, data, options, waits[name], cache)
        publish(report(), file)


def _percent(shares: list[float] | None) -> str:
    return f"{100 * statistics.median(shares):.0f} %" if shares else ""


def main() -> None:
    """The command."""
    options = parser("what it brings on a GPU to replay the step")
    options.add_argument("--data", metavar="FOLDER", required=True, help="shards of 64-pixel JPEGs, as train-*.tar")
    given = options.parse_args()
    if not torch.cuda.is_available():
        sys.exit("this measures a GPU, and torch sees none here")
    measure(f"{given.data}/train-*.tar", given.json)


if __name__ == "__main__":
    main()
