"""The files in a zip, stored or deflated, read in place by ranges of bytes.

The directory at the end of the archive is read by `zipfile`. It says where the header of each file is, but not how long
that is: so what is read of a file is all from its header to the next one's.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.published import what_else
from dcgan_dist.data.readers.range_file import RangeFile
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

_HEADER = struct.Struct("<4sHHH4xIIIHH")
_MAGIC = b"PK\x03\x04"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_LONGEST_EXTRA = 1 << 16

# What Python's `zipfile` raises for archives that are damaged, NotImplementedError among it: a damaged byte may read as
# a version of the format, or as a way to pack, that `zipfile` does not know.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, OSError, OverflowError, ValueError, struct.error)


class Entry(NamedTuple):
    """A file in an archive: its name there (never to be used as a path), and the bytes from its header to the next."""

    name: str
    offset: int
    size: int


def list_entries(archive: Place) -> list[Entry]:
    """The files in a zip, in the order in which they lie there; only its directory is read.

    Raises:
        MissingFile: there is no such file.
        DataError: it is no zip, is damaged, or has files that are encrypted or packed in another way.
    """
    file = RangeFile(archive)
    try:
        with zipfile.ZipFile(file) as opened:
            found = opened.infolist()
    except _DAMAGE as error:
        first = archive.read_range(0, 64)
        other = "cut off or damaged" if first[:2] == b"PK" else "something else"
        raise DataError(f"{archive} is no zip: {what_else(first) or f'it is {other}: get it again'}") from error
    found.sort(key=lambda one: one.header_offset)
    entries = []
    for i, one in enumerate(found):
        end = found[i + 1].header_offset if i + 1 < len(found) else file.size
        packed = one.header_offset + _HEADER.size + one.compress_size
        if not one.filename or one.header_offset < 0 or packed > end:
            raise DataError(f"{archive} is damaged: its directory is wrong about {one.filename!r}; download it again")
        if one.is_dir():
            continue
        if one.flag_bits & _ENCRYPTED or one.compress_type not in _METHODS:
            how = "encrypted" if one.flag_bits & _ENCRYPTED else f"packed by method {one.compress_type}"
            raise DataError(f"{archive} has {one.filename!r} {how}, which is not read: unpack it, and give the folder")
        longest = packed + len(one.filename.encode("utf-8", "surrogateescape")) + 2 * _LONGEST_EXTRA
        entries.append(Entry(one.filename, one.header_offset, min(end, longest) - one.header_offset))
    return entries


def fetch_entries(files: Sequence[Place], samples: Samples) -> Iterator[bytes | BadImage]:
    """A `Fetch`: `offset` and `size` are those of an `Entry` of the file."""
    most = DataSettings().max_image_bytes
    for entry in fetch_ranges(files, samples, beside=_HEADER.size + 3 * _LONGEST_EXTRA):
        yield entry if isinstance(entry, BadImage) else unpack(entry, most)


def unpack(entry: bytes, most: int) -> bytes | BadImage:
    """A file out of the bytes from its header on.

    Args:
        entry: those bytes; more may follow.
        most: bytes that the file may have; no more than that are unpacked.

    Returns:
        the file, or why it cannot be read.
    """
    if len(entry) < _HEADER.size:
        return BadImage("is cut off in its archive")
    magic, _, flags, method, checksum, packed, size, name_bytes, extra_bytes = _HEADER.unpack_from(entry)
    if magic != _MAGIC or method not in _METHODS:
        return BadImage("is not where the directory of its archive says")
    body = entry[_HEADER.size + name_bytes + extra_bytes :]
    sizes_follow = bool(flags & _SIZES_FOLLOW)
    if method == zipfile.ZIP_STORED:
        if sizes_follow:
            return BadImage("does not say how long it is: unpack the archive, and give the folder")
        data = body[:packed]
    else:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        limit = most if sizes_follow else min(most, size)
        try:
            data = inflate.decompress(body, limit + 1)
        except zlib.error as error:
            return BadImage(f"cannot be unpacked: {error}")
        if len(data) > limit:
            return BadImage(
                f"unpacks to more than the {limit:,} bytes that {'it declares' if limit < most else 'are allowed'}"
            )
        if not inflate.eof:
            return BadImage("is cut off in its archive")
    if not sizes_follow and (len(data) != size or zlib.crc32(data) != checksum):
        return BadImage("is damaged in its archive: its checksum is another one")
    return data
