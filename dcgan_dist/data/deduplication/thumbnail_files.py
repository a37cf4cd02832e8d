"""Thumbnails of a data set: each image is decoded once, and kept small in files that are read again by rows; no Ray.

A file holds those of some neighbors of a shard: the pixels of all, one byte each whether it could be decoded, and eight
bytes each of a digest of the pixels, then a checksum, see `sealed_files`. Its name follows from the shard's checksum,
so that another call, over other data too, finds what was made of the same shard.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.sealed_files import SEAL_BYTES, damaged, write_sealed
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.data.shards.index import Index, fingerprint
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.storage import Place

SIDE = 32
"""Height and width of a thumbnail: the paper's (section 4.1)."""
RULES = 2
"""Version of how thumbnails are made and kept: files of another one are not found."""

_IMAGES = 4_096
_REQUESTS = 16
_PIXELS = SIDE * SIDE * 3
_EACH = _PIXELS + 1 + 8


@dataclass(frozen=True)
class Limits:
    """What an image may have at most, see `DataSettings`: bytes and pixels."""

    bytes: int
    pixels: int


@dataclass(frozen=True)
class Unit:
    """Neighbors of a shard whose thumbnails are one file.

    Attributes:
        name: of the file.
        first: row of the first of them in the data set.
        images: how many there are.
    """

    name: str
    first: int
    images: int


def cut(index: Index) -> list[Unit]:
    """The units of a data set: of each shard, so many neighbors at a time that their thumbnails have some 12 MB."""
    images = np.bincount(index.shard, minlength=len(index.shards)).tolist()
    units, begin = [], 0
    for number, length in enumerate(images):
        key = _key(index, number) if length else ""
        for first in range(0, length, _IMAGES):
            some = min(_IMAGES, length - first)
            units.append(Unit(f"{key}-{first:09d}-{some}", begin + first, some))
        begin += length
    return units


def _key(index: Index, number: int) -> str:
    """Stands for the bytes of a shard: by its checksum where that is known, else by its address, size and version."""
    known = index.sha256[number] if index.sha256 else ""
    shard = known or fingerprint([Place(index.shards[number])])
    # Another program may take other members of the same shard for images.
    rows = index.shard == number
    layout = hashlib.sha256(index.offset[rows].tobytes() + index.size[rows].tobytes()).hexdigest()
    # With another decoder, or another way to scale, thumbnails may differ a little.
    made_by = {name: version(name) for name in ("pillow", "simplejpeg")}
    return hashlib.sha256(json.dumps([RULES, SIDE, made_by, shard, layout]).encode()).hexdigest()[:24]


def part(index: Index, unit: Unit) -> Index:
    """The images of a unit alone."""
    shard, rows = int(index.shard[unit.first]), slice(unit.first, unit.first + unit.images)
    return Index(
        (index.shards[shard],),
        (index.shard_bytes[shard],),
        np.zeros(unit.images, np.int32),
        index.offset[rows],
        index.size[rows],
        index.label[rows],
    )


def make_thumbnails(common: tuple[Place, Limits], unit: Unit, images: Index) -> tuple[int, int]:
    """Make the file of a unit; returns how many images it has, and how many of them are bad.

    Args:
        common: folder of the files, and limits of images.
        unit: to be made.
        images: those of the unit alone, uint8 [32, 32, 3] of each: the shorter side is scaled, the center cut out.

    Raises:
        DataError: a shard is gone, or a store fails.
    """
    folder, limits = common
    rows = np.arange(unit.images)
    pixels = np.zeros((unit.images, SIDE, SIDE, 3), np.uint8)
    bad = ShardPictures(images, SIDE, "resize", limits.pixels, limits.bytes).read(rows, pixels, rows)
    pixels[bad] = 0
    digests = np.array([_digest(one) for one in pixels], "<u8")
    write_sealed(folder / unit.name, pixels.tobytes() + (~bad).astype(np.uint8).tobytes() + digests.tobytes())
    return unit.images, int(bad.sum())


def _digest(pixels: Pixels) -> int:
    return int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:8], "little")


class ThumbnailFiles:
    """The thumbnails of a data set, once all of their files are there; small enough to be sent to every process."""

    def __init__(self, folder: Place, units: Sequence[Unit]) -> None:
        self.folder, self.units = folder, tuple(units)
        self._first = np.array([unit.first for unit in units], np.int64)

    def __len__(self) -> int:
        return self.units[-1].first + self.units[-1].images

    def unit(self, number: int) -> Pixels:
        """All thumbnails of a unit, uint8 [n, 32, 32, 3]; raises `DataError`."""
        images = self.units[number].images
        data = self._range(number, 0, images * _PIXELS)
        return np.frombuffer(data, np.uint8).reshape(images, SIDE, SIDE, 3)

    def tails(self) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Of all images: bool [n], whether they could be decoded; uint64 [n], digests of the thumbnails."""
        good, digests = [], []
        for number, unit in enumerate(self.units):
            data = self._range(number, unit.images * _PIXELS, unit.images * 9)
            good.append(np.frombuffer(data, np.uint8, unit.images) != 0)
            digests.append(np.frombuffer(data, "<u8", offset=unit.images).astype(np.uint64))
        return np.concatenate(good), np.concatenate(digests)

    def read(self, rows: NDArray[np.int64]) -> Pixels:
        """Thumbnails of some rows, uint8 [k, 32, 32, 3]: in any order, any of them twice; raises `DataError`."""
        wanted, back = np.unique(rows, return_inverse=True)
        unit = np.searchsorted(self._first, wanted, "right") - 1
        parts = np.split(np.arange(len(wanted)), np.flatnonzero(np.diff(unit)) + 1) if len(wanted) else []
        pixels = np.empty((len(wanted), _PIXELS), np.uint8)

        def fill(some: NDArray[np.intp]) -> None:
            number = int(unit[some[0]])
            for row, data in zip(some, self._some(number, wanted[some] - self._first[number]), strict=True):
                pixels[row] = np.frombuffer(data, np.uint8)

        # On an object store most of the time is waiting.
        with ThreadPoolExecutor(1 if self.folder.is_local else _REQUESTS) as requests:
            for _ in requests.map(fill, parts):
                pass
        return pixels.reshape(-1, SIDE, SIDE, 3)[back]

    def _some(self, number: int, rows: NDArray[np.int64]) -> Iterator[bytes]:
        """Thumbnails of a unit, by ascending rows in it."""
        nothing = np.zeros(len(rows), np.int32)
        keys = pa.nulls(len(rows), pa.large_string())
        samples = Samples(
            keys, nothing, rows * _PIXELS, nothing.astype(np.int64) + _PIXELS, nothing.astype(np.int16), nothing
        )
        for data in fetch_ranges((self.folder / self.units[number].name,), samples):
            assert not isinstance(data, BadImage)
            yield data

    def _range(self, number: int, offset: int, size: int) -> bytes:
        unit = self.units[number]
        file = self.folder / unit.name
        data = file.read_range(offset, size)
        if len(data) < size or file.info().size != unit.images * _EACH + SEAL_BYTES:
            raise damaged(file)
        return data
