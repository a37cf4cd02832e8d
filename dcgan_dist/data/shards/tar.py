"""Headers of tar archives, read without their bodies and written the same on any machine; no Ray.

Read are ustar, GNU long names, pax records for path and size, and sizes in base 256, as in POSIX.1-2017 (pax, "ustar
Interchange Format") and the manual of GNU tar ("Basic Tar Format"); written is plain ustar. With Python's tarfile in
place of `members`, an index of 160,000 samples in 32 shards takes 3.0 times the CPU time (5.0 s, here 1.7).
"""

import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

BLOCK = 512
"""Headers and bodies begin at multiples of this."""

# Most characters of a name in a sentence.
_SHOWN = 80

# Zeros that fill the last record are part of the end. GNU tar has records of 10 KiB unless it is told otherwise.
_LONGEST_END = 1 << 20

# A long name or a set of pax records beyond this is an attack or damage.
_LONGEST_EXTENSION = 1 << 20

_REGULAR = b"0\0" + b"7"
_ZEROS = bytes(BLOCK)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")


class TornTar(Exception):
    """The archive ends or breaks here; what came before is whole."""


class Member(NamedTuple):
    """A file in an archive: its name as it is written there (never to be used as a path) and where its body is; that of
    a link, to another file by its name, is empty."""

    name: str
    offset: int
    size: int
    is_link: bool = False


def members(read: Callable[[int, int], bytes], length: int | None) -> Iterator[Member]:
    """The regular files and links of an archive, in order; at most headers are read, and extensions of them.

    Args:
        read: gives the bytes from an offset on, as many as asked for, fewer only where the archive ends; each offset
            is behind the bytes that were given before.
        length: of the archive, bytes; None where nobody knows. That the last body is not all there is found behind it
            then.

    Raises:
        TornTar: at the first header that is damaged, or body that is not all there; also where the end mark is missing,
            or is not the end.
    """
    length = sys.maxsize if length is None else length
    at = 0
    name: str | None = None
    size: int | None = None
    while True:
        header = read(at, BLOCK) if at + BLOCK <= length else b""
        if len(header) < BLOCK:
            raise TornTar(f"it ends before byte {at + BLOCK:,} without an end mark")
        if header == _ZEROS:
            # A hole, which a broken download or disk leaves, looks like the end.
            rest = read(at + BLOCK, min(length - at - BLOCK, _LONGEST_END))
            if len(rest) + BLOCK > _LONGEST_END or rest.strip(b"\0"):
                raise TornTar(f"behind its end mark at byte {at:,} there is more")
            return
        kind, own_name, own_size = _parse(header, at)
        body = at + BLOCK
        if kind in (b"L", b"x", b"X"):
            if own_size > _LONGEST_EXTENSION:
                raise TornTar(f"the header at byte {at:,} announces {own_size:,} bytes of name")
            if body + own_size > length:
                raise TornTar(f"it ends at byte {length:,} in the middle of a long name")
            extension = read(body, own_size)
            if len(extension) < own_size:
                raise TornTar("it ends in the middle of a long name")
            if kind == b"L":
                name = _text(extension)
            else:
                records = _records(extension, at)
                name = records.get("path", name)
                size = _pax_size(records["size"], at) if "size" in records else size
            at = body + _padded(own_size)
            continue
        name = own_name if name is None else name
        size = own_size if size is None else size
        if kind in _REGULAR:
            if body + size > length:
                raise TornTar(f"it ends at byte {length:,} in the middle of {_shown(name)}")
            if not name.endswith("/"):  # a folder as tar wrote it before 1988
                yield Member(name, body, size)
        elif kind in b"123456":
            size = 0  # links, devices and folders have no body, whatever they declare
            if kind in b"12":
                yield Member(name, body, 0, is_link=True)
        elif kind == b"S":
            raise TornTar(f"the file at byte {at:,} is sparse, a format that is not supported")
        at = body + _padded(size)
        name = size = None


def header(name: str, size: int) -> bytes:
    """The ustar header of a regular file that any user may read: no time, no owner, so the same bytes on any machine.

    `name` is ASCII of at most 100 characters, `size` below 8 GiB: what plain ustar holds.
    """
    encoded = name.encode("ascii")
    if not 1 <= len(encoded) <= 100 or not 0 <= size < 8**11:
        raise ValueError(f"{name!r} with {size} bytes does not fit into a ustar header")
    fields = b"%s%s%s%s%s%s" % (
        encoded.ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8 + b"0" + bytes(100),
        b"ustar\x0000",
    )
    block = fields.ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def is_header(block: bytes) -> bool:
    """Whether a block can be the first of an archive."""
    try:
        _parse(block, 0)
    except (TornTar, IndexError):
        return False
    return len(block) == BLOCK


def member_name(block: bytes) -> str:
    """The name in the header block of a member, without what a long name or pax record before it says."""
    return _parse(block, 0)[1]


def padding(size: int) -> bytes:
    """The zeros that fill the last block of a body."""
    return bytes(_padded(size) - size)


END = bytes(2 * BLOCK)
"""The end mark of an archive."""


def _parse(block: bytes, at: int) -> tuple[bytes, str, int]:
    """Kind, name and declared size of a header block whose checksum is right."""
    declared = _number(block[148:156], at)
    # The checksum counts its own field as spaces. Some old programs summed signed bytes.
    summed = block[:148] + b"        " + block[156:]
    if declared != sum(summed) and declared != sum(summed) - 256 * sum(byte > 127 for byte in summed):
        raise TornTar(f"the header at byte {at:,} is damaged")
    name = _text(block[:100])
    # GNU archives ("ustar  ") keep times where POSIX ones have a prefix.
    if block[257:263] == b"ustar\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    return block[156:157], name, _number(block[124:136], at)


def _number(digits: bytes, at: int) -> int:
    """A number in octal, or in base 256 where the first bit is set; none is negative."""
    if digits[0] & 0x80:
        if digits[0] == 0x80:
            return int.from_bytes(digits[1:], "big")
        raise TornTar(f"the header at byte {at:,} declares a negative size")
    match = _OCTAL.fullmatch(digits)
    if match is None:
        raise TornTar(f"the header at byte {at:,} is damaged")
    return int(match[1] or b"0", 8)


def _records(data: bytes, at: int) -> dict[str, str]:
    """The records of a pax header, each `LENGTH KEY=VALUE` and a line feed."""
    records = {}
    start = 0
    while start < len(data) and data[start]:
        match = re.compile(rb"([0-9]{1,8}) ([^=]+)=").match(data, start)
        if match is None:
            raise TornTar(f"the pax header at byte {at:,} is damaged")
        end = start + int(match[1])
        if end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise TornTar(f"the pax header at byte {at:,} is damaged")
        records[match[2].decode("utf-8", "surrogateescape")] = _text(data[match.end() : end - 1])
        start = end
    return records


def _pax_size(text: str, at: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise TornTar(f"the pax header at byte {at:,} declares a size of {_shown(text)}")
    return int(text)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
