from itertools import combinations

import numpy as np
import pytest

from dcgan_dist.data.deduplication.buckets import (
    all_buckets,
    keys_of,
    make_entries,
    rows_of,
    shared_buckets,
)
from dcgan_dist.data.deduplication.code_files import CodeFiles
from dcgan_dist.data.deduplication.search_plan import SearchPlan

ENTRIES = np.array([(5 << 32) + 1, (5 << 32) + 3, 6 << 32, (7 << 32) + 2, (7 << 32) + 4, (7 << 32) + 9], np.uint64)


def random_codes(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 16), dtype=np.uint8)


def test_entries_with_equal_keys_are_a_bucket() -> None:
    buckets = all_buckets(ENTRIES)
    assert buckets.begin.tolist() == [0, 2, 3]
    assert buckets.size.tolist() == [2, 1, 3]
    assert buckets.keys.tolist() == [5, 6, 7]
    assert rows_of(buckets.entries).tolist() == [1, 3, 0, 2, 4, 9]


def test_buckets_of_one_entry_are_none_that_is_shared() -> None:
    buckets = shared_buckets(ENTRIES)
    assert rows_of(buckets.entries).tolist() == [1, 3, 2, 4, 9]
    assert (buckets.begin.tolist(), buckets.size.tolist()) == ([0, 2], [2, 3])


def test_buckets_can_be_narrowed() -> None:
    buckets = all_buckets(ENTRIES).narrow(np.array([True, False, True]))
    assert rows_of(buckets.entries).tolist() == [1, 3, 2, 4, 9]
    assert (buckets.begin.tolist(), buckets.size.tolist()) == ([0, 2], [2, 3])


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
    assert np.concatenate(parts).tolist() == make_entries(codes, 0, mask, 0, 1, None).tolist()
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
    assert sorted(rows.tolist()) == np.flatnonzero(~left_out).tolist()
