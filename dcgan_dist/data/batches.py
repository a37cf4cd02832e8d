"""From what Ray Data hands to a worker to tensors on its device, one batch ahead."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.data.plan import Integers

PREFETCHED = 2
"""Batches that Ray fetches in a thread while the worker computes."""


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

    def iter_batches(self, *, prefetch_batches: int, batch_size: int, batch_format: str) -> Any:
        """Dicts of arrays with `batch_size` rows."""
        ...


def batches(
    shard: Shard, rows: int, padded_rows: int, first_step: int, last_step: int, device: torch.device
) -> Iterator[Batch]:
    """Batches of steps [first_step, last_step), one a step.

    Args:
        shard: yields `padded_rows` rows a step, from a step at or before the first on.
        rows: the worker's own; the rest of each step is padding.
    """
    ahead: Batch | None = None
    for batch in _on_device(shard, rows, padded_rows, first_step, last_step, device):
        # The copy of the next batch to a GPU is under way before this one is used.
        if ahead is not None:
            yield ahead
        ahead = batch
        if device.type == "cpu":
            yield ahead
            ahead = None
    if ahead is not None:
        yield ahead


def _on_device(
    shard: Shard, rows: int, padded_rows: int, first_step: int, last_step: int, device: torch.device
) -> Iterator[Batch]:
    step = first_step
    while step < last_step:
        before = step
        # An execution of the data set ends after many epochs; the next one begins with the chunk that follows.
        for columns in shard.iter_batches(prefetch_batches=PREFETCHED, batch_size=padded_rows, batch_format="numpy"):
            found = columns["step"]
            if found[0] < first_step:
                continue
            if len(found) != padded_rows or (found != step).any():
                raise RuntimeError(f"the data of steps {found.min()} to {found.max()} came where step {step} was due")
            yield _batch(columns, rows, device)
            step += 1
            if step == last_step:
                return
        if step == before:
            raise RuntimeError(f"the data ended before step {step}, {last_step - step} steps too early")


def _batch(columns: dict[str, Any], rows: int, device: torch.device) -> Batch:
    samples = columns["sample"][:rows]
    images = _view(columns["image"][:rows])
    if device.type == "cuda":
        images = images.pin_memory().to(device, non_blocking=True)
    return Batch(images.permute(0, 3, 1, 2), np.array(samples), samples[columns["filled"][:rows]])


def _view(images: NDArray[np.uint8]) -> Tensor:
    """The rows where they lie in the object store, which keeps them while the tensor lives. Not to be written to."""
    with warnings.catch_warnings():
        # Torch knows no tensors that are only read, and says so.
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        return torch.from_numpy(images)
