"""How many blocks a second one coordinator deals out: what a chunk costs that holds next to nothing, by workers.

python -m benchmarks.blocks --json benchmarks/results/blocks.json

The real source over tiny pictures, cached, to consumers that count: what is left is Ray's work for a chunk, one read
task and one block a worker. Workers and coordinator share this machine's cores, as they would not on a cluster.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray
import simplejpeg

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.data.cache import cache_pictures
from dcgan_dist.data.plan import Plan, cut_slices
from dcgan_dist.data.reading import ShardPictures
from dcgan_dist.data.shards import ShardWriter, concatenate
from dcgan_dist.data.source import Part, Reading, split
from dcgan_dist.storage import Place

WORKERS = (1, 2, 4, 8)
SIZE, IMAGES, BATCH = 8, 1_024, 64
CHUNKS, WARM = 240, 40
TURNS = 3


class Consumer:
    """Takes what one rank gets, and notes when."""

    def take(self, shard: Any, rows: int) -> list[float]:
        """Moments at which each block was there."""
        return [time.time() for _ in shard.iter_batches(batch_size=rows, prefetch_batches=1)]


def seconds_of_a_chunk(reading: Reading, reference: Any, workers: int) -> float:
    """From the arrival of one chunk to that of the next, in the steady state."""
    shards = split(reference, reading.plan, reading.row_bytes, Part(0, CHUNKS, workers))
    consumers = [ray.remote(Consumer).options(num_cpus=0).remote() for _ in range(workers)]
    rows = reading.plan.chunk_steps * BATCH // workers
    arrivals = ray.get([one.take.remote(shard, rows) for one, shard in zip(consumers, shards, strict=True)])
    last = [max(moments) for moments in zip(*arrivals, strict=True)]
    for one in consumers:
        ray.kill(one)
    return float(last[-1] - last[WARM]) / (len(last) - 1 - WARM)


def fit(seconds: Mapping[int, float]) -> tuple[float, float]:
    """Seconds of a chunk, and more for each worker: a line through what was measured, by least squares."""
    slope, base = np.polyfit(list(seconds), list(seconds.values()), 1)
    return float(base), float(slope)


def report(turns: Mapping[int, Sequence[float]]) -> Report:
    """The table and the fit."""
    medians = {workers: statistics.median(found) for workers, found in turns.items()}
    base, slope = fit(medians)
    rows: list[list[Cell]] = [[workers, 1e3 * s, workers / s] for workers, s in medians.items()]
    return Report(
        command="python -m benchmarks.blocks --json benchmarks/results/blocks.json",
        tables={"blocks": Table(["workers", "ms a chunk", "blocks/s"], rows)},
        rates={"chunk_s": base, "block_s": slope},
        samples={f"{workers} workers": list(found) for workers, found in turns.items()},
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
        turns: dict[int, list[float]] = {workers: [] for workers in WORKERS}
        for _ in range(TURNS):
            for workers in WORKERS:
                turns[workers].append(seconds_of_a_chunk(reading, reference, workers))
        ray.shutdown()
    publish(report(turns), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
