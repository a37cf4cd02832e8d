"""A file on any store as libraries want one: to be read and sought in."""

import io

from dcgan_dist.storage import Place


class RangeFile(io.RawIOBase):
    """A file that is open for reading, of which nothing but what is asked for is read.

    Each `read` is a request of its own, which is repeated like any other of the store. What fails is a `DataError`, so
    that a library's own complaints, an `OSError` among them, are of what is in the file.
    """

    def __init__(self, place: Place) -> None:
        """Raises `MissingFile`, or `DataError` where the store fails."""
        super().__init__()
        self._place, self._at = place, 0
        self.size = place.info().size

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As that of any file."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, fewer only at the end; all that follow where it is negative."""
        data = self._place.read_range(self._at, self.size if size is None or size < 0 else size)
        self._at += len(data)
        return data
