"""How pairs of codes within a radius are looked for, and in how many partitions.

The 128 bits of a code are cut into `blocks` blocks. Two codes that differ in `radius` bits or fewer are equal in at
least `blocks - radius` blocks, so they meet when codes are sorted by some combination of that many blocks, as Manku,
Jain and Das Sarma do ("Detecting Near-Duplicates for Web Crawling", WWW 2007). More blocks make keys of more bits,
which fewer other codes share, but more combinations, each of which takes a pass over all codes. A *partition* is one
combination and one range of its keys: the work of one task.
"""

from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from typing import NamedTuple

BITS = 128
KEY_BITS = 32
"""Bits of a hashed key, see `buckets.py`: longer ones are no longer told apart."""
RANGE_ROWS = 1 << 26
"""Codes that a partition holds, about: keys are hashed, so that ranges are even. Each range reads all codes again."""
BIT_WORTH = 0.75
"""Bits of a key that tell as much as independent ones, because those of codes of images are not: 0.91 of keys of 11
bits, 0.83 of 21 bits and 0.70 of 31 bits, in codes of 128 projections of 32 units, of 50,000 images of CIFAR-10."""
SCAN_NS, SORT_NS, PAIR_NS = 12.0, 10.0, 8.0
"""Processor time for each code that a partition reads, each that it sorts, and each pair that it compares, of which
only the ratios matter; one core of an AMD EPYC, see `benchmarks/dedup_merge.py`."""


@dataclass(frozen=True)
class SearchPlan:
    """How to look for pairs.

    Attributes:
        radius: most bits in which two codes of a pair differ, 0 to 127.
        blocks: parts that codes are cut into, `radius + 1` to 128.
        ranges: ranges of keys, from 1.
        bucket_pairs, window: a code is compared with `bucket_pairs // size` others of a bucket of `size` codes, and
            with `window` at least; so all is compared in buckets of 4,096 codes or fewer.
        most_found: pairs that are reported for one code in one bucket.
    """

    radius: int
    blocks: int
    ranges: int = 1
    bucket_pairs: int = 1 << 24
    window: int = 256
    most_found: int = 64

    @property
    def passes(self) -> int:
        """Combinations of blocks."""
        return comb(self.blocks, self.radius)

    @property
    def partitions(self) -> int:
        """How many there are; they are numbered from 0."""
        return self.passes * self.ranges

    def combination(self, partition: int) -> tuple[int, ...]:
        """The blocks of the keys of a partition; combinations are in the order of `itertools.combinations`."""
        matching = combinations(range(self.blocks), self.blocks - self.radius)
        return next(islice(matching, partition // self.ranges, None))

    def key_range(self, partition: int) -> int:
        """The range of keys of a partition, from 0."""
        return partition % self.ranges

    def mask(self, block: int) -> int:
        """The bits of a block, as a whole number of 128 bits."""
        begin, end = BITS * block // self.blocks, BITS * (block + 1) // self.blocks
        return (1 << end) - (1 << begin)


class Work(NamedTuple):
    """What a search has to do, in all of its partitions together.

    Attributes:
        scanned: codes that are read, by as many partitions as read them.
        sorted: codes that are sorted.
        compared: pairs that are compared; expected, as if keys of `BIT_WORTH` of their bits were random.
    """

    scanned: float
    sorted: float
    compared: float


def plan_search(
    table: int, queries: int | None, radius: int, views: int = 0, range_rows: int = RANGE_ROWS
) -> SearchPlan:
    """The cheapest plan for so many codes.

    Args:
        table: codes that are searched.
        queries: images that are looked up; none for pairs within one set.
        radius: most bits in which two codes of a pair differ, 0 to 127.
        views: other codes by which each image is looked up.
        range_rows: codes that a partition holds, about.
    """

    def plan(blocks: int) -> SearchPlan:
        return SearchPlan(radius, blocks, ranges=max(1, -(-max(table, queries or 0) // range_rows)))

    def cost(plan: SearchPlan) -> float:
        work = expect_work(plan, table, queries, views)
        return work.scanned * SCAN_NS + work.sorted * SORT_NS + work.compared * PAIR_NS

    return min((plan(blocks) for blocks in range(radius + 1, BITS + 1)), key=cost)


def expect_work(plan: SearchPlan, table: int, queries: int | None, views: int = 0) -> Work:
    """What a search by some plan has to do; arguments as of `plan_search`."""
    if queries is None:
        codes = table * (1 + views)
        pairs = table * table * (0.5 + views)
    else:
        codes = table + queries * (1 + views)
        pairs = float(table * queries * (1 + views))
    worth = min(KEY_BITS, BIT_WORTH * BITS * (plan.blocks - plan.radius) / plan.blocks)
    return Work(codes * plan.partitions, codes * plan.passes, plan.passes * pairs / 2**worth)
