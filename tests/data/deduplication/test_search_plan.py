from itertools import combinations

import pytest

from dcgan_dist.data.deduplication.search_plan import (
    BITS,
    SearchPlan,
    Work,
    expect_work,
    plan_search,
)

MILLION = 10**6


@pytest.mark.parametrize(
    ("table", "queries", "radius", "views", "blocks", "ranges"),
    [
        (0, None, 4, 0, 5, 1),
        (0, 0, 2, 3, 3, 1),
        (50_000, None, 0, 0, 1, 1),
        (50_000, None, 4, 0, 5, 1),
        (50_000, None, 8, 0, 10, 1),
        (50_000, None, 16, 0, 18, 1),
        (50_000, None, 16, 8, 19, 1),
        (50_000, 10_000, 8, 0, 9, 1),
        (50_000, 10_000, 8, 8, 10, 1),
        (MILLION, None, 8, 0, 10, 1),
        (MILLION, None, 12, 0, 15, 1),
        (10 * MILLION, None, 4, 0, 6, 1),
        (10 * MILLION, None, 8, 0, 11, 1),
        (100 * MILLION, None, 0, 0, 1, 2),
        (100 * MILLION, None, 8, 0, 11, 2),
        (MILLION, 100 * MILLION, 2, 0, 3, 2),
        (2000 * MILLION, None, 4, 0, 6, 30),
        (MILLION, None, 127, 0, 128, 1),
    ],
)
def test_the_plan_follows_from_how_many_codes_there_are(
    table: int, queries: int | None, radius: int, views: int, blocks: int, ranges: int
) -> None:
    assert plan_search(table, queries, radius, views) == SearchPlan(radius, blocks, ranges)


@pytest.mark.parametrize(("table", "ranges"), [(0, 1), (1000, 1), (1001, 2), (5000, 5)])
def test_a_range_of_keys_holds_so_many_codes(table: int, ranges: int) -> None:
    assert plan_search(table, None, 3, range_rows=1000).ranges == ranges
    assert plan_search(10, table, 3, range_rows=1000).ranges == ranges


@pytest.mark.parametrize(("radius", "blocks", "ranges"), [(0, 1, 1), (2, 3, 1), (2, 5, 4), (4, 7, 3), (1, 128, 2)])
def test_partitions_are_all_combinations_in_all_ranges(radius: int, blocks: int, ranges: int) -> None:
    plan = SearchPlan(radius, blocks, ranges)
    met = [(plan.combination(number), plan.key_range(number)) for number in range(plan.partitions)]
    expected = [(some, part) for some in combinations(range(blocks), blocks - radius) for part in range(ranges)]
    assert met == expected


@pytest.mark.parametrize("blocks", [1, 2, 7, 19, 127, 128])
def test_blocks_are_about_even_and_hold_each_bit_once(blocks: int) -> None:
    masks = [SearchPlan(0, blocks).mask(block) for block in range(blocks)]
    assert sum(masks) == (1 << BITS) - 1
    assert [sum(masks[:i]) & masks[i] for i in range(blocks)] == [0] * blocks
    sizes = [mask.bit_count() for mask in masks]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("plan", "table", "queries", "views", "work"),
    [
        (SearchPlan(3, 4), 1000, None, 0, Work(4000, 4000, 4 * 500_000 / 2**24)),
        (SearchPlan(3, 4), 1000, None, 2, Work(12_000, 12_000, 4 * 2_500_000 / 2**24)),
        (SearchPlan(3, 4, ranges=5), 1000, 100, 0, Work(22_000, 4400, 4 * 100_000 / 2**24)),
        (SearchPlan(3, 4), 1000, 100, 2, Work(5200, 5200, 4 * 300_000 / 2**24)),
        (SearchPlan(1, 4), 1000, None, 0, Work(4000, 4000, 4 * 500_000 / 2**32)),
    ],
)
def test_what_a_search_has_to_do(plan: SearchPlan, table: int, queries: int | None, views: int, work: Work) -> None:
    assert expect_work(plan, table, queries, views) == work
