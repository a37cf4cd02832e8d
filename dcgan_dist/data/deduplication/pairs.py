"""From codes to pairs: a partition of the search, and a second look at what it finds; no Ray."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.candidates import Search, search
from dcgan_dist.data.deduplication.code_store import open_codes
from dcgan_dist.data.deduplication.comparison import difference
from dcgan_dist.data.deduplication.histogram import counted
from dcgan_dist.data.deduplication.sealed_files import read_sealed, write_sealed
from dcgan_dist.data.deduplication.search_plan import SearchPlan
from dcgan_dist.data.deduplication.thumbnail_files import ThumbnailFiles
from dcgan_dist.storage import Place

KEPT_ABOVE = 1.5
"""Pairs are recorded up to so many times the threshold, for who wants to look at what was just not found."""

_COMPARED = 8_192
_COLUMNS = ("query", "table", "distance", "difference")


@dataclass(frozen=True)
class Side:
    """A data set in a search.

    Attributes:
        thumbnails: of its images.
        codes: folder of their codes.
        takes_part: file of bool [n], which of them are compared at all.
    """

    thumbnails: ThumbnailFiles
    codes: Place
    takes_part: Place


@dataclass(frozen=True)
class Looking:
    """What all partitions of a search have in common; it is sent to every process.

    Attributes:
        table: what is searched.
        queries: what is looked up in it; None: pairs within one set.
        views: lookups of an image beside its own code.
        plan: of the search.
        threshold: largest difference of duplicates; None: what has a candidate's code is a duplicate.
        folder: for files of pairs.
    """

    table: Side
    queries: Side | None
    views: int
    plan: SearchPlan
    threshold: float | None
    folder: Place


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images, of one partition or of all.

    Attributes:
        query, table: int64 [k], rows of both; within one set, the lower row is that of `query`.
        distance: uint8 [k], bits in which their codes differ.
        difference: float32 [k], of what the second look saw; 0 where there is none.
        histogram: int64 [b], how many candidates are in each bin of `edges_of` the threshold.
        compared, not_compared, not_reported: see `candidates.Found`.
    """

    query: NDArray[np.int64]
    table: NDArray[np.int64]
    distance: NDArray[np.uint8]
    difference: NDArray[np.float32]
    histogram: NDArray[np.int64]
    compared: int
    not_compared: int
    not_reported: int

    def __len__(self) -> int:
        return len(self.query)

    @property
    def candidates(self) -> int:
        """How many pairs there were before the second look."""
        return int(self.histogram.sum())

    def take(self, rows: NDArray[np.intp]) -> "Pairs":
        """Some of these pairs, in this order."""
        columns = (self.query[rows], self.table[rows], self.distance[rows], self.difference[rows])
        return Pairs(*columns, self.histogram, self.compared, self.not_compared, self.not_reported)

    def with_same(self, first: NDArray[np.int64], copy: NDArray[np.int64], threshold: float | None) -> "Pairs":
        """With pairs of which both thumbnails are the same."""
        histogram = self.histogram + counted(np.zeros(len(copy), np.float32), edges_of(threshold))
        nothing = np.zeros(len(copy), np.uint8)
        same = Pairs(first, copy, nothing, nothing.astype(np.float32), histogram, 0, 0, 0)
        return self._joined(same, histogram)

    def swapped(self) -> "Pairs":
        """With the other image of each pair first."""
        return replace(self, query=self.table, table=self.query)

    def united(self, other: "Pairs") -> "Pairs":
        """These, and those of another search that are not among them; each counts once.

        What two searches have both found is known only of pairs that are recorded: in the histogram, others that both
        have found count twice.
        """
        joined = self._joined(other, self.histogram + other.histogram)
        new = np.ones(len(joined), bool)
        new[1:] = (np.diff(joined.query) != 0) | (np.diff(joined.table) != 0)
        return joined.take(np.flatnonzero(new))

    def _joined(self, other: "Pairs", histogram: NDArray[np.int64]) -> "Pairs":
        joined = replace(
            self,
            query=np.concatenate([self.query, other.query]),
            table=np.concatenate([self.table, other.table]),
            distance=np.concatenate([self.distance, other.distance]),
            difference=np.concatenate([self.difference, other.difference]),
            histogram=histogram,
            compared=self.compared + other.compared,
            not_compared=self.not_compared + other.not_compared,
            not_reported=self.not_reported + other.not_reported,
        )
        return joined.take(np.lexsort((joined.difference, joined.table, joined.query)))


def file_of(partition: int) -> str:
    """Name of the file with the pairs of a partition."""
    return f"{partition:06d}.npz"


def find_pairs(looking: Looking, partition: int) -> int:
    """Write the pairs of a partition; returns how many candidates it had.

    Raises:
        DataError: a store fails.
    """
    codes, views = open_codes(looking.table.codes, looking.table.thumbnails.units, looking.views)
    queries = None
    if looking.queries is not None:
        queries, views = open_codes(looking.queries.codes, looking.queries.thumbnails.units, looking.views)
    takes_part = _read_flags(looking.table.takes_part)
    found = search(Search(codes, looking.plan, queries, views, ~takes_part), partition)
    query, table, distance = found.query, found.table, found.distance
    asked = looking.table if looking.queries is None else looking.queries
    if looking.queries is not None:
        some = _read_flags(looking.queries.takes_part)[query]
        query, table, distance = query[some], table[some], distance[some]
    order = np.lexsort((table, query))
    query, table, distance = query[order], table[order], distance[order]
    seen = np.zeros(len(query), np.float32)
    if looking.threshold is not None:
        for first in range(0, len(query), _COMPARED):
            part = slice(first, first + _COMPARED)
            seen[part] = difference(asked.thumbnails.read(query[part]), looking.table.thumbnails.read(table[part]))
    histogram = counted(seen, edges_of(looking.threshold))
    if looking.threshold is not None:
        kept = seen <= KEPT_ABOVE * looking.threshold
        query, table, distance, seen = query[kept], table[kept], distance[kept], seen[kept]
    file = io.BytesIO()
    counts = np.array([found.compared, found.not_compared, found.not_reported], np.int64)
    np.savez(
        file, query=query, table=table, distance=distance, difference=seen, histogram=histogram, counts=counts
    )  # its members have the time of 1980, so that the same pairs are the same bytes
    write_sealed(looking.folder / file_of(partition), file.getvalue())
    return int(histogram.sum())


def edges_of(threshold: float | None) -> NDArray[np.float64]:
    """Edges of the histogram of differences, float64 [41]: bins of a tenth of the threshold."""
    return np.arange(41) / 10 * (threshold or 1.0)


def read_pairs(folder: Place, partitions: Sequence[int]) -> Pairs:
    """All pairs of some partitions, sorted by both rows, with the sums of what was counted; raises `DataError`."""
    parts = [_read(folder / file_of(partition)) for partition in partitions]
    query, table, distance, seen = (np.concatenate([part[column] for part in parts]) for column in _COLUMNS)
    order = np.lexsort((table, query))
    counts = np.sum([part["counts"] for part in parts], axis=0).tolist()
    histogram = np.sum([part["histogram"] for part in parts], axis=0)
    return Pairs(query[order], table[order], distance[order], seen[order], histogram, *counts)


def _read(file: Place) -> dict[str, NDArray[np.generic]]:
    with np.load(io.BytesIO(read_sealed(file)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in (*_COLUMNS, "histogram", "counts")}


def write_flags(file: Place, flags: NDArray[np.bool_]) -> None:
    """Write bool [n]."""
    file.write_bytes(np.packbits(flags).tobytes() + len(flags).to_bytes(8, "little"))


def _read_flags(file: Place) -> NDArray[np.bool_]:
    data = file.read_bytes()
    return np.unpackbits(np.frombuffer(data[:-8], np.uint8), count=int.from_bytes(data[-8:], "little")).astype(bool)
