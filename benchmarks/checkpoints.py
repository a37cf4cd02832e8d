"""What checkpoints cost a training run in time, for the widths of `lsun64`.

python -m benchmarks.checkpoints --data FOLDER [--json benchmarks/results/checkpoints.json]

One run of `python -m dcgan_dist.train` writes a checkpoint about once a minute. The steps after each one are compared
with those before it. FOLDER holds shards of 64-pixel JPEGs.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.report import Bar, Report, Table, parser, publish
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.run_folder.checkpoint import load_checkpoint
from dcgan_dist.storage import Place

PRESET, BATCH = "lsun64", 16
"""The cost does not depend on the batch; with a small one steps are short enough to tell it from them."""
BETWEEN = 50
"""Steps between two checkpoints: about a minute on two cores."""
CHECKPOINTS = 8
AFTER = 10
"""Steps after a checkpoint in which its copy and its writing are over."""
INTERVAL_S = 60.0
MAX_SHARE = 0.01
SAVES = 5
"""Of how many `torch.save` in the loop itself the median is taken."""


@dataclass(frozen=True)
class Cost:
    """Of one checkpoint.

    Attributes:
        extra_s: by how much the steps after it took longer than as many before it.
        slowest_s: by how much the slowest of them did.
    """

    extra_s: float
    slowest_s: float


def costs(seconds: Sequence[float], between: int, after: int) -> list[Cost]:
    """What each checkpoint cost, from how long each step of a run took; the first two steps count for nothing.

    Args:
        seconds: of step 0, 1, ... A checkpoint is written at the end of each `between`-th step.
        after: steps after it that it may have held up.
    """
    found = []
    for at in range(between, len(seconds) - after + 1, between):
        # A mean, as of the steps after it: single ones are slow for reasons of their own.
        before = seconds[max(2, at - between + after) : at]
        usual, held_up = statistics.fmean(before), seconds[at : at + after]
        found.append(Cost(sum(held_up) - len(held_up) * usual, max(held_up) - usual))
    return found


def run(data: str, storage: Path) -> Place:
    """Train until the last checkpoint and the steps after it."""
    steps = BETWEEN * CHECKPOINTS + AFTER
    command = [
        sys.executable,
        *("-m", "dcgan_dist.train", "--preset", PRESET, "--name", "run", "--storage", str(storage)),
        # Four times as long, so that none is written for a quarter of the run; `--minutes` is not known beforehand.
        *(f"--data={data}", f"--batch-size={BATCH}", f"--images={4 * BATCH * steps}"),
        *("--optimization.schedule=both", "--optimization.average-images=0", "--monitoring.steps=1"),
        *("--monitoring.samples-images=1000000000", "--monitoring.measure-images=1000000000"),
        *("--checkpoints.minutes=1000000", f"--checkpoints.images={BATCH * BETWEEN}"),
    ]
    where = Place(str(storage / "run"))
    with open(storage / "output.txt", "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None and reached(where) < steps:
            time.sleep(1)
        if process.poll() is not None:
            raise RuntimeError(f"the run has ended:\n{(storage / 'output.txt').read_text()}")
        process.terminate()
        process.wait()
    return where


def reached(where: Place) -> int:
    """Steps of a run that its curves know of."""
    file = (where / "metrics.jsonl").local_path
    return file.read_bytes().count(b"\n") if file.exists() else 0


def save_in_loop(state: object, folder: Path) -> list[float]:
    """Seconds for which `torch.save` of the same state would stop a loop, as popular examples do it."""
    found = []
    for number in range(SAVES):
        start = time.perf_counter()
        torch.save(state, folder / f"{number}.pt")
        found.append(time.perf_counter() - start)
        (folder / f"{number}.pt").unlink()
    return found


def report(data: str) -> Report:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="checkpoints-") as scratch:
        where = run(data, Path(scratch))
        points = read_points(where)
        seconds = [BATCH / float(point["values"]["speed/images_per_second"] or "nan") for point in points]
        saves = save_in_loop(load_checkpoint(where).state, Path(scratch))
        size = max(file.stat().st_size for file in (where / "checkpoints").local_path.glob("*/state.pt"))
    found = costs(seconds, BETWEEN, AFTER)
    extra = statistics.fmean(cost.extra_s for cost in found)
    later = statistics.fmean(cost.extra_s for cost in found[1:])
    rows = [
        ("the job: mean of all", extra, max(cost.slowest_s for cost in found), extra / INTERVAL_S * 100),
        ("the job: the first", found[0].extra_s, found[0].slowest_s, found[0].extra_s / INTERVAL_S * 100),
        (
            "the job: mean of the later ones",
            later,
            max(cost.slowest_s for cost in found[1:]),
            later / INTERVAL_S * 100,
        ),
        (
            "`torch.save` in the loop, no copy, no hash, no fsync",
            statistics.median(saves),
            max(saves),
            statistics.median(saves) / INTERVAL_S * 100,
        ),
    ]
    return Report(
        command="python -m benchmarks.checkpoints --data FOLDER --json benchmarks/results/checkpoints.json",
        tables={
            "checkpoints": Table(
                ["checkpoint", "s of training that it costs", "s at most in one step", "% of a minute"], rows
            )
        },
        rates={"state_megabytes": size / 1e6, "checkpoint_cost_s": extra},
        samples={
            "step_s": [round(value, 4) for value in seconds],
            "extra_s": [cost.extra_s for cost in found],
            "torch_save_s": saves,
        },
        bars=[
            Bar(
                f"{PRESET}: share of the time that checkpoints cost at one a minute",
                extra / INTERVAL_S,
                at_most=MAX_SHARE,
            )
        ],
    )


def main() -> None:
    """The command."""
    options = parser("what checkpoints cost a training run in time")
    options.add_argument("--data", required=True, metavar="FOLDER", help="shards of 64-pixel JPEGs, as train-*.tar")
    given = options.parse_args()
    publish(report(f"{given.data}/train-*.tar"), given.json)


if __name__ == "__main__":
    main()
