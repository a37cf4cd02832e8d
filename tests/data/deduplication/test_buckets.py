from itertools import combinations, pairwise

import numpy as np
import pytest

from dcgan_dist.data.deduplication.buckets import (
    make_entries,
    meet,
    rows_of,
    shared_buckets,
)
from dcgan_dist.data.deduplication.code_files import CodeFiles
from dcgan_dist.data.deduplication.search_plan import SearchPlan

ENTRIES = np.array([(5 << 32) + 1, (5 << 32) + 3, 6 << 32, (7 << 32) + 2, (7 << 32) + 4, (7 << 32) + 9], np.uint64)


def random_codes(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 16), dtype=np.uint8)


def keys_of(entries: np.ndarray) -> np.ndarray:
    return entries >> np.uint64(32)


def test_entries_with_equal_keys_are_a_bucket_unless_there_is_but_one() -> None:
    buckets = shared_buckets(np.random.default_rng(3).permutation(ENTRIES))
    assert rows_of(buckets.entries).tolist() == [1, 3, 2, 4, 9]
    assert (buckets.begin.tolist(), buckets.size.tolist()) == ([0, 2], [2, 3])


def test_buckets_of_many_entries_are_those_of_their_keys() -> None:
    keys = np.random.default_rng(4).integers(0, 200_000, 600_000).astype(np.uint64)
    buckets = shared_buckets(keys << np.uint64(32) | np.arange(600_000, dtype=np.uint64))
    expected, number = np.unique(keys, return_counts=True)
    assert np.array_equal(keys_of(buckets.entries[buckets.begin]), expected[number > 1])
    assert np.array_equal(buckets.size, number[number > 1])


def test_buckets_can_be_narrowed() -> None:
    buckets = shared_buckets(ENTRIES.copy()).narrow(np.array([False, True]))
    assert rows_of(buckets.entries).tolist() == [2, 4, 9]
    assert (buckets.begin.tolist(), buckets.size.tolist()) == ([0], [3])


def test_entries_of_two_sets_meet_where_their_keys_are_equal() -> None:
    queries = np.array([(4 << 32) + 1, (5 << 32) + 1, (6 << 32) + 7, (6 << 32) + 8, (9 << 32) + 2, (9 << 32) + 3])
    buckets, met, bucket = meet(ENTRIES[::-1], queries[::-1].astype(np.uint64))
    assert rows_of(buckets.entries).tolist() == [1, 3, 0]
    assert (buckets.begin.tolist(), buckets.size.tolist()) == ([0, 2], [2, 1])
    assert met.tolist() == queries[1:4].tolist()
    assert bucket.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("table", "queries"), [(0, 6), (6, 0), (0, 0)])
def test_nothing_meets_what_is_empty(table: int, queries: int) -> None:
    buckets, met, bucket = meet(ENTRIES[:table], ENTRIES[:queries])
    assert (len(buckets.size), len(met), len(bucket)) == (0, 0, 0)


@pytest.mark.parametrize(("blocks", "equal"), [(3, 1), (6, 2), (8, 4)])
def test_keys_are_as_good_as_random_whatever_bits_count(blocks: int, equal: int) -> None:
    """Of 100,000 random keys of 32 bits, 1.2 are like another one in the mean."""
    codes = CodeFiles([random_codes(100_000)])
    plan = SearchPlan(0, blocks)
    for some in combinations(range(blocks), equal):
        keys = keys_of(make_entries(codes, 0, sum(plan.mask(block) for block in some), 0, 1, None))
        assert len(keys) - len(np.unique(keys)) < 15


def test_only_bits_that_count_make_a_key() -> None:
    codes = random_codes(2)
    codes[1] = codes[0]
    codes[1, 0] ^= 0b100
    codes[1, 9] ^= 0b1
    keys = [
        len(set(keys_of(make_entries(CodeFiles([codes]), 0, mask, 0, 1, None)).tolist()))
        for mask in ((1 << 128) - 1, 1 << 2, 1 << 72, (1 << 128) - 1 - (1 << 2) - (1 << 72))
    ]
    assert keys == [2, 2, 2, 1]


def test_parts_hold_each_code_once_and_about_as_many() -> None:
    codes = CodeFiles([random_codes(7000), random_codes(3000)])
    mask = (1 << 128) - 1
    parts = [make_entries(codes, 0, mask, part, 4, None) for part in range(4)]
    assert sorted(np.concatenate(parts).tolist()) == sorted(make_entries(codes, 0, mask, 0, 1, None).tolist())
    assert all(max(keys_of(a)) < min(keys_of(b)) for a, b in pairwise(parts))
    assert sorted(rows_of(np.concatenate(parts)).tolist()) == list(range(10_000))
    assert all(2000 < len(part) < 3000 for part in parts)


def test_a_part_may_hold_all_codes_and_others_none() -> None:
    codes = CodeFiles([np.repeat(random_codes(1), 100_000, axis=0)])
    sizes = [len(make_entries(codes, 0, 255, part, 3, None)) for part in range(3)]
    assert sorted(sizes) == [0, 0, 100_000]


def test_what_is_left_out_has_no_entry() -> None:
    codes = CodeFiles([random_codes(70_000), random_codes(70_000)])
    left_out = np.random.default_rng(1).random(140_000) < 0.5
    rows = rows_of(make_entries(codes, 0, 255, 0, 1, left_out))
    assert rows.tolist() == np.flatnonzero(~left_out).tolist()
