"""The files in tars, found by headers alone where a tar is not compressed, also in a tar that lies in another one.

A file in an uncompressed tar is a range of bytes of it, and so is a file of a tar in it: both are read in place. What
is compressed as a whole can only be read on from its beginning; offsets in it are those of the unpacked tar.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.numbered import by_file
from dcgan_dist.data.readers.published import what_else
from dcgan_dist.data.readers.ranges import too_large
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.data.readers.stream import GZIP, inflated, skip, stream
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.passed_over import shown
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

# On an object store a request takes longer than to transfer so many bytes: where files are smaller than a window, it is
# cheaper to read them along than to ask for each header.
_WINDOW = 8 << 20
_NARROW = 64 << 10


@dataclass(frozen=True)
class Tar:
    """An uncompressed tar: a file, or a range of bytes of one.

    Attributes:
        file: that it is in.
        begin: its first byte there.
        length: its bytes.
        name: within a tar that is the file; "" where the file itself is the tar.
    """

    file: Place
    begin: int
    length: int
    name: str = ""

    @staticmethod
    def of(file: Place) -> "Tar":
        """The file as a whole; raises `MissingFile`."""
        return Tar(file, 0, file.info().size)

    def __str__(self) -> str:
        return f"{shown(self.name)} in {self.file}" if self.name else str(self.file)

    def members(self) -> Iterator[tar.Member]:
        """Its files and links in order, with offsets in `file`; no more than headers is read, as far as the store
        allows that.

        Raises:
            DataError: it is no tar, is damaged or not whole, or cannot be read.
        """
        with _open(self.file) as read:
            first = read(self.begin, min(tar.BLOCK, self.length))
            found = tar.members(lambda at, size: read(self.begin + at, size), self.length)
            for member in _whole(str(self), first, found):
                yield member._replace(offset=self.begin + member.offset)


class PackedTar:
    """A tar that is compressed by gzip as a whole: what is asked of it has to be in order."""

    def __init__(self, file: Place) -> None:
        self._file = file
        self._unpacked, self._at = stream(inflated(file)), 0

    def __str__(self) -> str:
        return str(self._file)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the tar, fewer only where it ends; they are behind those that were read before.

        Raises `DataError` where the file cannot be read, or is found to be damaged.
        """
        skip(self._unpacked, offset - self._at)
        data = self._unpacked.read(size)
        self._at = offset + len(data)
        return data

    def members(self) -> Iterator[tar.Member]:
        """Its files and links in order, with offsets in the unpacked tar; files may be read before the next one is
        asked for.

        Raises:
            DataError: it is no tar, is damaged or not whole, or cannot be read.
        """
        first = self.read(0, tar.BLOCK)
        yield from _whole(str(self), first, tar.members(lambda at, size: self.read(at, size) if at else first, None))


def is_packed(file: Place) -> bool:
    """Whether a file is compressed by gzip, by its first bytes; raises `MissingFile`."""
    return file.read_range(0, len(GZIP)) == GZIP


def fetch_packed_members(files: Sequence[Place], samples: Samples) -> Iterator[bytes | BadImage]:
    """A `Fetch`: `offset` and `size` are those of members of a `PackedTar`.

    Raises:
        DataError: a file is not there, is damaged, or is shorter than it was when it was listed.
    """
    most = DataSettings().max_image_bytes
    for number, some in by_file(samples):
        packed = PackedTar(files[number])
        for offset, size in zip(some.offset.tolist(), some.size.tolist(), strict=True):
            if size > most:
                yield too_large(size, most)
                continue
            data = packed.read(offset, size)
            if len(data) < size:
                raise DataError(
                    f"{packed} has become shorter since it was listed: it ends before byte {offset + size:,}"
                )
            yield data


def _whole(where: str, first: bytes, found: Iterator[tar.Member]) -> Iterator[tar.Member]:
    """Members, and what is wrong with their tar as a sentence; `first` is its first block."""
    if not tar.is_header(first) and (not first or first.strip(b"\0")):
        raise DataError(
            f"{where} is not a tar: {what_else(first) or f'it begins with {first[:16]!r}; download it again'}"
        )
    number, last = 0, ""
    try:
        for member in found:
            yield member
            number, last = number + 1, member.name
    except tar.TornTar as error:
        lost = f"what follows {shown(last)}, its file {number:,}," if number else "all of it"
        raise DataError(f"{where} is damaged or not whole: {error}; {lost} is lost: download it again") from error


@contextmanager
def _open(file: Place) -> Iterator[Callable[[int, int], bytes]]:
    """What gives so many bytes from an offset on, fewer only at the end: made for small pieces that are in order."""
    if not file.is_local:
        yield _Window(file).read
        return
    try:
        opened = os.open(file.local_path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(file, error) from error

    def read(offset: int, size: int) -> bytes:
        try:
            return os.pread(opened, size, offset)
        except OSError as error:
            raise _unreadable(file, error) from error

    try:
        yield read
    finally:
        os.close(opened)


def _unreadable(file: Place, error: OSError) -> DataError:
    return DataError(f"cannot read {file}: {error.strerror}")


class _Window:
    """Asks a store for a lot at once where what is wanted next is probably near, and for little where it is not."""

    def __init__(self, file: Place) -> None:
        self._file = file
        self._start, self._data = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        at = offset - self._start
        if at + size > len(self._data):
            width = window_bytes(offset - self._start - len(self._data)) if self._data else _NARROW
            self._start, self._data = offset, self._file.read_range(offset, max(size, width))
            at = 0
        return self._data[at : at + size]


def window_bytes(gap: int) -> int:
    """How much to ask a store for, by how many bytes lie between what was read last and what is wanted now."""
    return _NARROW if gap > _WINDOW else _WINDOW
