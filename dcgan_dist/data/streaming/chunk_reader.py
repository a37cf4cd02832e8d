"""From samples of an index to an array of images: range reads, decoding, replacing bad images; no Ray."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import BadImage, decode, gray
from dcgan_dist.data.shards.index import Index
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place

GAP_BYTES = 32 << 10
"""Files with gaps of up to this size are read in one request: reading the gap costs less than another request."""
RANGE_BYTES = 8 << 20
"""Most bytes of one read, so that the ranges of a chunk can be fetched in parallel."""
PARALLEL_READS = 16
"""Concurrent reads from stores where each read waits for the network."""


@dataclass(frozen=True, eq=False)
class ShardPictures:
    """The images in the shards of an index.

    Attributes:
        index: index of all samples.
        image_size: height and width that images are fitted to, in pixels.
        fit: how they are fitted, see `DataSettings.fit`.
        max_pixels: images that declare more pixels are bad.
        max_bytes: files with more bytes are bad.
        channels: 1: colored images become shades of gray (`image_decoding.gray`).
    """

    index: Index
    image_size: int
    fit: Literal["resize", "crop"]
    max_pixels: int
    max_bytes: int
    channels: int = 3

    def names(self, sample: int) -> str:
        """`SHARD: KEY.jpg` of a sample, for a message; for a bad one, with the reason in brackets."""
        reason = self.fault(sample)
        return self.index.names(sample) + (f" ({reason})" if reason else "")

    def fault(self, sample: int) -> str | None:
        """Why a sample is bad; None if it is not. Raises `DataError` if its shard is gone."""
        size = int(self.index.size[sample])
        if size > self.max_bytes:
            return f"it has {size:,} bytes, more than the {self.max_bytes:,} that are allowed"
        data = _read(self.index.shards[self.index.shard[sample]], int(self.index.offset[sample]), size)
        try:
            decode(
                data,
                np.empty((self.image_size, self.image_size, 3), np.uint8),
                fit=self.fit,
                max_pixels=self.max_pixels,
            )
        except BadImage as error:
            return str(error)
        return None

    def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        """Read and decode samples.

        Args:
            samples: int64 [n], any order.
            out: uint8 [m, size, size, 3], filled at `rows`; rows of bad images are undefined. With one channel the last
                dimension may also be 1; else the same shade is in all three.
            rows: int64 [n], the row of `out` for each sample.

        Returns:
            bool [n]: which of the samples are bad.

        Raises:
            DataError: a shard is gone, or its store fails.
        """
        if self.channels == 3:
            return self._read_colors(samples, out, rows)
        colors = np.zeros((len(samples), self.image_size, self.image_size, 3), np.uint8)
        bad = self._read_colors(samples, colors, np.arange(len(samples)))
        out[rows] = gray(colors)
        return bad

    def _read_colors(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        bad = self.index.size[samples] > self.max_bytes
        order = np.argsort(samples, kind="stable")
        order = order[~bad[order]]
        chosen = samples[order]
        # Plain Python integers: arithmetic on those of NumPy takes as long as parsing the header of a JPEG.
        columns = order, rows[order], self.index.offset[chosen], self.index.size[chosen]
        files = zip(*(column.tolist() for column in columns), strict=True)
        for wanted, data, start in self._ranges(samples, order):
            for i, row, offset, size in islice(files, len(wanted)):
                try:
                    decode(
                        data[offset - start : offset - start + size], out[row], fit=self.fit, max_pixels=self.max_pixels
                    )
                except BadImage:
                    bad[i] = True
        return bad

    def _ranges(self, samples: Integers, order: Integers) -> Iterator[tuple[Integers, bytes, int]]:
        """Read samples[order], which are sorted; yields (positions in samples, bytes, their offset in the shard)."""
        if not len(order):
            return
        chosen = samples[order]
        shard, offset = self.index.shard[chosen], self.index.offset[chosen]
        end = offset + self.index.size[chosen]
        apart = (shard[1:] != shard[:-1]) | (offset[1:] - end[:-1] > GAP_BYTES)
        parts: list[tuple[int, int]] = []
        for first, last in pairwise([0, *(np.flatnonzero(apart) + 1).tolist(), len(order)]):
            while end[last - 1] - offset[first] > RANGE_BYTES:
                # At least one file, however large.
                cut = max(
                    first + 1, int(np.searchsorted(end[first:last], offset[first] + RANGE_BYTES, "right")) + first
                )
                if cut >= last:
                    break
                parts.append((first, cut))
                first = cut
            parts.append((first, last))

        def read(part: tuple[int, int]) -> bytes:
            first, last = part
            return _read(self.index.shards[shard[first]], int(offset[first]), int(end[last - 1] - offset[first]))

        if Place(self.index.shards[0]).is_local:
            for part in parts:
                yield order[slice(*part)], read(part), int(offset[part[0]])
            return
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            for part, data in zip(parts, pool.map(read, parts), strict=True):
                yield order[slice(*part)], data, int(offset[part[0]])


def _read(shard: str, offset: int, size: int) -> bytes:
    place = Place(shard)
    try:
        if not place.is_local:
            return place.read_range(offset, size)
        # A call to pyarrow's local file system takes several times as long; this is the inner loop.
        file = os.open(place.local_path, os.O_RDONLY)
        try:
            return os.pread(file, size, offset)
        finally:
            os.close(file)
    except (FileNotFoundError, MissingFile) as error:
        raise DataError(
            f"shard {shard} is gone: it was there when the run began; put it back and resume the run"
        ) from error


def read_chunk(source: ShardPictures, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
    """Read the samples of a chunk, in their order of use; a bad one is replaced by the next good one of the chunk.

    So the number of rows does not depend on the contents of files, and a bad image changes nothing but its own row.

    Args:
        source: the images.
        samples: int64 [n].
        out: uint8 [m, size, size, 3], filled at `rows`.
        rows: int64 [n], the row of `out` for each sample.

    Returns:
        bool [n]: which samples are bad, so that their rows show another one.

    Raises:
        DataError: no sample of the chunk can be decoded, or a shard is gone.
    """
    bad = source.read(samples, out, rows)
    shown = stand_ins(bad)
    for i in np.flatnonzero(bad):
        out[rows[i]] = out[rows[shown[i]]]
    return bad


def stand_ins(bad: NDArray[np.bool_]) -> Integers:
    """The row of a chunk that each row shows, int64 [n]: itself or, if it is bad, the next good one, cyclically.

    Raises:
        DataError: no row is good.
    """
    shown = np.arange(len(bad))
    good = np.flatnonzero(~bad)
    if not len(good):
        raise DataError(
            f"none of {len(bad)} images in a row can be decoded, so there is nothing to train on; "
            "look at the files, or name other shards with --data"
        )
    shown[bad] = good[np.searchsorted(good, np.flatnonzero(bad)) % len(good)]
    return shown
