"""The Ray Data source over a plan: one read task per chunk, which yields one block per worker, in rank order.

Ray's own readers cut a data set into 200 blocks and shuffle by moving rows; here each task knows which rows it makes
and for which worker. Only this file relies on how Ray does the following:

- `preserve_order` and `streaming_split(equal=False)` assign blocks, in order, to the rank with the fewest rows so far.
  All blocks have the same number of rows, so each rank gets its block of every chunk. If the batch size is not
  divisible by the number of workers, shares are padded to equal length.
- Ray merges small blocks of a task up to `target_max_block_size`, and splits those of more than 1.5 times that size.
  With 0.9 of a block as the target, blocks pass unchanged.
- `DataContext._execution_idx` counts the executions of a data set: see `EXECUTION_CHUNKS`.

One coordinator of Ray Data deals out the blocks of a data set, each in some milliseconds, whatever is in it. Many
workers get several data sets, called lanes: lane k of n has chunks k, k + n, ... of a part, and workers take a block of
each in turn, so that the sequence is the same for any number of lanes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.data import DataContext, Datasource, ExecutionOptions, ExecutionResources, ReadTask
from ray.data.block import BlockAccessor, BlockMetadata
from ray.train import DataConfig

from dcgan_dist.data.streaming.backpressure import pace
from dcgan_dist.data.streaming.cache import CachedPictures
from dcgan_dist.data.streaming.chunk_reader import ShardPictures, read_chunk, stand_ins
from dcgan_dist.data.streaming.plan import Integers, Plan, chunks_of, share

LANE_BLOCKS = 4
"""Blocks of a step that one coordinator deals out, in 2 ms of a core each (`blocks.json`): fast GPUs step in 10 ms."""
MOST_LANES = 8
"""Each is a process beside the driver, that takes most of a core."""
EXECUTION_CHUNKS = 1_024
"""Chunks of one execution of the data set. Ray creates all its read tasks before the first batch, in about 0.3 ms each;
the next execution starts in half a second, a pause once in four million images."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What every read task of a run needs; it is in the object store once."""

    plan: Plan
    pictures: ShardPictures | CachedPictures
    labels: NDArray[np.int64] | None = None
    """Class numbers of all samples, where networks know classes."""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a block: an image or the number of a sample, and three or four more columns."""
        size, channels = self.pictures.image_size, self.pictures.channels
        image = 8 if isinstance(self.pictures, CachedPictures) else size * size * channels
        return image + 8 + 8 + 1 + (0 if self.labels is None else 8)


@dataclass(frozen=True)
class Part:
    """The part of the sequence that a data set yields.

    Attributes:
        first, last: chunks [first, last) of it are dealt out, over all lanes.
        workers: that share each chunk.
        lane, lanes: which of them this data set has: `first + lane`, and every `lanes`th from there.
    """

    first: int
    last: int
    workers: int
    lane: int = 0
    lanes: int = 1

    @property
    def chunks(self) -> range:
        """Numbers of the chunks of this data set."""
        return range(self.first + self.lane, self.last, self.lanes)


def lanes_for(workers: int, chunk_steps: int) -> int:
    """How many lanes so many workers get, where a chunk lasts for so many steps."""
    return min(MOST_LANES, -(-workers // (LANE_BLOCKS * chunk_steps)))


def dataset_name(lane: int) -> str:
    """Name under which workers ask Ray Train for the data of a lane."""
    return f"train-{lane}"


class SequenceConfig(DataConfig):  # type: ignore[misc]
    """Tells Ray Train how workers get their data. Called once for each worker group, when its size is known."""

    def __init__(
        self,
        reading: "ray.ObjectRef[Reading]",
        plan: Plan,
        row_bytes: int,
        last_step: int,
        begin: Callable[[int], int],
        cpus: float = 0.0,
        lanes: int = 1,
    ) -> None:
        """
        Args:
            reading: what read tasks need.
            plan: the sequence.
            row_bytes: `Reading.row_bytes`.
            last_step: where the sequence ends, exclusive.
            begin: returns the first step for a number of workers; called once for each worker group.
            cpus: CPUs that reading uses at most; 0: all that are free.
            lanes: data sets that share the chunks, the first of which workers ask for first.
        """
        super().__init__()
        self._reading, self._plan, self._row_bytes = reading, plan, row_bytes
        self._last_step, self._begin, self._cpus, self._lanes = last_step, begin, cpus, lanes
        self._part: Part | None = None

    def configure(
        self,
        datasets: dict[str, Any],
        world_size: int,
        worker_handles: list[Any] | None,
        worker_node_ids: list[str] | None,
        **kwargs: object,
    ) -> list[dict[str, Any]]:
        """One iterator per worker; `datasets` only names a lane, its content is decided here."""
        (name,) = datasets
        if self._part is None:
            first_step = self._begin(world_size)
            self._part = part_of(self._plan, first_step, self._last_step, world_size, self._lanes)
        part = replace(self._part, lane=[dataset_name(lane) for lane in range(self._lanes)].index(name))
        return [{name: shard} for shard in split(self._reading, self._plan, self._row_bytes, part, self._cpus)]


def part_of(plan: Plan, first_step: int, last_step: int, workers: int, lanes: int = 1) -> Part:
    """The chunks with steps [first_step, last_step). The first is read whole: workers drop the steps before."""
    chunks = chunks_of(first_step, last_step, plan.chunk_steps)
    return Part(chunks.start, chunks.stop, workers, lanes=lanes)


def share_rows(plan: Plan, workers: int) -> int:
    """Rows of a block for each step: a worker's share of a batch, padded to the largest share."""
    return -(-plan.batch_size // workers)


def split(reading: "ray.ObjectRef[Reading]", plan: Plan, row_bytes: int, part: Part, cpus: float = 0.0) -> list[Any]:
    """One `ray.data.DataIterator` per worker, over its rows of the part, in order.

    Each step has `share_rows` rows: image uint8 [n, size, size, channels] or, if images are cached, shown int64 [n]
    (the sample whose image it is), step int64 [n], sample int64 [n] (-1 in padding), filled bool [n] (whether another
    sample is shown) and, where networks know classes, label int64 [n], that of the image that is shown. `row_bytes` is
    that of the reading; `cpus` is what reading uses at most over all lanes, 0 for all.
    """
    rows = share_rows(plan, part.workers) * plan.chunk_steps
    context = DataContext.get_current().copy()
    context.target_max_block_size = int(0.9 * rows * row_bytes)
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options = ExecutionOptions(
        preserve_order=True, resource_limits=ExecutionResources(cpu=cpus) if cpus else None
    )
    pace(context, part.workers, part.lanes, cpus)
    with DataContext.current(context):
        dataset = ray.data.read_datasource(
            ChunkSource(reading, plan, part, rows * row_bytes),
            override_num_blocks=min(len(part.chunks), EXECUTION_CHUNKS),
        )
        dataset.context.target_max_block_size = context.target_max_block_size
        shards: list[Any] = dataset.streaming_split(part.workers, equal=False)
        return shards


class ChunkSource(Datasource):  # type: ignore[misc]
    """Ray Data's source of read tasks, one for each chunk of a part."""

    def __init__(self, reading: "ray.ObjectRef[Reading]", plan: Plan, part: Part, block_bytes: int) -> None:
        super().__init__()
        self._reading = reading
        self._part = part
        self._rows = share_rows(plan, part.workers) * plan.chunk_steps * part.workers
        self._bytes = block_bytes * part.workers

    def get_name(self) -> str:
        return "Chunks"

    def estimate_inmemory_data_size(self) -> int:
        return self._bytes * len(self._part.chunks)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        # Called once without a context when the data set is created, then again in every execution.
        execution = 0 if data_context is None else data_context._execution_idx
        first = execution * EXECUTION_CHUNKS
        metadata = BlockMetadata(num_rows=self._rows, size_bytes=self._bytes, input_files=None, exec_stats=None)
        return [
            ReadTask(partial(read_blocks, [self._reading], number, self._part.workers), metadata)
            for number in self._part.chunks[first : first + EXECUTION_CHUNKS]
        ]


def read_blocks(reading: "list[ray.ObjectRef[Reading]]", number: int, workers: int) -> Iterator[Any]:
    """Blocks of a chunk, one per worker, in rank order. The reference is in a list so that Ray does not resolve it."""
    yield from _blocks(_fetch(reading[0]), number, workers)


@lru_cache(maxsize=1)
def _fetch(reference: "ray.ObjectRef[Reading]") -> Reading:
    # Cached by the process, since unpacking the arrays of a large index takes longer than a chunk.
    reading: Reading = ray.get(reference)
    return reading


def _blocks(reading: Reading, number: int, workers: int) -> Iterator[Any]:
    plan, pictures = reading.plan, reading.pictures
    chunk = plan.chunk(number)
    width = share_rows(plan, workers)
    rows = workers * plan.chunk_steps * width
    slots = _slots(plan, workers)
    sample = np.full(rows, -1)
    sample[slots] = chunk.sample
    filled = np.zeros(rows, np.bool_)
    columns: dict[str, NDArray[Any]] = {
        "step": np.tile(np.repeat(number * plan.chunk_steps + np.arange(plan.chunk_steps), width), workers),
        "sample": sample,
        "filled": filled,
    }
    if isinstance(pictures, CachedPictures):
        bad = pictures.bad[chunk.sample]
        columns["shown"] = np.zeros(rows, np.int64)
        columns["shown"][slots] = chunk.sample[stand_ins(bad)]
    else:
        size, channels = pictures.image_size, pictures.channels
        images = columns["image"] = np.empty((rows, size, size, channels), np.uint8)
        bad = read_chunk(pictures, chunk.sample, images, slots)
        images[sample < 0] = 0
    filled[slots] = bad
    if reading.labels is not None:
        columns["label"] = np.zeros(rows, np.int64)
        columns["label"][slots] = reading.labels[chunk.sample[stand_ins(bad)]]
    for rank in range(workers):
        block = slice(rank * plan.chunk_steps * width, (rank + 1) * plan.chunk_steps * width)
        yield BlockAccessor.batch_to_block({name: column[block] for name, column in columns.items()})


def _slots(plan: Plan, workers: int) -> Integers:
    """int64 [chunk_images]: the row, in all blocks end to end, that each row of a chunk goes to."""
    width, steps = share_rows(plan, workers), np.arange(plan.chunk_steps)
    slots = np.empty((plan.chunk_steps, plan.batch_size), np.int64)
    for rank in range(workers):
        low, high = share(plan.batch_size, rank, workers)
        slots[:, low:high] = (rank * plan.chunk_steps + steps)[:, None] * width + np.arange(high - low)
    return slots.ravel()
