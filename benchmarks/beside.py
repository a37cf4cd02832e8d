"""What a probe beside training costs it.

python -m benchmarks.beside --data FOLDER [--json benchmarks/results/beside.json]

Runs of `python -m dcgan_dist.train --preset cifar32` with one thread and cached images, with and without `--probe`,
take turns. The training worker is pinned to one core; everything else, the evaluation actor too, to another one. FOLDER
holds CIFAR-10 as train-*.tar and test-*.tar.
"""

import os
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Bar, Report, Table, parser, publish
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.storage import Place
from tests.harness.processes import GaveUpError, Home, Run

TURNS = 3
WARM_S, MEASURED_S = 12.0, 60.0
"""Seconds after the first point that count for nothing, and those that count."""
LOOK_S = 0.5
MIN_RATIO = 0.97
MIN_BUSY = 0.5
"""Of the measured time the evaluation actor has to compute, or nothing was measured."""
WORKER, ACTOR = "ray::RayTrainWorker", "ray::_Actor"
CHECKPOINTS_S = 15


@dataclass(frozen=True)
class Turn:
    """One run.

    Attributes:
        probe: whether it had one.
        speeds: images/s of its points.
        busy: share of a core that the evaluation actor took.
    """

    probe: bool
    speeds: list[float]
    busy: float


def pin(home: Home, cores: Sequence[int]) -> None:
    """Let the training worker have the first core to itself."""
    for pid, command in home.processes().items():
        core = cores[0] if command.startswith(WORKER) else cores[1]
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):  # it has just ended
                os.sched_setaffinity(int(task.name), {core})


def computed_s(home: Home) -> float:
    """Seconds of processor time that evaluation actors have taken."""
    total = 0.0
    for pid, command in home.processes().items():
        if command.startswith(ACTOR):
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def turn(data: str, cores: Sequence[int], *, probe: bool) -> Turn:
    """Train for some time."""
    with Home() as home:
        command = [
            *("dcgan_dist.train", "--preset=cifar32", f"--data={data}/train-*.tar", "--name=run", "--storage=runs"),
            *("--workers.threads=1", "--data.cache=on", "--monitoring.steps=2"),
            f"--checkpoints.minutes={CHECKPOINTS_S / 60}",
            *([f"--probe=cifar10={data}"] if probe else []),
        ]
        folder = home.work / "runs" / "run"
        run = Run(home, folder, command, command, None)
        begun: float | None = None
        busy = 0.0
        while begun is None or time.monotonic() < begun + WARM_S + MEASURED_S:
            if run.process.poll() is not None:
                raise GaveUpError(f"the run has ended:\n{run.said()}")
            pin(home, cores)
            if begun is None and (folder / "metrics.jsonl").exists():
                begun = time.monotonic()
            if begun is not None and time.monotonic() < begun + WARM_S:
                busy, since = computed_s(home), time.time()
            time.sleep(LOOK_S)
        busy = (computed_s(home) - busy) / (time.time() - since)
        points = [point for point in read_points(Place(str(folder))) if point["time"] >= since]
    return Turn(probe, [float(point["values"]["speed/images_per_second"] or "nan") for point in points], busy)


def report(turns: Sequence[Turn]) -> Report:
    """The table and the bar."""
    medians = {probe: [statistics.median(t.speeds) for t in turns if t.probe == probe] for probe in (False, True)}
    speeds = {probe: statistics.median(values) for probe, values in medians.items()}
    busy = min(t.busy for t in turns if t.probe)
    ratio = speeds[True] / speeds[False]
    return Report(
        command="python -m benchmarks.beside --data FOLDER --json benchmarks/results/beside.json",
        tables={
            "beside": Table(
                ["training", "images/s", "over the same without"],
                [("without a probe", speeds[False], 1.0), ("with a probe beside it", speeds[True], ratio)],
            )
        },
        ratios={"with_over_without": ratio},
        rates={"evaluation_actor_cores": busy},
        samples={"images_per_s": {"without": medians[False], "with": medians[True]}, "busy": [t.busy for t in turns]},
        bars=[
            Bar("training with a probe beside it, over the same without", ratio, at_least=MIN_RATIO),
            Bar("share of its core that the evaluation actor took", busy, at_least=MIN_BUSY),
        ],
    )


def main() -> None:
    """The command."""
    options = parser("what a probe beside training costs it")
    options.add_argument("--data", required=True, metavar="FOLDER", help="CIFAR-10, as train-*.tar and test-*.tar")
    given = options.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("this needs two cores, one for training and one for the rest")
    turns = [turn(given.data, cores[:2], probe=probe) for _ in range(TURNS) for probe in (False, True)]
    publish(report(turns), given.json)


if __name__ == "__main__":
    main()
