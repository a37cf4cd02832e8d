"""One shard, read once: its checksum, where its images lie, and whether each of them can be decoded."""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.checking.oddities import Oddities
from dcgan_dist.data.checking.stream import Stream
from dcgan_dist.data.image_decoding import BadImage, decode
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import ShardIndex
from dcgan_dist.data.shards.passed_over import Passed, shown
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIDE = 64
"""Height and width, in pixels, at which images are looked at."""

_BAD_TOLD = 20


@dataclass(frozen=True)
class Limits:
    """An image that has more bytes or pixels is bad, as in a run."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, eq=False)
class ShardCheck:
    """What was found in a shard.

    Attributes:
        index: its images, from its headers.
        digest: uint64 [n, 2], the first 128 bits of the SHA-256 of each image's file.
        good: bool [n], whether it can be decoded.
        sha256: of the shard.
        sizes: of the good ones by width and height in pixels, before they are turned upright.
        greys: number of the good ones that have no colors.
        bad: name of the first bad ones, and why.
        odd: what is odd about names.
        problem: a sentence where it cannot be read; what is above is empty then.
    """

    index: ShardIndex
    digest: NDArray[np.uint64]
    good: NDArray[np.bool_]
    sha256: str = ""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    greys: int = 0
    bad: Sequence[tuple[str, str]] = ()
    odd: Passed = ()
    problem: str = ""


def check_shard(limits: Limits, shard: Place) -> ShardCheck:
    """Read a shard; whatever is wrong with it is part of the answer."""
    try:
        return _read(limits, shard)
    except DataError as error:
        nothing = np.empty(0, np.int64)
        empty = ShardIndex(shard.address, 0, nothing, nothing, nothing.astype(np.int32))
        return ShardCheck(empty, np.empty((0, 2), np.uint64), np.empty(0, bool), problem=str(error))


def _read(limits: Limits, shard: Place) -> ShardCheck:
    index = index_shard(shard)
    stream, odd = Stream(shard), Oddities()
    row_of = {offset: row for row, offset in enumerate(index.offset.tolist())}
    digest, good = np.zeros((len(index), 2), np.uint64), np.zeros(len(index), bool)
    sizes: Counter[tuple[int, int]] = Counter()
    bad: list[tuple[str, str]] = []
    greys = 0
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    try:
        for member in tar.members(stream.read, stream.length):
            odd.see(member.name)
            row = row_of.get(member.offset)
            if row is None or member.is_link:
                continue
            try:
                data = _body(stream, member, limits)
                digest[row] = np.frombuffer(hashlib.sha256(data).digest()[:16], ">u8")
                decode(data, pixels, fit="resize", max_pixels=limits.max_pixels)
            except BadImage as error:
                if len(bad) < _BAD_TOLD:
                    bad.append((f"{shard.name}: {shown(member.name)}", str(error)))
                continue
            good[row] = True
            sizes[_declared_size(data)] += 1
            greys += _is_grey(pixels)
    except tar.TornTar:
        pass  # the index tells it
    return ShardCheck(index, digest, good, stream.sha256(), sizes, greys, bad, odd.found)


def _body(stream: Stream, member: tar.Member, limits: Limits) -> bytes:
    if member.size > limits.max_bytes:
        raise BadImage(f"has {member.size:,} bytes, more than the {limits.max_bytes:,} that are allowed")
    return stream.read(member.offset, member.size)


def _declared_size(data: bytes) -> tuple[int, int]:
    """Width and height of a file that was decoded; zeros where Pillow, which did not do it, finds none."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            return image.size
    except Exception:  # of any kind, as its parsers run into damage that libjpeg passes over
        return 0, 0


def _is_grey(pixels: Pixels) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
