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


def read_sealed(file: Place) -> bytes:
    """The content that `write_sealed` was given; raises `DataError` where the file has another one."""
    data = file.read_bytes()
    content = data[:-SEAL_BYTES]
    if hashlib.sha256(content).digest() != data[-SEAL_BYTES:]:
        raise damaged(file)
    return content


def require_whole(folder: Place, name: str) -> None:
    """See that a file can be read; raises `DataError` as `read_sealed` does."""
    read_sealed(folder / name)


def damaged(file: Place) -> DataError:
    """The error that says so, and what to do."""
    return DataError(f"{file} is damaged: delete it, and run the command again")
