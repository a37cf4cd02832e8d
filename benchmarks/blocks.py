"""What a chunk that holds next to nothing costs the coordinator that deals it out, by workers.

python -m benchmarks.blocks --json benchmarks/results/blocks.json

The real source over tiny pictures, cached, to consumers that count: what is left is Ray's work for a chunk, one read
task and one block a worker. Workers, readers and coordinator share the cores of this machine, as they would not on a
cluster: what counts is the time of a core that the coordinator takes, not the time from chunk to chunk.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import simplejpeg

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.cache import cache_pictures
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.data.streaming.source import Part, Reading, split
from dcgan_dist.storage import Place

WORKERS = (1, 2, 4, 8)
SIZE, IMAGES, BATCH = 8, 1_024, 64
CHUNKS, WARM = 240, 40
TURNS = 3


class Consumer:
    """Takes what one rank gets, and notes when."""

    def take(self, shard: Any, rows: int) -> list[tuple[float, float]]:
        """Moments at which each block was there, and seconds of a core that the coordinator had taken by then."""
        blocks = iter(shard.iter_batches(batch_size=rows, prefetch_batches=1))
        next(blocks)
        seconds_of_coordinator = partial(cpu_seconds, newest("ray::SplitCoordinator"))
        return [(time.time(), seconds_of_coordinator()) for _ in blocks]


def newest(name: str) -> int:
    """The process of such a name that began last; its number."""
    found = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(name.encode())
    ]
    return max(found, key=lambda pid: int(_fields(pid)[19]))


def cpu_seconds(pid: int) -> float:
    """Seconds of a core that a process has taken."""
    user, system = _fields(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, after the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@dataclass(frozen=True)
class Cost:
    """Of a chunk, in the steady state.

    Attributes:
        seconds: from the arrival of one to that of the next.
        cpu_seconds: of a core, taken by the coordinator.
    """

    seconds: float
    cpu_seconds: float


def cost_of_a_chunk(reading: Reading, reference: Any, workers: int) -> Cost:
    """Let so many workers take all chunks."""
    shards = split(reference, reading.plan, reading.row_bytes, Part(0, CHUNKS, workers))
    consumers = [ray.remote(Consumer).options(num_cpus=0).remote() for _ in range(workers)]
    rows = reading.plan.chunk_steps * BATCH // workers
    arrivals = ray.get([one.take.remote(shard, rows) for one, shard in zip(consumers, shards, strict=True)])
    last = [max(moments) for moments in zip(*arrivals, strict=True)]
    for one in consumers:
        ray.kill(one)
    (began, busy), (ended, busy_then) = last[WARM], last[-1]
    chunks = len(last) - 1 - WARM
    return Cost((ended - began) / chunks, (busy_then - busy) / chunks)


def fit(seconds: Mapping[int, float]) -> tuple[float, float]:
    """Seconds of a chunk, and more for each worker: a line through what was measured, by least squares."""
    slope, base = np.polyfit(list(seconds), list(seconds.values()), 1)
    return float(base), float(slope)


def report(turns: Mapping[int, Sequence[Cost]]) -> Report:
    """The table and the fit."""
    busy = {workers: statistics.median(one.cpu_seconds for one in found) for workers, found in turns.items()}
    base, slope = fit(busy)
    rows: list[list[Cell]] = []
    for workers, found in turns.items():
        seconds = statistics.median(one.seconds for one in found)
        rows.append([workers, 1e3 * seconds, 1 / seconds, 1e3 * busy[workers]])
    return Report(
        command="python -m benchmarks.blocks --json benchmarks/results/blocks.json",
        tables={"blocks": Table(["workers", "ms from chunk to chunk", "chunks/s", "ms of a core a chunk"], rows)},
        rates={"chunk_s": base, "block_s": slope},
        samples={f"{workers} workers": [asdict(one) for one in found] for workers, found in turns.items()},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    given = parser("How many blocks a second one coordinator deals out.").parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="blocks-", ignore_cleanup_errors=True) as folder:
        os.environ |= {
            "HOME": folder,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
            "RAY_DATA_LOG_LEVEL": "ERROR",
        }
        ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR", log_to_driver=False, _temp_dir=folder)
        with ShardWriter(Place(str(Path(folder) / "data")), "train", IMAGES) as writer:
            for number in range(IMAGES):
                picture = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
                writer.add(simplejpeg.encode_jpeg(picture))
        pictures = ShardPictures(concatenate(writer.written), SIZE, "resize", 1 << 20, 1 << 20)
        plan = Plan(cut_slices(pictures.index.shard, pictures.index.size, IMAGES), BATCH, IMAGES, 1)
        reading = Reading(plan, cache_pictures(pictures, lambda *told: None))
        reference = ray.put(reading)
        turns: dict[int, list[Cost]] = {workers: [] for workers in WORKERS}
        for _ in range(TURNS):
            for workers in WORKERS:
                turns[workers].append(cost_of_a_chunk(reading, reference, workers))
        ray.shutdown()
    publish(report(turns), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
