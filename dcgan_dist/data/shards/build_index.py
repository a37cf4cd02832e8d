"""Where the images of a shard are: read from the headers of its tar file, whoever wrote it."""

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.index import ShardIndex
from dcgan_dist.data.shards.passed_over import (
    DOTS,
    EMPTY,
    LINK,
    NO_CLASS,
    SECOND,
    WITHOUT_IMAGE,
    WITHOUT_KEY,
    Kind,
    shown,
)
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

# Bytes fetched at once while headers are read: on a disk little more than is needed, on an object store so many that
# the transfer takes longer than the request.
_LOCAL_WINDOW = 64 << 10
_REMOTE_WINDOW = 8 << 20

_MAGIC = {b"\x1f\x8b": "gzip", b"(\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
_MOST_LOOKED_AT = 1_000
_LABEL = re.compile(rb"\s*([0-9]{1,10})\s*")
_META = re.compile(r"__[^/]*__($|/)")
_EMPTY_BYTES = 1 << 20


def index_shard(shard: Place) -> ShardIndex:
    """Find the images of a shard by reading its headers (and class numbers) only.

    Raises `DataError` where it is no tar at all, `MissingFile` where it is not there. An empty one, as writers leave it
    that got no samples, has no images. A `KEY.cls` that holds no number from 0 to 2**31 - 1 counts as none.
    """
    return index_with_keys(shard)[0]


def index_with_keys(shard: Place) -> tuple[ShardIndex, list[str]]:
    """As `index_shard`, and the key of each image as its name has it: any text, also such as is no UTF-8.

    Two images have the same key where files of another one lie between them.
    """
    window = Window(shard)
    first = window.read(0, tar.BLOCK)
    rows: list[tuple[int, int]] = []
    keys: list[str] = []
    labels: list[int] = []  # of the samples before this one
    passed: dict[Kind, tuple[int, str]] = {}
    torn = None

    def pass_over(kind: Kind, name: str) -> None:
        number, example = passed.get(kind, (0, name))
        passed[kind] = number + 1, example

    key, label = "", -1
    told = True  # whether the key has an image, or something of it was passed over; there is no key yet
    first_member = ""
    try:
        if _is_empty(window, first):
            pass_over(EMPTY, "")
            found: Iterator[tar.Member] = iter(())
        elif not tar.is_header(first):
            raise DataError(f"{shard} is not a tar: {_what_it_is(first)}")
        else:
            found = tar.members(window.read, window.length)
        for member in found:
            name = member.name
            folder, slash, base = name.rpartition("/")
            stem, dot, suffix = base.partition(".")
            if not stem or not dot or _META.match(name):
                if not dot and not _META.match(name):
                    pass_over(WITHOUT_KEY, name)
                continue
            if member.is_link:
                # It has no body, so it takes no part: files of a key may stand on both sides of it.
                if suffix.lower().rpartition(".")[2] in SUFFIXES:
                    pass_over(LINK, name)
                    told = told or folder + slash + stem == key
                continue
            if folder + slash + stem != key:
                if not told:
                    pass_over(WITHOUT_IMAGE, first_member)
                labels += [label] * (len(rows) - len(labels))
                key, label, told, first_member = folder + slash + stem, -1, False, name
            suffix = suffix.lower()
            if suffix in SUFFIXES:
                if len(rows) == len(labels):
                    rows.append((member.offset, member.size))
                    keys.append(key)
                    told = True
                else:
                    pass_over(SECOND, name)
            elif suffix == "cls":
                match = _LABEL.fullmatch(window.read(member.offset, member.size)) if member.size <= 32 else None
                label = int(match[1]) if match and int(match[1]) < 2**31 else -1
                if label < 0:
                    pass_over(NO_CLASS, name)
            elif "." in suffix and suffix.rpartition(".")[2] in SUFFIXES:
                pass_over(DOTS, name)
                told = True
        if not told:
            pass_over(WITHOUT_IMAGE, first_member)
    except tar.TornTar as error:
        if label < 0 and any(known >= 0 for known in labels):
            # The label of the last sample is what was torn off.
            del rows[len(labels) :], keys[len(labels) :]
        torn = f"{shard} is torn: {error}; its first {len(rows):,} images are used"
    labels += [label] * (len(rows) - len(labels))
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    index = ShardIndex(
        shard=shard.address,
        shard_bytes=window.length,
        offset=table[:, 0].copy(),
        size=table[:, 1].copy(),
        label=np.array(labels, dtype=np.int32),
        torn=torn,
        passed=tuple((kind, number, example) for kind, (number, example) in passed.items()),
    )
    return index, keys


def key_of(member: tar.Member) -> str | None:
    """The key of the sample that a file belongs to, as `index_with_keys` has it; None for what belongs to none."""
    folder, slash, base = member.name.rpartition("/")
    stem, dot, _ = base.partition(".")
    return None if not stem or not dot or member.is_link or _META.match(member.name) else folder + slash + stem


def first_images(shard: Place, most: int, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Name and file of the first images of a shard, as `index_shard` finds them; larger files are left out.

    At most so many members are looked at as make no difference to whoever waits. Raises what `index_shard` raises.
    """
    window = Window(shard)
    first = window.read(0, tar.BLOCK)
    if _is_empty(window, first):
        return
    if not tar.is_header(first):
        raise DataError(f"{shard} is not a tar: {_what_it_is(first)}")
    found = 0
    try:
        for member in islice(tar.members(window.read, window.length), _MOST_LOOKED_AT):
            stem, _, suffix = member.name.rpartition("/")[2].partition(".")
            if not stem or _META.match(member.name) or member.is_link or suffix.lower() not in SUFFIXES:
                continue
            if member.size <= max_bytes:
                yield shown(member.name), shard.read_range(member.offset, member.size)
            found += 1
            if found == most:
                return
    except tar.TornTar:
        return  # the index tells it


class Window:
    """Reads a file in few pieces where it is asked for many small ones in order."""

    def __init__(self, file: Place) -> None:
        self.length = file.info().size
        self._file = file
        self._width = _LOCAL_WINDOW if file.is_local else _REMOTE_WINDOW
        self._start, self._data = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        at = offset - self._start
        if at < 0 or at + size > len(self._data):
            self._start, self._data = offset, self._file.read_range(offset, max(size, self._width))
            at = 0
        return self._data[at : at + size]


def _is_empty(window: Window, first: bytes) -> bool:
    """Whether a file is an archive without files, as a writer leaves it that was closed before the first one."""
    return not first.strip(b"\0") and window.length <= _EMPTY_BYTES and not window.read(0, window.length).strip(b"\0")


def _what_it_is(first: bytes) -> str:
    for magic, name in _MAGIC.items():
        if first.startswith(magic):
            return f"it is compressed by {name}; decompress it, so that single images can be read from it"
    if first.lstrip().startswith(b"<"):
        return "it is a page of HTML or XML: the download failed; download it again"
    if not any(first):
        return "it begins with zeros, as a download that never began"
    return f"it begins with {first[:16]!r}"
