"""Pairs against those found by comparing all with all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan_dist.data.deduplication import candidates
from dcgan_dist.data.deduplication.buckets import make_entries, rows_of
from dcgan_dist.data.deduplication.candidates import Found, Search, find_copies, merge, pairs_within, search
from dcgan_dist.data.deduplication.groups import connect
from dcgan_dist.data.deduplication.search_plan import SearchPlan

Codes = NDArray[np.uint8]
Pairs = list[tuple[int, int]]


def random_codes(n: int, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(0, 256, (n, 16), dtype=np.uint8)


def changed(codes: Codes, most: float, seed: int = 1) -> Codes:
    """Each code with some of its bits changed: up to the part `most` of them, another part in each code."""
    rng = np.random.default_rng(seed)
    part = rng.random((*codes.shape[:-1], 1)) * most
    return codes ^ np.packbits(rng.random((*codes.shape[:-1], 128)) < part, axis=-1)


def clustered_codes(n: int, clusters: int = 20, most: float = 0.12, seed: int = 0) -> Codes:
    return changed(random_codes(clusters, seed)[np.arange(n) % clusters], most, seed + 1)


def some_views(codes: Codes, number: int, seed: int = 2) -> Codes:
    return changed(np.repeat(codes[:, None], number, axis=1), 0.1, seed)


def near(queries: Codes, table: Codes, radius: int) -> set[tuple[int, int]]:
    differing = np.bitwise_count(queries[:, None] ^ table[None]).sum(axis=2, dtype=np.int64)
    return set(map(tuple, np.argwhere(differing <= radius).tolist()))


def all_compared(table: Codes, radius: int, queries: Codes | None = None, views: Codes | None = None) -> Pairs:
    looked_up = [table if queries is None else queries]
    looked_up += [] if views is None else [views[:, view] for view in range(views.shape[1])]
    met = set().union(*(near(some, table, radius) for some in looked_up))
    if queries is None:
        met = {(min(pair), max(pair)) for pair in met if pair[0] != pair[1]}
    return sorted(met)


def pairs_of(found: Found) -> Pairs:
    return list(zip(found.query.tolist(), found.table.tolist(), strict=True))


def with_one_key(*given: Any) -> NDArray[np.uint64]:
    """Entries as of `make_entries`, all with the same key."""
    return rows_of(make_entries(*given)).astype(np.uint64)


def searched(what: Search) -> Found:
    return merge([search(what, partition) for partition in range(what.plan.partitions)])


@pytest.mark.parametrize("radius", range(17))
@pytest.mark.parametrize("codes", [random_codes(300), clustered_codes(300)], ids=["random", "clustered"])
def test_all_pairs_within_the_radius_are_found_and_no_others(codes: Codes, radius: int) -> None:
    planted = np.concatenate([codes, changed(codes[:60], 0.1, seed=7), codes[:3]])
    expected = all_compared(planted, radius)
    found = pairs_within([planted[:100], planted[100:101], planted[101:]], radius)
    assert pairs_of(found) == expected
    assert len(expected) >= 3
    differing = np.bitwise_count(planted[found.query] ^ planted[found.table]).sum(axis=1)
    assert found.distance.tolist() == differing.tolist()
    assert (found.not_compared, found.not_reported) == (0, 0)


@pytest.mark.parametrize("radius", [0, 2, 5, 9, 16])
def test_images_are_found_by_their_views_too(radius: int) -> None:
    codes = clustered_codes(200)
    views = some_views(codes, 3)
    expected = all_compared(codes, radius, views=views)
    assert pairs_of(pairs_within([codes[:50], codes[50:]], radius, views=[views[:50], views[50:]])) == expected
    assert pairs_of(pairs_within([codes], radius, views=[views[:, :0]])) == all_compared(codes, radius)
    assert radius == 0 or len(expected) > len(all_compared(codes, radius))


@pytest.mark.parametrize("radius", [0, 2, 5, 9, 16])
def test_pairs_between_two_sets_are_found_and_none_within_one(radius: int) -> None:
    table, queries = clustered_codes(200), clustered_codes(90, seed=4)
    queries[:40] = changed(table[:40], 0.08)
    queries[40:45] = table[7]
    views = some_views(queries, 2)
    assert pairs_of(pairs_within([table], radius, [queries])) == all_compared(table, radius, queries)
    expected = all_compared(table, radius, queries, views)
    assert pairs_of(pairs_within([table[:9], table[9:]], radius, [queries], [views])) == expected
    assert len(expected) >= 5


def test_a_pair_that_several_lookups_find_has_the_distance_of_the_first() -> None:
    table = np.zeros((3, 16), np.uint8)
    table[1:, 0] = 0b111
    table[2, 5:] = 255
    views = np.stack([np.flip(table, axis=1), table], axis=1)
    views[0, 0, 0] = 0b001
    views[1, 0] = 0
    found = pairs_within([table], 3, views=[views])
    assert (pairs_of(found), found.distance.tolist()) == ([(0, 1)], [3])
    found = pairs_within([table], 2, views=[views])
    assert (pairs_of(found), found.distance.tolist()) == ([(0, 1)], [2])


@pytest.mark.parametrize("blocks", [6, 7, 9])
@pytest.mark.parametrize("within_one", [True, False])
def test_partitions_change_nothing(blocks: int, within_one: bool) -> None:
    codes = clustered_codes(250)
    views = some_views(codes, 2)
    queries = None if within_one else [codes[::2]]
    looked_up = [views] if within_one else [views[::2]]
    expected = pairs_within([codes], 5, queries, looked_up)
    for ranges in (1, 2, 7):
        found = searched(Search([codes], SearchPlan(5, blocks, ranges), queries, looked_up))
        assert pairs_of(found) == pairs_of(expected)
        assert found.distance.tolist() == expected.distance.tolist()


@pytest.mark.parametrize("within_one", [True, False])
def test_keys_that_are_equal_by_chance_change_nothing(monkeypatch: pytest.MonkeyPatch, within_one: bool) -> None:
    codes = clustered_codes(150)
    queries = None if within_one else [codes[::3]]
    expected = pairs_of(pairs_within([codes], 5, queries))

    monkeypatch.setattr(candidates, "make_entries", with_one_key)
    found = pairs_within([codes], 5, queries)
    assert pairs_of(found) == expected
    assert found.compared > 5 * len(codes) * len(codes if queries is None else queries[0]) / 2


def test_codes_are_read_from_mapped_files(tmp_path: Path) -> None:
    codes = clustered_codes(120)
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", codes[number * 40 : number * 40 + 40])
    files = [np.load(tmp_path / f"{number}.npy", mmap_mode="r") for number in range(3)]
    assert pairs_of(pairs_within(files, 6)) == all_compared(codes, 6)


@pytest.mark.parametrize("radius", [0, 3])
def test_sets_without_images_have_no_pairs(radius: int) -> None:
    none, some = random_codes(0), random_codes(5)
    for table, queries in (([], None), ([none], None), ([none, some[:1]], None), ([none], [some]), ([some], [none])):
        assert pairs_of(pairs_within(table, radius, queries)) == []
    assert find_copies([], np.zeros(0, np.uint64))[0].tolist() == []


# Images that nothing can tell apart


@pytest.mark.parametrize(
    ("codes", "identity", "first", "copy"),
    [
        ([1, 2, 3], [7, 7, 7], [], []),
        ([1, 2, 1, 1], [7, 7, 7, 7], [0, 0], [2, 3]),
        ([1, 2, 1, 1], [7, 7, 8, 7], [0], [3]),
        ([5, 4, 4, 5, 4, 5], [1, 2, 3, 1, 3, 9], [0, 2], [3, 4]),
    ],
)
@pytest.mark.parametrize("parts", [1, 3])
def test_copies_have_equal_codes_and_look_the_same(
    codes: list[int], identity: list[int], first: list[int], copy: list[int], parts: int
) -> None:
    table = [np.repeat(np.array(codes, np.uint8)[:, None], 16, axis=1)]
    found = [find_copies(table, np.array(identity, np.uint64), part, parts) for part in range(parts)]
    met = sorted((b, a) for some in found for a, b in zip(*map(np.ndarray.tolist, some), strict=True))
    assert met == sorted(zip(copy, first, strict=True))


def test_images_are_no_copies_where_either_half_of_their_codes_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "make_entries", with_one_key)
    codes = np.zeros((4, 16), np.uint8)
    codes[1, 3], codes[2, 12] = 1, 1
    first, copy = find_copies([codes], np.zeros(4, np.uint64))
    assert (first.tolist(), copy.tolist()) == ([0], [3])


def test_groups_are_the_same_where_copies_take_no_part() -> None:
    codes = clustered_codes(60, most=0.06)[np.random.default_rng(3).integers(0, 60, 400)]
    identity = np.random.default_rng(4).integers(0, 2, 400).astype(np.uint64)
    views = some_views(codes, 1)
    views[:] = views[np.unique(codes, axis=0, return_index=True)[1][np.unique(codes, axis=0, return_inverse=True)[1]]]
    every, fewer = (pairs_within([codes], 4, views=[views], identity=given) for given in (None, identity))
    groups = [connect(400, np.stack([found.query, found.table], axis=1)).tolist() for found in (every, fewer)]
    assert groups[0] == groups[1]
    assert len(set(groups[0])) > 20
    assert len(fewer.query) < len(every.query) / 4
    assert set(pairs_of(fewer)) < set(pairs_of(every))


@pytest.mark.parametrize("within_one", [True, False])
def test_what_is_left_out_is_in_no_pair(within_one: bool) -> None:
    codes = clustered_codes(150, clusters=4)
    left_out = np.random.default_rng(6).random(150) < 0.4
    queries = None if within_one else [codes[:70]]
    looked_up = codes if within_one else codes[:70]
    views = some_views(looked_up, 2)
    found = searched(Search([codes], SearchPlan(5, 7), queries, [views], left_out))
    expected = all_compared(codes, 5, None if within_one else looked_up, views)
    assert pairs_of(found) == [
        (query, row) for query, row in expected if not (left_out[row] or (within_one and left_out[query]))
    ]
    assert 0 < len(found.query) < len(expected)


def test_copies_in_the_table_are_found_by_their_first_alone() -> None:
    table = random_codes(6)[[0, 1, 0, 2, 0]]
    found = pairs_within([table], 3, [table], identity=np.array([5, 5, 5, 5, 6], np.uint64))
    assert pairs_of(found) == [(0, 0), (0, 4), (1, 1), (2, 0), (2, 4), (3, 3), (4, 0), (4, 4)]


def test_a_hundred_thousand_equal_images_are_one_star() -> None:
    codes = np.repeat(random_codes(1), 100_000, axis=0)
    found = pairs_within([codes], 8, identity=np.full(100_000, 3, np.uint64))
    assert not found.query.any()
    assert found.table.tolist() == list(range(1, 100_000))
    assert found.compared == 0


# Buckets that are too large


def test_equal_codes_of_many_images_stay_connected_and_what_is_left_out_is_counted() -> None:
    n = 20_000
    codes = np.repeat(random_codes(2), n // 2, axis=0)
    plan = SearchPlan(0, 1, bucket_pairs=1 << 16, window=50, most_found=7)
    found = searched(Search([codes], plan))
    groups = connect(n, np.stack([found.query, found.table], axis=1))
    assert set(groups.tolist()) == {0, n // 2}
    assert found.compared + found.not_compared == 2 * (n // 2) * (n // 2 - 1) // 2
    assert found.compared == 2 * sum(min(50, behind) for behind in range(n // 2))
    assert len(found.query) == 2 * sum(min(7, behind) for behind in range(n // 2))
    assert found.not_reported == found.compared - len(found.query)
    assert (found.query < found.table).all()


@pytest.mark.parametrize("within_one", [True, False])
@pytest.mark.parametrize("bounds", [{"bucket_pairs": 900, "window": 4}, {"most_found": 3}], ids=["compared", "found"])
def test_bounds_leave_out_the_same_whatever_the_ranges(bounds: dict[str, int], within_one: bool) -> None:
    codes = clustered_codes(400, clusters=3)
    views = some_views(codes, 2)
    queries = None if within_one else [changed(codes, 0.05, seed=8)]
    all_found, few, same = (
        searched(Search([codes], plan, queries, [views]))
        for plan in (SearchPlan(6, 8), SearchPlan(6, 8, **bounds), SearchPlan(6, 8, ranges=5, **bounds))
    )
    assert pairs_of(few) == pairs_of(same)
    assert few[3:] == same[3:]
    assert set(pairs_of(few)) < set(pairs_of(all_found))
    if "window" in bounds:
        assert few.not_reported == 0
        assert few.not_compared == all_found.compared - few.compared > 0
    else:
        assert few.not_compared == 0
        assert few.not_reported == len(all_found.query) - len(few.query)


def test_the_nearest_pairs_are_those_that_are_reported() -> None:
    table = np.zeros((4, 16), np.uint8)
    table[:, 0] = [0b1111, 0b11, 0b111, 0b1]
    found = searched(Search([table], SearchPlan(4, 5, most_found=2), [np.zeros((1, 16), np.uint8)]))
    assert list(zip(found.table.tolist(), found.distance.tolist(), strict=True)) == [(1, 2), (3, 1)]
    assert found.not_reported == 2


@pytest.mark.parametrize("within_one", [True, False])
def test_equal_codes_in_a_bucket_that_is_too_large_are_compared(within_one: bool) -> None:
    codes = random_codes(3000)
    codes[:, :4] = 9
    codes[-500:] = codes[:500]
    plan = SearchPlan(3, 4, bucket_pairs=1 << 12, window=8, most_found=4)
    found = searched(Search([codes[:2500]], plan, [codes[2500:]]) if not within_one else Search([codes], plan))
    equal = set(zip(found.query[found.distance == 0].tolist(), found.table[found.distance == 0].tolist(), strict=True))
    expected = {(row, row + 2500) for row in range(500)} if within_one else {(row, row) for row in range(500)}
    assert expected <= equal
    assert found.not_compared > 1_000_000


# What is refused


@pytest.mark.parametrize(
    ("table", "views", "message"),
    [
        (np.zeros((2, 8), np.uint8), (), "codes are not"),
        (np.zeros((2, 16), np.int8), (), "codes are not"),
        (np.zeros((2, 16), np.uint8), [np.zeros((2, 16), np.uint8)], "views are not"),
        (np.zeros((2, 16), np.uint8), [np.zeros((3, 1, 16), np.uint8)], "not of the same images"),
    ],
)
def test_arrays_of_another_kind_are_refused(table: Codes, views: list[Codes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pairs_within([table], 2, views=views)
