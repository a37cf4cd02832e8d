"""Candidate pairs: codes of 128 bits within a Hamming radius of one another, without comparing all with all.

What is found does not depend on how many partitions there are, nor on where and in what order they are searched. Each
pair is reported by one partition, that of the first lookup and the first combination of blocks by which it can be
found, and these are known from the codes of its two images. Partitions share nothing, so each can be a task of its
own.

All pairs are found, with two exceptions; without them, thousands of images that are all alike, such as blank ones,
would make millions of pairs:

- Images that nothing can tell apart (equal codes and equal `identity`, such as a digest of the thumbnail that codes,
  views and the second look are made from) are found by `find_copies`: each is paired with the first of them, and takes
  no further part. No group is lost by that.
- In a *bucket*, which holds all codes that have one key, a code is compared with a bounded number of others, the next
  ones in the order of codes, and of the pairs within the radius a bounded number is reported for it, the nearest ones;
  see `SearchPlan` for the bounds. What was left out is counted in `Found`. Within one set, images of equal codes are
  connected by pairs however many they are; others that are left out may be missing from their group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.buckets import Buckets, make_entries, meet, rows_of, shared_buckets
from dcgan_dist.data.deduplication.code_files import CodeFiles, Codes, Integers, Views, Words, count
from dcgan_dist.data.deduplication.search_plan import BITS, SearchPlan, plan_search

Flags = NDArray[np.bool_]
_COMPARED = 1 << 17
"""Pairs that are compared at a time: few enough for the cache of a core."""


class Found(NamedTuple):
    """Pairs that one partition reports, or several.

    Attributes:
        query: int64 [k], row of the image that was looked up; within one set, the lower row of the pair.
        table: int64 [k], row of the image that was found.
        distance: uint8 [k], bits in which the codes differ, in the first lookup by which they are within the radius.
        compared: pairs of codes that were compared.
        not_compared: pairs of codes with equal keys that were not, because their bucket was too large.
        not_reported: pairs within the radius that were left out, because a code had too many in one bucket.
    """

    query: Integers
    table: Integers
    distance: NDArray[np.uint8]
    compared: int = 0
    not_compared: int = 0
    not_reported: int = 0


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for, and where.

    Attributes:
        table: codes that are searched.
        plan: how.
        queries: codes that are looked up in `table`; none for pairs within `table`.
        views: other codes of the images that are looked up, or none.
        left_out: bool [n], rows of `table` that take no part, see `find_copies`; within one set, they are not looked
            up either.
    """

    table: Codes
    plan: SearchPlan
    queries: Codes | None = None
    views: Views = ()
    left_out: Flags | None = None


def pairs_within(
    table: Codes,
    radius: int,
    queries: Codes | None = None,
    views: Views = (),
    identity: NDArray[np.uint64] | None = None,
) -> Found:
    """All partitions of a search in this process; the top of this file says what is found.

    Args:
        table: codes that are searched.
        radius: most bits in which two codes of a pair differ, 0 to 127.
        queries: codes that are looked up in `table`; none for pairs within `table`.
        views: other codes of the images that are looked up.
        identity: uint64 [n], of the images of `table`: equal only where their thumbnails are.

    Returns:
        the pairs, sorted. Within one set, copies with the first of them, at distance 0, are among them.
    """
    looked_up = CodeFiles(table if queries is None else queries, views)
    plan = plan_search(count(table), None if queries is None else len(looked_up), radius, looked_up.lookups - 1)
    found, left_out = [], None
    if identity is not None:
        first, copy = find_copies(table, identity)
        left_out = np.zeros(count(table), bool)
        left_out[copy] = True
        if queries is None:
            found.append(Found(first, copy, np.zeros(len(copy), np.uint8)))
    what = Search(table, plan, queries, views, left_out)
    return merge(found + [search(what, partition) for partition in range(plan.partitions)])


def merge(parts: Sequence[Found]) -> Found:
    """The pairs of several partitions, sorted by query and table, with the sums of what was counted."""
    query, table, distance = (np.concatenate(columns) for columns in zip(*(part[:3] for part in parts), strict=True))
    order = np.lexsort((table, query))
    counted = [sum(numbers) for numbers in zip(*(part[3:] for part in parts), strict=True)]
    return Found(query[order], table[order], distance[order], *counted)


def find_copies(table: Codes, identity: NDArray[np.uint64], part: int = 0, parts: int = 1) -> tuple[Integers, Integers]:
    """Images that nothing can tell apart.

    Args:
        table: codes.
        identity: uint64 [n], equal only where their thumbnails are.
        part, parts: only the part `part` of all codes, by hashes; images that are alike are in the same part.

    Returns:
        (int64 [k] the first of those that are alike, int64 [k] the copy), sorted by the copy.
    """
    codes = CodeFiles(table)
    rows = rows_of(shared_buckets(make_entries(codes, 0, (1 << BITS) - 1, part, parts, None)).entries)
    low, high = codes.take(rows)
    order = np.lexsort((rows, identity[rows], high, low))
    rows, low, high = rows[order], low[order], high[order]
    seen = identity[rows]
    begins = np.ones(len(rows), bool)
    begins[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1]) | (seen[1:] != seen[:-1])
    first = rows[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    back = np.argsort(rows[~begins])
    return first[~begins][back], rows[~begins][back]


def search(what: Search, partition: int) -> Found:
    """The pairs that one partition reports.

    It takes some 20 bytes of memory for each of its codes, and up to 80 where all of them share keys with others.

    Args:
        what: the same for all partitions.
        partition: from 0 to `what.plan.partitions` - 1.
    """
    return _Partition(what, partition).search()


@dataclass(frozen=True, eq=False)
class _Members:
    """Codes of buckets, side by side: rows int64 [n], halves of the codes uint64 [n]."""

    row: Integers
    low: Words
    high: Words


class _Partition:
    def __init__(self, what: Search, partition: int) -> None:
        self._plan = what.plan
        self._table = CodeFiles(what.table)
        self._within_one = what.queries is None
        self._looked_up = CodeFiles(what.table if what.queries is None else what.queries, what.views)
        self._left_out = what.left_out
        self._range = what.plan.key_range(partition)
        combination = what.plan.combination(partition)
        self._equal = sum(what.plan.mask(block) for block in combination)
        self._unequal = [what.plan.mask(block) for block in range(combination[-1]) if block not in combination]

    def search(self) -> Found:
        """All lookups, one after the other."""
        parts = [Found(*_NOTHING)]
        if self._within_one:
            parts.append(self._search_itself())
        first = int(self._within_one)
        if self._looked_up.lookups > first:
            table = self._entries(self._table, 0, self._left_out)
            for lookup in range(first, self._looked_up.lookups):
                parts.append(self._search_queries(table, lookup))
        return merge(parts)

    def _entries(self, codes: CodeFiles, lookup: int, left_out: Flags | None) -> Words:
        return make_entries(codes, lookup, self._equal, self._range, self._plan.ranges, left_out)

    def _search_itself(self) -> Found:
        """Each code with those behind it in its bucket."""
        buckets = shared_buckets(self._entries(self._table, 0, self._left_out))
        members = self._members(self._table, 0, rows_of(buckets.entries))
        most = self._most(buckets)
        _sort_by_code(members, buckets, buckets.size > most)
        position = np.arange(len(members.row))
        left = np.repeat(buckets.begin + buckets.size, buckets.size) - position - 1
        return self._compare(members, members, position + 1, np.minimum(left, np.repeat(most, buckets.size)), left, 0)

    def _search_queries(self, table: Words, lookup: int) -> Found:
        """Each code that is looked up with those in the bucket of its key."""
        entries = self._entries(self._looked_up, lookup, self._left_out if self._within_one else None)
        buckets, entries, bucket = meet(table, entries)
        members = self._members(self._table, 0, rows_of(buckets.entries))
        queries = self._members(self._looked_up, lookup, rows_of(entries))
        begin, size, most = buckets.begin[bucket], buckets.size[bucket], self._most(buckets)
        for number in _sort_by_code(members, buckets, buckets.size > most):
            first, end = buckets.begin[number], buckets.begin[number] + buckets.size[number]
            some = slice(*np.searchsorted(bucket, [number, number + 1]).tolist())
            at = first + _places(queries, some, members, slice(first, end))
            begin[some] = np.clip(at - most[number] // 2, first, end - most[number])
        return self._compare(queries, members, begin, np.minimum(size, most[bucket]), size, lookup)

    def _members(self, codes: CodeFiles, lookup: int, rows: Integers) -> _Members:
        return _Members(rows, *codes.take(rows, lookup))

    def _most(self, buckets: Buckets) -> Integers:
        """Codes of each bucket that one code is compared with."""
        return np.maximum(self._plan.window, self._plan.bucket_pairs // buckets.size)

    def _compare(
        self, queries: _Members, table: _Members, begin: Integers, size: Integers, whole: Integers, lookup: int
    ) -> Found:
        """Compare query i with table[begin[i] : begin[i] + size[i]], of `whole[i]` that have its key."""
        found = [_NOTHING]
        not_reported = 0
        for chunk in _chunks(size):
            query, other, distance = self._near(queries, table, begin[chunk], size[chunk], chunk.start)
            new = self._first_time(queries.row[query], table.row[other], lookup)
            query, row, distance = query[new], table.row[other[new]], distance[new]
            order = np.lexsort((row, distance, query))
            query, row, distance = query[order], row[order], distance[order]
            rank = np.arange(len(query)) - np.searchsorted(query, query)
            kept = rank < self._plan.most_found
            not_reported += int(np.count_nonzero(~kept))
            found.append((queries.row[query[kept]], row[kept], distance[kept]))
        query, row, distance = (np.concatenate(columns) for columns in zip(*found, strict=True))
        if self._within_one:
            query, row = np.minimum(query, row), np.maximum(query, row)
        compared = int(size.sum())
        return Found(query, row, distance, compared, int(whole.sum()) - compared, not_reported)

    def _near(
        self, queries: _Members, table: _Members, begin: Integers, size: Integers, first: int
    ) -> tuple[Integers, Integers, NDArray[np.uint8]]:
        """Pairs within the radius that this combination of blocks is the first to find: queries, table, distance."""
        ends = np.cumsum(size)
        some = slice(first, first + len(size))
        other = np.repeat(begin - (ends - size), size) + np.arange(ends[-1])
        low = np.repeat(queries.low[some], size) ^ table.low[other]
        high = np.repeat(queries.high[some], size) ^ table.high[other]
        distance = np.bitwise_count(low) + np.bitwise_count(high)
        near = np.flatnonzero(distance <= self._plan.radius)
        low, high = low[near], high[near]
        own = _differ_nowhere(low, high, self._equal)
        for block in self._unequal:
            own &= ~_differ_nowhere(low, high, block)
        near = near[own]
        return first + np.searchsorted(ends, near, side="right"), other[near], distance[near]

    def _first_time(self, query: Integers, table: Integers, lookup: int) -> Flags:
        """Whether no lookup before this one finds the pair; the lower row of a pair is looked up first."""
        new = query != table if self._within_one else np.ones(len(query), bool)
        for earlier in range(lookup):
            new &= ~self._within_radius(query, table, earlier)
        if self._within_one and lookup:
            back = query > table
            for earlier in range(1, self._looked_up.lookups):
                new[back] &= ~self._within_radius(table[back], query[back], earlier)
        return new

    def _within_radius(self, query: Integers, table: Integers, lookup: int) -> Flags:
        (low, high), (other_low, other_high) = self._looked_up.take(query, lookup), self._table.take(table)
        distance = np.bitwise_count(low ^ other_low) + np.bitwise_count(high ^ other_high)
        near: Flags = distance <= self._plan.radius
        return near


_NOTHING = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


def _sort_by_code(members: _Members, buckets: Buckets, large: Flags) -> list[int]:
    """Sort those buckets in place, so that codes that begin alike are side by side; returns their numbers."""
    numbers: list[int] = np.flatnonzero(large).tolist()
    for number in numbers:
        some = slice(buckets.begin[number], buckets.begin[number] + buckets.size[number])
        columns = [column[some] for column in (members.row, members.high, members.low)]
        order = np.lexsort(columns)
        for column in columns:
            column[:] = column[order]
    return numbers


def _places(queries: _Members, some: slice, members: _Members, sorted_: slice) -> Integers:
    """How many of some sorted members have codes before that of each of some queries."""
    low, high = (
        np.concatenate([getattr(queries, half)[some], getattr(members, half)[sorted_]]) for half in ("low", "high")
    )
    order = np.lexsort((high, low))
    is_query = order < some.stop - some.start
    places = np.empty(some.stop - some.start, np.int64)
    places[order[is_query]] = np.cumsum(~is_query)[is_query]
    return places


def _differ_nowhere(low: Words, high: Words, mask: int) -> Flags:
    """Whether differences uint64 [n] have no bit of a mask of 128 bits."""
    lower, upper = np.uint64(mask & (1 << 64) - 1), np.uint64(mask >> 64)
    nowhere: Flags = (low & lower) | (high & upper) == 0
    return nowhere


def _chunks(size: Integers) -> Iterator[slice]:
    """Neighbors whose sizes come to about `_COMPARED`, one at least; those of size 0 at the end are left."""
    ends = np.cumsum(size)
    begin = 0
    while begin < len(size) and (ends[-1] > (ends[begin - 1] if begin else 0)):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _COMPARED, side="right")))
        yield slice(begin, end)
        begin = end
