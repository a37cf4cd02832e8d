"""A file that grows at its end, on any store, and comes to no harm from a full disk."""

from pathlib import Path

from dcgan_dist.storage import Place


class GrowingFile:
    """Records that are appended to a file: first in memory, with `flush` on a disk, with `copy_up` in an object store.

    On a local disk the file is written in place. Object stores cannot append: there it grows in a folder of this
    machine, and `copy_up` replaces the stored file by the longer one.
    """

    def __init__(self, where: Place, scratch: Path, *, lines: bool) -> None:
        """`scratch` is a local folder for files of object stores.

        `lines`: the file consists of lines, and one that exists goes on after its last whole line, since a death may
        have torn the one behind; raises `DataError` where it cannot be read. Without `lines` the file is a new one.
        """
        self._where = where
        self._path = where.local_path if where.is_local else scratch / where.name
        self._pending = bytearray()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        old = where.read_bytes() if lines and where.exists() else b""
        self.before = old[: old.rfind(b"\n") + 1]
        """What the file held before, without a torn end."""
        self._size = self._copied = len(self.before)
        if not where.is_local:
            self._path.write_bytes(self.before)

    def add(self, record: bytes) -> None:
        """Append in memory."""
        self._pending += record

    def flush(self) -> None:
        """Append to the file what is in memory. An `OSError` loses and doubles nothing: call it again."""
        if not self._pending:
            return
        with open(self._path, "ab") as file:
            # A write that failed half way has left a part of the records behind; a file that somebody cut stays cut.
            self._size = min(self._size, file.tell())
            file.truncate(self._size)
            file.write(self._pending)
        self._size += len(self._pending)
        self._pending.clear()

    def copy_up(self) -> None:
        """Bring an object store's file up to what was flushed; raises `DataError`, and may then be called again."""
        if not self._where.is_local and self._copied < self._size:
            self._where.write_bytes(self._path.read_bytes())
            self._copied = self._size
