"""Codes that are equal in some of their bits, found by sorting: buckets.

An *entry* is one uint64 for a code: a hash of the bits that count in its upper half, the *key*, and the row in its
lower one. Sorted entries have equal keys side by side, in the order of their rows. Codes that are equal where it
counts have equal keys; others have so too, now and then, and whoever needs to know compares the codes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.code_files import MOST_ROWS, CodeFiles, Integers, Words
from dcgan_dist.data.deduplication.search_plan import KEY_BITS

_KEY_BITS = np.uint64(KEY_BITS)
_ROW = np.uint64((1 << KEY_BITS) - 1)
_QUERY = np.uint64(MOST_ROWS)
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))
"""Any odd numbers with irregular bits will do."""
_CHUNK = 1 << 18


@dataclass(frozen=True, eq=False)
class Buckets:
    """Entries with equal keys: bucket i holds those from begin[i] to begin[i] + size[i].

    Attributes:
        entries: uint64 [n], sorted.
        begin, size: int64 [b], of each bucket.
    """

    entries: Words
    begin: Integers
    size: Integers

    def narrow(self, wanted: NDArray[np.bool_]) -> "Buckets":
        """Only some of the buckets, bool [b]."""
        size = self.size[wanted]
        begin = np.cumsum(size) - size
        return Buckets(self.entries[np.repeat(wanted, self.size)], begin, size)


def make_entries(
    codes: CodeFiles, lookup: int, mask: int, part: int, parts: int, left_out: NDArray[np.bool_] | None
) -> Words:
    """Entries of all codes whose keys are in one part of all keys, in the order of the codes.

    Args:
        codes: of n images.
        lookup: which of the codes of each image.
        mask: the bits that count, of 128.
        part, parts: only keys of the part `part` of so many equal parts.
        left_out: bool [n], images without an entry.
    """
    low, high = np.uint64(mask & (1 << 64) - 1), np.uint64(mask >> 64)
    chosen = np.empty(-(-len(codes) // parts), np.uint64)
    held = 0
    for first, words in codes.scan(lookup):
        entries = (words[:, 0] & low) * _ODD[0]
        entries ^= entries >> _KEY_BITS
        entries += words[:, 1] & high
        entries *= _ODD[1]
        entries ^= entries >> _KEY_BITS
        entries *= _ODD[2]
        wanted = np.ones(len(entries), bool)
        if parts > 1:
            wanted = ((entries >> _KEY_BITS) * np.uint64(parts)) >> _KEY_BITS == part
        if left_out is not None:
            wanted &= ~left_out[first : first + len(entries)]
        entries &= ~_ROW
        entries |= np.arange(first, first + len(entries), dtype=np.uint64)
        entries = entries[wanted]
        if held + len(entries) > len(chosen):
            chosen = np.concatenate([chosen[:held], np.empty(len(entries) + held // 8, np.uint64)])
        chosen[held : held + len(entries)] = entries
        held += len(entries)
    return chosen[:held]


def shared_buckets(entries: Words) -> Buckets:
    """The buckets that hold more than one entry; sorts the entries in place."""
    entries.sort()
    same = _same_as_next(entries)
    shared = np.zeros(len(entries), bool)
    shared[1:] = same
    shared[:-1] |= same
    entries = entries[shared]
    begins = np.ones(len(entries), bool)
    begins[1:] = ~_same_as_next(entries)
    begin = np.flatnonzero(begins)
    return Buckets(entries, begin, np.diff(begin, append=len(entries)))


def meet(table: Words, queries: Words) -> tuple[Buckets, Words, Integers]:
    """What has the same keys in two sets.

    Args:
        table: uint64 [n], entries.
        queries: uint64 [m], entries; the same row may be in both.

    Returns:
        the buckets of those of `table` that meet some of `queries`; these, uint64 [k], sorted; and the bucket of
        each, int64 [k].
    """
    # Within a bucket, entries of queries come last.
    both = shared_buckets(np.concatenate([table, queries | _QUERY]))
    is_query = both.entries & _QUERY != 0
    number = np.add.reduceat(is_query, both.begin, dtype=np.int64) if len(both.begin) else both.size
    wanted = (number > 0) & (number < both.size)
    both, is_query, number = both.narrow(wanted), is_query[np.repeat(wanted, both.size)], number[wanted]
    size = both.size - number
    known = Buckets(both.entries[~is_query], np.cumsum(size) - size, size)
    return known, both.entries[is_query] & ~_QUERY, np.repeat(np.arange(len(number)), number)


def rows_of(entries: Words) -> Integers:
    """The rows of entries, int64 [n]."""
    return (entries & _ROW & ~_QUERY).astype(np.int64)


def _same_as_next(entries: Words) -> NDArray[np.bool_]:
    same = np.empty(max(0, len(entries) - 1), bool)
    for i in range(0, len(same), _CHUNK):
        some = entries[i : i + _CHUNK + 1]
        same[i : i + _CHUNK] = (some[1:] ^ some[:-1]) <= _ROW
    return same
