"""Files of a cache that end with a checksum of what is in them: a damaged one is noticed before it is used; no Ray.

A cache lies on a disk for months, and calls over other data take from it what they would else decode again. A bit that
has changed there would change which images are called duplicates, and nobody would see it.
"""

import hashlib

from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SEAL_BYTES = 32
"""Bytes of the checksum, behind the content."""


def write_sealed(file: Place, content: bytes) -> None:
    """Write a file with the SHA-256 of its content behind it, at once; raises `DataError`."""
    file.write_bytes(content + hashlib.sha256(content).digest())


def require_whole(folder: Place, name: str) -> None:
    """See that a file has the content that `write_sealed` gave it.

    Raises:
        DataError: it has not, or a store fails.
    """
    data = memoryview((folder / name).read_bytes())
    if hashlib.sha256(data[:-SEAL_BYTES]).digest() != data[-SEAL_BYTES:]:
        raise damaged(folder / name)


def damaged(file: Place) -> DataError:
    """The error that says so, and what to do."""
    return DataError(f"{file} is damaged: delete it, and run the command again")
