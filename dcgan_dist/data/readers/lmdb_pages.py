"""Where the values of an LMDB lie in its file, found by the pages of its tree alone; no library.

LMDB's own library maps the file into memory: one that is cut off ends the process by a signal, and none can be on an
object store. It also looks at the first page of each value while it walks over keys, which of LSUN's bedrooms are three
million pages anywhere in 43 GB. The tree itself is a hundredth of that, and says where each value begins and ends.

The format is that of `MDB_meta`, `MDB_page` and `MDB_node` in mdb.c of LMDB 0.9 (data version 1), as 64-bit machines
write it with the lowest byte first. A value that does not fit beside others lies in one piece, on pages of its own.
"""

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from dcgan_dist.data.readers.published import what_else
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEADER_BYTES = 16
_META = struct.Struct("<16xII16xI48xHH24xQQQQ")
_PAGE = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_NUMBER = struct.Struct("<Q")
_BRANCH, _LEAF, _KINDS = 0x01, 0x02, 0x2F
_ELSEWHERE, _OTHER_THAN_VALUES = 0x01, 0x06
_DEEPEST, _NO_PAGE = 32, 2**64 - 1
_PAGE_BYTES = {1 << power for power in range(9, 17)}

# On an object store most of the time is waiting.
_REQUESTS, _READ_AHEAD = 16, 512


@dataclass(frozen=True)
class Values:
    """Some neighbors in the order of keys: the key of each, where its value begins in the file, and how long it is."""

    keys: list[bytes]
    offsets: list[int]
    sizes: list[int]


@dataclass(frozen=True)
class _Meta:
    """What the newer of the two meta pages says: bytes a page, and the tree of the main database."""

    page_bytes: int
    flags: int
    depth: int
    entries: int
    root: int
    last_page: int


@dataclass(frozen=True)
class Lmdb:
    """The main database of an LMDB; `open_lmdb` makes it.

    Attributes:
        file: its `data.mdb`.
        meta: what it says of itself.
    """

    file: Place
    meta: _Meta

    def __len__(self) -> int:
        return self.meta.entries

    def values(self) -> Iterator[Values]:
        """Where all values are, in the order of keys, those of a page at a time; no value is read.

        Raises:
            DataError: the tree is damaged, or holds something else than values.
        """
        numbers = [self.meta.root] if self.meta.entries else []
        for _ in range(self.meta.depth - 1):
            below: list[int] = []
            for number, page in self._pages(numbers):
                below += self._children(number, page)
                # A page is in a tree once: damage could make a tree grow with each level.
                if len(below) > self.meta.last_page:
                    raise self._damaged("its tree has more pages than the file")
            numbers = below
        found, last = 0, b""
        for number, page in self._pages(numbers):
            values = self._leaf(number, page)
            if any(one >= other for one, other in pairwise((last, *values.keys))):
                raise self._damaged(f"the keys of page {number:,} are not in order")
            found, last = found + len(values.keys), values.keys[-1]
            yield values
        if found != self.meta.entries:
            raise self._damaged(f"it says that it holds {self.meta.entries:,} values, but {found:,} are found")

    def _pages(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        read = partial(_read_page, self.file, self.meta.page_bytes)
        if self.file.is_local:
            yield from zip(numbers, map(read, numbers), strict=True)
            return
        with ThreadPoolExecutor(_REQUESTS) as requests:
            for first in range(0, len(numbers), _READ_AHEAD):
                some = numbers[first : first + _READ_AHEAD]
                yield from zip(some, requests.map(read, some), strict=True)

    def _children(self, number: int, page: bytes) -> list[int]:
        children = []
        for _, low, high, highest, _ in self._nodes(number, page, _BRANCH):
            child = low | high << 16 | highest << 32
            if not 2 <= child <= self.meta.last_page:
                raise self._damaged(f"page {number:,} leads to page {child:,}, which it does not have")
            children.append(child)
        return children

    def _leaf(self, number: int, page: bytes) -> Values:
        found = Values([], [], [])
        end_of_file = (self.meta.last_page + 1) * self.meta.page_bytes
        for at, low, high, flags, key_bytes in self._nodes(number, page, _LEAF):
            if flags & _OTHER_THAN_VALUES:
                raise DataError(f"{self.file} holds databases or lists inside it, but one value a key is expected")
            size = low | high << 16
            body = at + _NODE.size + key_bytes
            if flags & _ELSEWHERE:
                inside = body + _NUMBER.size <= len(page)
                begin = _NUMBER.unpack_from(page, body)[0] * self.meta.page_bytes + _HEADER_BYTES if inside else 0
                inside = inside and begin + size <= end_of_file
            else:
                begin, inside = number * self.meta.page_bytes + body, body + size <= len(page)
            if not inside:
                raise self._damaged(f"a value on page {number:,} ends behind what holds it")
            found.keys.append(page[at + _NODE.size : body])
            found.offsets.append(begin)
            found.sizes.append(size)
        return found

    def _nodes(self, number: int, page: bytes, kind: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Where each node of a page begins there, and the four numbers that it begins with."""
        if len(page) < self.meta.page_bytes:
            raise self._damaged(f"it has become shorter, and ends before page {number:,}")
        own_number, _, flags, lower, _ = _PAGE.unpack_from(page)
        if own_number != number or flags & _KINDS != kind or not _HEADER_BYTES + 2 <= lower <= len(page):
            raise self._damaged(f"page {number:,} is not what its tree needs there")
        for at in struct.unpack_from(f"<{(lower - _HEADER_BYTES) // 2}H", page, _HEADER_BYTES):
            if at + _NODE.size > len(page):
                raise self._damaged(f"page {number:,} is not what its tree needs there")
            yield at, *_NODE.unpack_from(page, at)

    def _damaged(self, why: str) -> DataError:
        return DataError(f"{self.file} is damaged: {why}; get it again")


def open_lmdb(file: Place) -> Lmdb:
    """Look at the two meta pages of a `data.mdb`.

    Raises:
        DataError: it is none, is cut off, or is of a format that is not read.
    """
    size = file.info().size
    first = file.read_range(0, _META.size)
    if told := what_else(first):
        raise DataError(f"{file} is no LMDB: {told}")
    page_bytes = _META.unpack(first)[2] if len(first) == _META.size else 0
    metas = [_meta(file, data) for data in (first, file.read_range(page_bytes, _META.size))]
    known = [meta for meta in metas if meta]
    # With one of them damaged the other could be that of an earlier state.
    if len(known) < 2:
        raise DataError(f"{file} is no LMDB as 64-bit machines write it, or is damaged: get it again")
    _, meta = max(known, key=lambda pair: pair[0])
    needed = (meta.last_page + 1) * meta.page_bytes
    if size < needed:
        raise DataError(f"{file} is cut off: it has {size:,} of {needed:,} bytes; copy or unpack it again")
    if meta.flags:
        raise DataError(f"{file} has numbers as keys or several values a key: give one of LSUN's, which has neither")
    empty = (meta.entries, meta.depth, meta.root) == (0, 0, _NO_PAGE)
    if not empty and not (meta.entries and 1 <= meta.depth <= _DEEPEST and 2 <= meta.root <= meta.last_page):
        raise DataError(f"{file} is damaged: its tree has depth {meta.depth} and root {meta.root:,}; get it again")
    return Lmdb(file, meta)


def _meta(file: Place, data: bytes) -> tuple[int, _Meta] | None:
    """Number of the transaction that wrote a meta page, and what it says; None where it is none."""
    if len(data) < _META.size:
        return None
    magic, version, page_bytes, flags, depth, entries, root, last_page, transaction = _META.unpack(data)
    if magic != _MAGIC or page_bytes not in _PAGE_BYTES:
        return None
    if version != _VERSION:
        raise DataError(f"{file} is an LMDB of format {version}, but {_VERSION} is read: export it, and load it again")
    return transaction, _Meta(page_bytes, flags, depth, entries, root, last_page)


def _read_page(file: Place, page_bytes: int, number: int) -> bytes:
    return file.read_range(number * page_bytes, page_bytes)
