"""Codes of several files as one table of rows; the files may be mapped from disk."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Codes = Sequence[NDArray[np.uint8]]
"""uint8 [n, 16] each: the codes of several files, in the order of the samples."""
Views = Sequence[NDArray[np.uint8]]
"""uint8 [n, V, 16] each: other codes by which the same images are looked up."""
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

MOST_ROWS = 1 << 31
"""Rows are the lower 31 bits of an entry, see `buckets.py`."""
_SCANNED = 1 << 16
"""Rows that are scanned at a time, at least: few enough for the cache of a core."""


class CodeFiles:
    """Codes as pairs of uint64, the lower 64 bits first. Lookup 0 is an image's own code, lookup 1 its first view."""

    def __init__(self, codes: Codes, views: Views = ()) -> None:
        """Join files.

        Args:
            codes: of each file.
            views: of each file, or none at all.

        Raises:
            ValueError: arrays have other shapes or types, views are of other images, or there are too many codes.
        """
        if any(some.dtype != np.uint8 or some.ndim != 2 or some.shape[1] != 16 for some in codes):
            raise ValueError("codes are not uint8 [n, 16]")
        if any(some.dtype != np.uint8 or some.ndim != 3 or some.shape[2] != 16 for some in views):
            raise ValueError("views are not uint8 [n, V, 16]")
        if views and [len(some) for some in views] != [len(some) for some in codes]:
            raise ValueError("views and codes are not of the same images")
        if len({some.shape[1] for some in views}) > 1:
            raise ValueError("files have different numbers of views")
        self._codes = [_words(some) for some in codes]
        self._views = [_words(some) for some in views]
        self._begin = np.cumsum([0] + [len(some) for some in codes])
        self.lookups = 1 + (views[0].shape[1] if views else 0)
        if len(self) > MOST_ROWS:
            raise ValueError(f"{len(self):,} codes are more than {MOST_ROWS:,}")

    def __len__(self) -> int:
        return int(self._begin[-1])

    def scan(self, lookup: int) -> Iterator[tuple[int, Words]]:
        """All codes of a lookup, uint64 [m, 2] at a time, each with its first row."""
        waiting: list[Words] = []
        first, held = 0, 0
        for number in range(len(self._codes)):
            codes = self._of(lookup, number)
            for row in range(0, len(codes), _SCANNED):
                waiting.append(codes[row : row + _SCANNED])
                held += len(waiting[-1])
                if held >= _SCANNED:
                    yield first, _join(waiting)
                    first, held, waiting = first + held, 0, []
        if held:
            yield first, _join(waiting)

    def take(self, rows: Integers, lookup: int = 0) -> tuple[Words, Words]:
        """The halves of the codes of some rows, uint64 [m] each."""
        if len(self._codes) == 1:
            taken = self._of(lookup, 0)[rows]
        else:
            taken = np.empty((len(rows), 2), np.uint64)
            order = np.argsort(rows)
            bounds = np.searchsorted(rows, self._begin, sorter=order).tolist()
            for number, (begin, end) in enumerate(pairwise(bounds)):
                if end > begin:
                    at = order[begin:end]
                    taken[at] = self._of(lookup, number)[rows[at] - self._begin[number]]
        return taken[:, 0], taken[:, 1]

    def _of(self, lookup: int, number: int) -> Words:
        return self._codes[number] if lookup == 0 else self._views[number][:, lookup - 1]


def count(codes: Codes) -> int:
    """Number of codes in all files."""
    return sum(len(some) for some in codes)


def _join(parts: list[Words]) -> Words:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _words(codes: NDArray[np.uint8]) -> Words:
    # Halves are read in one byte order, so that the ranges of keys are the same on every machine.
    return np.ascontiguousarray(codes).view("<u8")
