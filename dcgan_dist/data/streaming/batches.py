"""From the blocks that a worker gets from Ray Data to tensors on its device, one batch ahead."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.data.streaming.plan import Integers, chunks_of

PREFETCHED = 1
"""Blocks, of many steps each, that Ray fetches in a thread while the worker computes."""


@dataclass(frozen=True)
class Batch:
    """A worker's share of the batch of a step.

    Attributes:
        images: uint8 [n, channels, S, S] in channels-last order, on the worker's device; on a CPU they are in the
            object store and must not be written to.
        samples: int64 [n], numbers of the samples in the index.
        bad: int64 [k], those samples that could not be decoded; each is replaced by another image.
        labels: int64 [n], class numbers of the images, on the worker's device; None where networks know no classes.
    """

    images: Tensor
    samples: Integers
    bad: Integers
    labels: Tensor | None = None


class Shard(Protocol):
    """The part of `ray.data.DataIterator` that is used here."""

    def iter_batches(self, *, prefetch_batches: int, batch_size: None, batch_format: str) -> Any:
        """Yields a dict of arrays for each block."""
        ...


Block = dict[str, Any]
"""Arrays of as many rows each, by their names: see `source.split`."""
Gather = Callable[[Integers], NDArray[np.uint8]]
"""From int64 samples [n] to their images, uint8 [n, S, S, channels]."""


def batches(
    shards: Sequence[Shard],
    rows: int,
    padded_rows: int,
    first_step: int,
    last_step: int,
    chunk_steps: int,
    device: torch.device,
    gather: Gather | None = None,
) -> Iterator[Batch]:
    """The batches of steps [first_step, last_step), one for each step.

    Args:
        shards: one for each lane; of n, the k-th yields every n-th chunk from the k-th on. They yield `padded_rows`
            rows for each step, starting at or before the first step.
        rows: rows of each step that are the worker's own; the rest is padding.
        first_step, last_step: steps whose batches are yielded.
        chunk_steps: of each block.
        device: where the tensors go.
        gather: copies images, if the blocks have the numbers of samples and no images.

    Raises:
        RuntimeError: the data is not that of the expected step, or ends too early.
    """
    chunks = len(chunks_of(first_step, last_step, chunk_steps))
    steps = _steps(blocks_in_turn(shards, chunks), rows, padded_rows, first_step, last_step)
    ready = steps if gather is None else _gathered(steps, gather)
    ahead: Batch | None = None
    for columns in ready:
        batch = _batch(columns, device)
        # The next batch is being copied to the GPU before this one is used.
        if device.type == "cpu":
            yield batch
            continue
        if ahead is not None:
            yield ahead
        ahead = batch
    if ahead is not None:
        yield ahead


def blocks_in_turn(shards: Sequence[Shard], chunks: int) -> Iterator[Block]:
    """Yields blocks of so many chunks, from one lane after the other."""
    if len(shards) == 1:
        yield from _blocks(shards[0])
        return
    lanes = [islice(_blocks(shard), len(range(lane, chunks, len(shards)))) for lane, shard in enumerate(shards)]
    # A lane begins to read when its first block is asked for: all of them at once, each by a thread.
    threads = ThreadPoolExecutor(len(lanes))
    try:
        ahead = [threads.submit(next, lane, None) for lane in lanes]
        for lane in cycle(range(len(lanes))):
            block = ahead[lane].result()
            if block is None:
                return
            ahead[lane] = threads.submit(next, lanes[lane], None)
            yield block
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _blocks(shard: Shard) -> Iterator[Block]:
    """Yields the blocks of all executions of a data set: one ends after many epochs, the next goes on from there."""
    found = True
    while found:
        found = False
        for block in shard.iter_batches(prefetch_batches=PREFETCHED, batch_size=None, batch_format="numpy"):
            found = True
            yield block


def _steps(blocks: Iterator[Block], rows: int, padded_rows: int, first_step: int, last_step: int) -> Iterator[Block]:
    """Yields the worker's own rows of each step.

    Blocks are cut here, since cutting off a batch takes Ray a millisecond, as long as copying its images.
    """
    step = first_step
    if step == last_step:
        return
    for block in blocks:
        for low in range(0, len(block["step"]), padded_rows):
            steps = block["step"][low : low + padded_rows]
            if steps[0] < first_step:
                continue
            if len(steps) != padded_rows or (steps != step).any():
                raise RuntimeError(f"the data of steps {steps.min()} to {steps.max()} came where step {step} was due")
            yield {name: column[low : low + rows] for name, column in block.items()}
            step += 1
            if step == last_step:
                return
    raise RuntimeError(f"the data ended before step {step}, {last_step - step} steps too early")


def _gathered(steps: Iterator[Block], gather: Gather) -> Iterator[Block]:
    """Adds the images to each step; a thread gathers them one step ahead."""
    with ThreadPoolExecutor(1) as thread:
        ahead: tuple[Block, Future[NDArray[np.uint8]]] | None = None
        for columns in steps:
            following = columns, thread.submit(gather, columns["shown"])
            if ahead is not None:
                yield ahead[0] | {"image": ahead[1].result()}
            ahead = following
        if ahead is not None:
            yield ahead[0] | {"image": ahead[1].result()}


def _batch(columns: Block, device: torch.device) -> Batch:
    samples = columns["sample"]
    images = to_device(_view(columns["image"]), device)
    labels = to_device(torch.from_numpy(np.array(columns["label"])), device) if "label" in columns else None
    return Batch(images.permute(0, 3, 1, 2), np.array(samples), samples[columns["filled"]], labels)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the host to `device`; to a GPU from pinned memory, so that the host does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _view(images: NDArray[np.uint8]) -> Tensor:
    """A tensor over rows in the object store, which keeps them as long as the tensor lives. Do not write to it."""
    with warnings.catch_warnings():
        # torch has no read-only tensors, and warns about that.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        return torch.from_numpy(images)
