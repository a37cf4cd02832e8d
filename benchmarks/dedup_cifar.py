"""Near duplicates in CIFAR-10, and what the whole command takes for more and more images.

python -m benchmarks.dedup_cifar --json benchmarks/results/dedup_cifar.json

The images are those of $DCGAN_DIST_DATA/cifar10, a copy as JPEGs in an order of its own. Each command does its work in
one process; time is the processor's, and memory the most that it had. No picture leaves the machine: the report holds
counts.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.prepare import peak_of
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.data.shards.addresses import expand

TRAIN, TEST = "$DCGAN_DIST_DATA/cifar10/train-*.tar", "$DCGAN_DIST_DATA/cifar10/test-*.tar"
METHODS = ("default", "paper")
SHARDS = (2, 4, 8)
"""Of the training images, for n, 2n and 4n of them."""
MOST_GROWTH = 4.4


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed, 2 where data is missing; missed bars are in its table."""
    given = parser("Look for near duplicates in CIFAR-10.").parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dedup-cifar-") as scratch:
        return finish(partial(find, Path(scratch)), given.json)


def find(scratch: Path) -> Report:
    """Give the commands.

    Raises:
        DataError: the shards are missing.
        CalledProcessError: a command failed.
    """
    shards = [shard.address for shard in expand(TRAIN)]
    test = ",".join(shard.address for shard in expand(TEST))
    rows: list[list[Cell]] = []
    rates: dict[str, float] = {}
    for method in METHODS:
        found, _, _ = look(scratch / method, shards, f"--against={test}", f"--method={method}")
        rows.append([method, *(found[name] for name in ("candidates", "pairs", "groups", "left_out"))])
        rows[-1].append(found["against"]["with_copies"])
        rates |= {f"{method} {name}": found[name] for name in ("left_out", "groups")}
        rates[f"{method} leaked"] = found["against"]["with_copies"]
    growth: list[list[Cell]] = []
    for number in SHARDS:
        found, seconds, megabytes = look(scratch / str(number), shards[:number])
        growth.append([found["images"], round(seconds, 1), round(megabytes), found["candidates"], found["pairs"]])
    times = [float(row[1]) for row in growth]
    memory = [float(row[2]) for row in growth]
    return Report(
        command="python -m benchmarks.dedup_cifar",
        tables={
            "dedup-cifar": Table(
                [
                    "method",
                    "candidate pairs",
                    "duplicate pairs",
                    "groups",
                    "images left out",
                    "test images with copies",
                ],
                rows,
            ),
            "dedup-growth": Table(
                ["images", "processor's time, s", "MB at most", "candidate pairs", "duplicate pairs"],
                growth,
            ),
        },
        rates=rates,
        ratios={"time of 4n over n": times[-1] / times[0], "memory of 4n over n": memory[-1] / memory[0]},
        bars=[
            Bar("whole command: time of 4n over n", times[-1] / times[0], at_most=MOST_GROWTH),
            Bar("whole command: memory of 4n over n", memory[-1] / memory[0], at_most=MOST_GROWTH),
        ],
    )


def look(out: Path, shards: Sequence[str], *options: str) -> tuple[dict[str, Any], float, float]:
    """Give the command; what it has found, seconds of all processors, and its memory in MB."""
    before = os.times()
    peak = peak_of(["-m", "dcgan_dist.data.dedup", ",".join(shards), str(out), "--processes=1", *options])
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    found: dict[str, Any] = json.loads((out / "dedup.json").read_text())["found"]
    return found, seconds, peak.all


if __name__ == "__main__":
    sys.exit(main())
