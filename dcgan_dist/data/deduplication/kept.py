"""Shards of the images that are kept, written by the same processes or machines."""

from collections.abc import Callable

from dcgan_dist.data import keep_list
from dcgan_dist.data.deduplication.record import KEEP_FILE
from dcgan_dist.data.deduplication.work import Work
from dcgan_dist.data.kept_shards import Copying, write_kept
from dcgan_dist.data.preparation.processes import Workers
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.shards.index import ShardIndex
from dcgan_dist.storage import place


def write_kept_shards(work: Work, workers: Workers) -> None:
    """Write those that are missing; raises as `write_kept` does."""

    def run(function: Callable[[Copying], ShardIndex], copyings: list[Copying]) -> list[ShardIndex]:
        written: dict[str, ShardIndex] = {}
        with Progress("written", "shards", len(copyings)) as progress:
            for shard in workers.each(_write, function, ((copying,) for copying in copyings)):
                written[shard.shard] = shard
                progress.add(1)
        return [written[copying.target.address] for copying in copyings]

    keep = keep_list.load(work.asked.out / KEEP_FILE)
    write_kept(work.images.index, keep, place(work.asked.options.write_shards), run)


def _write(function: Callable[[Copying], ShardIndex], copying: Copying) -> ShardIndex:
    return function(copying)
