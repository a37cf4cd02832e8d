"""Codes with planted duplicates, and one search among them as a process of its own, without PyTorch:

python -m benchmarks.dedup_codes search FILE RADIUS
python -m benchmarks.dedup_codes alike KIND IMAGES RADIUS
python -m benchmarks.dedup_codes rates FILE

Each prints what it found as JSON. The first ends with status 1 where pairs are not those that were planted.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.candidates import Found, Search, find_copies, merge, search
from dcgan_dist.data.deduplication.groups import choose, connect
from dcgan_dist.data.deduplication.search_plan import SearchPlan, plan_search

Codes = NDArray[np.uint8]
MOST_CHANGED = 4
SHARE = 20
"""One of so many codes is a copy."""
ALIKE = {
    "same": "equal codes, and the same to the second look",
    "equal": "equal codes, all different to the second look",
    "near": "codes that differ in 5 bits in the mean",
}


@dataclass(frozen=True)
class Outcome:
    """Of one search.

    Attributes:
        passes, ranges: of its plan.
        pairs: that were found.
        groups: of more than one image.
        compared, not_compared, not_reported: see `candidates.Found`.
        search_s, groups_s: processor time for finding pairs, and for what follows: groups, and who is kept.
        wall_s: both, by the clock.
        peak_mb: most memory of the process, mapped pages of the file among it.
        before_mb: the same before the search.
    """

    passes: int
    ranges: int
    pairs: int
    groups: int
    compared: int
    not_compared: int
    not_reported: int
    search_s: float
    groups_s: float
    wall_s: float
    peak_mb: float
    before_mb: float


def plant(file: Path, images: int, seed: int = 0) -> None:
    """Write random codes, of which the last twentieth are copies of the first ones with 0 to 4 bits changed."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (images, 16), dtype=np.uint8)
    copies = images // SHARE
    changed = codes[:copies].copy()
    width = 128 // MOST_CHANGED
    for number in range(MOST_CHANGED):
        # The i-th copy has i % 5 changed bits, each in another piece of 32 bits.
        rows = np.flatnonzero(np.arange(copies) % (MOST_CHANGED + 1) > number)
        bit = width * number + rng.integers(0, width, len(rows))
        changed[rows, bit // 8] ^= (1 << (bit % 8)).astype(np.uint8)
    codes[images - copies :] = changed
    np.save(file, codes)


def planted(images: int, radius: int) -> NDArray[np.int64]:
    """The pairs that a search has to find, int64 [k, 2]; others of random codes are not to be expected."""
    copy = np.arange(images // SHARE)
    copy = copy[copy % (MOST_CHANGED + 1) <= radius]
    return np.stack([copy, images - images // SHARE + copy], axis=1)


def alike(kind: str, images: int, seed: int = 1) -> tuple[Codes, NDArray[np.uint64]]:
    """Codes of images that are all alike, and their identity, see `ALIKE`."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(rng.integers(0, 256, (1, 16), dtype=np.uint8), images, axis=0)
    if kind == "near":
        codes ^= np.packbits(rng.random((images, 128)) < 2.5 / 128, axis=1)
    return codes, np.zeros(images, np.uint64) if kind == "same" else np.arange(images, dtype=np.uint64)


def measured(
    codes: Codes, plan: SearchPlan, identity: NDArray[np.uint64] | None = None
) -> tuple[Outcome, NDArray[np.int64]]:
    """What a search has found and taken, and the pairs, int64 [k, 2]."""
    before_mb, start, clock = peak_mb(), time.process_time(), time.perf_counter()
    parts, left_out = [], None
    if identity is not None:
        first, copy = find_copies([codes], identity)
        left_out = np.zeros(len(codes), bool)
        left_out[copy] = True
        parts.append(Found(first, copy, np.zeros(len(copy), np.uint8)))
    what = Search([codes], plan, left_out=left_out)
    found = merge(parts + [search(what, partition) for partition in range(plan.partitions)])
    pairs = np.stack([found.query, found.table], axis=1)
    search_s = time.process_time() - start
    group = connect(len(codes), pairs)
    ones = np.ones(len(codes), np.int64)
    choose(group, ones, ones)
    outcome = Outcome(
        passes=plan.passes,
        ranges=plan.ranges,
        pairs=len(pairs),
        groups=int(np.count_nonzero(np.bincount(group) > 1)),
        compared=found.compared,
        not_compared=found.not_compared,
        not_reported=found.not_reported,
        search_s=search_s,
        groups_s=time.process_time() - start - search_s,
        wall_s=time.perf_counter() - clock,
        peak_mb=peak_mb(),
        before_mb=before_mb,
    )
    return outcome, pairs


def rates(codes: Codes) -> dict[str, float]:
    """Processor time for what `expect_work` counts: codes scanned, codes sorted, pairs compared; in ns."""
    ranges = 8
    whole, split = (
        sum(seconds(Search([codes], SearchPlan(4, 6, part)), partition) for partition in range(part))
        for part in (1, ranges)
    )
    scan_s = (split - whole) / (ranges - 1)
    few = Search([codes[: 1 << 18]], SearchPlan(8, 9))
    pair_s = seconds(few, 0) / search(few, 0).compared
    return {"scan": scan_s / len(codes) * 1e9, "sort": (whole - scan_s) / len(codes) * 1e9, "pair": pair_s * 1e9}


def seconds(what: Search, partition: int) -> float:
    """Processor time of one partition."""
    start = time.process_time()
    search(what, partition)
    return time.process_time() - start


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    # Not ru_maxrss, which a process inherits from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024 / 1e6


def main(arguments: Sequence[str]) -> int:
    """The command, see the top of this file."""
    what, *given = arguments
    if what == "alike":
        kind, images, radius = given[0], int(given[1]), int(given[2])
        codes, identity = alike(kind, images)
        outcome, _ = measured(codes, plan_search(images, None, radius), identity)
        print(json.dumps(asdict(outcome)))
        return 0
    codes = np.load(given[0], mmap_mode="r")
    if what == "rates":
        print(json.dumps(rates(codes)))
        return 0
    radius = int(given[1])
    outcome, pairs = measured(codes, plan_search(len(codes), None, radius))
    if not np.array_equal(pairs, planted(len(codes), radius)):
        print(f"{len(pairs):,} pairs are not the {len(planted(len(codes), radius)):,} planted ones", file=sys.stderr)
        return 1
    print(json.dumps(asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
