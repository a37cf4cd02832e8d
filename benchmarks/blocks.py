"""What a chunk that holds next to nothing costs the coordinators that deal chunks out, by workers.

python -m benchmarks.blocks --json benchmarks/results/blocks.json

The real source over tiny pictures, cached, to consumers that count: what is left is Ray's work for a chunk, one read
task and one block a worker. Workers, readers and coordinators share the cores of this machine, as they would not on a
cluster: what counts is the time of a core that a coordinator takes. Chunks are taken at a pace that this machine keeps
up with, as a cluster does while coordinators do not limit it: a coordinator whose workers wait is asked by each of them
100 times a second whether there is a block, and would take ever more time the longer they wait.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import simplejpeg

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.batches import blocks_in_turn
from dcgan_dist.data.streaming.cache import cache_pictures
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.data.streaming.source import Part, Reading, split
from dcgan_dist.storage import Place

WORKERS = (1, 4, 16, 64)
SEVERAL = ((16, 4), (64, 4))
"""Workers and lanes, where more than one coordinator deals the chunks out."""
SIZE, IMAGES, BATCH = 8, 1_024, 64
CHUNKS, WARM = 48, 12
PACE_S = 0.1, 0.012
"""Seconds from chunk to chunk, and as many more for each worker."""
TURNS = 3
RANKS = 8
"""How many one process takes blocks for, each in a thread of its own."""


class Consumer:
    """Takes what some ranks get."""

    def take(self, ranks: Sequence[Sequence[Any]], pace: float) -> list[tuple[float, list[float]]]:
        """How long the first of them waited for each block, and how many seconds of a core each coordinator had taken.

        Args:
            ranks: of each rank what it gets of each lane.
            pace: seconds from chunk to chunk.
        """
        with ThreadPoolExecutor(len(ranks)) as threads:
            found = list(threads.map(lambda lanes: self._take(lanes, pace), ranks))
        return found[0]

    def _take(self, lanes: Sequence[Any], pace: float) -> list[tuple[float, list[float]]]:
        blocks = blocks_in_turn(lanes, CHUNKS)
        next(blocks)
        coordinators = newest("ray::SplitCoordinator", len(lanes))
        taken: list[tuple[float, list[float]]] = []
        due = time.perf_counter()
        while True:
            due = max(due + pace, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))
            if next(blocks, None) is None:
                return taken
            taken.append((time.perf_counter() - due, [cpu_seconds(pid) for pid in coordinators]))


def newest(name: str, number: int) -> list[int]:
    """The processes of such a name that began last; their numbers."""
    found = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(name.encode())
    ]
    return sorted(found, key=lambda pid: int(_fields(pid)[19]))[-number:]


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
        waited_seconds: by a worker, for its block.
        cpu_seconds: of a core, taken by all coordinators.
        busiest_cpu_seconds: the same, by the one that took most.
    """

    waited_seconds: float
    cpu_seconds: float
    busiest_cpu_seconds: float


def cost_of_a_chunk(reading: Reading, reference: Any, workers: int, lanes: int) -> Cost:
    """Let so many workers take all chunks, from so many coordinators.

    Raises:
        RuntimeError: coordinators did not keep up with the pace, so that the figures are not those of dealing out.
    """
    parts = [Part(0, CHUNKS, workers, lane, lanes) for lane in range(lanes)]
    of_lanes = [split(reference, reading.plan, reading.row_bytes, part) for part in parts]
    ranks = list(zip(*of_lanes, strict=True))
    consumers = [ray.remote(Consumer).options(num_cpus=0).remote() for _ in range(0, workers, RANKS)]
    pace = PACE_S[0] + PACE_S[1] * workers
    taken = [one.take.remote(ranks[at * RANKS : (at + 1) * RANKS], pace) for at, one in enumerate(consumers)]
    first, *_ = ray.get(taken)
    for one in consumers:
        ray.kill(one)
    waited = statistics.fmean(seconds for seconds, _ in first[WARM:])
    if waited > pace / 2:
        raise RuntimeError(
            f"{workers} workers waited {waited:.3f} s for a chunk at a pace of {pace:.3f} s: raise PACE_S"
        )
    (_, busy), (_, busy_then) = first[WARM], first[-1]
    chunks = len(first) - 1 - WARM
    took = [(then - before) / chunks for before, then in zip(busy, busy_then, strict=True)]
    return Cost(waited, sum(took), max(took))


def fit(seconds: Mapping[int, float]) -> tuple[float, float]:
    """Seconds of a chunk, and more for each worker: a line through what was measured, by least squares."""
    slope, base = np.polyfit(list(seconds), list(seconds.values()), 1)
    return float(base), float(slope)


def report(turns: Mapping[tuple[int, int], Sequence[Cost]]) -> Report:
    """The table, and the fit to what one coordinator takes; `turns`: by workers and lanes."""
    rows: list[list[Cell]] = []
    of_one: dict[int, float] = {}
    for (workers, lanes), found in turns.items():
        waited, busy, busiest = (
            statistics.median(getattr(one, name) for one in found)
            for name in ("waited_seconds", "cpu_seconds", "busiest_cpu_seconds")
        )
        rows.append([workers, lanes, 1e3 * busy, 1e3 * busiest, 1e3 * waited])
        if lanes == 1:
            of_one[workers] = busy
    base, slope = fit(of_one)
    columns = ["ms of a core a chunk", "of the busiest coordinator", "ms that a worker waited"]
    return Report(
        command="python -m benchmarks.blocks --json benchmarks/results/blocks.json",
        tables={"blocks": Table(["workers", "coordinators", *columns], rows)},
        rates={"chunk_s": base, "block_s": slope},
        samples={
            f"{workers} workers, {lanes} lanes": [asdict(one) for one in found]
            for (workers, lanes), found in turns.items()
        },
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
        asked = [*((workers, 1) for workers in WORKERS), *SEVERAL]
        turns: dict[tuple[int, int], list[Cost]] = {one: [] for one in asked}
        for _ in range(TURNS):
            for workers, lanes in asked:
                turns[workers, lanes].append(cost_of_a_chunk(reading, reference, workers, lanes))
                print(workers, lanes, turns[workers, lanes][-1], flush=True)
        ray.shutdown()
    publish(report(turns), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
