"""A file that is read once from its beginning to its end, with its checksum."""

import hashlib

from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

_WINDOW = 8 << 20


class Stream:
    """Reads places of a file, of which none lies before the one that was read last; holds some 8 MB of it, or a place.

    Attributes:
        length: of the file, in bytes.
    """

    def __init__(self, file: Place, window: int = _WINDOW) -> None:
        """`window`: bytes that are fetched at once. Raises `MissingFile`."""
        self.length = file.info().size
        self._file, self._window = file, window
        self._start, self._data = 0, b""
        self._sha256 = hashlib.sha256()

    def read(self, at: int, size: int) -> bytes:
        """Bytes from a place on, fewer only where the file ends; raises `DataError` where it was cut meanwhile."""
        while self._start + len(self._data) < min(at + size, self.length):
            self._fetch(at)
        return self._data[at - self._start : at - self._start + size]

    def sha256(self) -> str:
        """Of the whole file, whose rest is read."""
        while self._start + len(self._data) < self.length:
            self._fetch(self.length)
        return self._sha256.hexdigest()

    def _fetch(self, needed: int) -> None:
        """Read on; what lies before `needed` is dropped."""
        end = self._start + len(self._data)
        piece = self._file.read_range(end, min(self._window, self.length - end))
        if not piece:
            raise DataError(f"{self._file} became shorter than {self.length:,} bytes while it was read")
        self._sha256.update(piece)
        drop = min(max(needed - self._start, 0), len(self._data))
        self._start, self._data = self._start + drop, self._data[drop:] + piece
