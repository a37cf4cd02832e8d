"""From what Ray Data hands to a worker to tensors on its device, one batch ahead."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.data.streaming.plan import Integers

PREFETCHED = 1
"""Blocks, of many steps each, that Ray fetches in a thread while the worker computes."""


@dataclass(frozen=True)
class Batch:
    """A worker's share of the batch of a step.

    Attributes:
        images: uint8 [n, 3, S, S] in channels-last order, on the worker's device; on a CPU they lie in the object store
            and must not be written to.
        samples: int64 [n], their numbers in the index.
        bad: int64 [k], those of them that could not be decoded; another picture stands in for each.
    """

    images: Tensor
    samples: Integers
    bad: Integers


class Shard(Protocol):
    """A `ray.data.DataIterator`, as far as it is needed here."""

    def iter_batches(self, *, prefetch_batches: int, batch_size: None, batch_format: str) -> Any:
        """A dict of arrays for each block."""
        ...


Gather = Callable[[Integers], NDArray[np.uint8]]
"""From samples [n] to their pictures [n, S, S, 3]."""


def batches(
    shard: Shard,
    rows: int,
    padded_rows: int,
    first_step: int,
    last_step: int,
    device: torch.device,
    gather: Gather | None = None,
) -> Iterator[Batch]:
    """Batches of steps [first_step, last_step), one a step.

    Args:
        shard: yields `padded_rows` rows a step, from a step at or before the first on.
        rows: the worker's own; the rest of each step is padding.
        gather: where the shard says which samples are shown but brings no pictures.
    """
    steps = _steps(shard, rows, padded_rows, first_step, last_step)
    ready = steps if gather is None else _gathered(steps, gather)
    ahead: Batch | None = None
    for columns in ready:
        batch = _batch(columns, device)
        # The copy of the next batch to a GPU is under way before this one is used.
        if device.type == "cpu":
            yield batch
            continue
        if ahead is not None:
            yield ahead
        ahead = batch
    if ahead is not None:
        yield ahead


def _steps(shard: Shard, rows: int, padded_rows: int, first_step: int, last_step: int) -> Iterator[dict[str, Any]]:
    """The worker's own rows of each step."""
    step = first_step
    while step < last_step:
        before = step
        # An execution of the data set ends after many epochs; the next one begins with the chunk that follows.
        # Blocks are cut here: Ray takes a millisecond to cut off a batch, as long as it takes to copy its pictures.
        for block in shard.iter_batches(prefetch_batches=PREFETCHED, batch_size=None, batch_format="numpy"):
            for low in range(0, len(block["step"]), padded_rows):
                found = block["step"][low : low + padded_rows]
                if found[0] < first_step:
                    continue
                if len(found) != padded_rows or (found != step).any():
                    raise RuntimeError(
                        f"the data of steps {found.min()} to {found.max()} came where step {step} was due"
                    )
                yield {name: column[low : low + rows] for name, column in block.items()}
                step += 1
                if step == last_step:
                    return
        if step == before:
            raise RuntimeError(f"the data ended before step {step}, {last_step - step} steps too early")


def _gathered(steps: Iterator[dict[str, Any]], gather: Gather) -> Iterator[dict[str, Any]]:
    """The same with pictures, which a thread copies together one step ahead."""
    with ThreadPoolExecutor(1) as thread:
        ahead: tuple[dict[str, Any], Future[NDArray[np.uint8]]] | None = None
        for columns in steps:
            following = columns, thread.submit(gather, columns["shown"])
            if ahead is not None:
                yield ahead[0] | {"image": ahead[1].result()}
            ahead = following
        if ahead is not None:
            yield ahead[0] | {"image": ahead[1].result()}


def _batch(columns: dict[str, Any], device: torch.device) -> Batch:
    samples = columns["sample"]
    images = to_device(_view(columns["image"]), device)
    return Batch(images.permute(0, 3, 1, 2), np.array(samples), samples[columns["filled"]])


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on `device`; to a GPU from pinned memory, so that the host does not wait for it."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _view(images: NDArray[np.uint8]) -> Tensor:
    """The rows where they lie in the object store, which keeps them while the tensor lives. Not to be written to."""
    with warnings.catch_warnings():
        # Torch knows no tensors that are only read, and says so.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        return torch.from_numpy(images)
