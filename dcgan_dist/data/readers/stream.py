"""Files of any store read on from a byte, as they are or inflated: nothing holds more than some blocks of them.

Reads go through `Place.read_range`, so that a lost connection is tried again, and what fails is told in one sentence.
"""

import io
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 4 << 20
"""Most bytes of a block, read or inflated."""

GZIP = b"\x1f\x8b"
"""How a gzip file begins."""

MOST_INFLATED = 1032
"""Deflate makes at most so many bytes of one (RFC 1951: a match of 258 bytes takes two bits)."""

# zlib's own number for "zlib or gzip, whichever its header says".
_EITHER = 15 + 32


def blocks(file: Place, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from `begin` up to `end` (the end of the file where it is None), in order.

    Raises:
        DataError: the file is not there, cannot be read, or ends before `end`.
    """
    end = file.info().size if end is None else end
    for at in range(begin, end, BLOCK):
        size = min(BLOCK, end - at)
        block = file.read_range(at, size)
        if len(block) < size:
            raise DataError(f"{file} ends at byte {at + len(block):,}, before byte {end:,}: copy or download it again")
        yield block


def inflated(file: Place, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
    """What these bytes of a file are once they are decompressed: a zlib stream, or members of gzip.

    Raises:
        DataError: as `blocks`; what is there is damaged, or not whole. A wrong checksum is found at the end only.
    """
    inflater = zlib.decompressobj(_EITHER)
    for block in blocks(file, begin, end):
        while block:
            if inflater.eof:
                inflater = zlib.decompressobj(_EITHER)
            try:
                piece = inflater.decompress(block, BLOCK)
            except zlib.error as error:
                raise DataError(f"{file} is damaged ({error}): copy or download it again") from error
            if piece:
                yield piece
            # Zeros that fill up the last block of a tape or disk may come behind a member.
            block = inflater.unused_data.lstrip(b"\0") if inflater.eof else inflater.unconsumed_tail
    if not inflater.eof:
        raise DataError(f"{file} ends in the middle of what is compressed in it: copy or download it again")


def stream(pieces: Iterator[bytes]) -> io.BufferedReader:
    """Pieces, none of them empty, as a file that can only be read on."""
    return io.BufferedReader(_Pieces(pieces), BLOCK)


def skip(file: io.BufferedReader, size: int) -> None:
    """Read on over so many bytes, or to the end where there are fewer."""
    while size > 0 and (passed := len(file.read(min(size, BLOCK)))):
        size -= passed


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        into = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
