"""Which sample comes when: pure arithmetic on integers, the same on every machine and for every number of workers.

A run reads one endless *sequence* of samples. It is the concatenation of epochs; an epoch is a permutation, by (seed,
epoch), of *slices*: runs of neighbouring images of one shard, which a store hands over in one read. The sequence is cut
into *chunks* of a whole number of batches, and each chunk is shuffled whole by (seed, chunk). Step t takes positions
[t * batch, (t + 1) * batch); worker r of W takes rows [r * batch // W, (r + 1) * batch // W) of them.

So no batch is short, every rank makes the same steps, any number of workers sees the same batches, and one integer,
the position, says how far a run is. A sample comes exactly once in each epoch; where a chunk crosses from one epoch
into the next, the shuffle mixes the end of the one with the beginning of the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SLICE_IMAGES = 64
"""Most images of a slice. At least 60 slices make a chunk, so that shards sorted by class still mix."""
SLICE_BYTES = 1 << 20
"""Most bytes of a slice, unless one image alone is larger."""

_SLICES_PURPOSE, _CHUNK_PURPOSE = 1, 2


@dataclass(frozen=True)
class Slices:
    """Neighbouring samples that are read together: slice i holds samples [first[i], first[i] + count[i])."""

    first: Integers
    count: Integers

    def __len__(self) -> int:
        return len(self.first)


def cut_slices(shard: NDArray[np.integer], size: NDArray[np.integer], window: int) -> Slices:
    """Cut samples, in the order of the index, into slices.

    Args:
        shard: int [n], number of the shard in which a sample lies; not decreasing.
        size: int [n], bytes of a sample.
        window: images of a chunk; a slice has at most a sixty-fourth of it.
    """
    limit = max(1, min(SLICE_IMAGES, window // 64))
    first: list[int] = []
    start, held = 0, 0
    sizes, shards = size.tolist(), shard.tolist()
    for i, (bytes_, number) in enumerate(zip(sizes, shards, strict=True)):
        if i > start and (number != shards[start] or i - start >= limit or held + bytes_ > SLICE_BYTES):
            first.append(start)
            start, held = i, 0
        held += bytes_
    if sizes:
        first.append(start)
    firsts = np.array(first, np.int64)
    return Slices(firsts, np.diff(np.append(firsts, len(sizes))))


@dataclass(frozen=True)
class Rows:
    """Samples in the order in which a chunk or a worker uses them.

    Attributes:
        sample: int64 [n], number of the sample in the index.
        epoch: int64 [n], the pass over the data to which it belongs.
        step: int64 [n], the step that uses it.
    """

    sample: Integers
    epoch: Integers
    step: Integers

    def __len__(self) -> int:
        return len(self.sample)


@dataclass(frozen=True, eq=False)
class Plan:
    """The sequence of a run: see the head of this file.

    Attributes:
        slices: what epochs permute.
        batch_size: images of a step over all workers.
        window: least images of a chunk.
        seed: of the permutations.
    """

    slices: Slices
    batch_size: int
    window: int
    seed: int

    @property
    def epoch_images(self) -> int:
        return int(self.slices.count.sum())

    @property
    def chunk_steps(self) -> int:
        return -(-self.window // self.batch_size)

    @property
    def chunk_images(self) -> int:
        return self.chunk_steps * self.batch_size

    def chunk(self, number: int) -> Rows:
        """All rows of a chunk, in order of use."""
        start = number * self.chunk_images
        stop = start + self.chunk_images
        parts = [self._part(epoch, start, stop) for epoch in range(start // self.epoch_images, self._epoch_after(stop))]
        sample = np.concatenate(parts)
        epoch = np.repeat(np.arange(len(parts)) + start // self.epoch_images, [len(part) for part in parts])
        order = _permutation(len(sample), self.seed, _CHUNK_PURPOSE, number)
        step = number * self.chunk_steps + np.arange(len(sample)) // self.batch_size
        return Rows(sample[order], epoch[order], step)

    def rows(self, first_step: int, rank: int = 0, workers: int = 1) -> Iterator[Rows]:
        """Rows of one worker, a step at a time and without end: what the real source must yield."""
        low, high = share(self.batch_size, rank, workers)
        for number in range(first_step // self.chunk_steps, 1 << 62):
            chunk = self.chunk(number)
            for at in range(0, len(chunk), self.batch_size):
                if chunk.step[at] >= first_step:
                    part = slice(at + low, at + high)
                    yield Rows(chunk.sample[part], chunk.epoch[part], chunk.step[part])

    def _epoch_after(self, position: int) -> int:
        return -(-position // self.epoch_images)

    def _part(self, epoch: int, start: int, stop: int) -> Integers:
        """Samples at positions [start, stop) of the sequence before it is shuffled, as far as they lie in the epoch."""
        order, ends = _epoch_order(self, epoch)
        low = max(start - epoch * self.epoch_images, 0)
        high = min(stop - epoch * self.epoch_images, self.epoch_images)
        a, b = np.searchsorted(ends, low, "right"), np.searchsorted(ends, high, "left")
        chosen = order[a : b + 1]
        first, count = self.slices.first[chosen], self.slices.count[chosen]
        samples = np.repeat(first - np.append(0, np.cumsum(count)[:-1]), count) + np.arange(count.sum())
        before = ends[a] - count[0]
        return samples[low - before : high - before]


def share(batch_size: int, rank: int, workers: int) -> tuple[int, int]:
    """Rows [low, high) of a batch that belong to a worker."""
    return rank * batch_size // workers, (rank + 1) * batch_size // workers


@lru_cache(maxsize=4)
def _epoch_order(plan: Plan, epoch: int) -> tuple[Integers, Integers]:
    """Slices in the order of an epoch, and the position in the epoch at which each ends."""
    order = _permutation(len(plan.slices), plan.seed, _SLICES_PURPOSE, epoch)
    return order, np.cumsum(plan.slices.count[order])


def _permutation(n: int, seed: int, purpose: int, number: int) -> Integers:
    """A random order of n things. NumPy keeps the raw stream of a bit generator for ever, but not `permutation`."""
    keys = np.random.PCG64(np.random.SeedSequence([seed, purpose, number])).random_raw(n)
    return np.argsort(keys, kind="stable")
