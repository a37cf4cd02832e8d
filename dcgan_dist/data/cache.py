"""Decoded pictures kept in Ray's object store: the same samples in the same order, without decoding them again."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import ray
from numpy.typing import NDArray

from dcgan_dist.data.plan import Integers
from dcgan_dist.data.reading import Pictures, ShardPictures
from dcgan_dist.data.tasks import Progress, wait_for

PART_IMAGES = 2_048
"""Pictures of one object: some megabytes, so that a chunk needs few of them and each is decoded by one task."""
STORE_SHARE = 0.25
"""Most of a node's object store that `auto` takes: blocks on their way to the workers need the rest."""

Part = tuple[Pictures, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class CachedPictures:
    """Pictures as they lie in the object store: part i holds samples [i * PART_IMAGES, (i + 1) * PART_IMAGES)."""

    image_size: int
    parts: "list[ray.ObjectRef[Part]]"

    def read(self, samples: Integers, out: Pictures, rows: Integers) -> NDArray[np.bool_]:
        """Copy samples[i] to out[rows[i]]; which of them are bad. See `reading.PictureSource`."""
        part, within = np.divmod(samples, PART_IMAGES)
        needed = np.unique(part)
        fetched = dict(zip(needed.tolist(), ray.get([self.parts[number] for number in needed]), strict=True))
        bad = np.empty(len(samples), np.bool_)
        # One copy a picture: fancy indexing makes two, and took twice the time (4,096 pictures of 64 pixels: 11 ms).
        for i, (number, at, row) in enumerate(zip(part.tolist(), within.tolist(), rows.tolist(), strict=True)):
            pictures, damaged = fetched[number]
            out[row] = pictures[at]
            bad[i] = damaged[at]
        return bad


def cache_pictures(source: ShardPictures, progress: Progress) -> CachedPictures:
    """Decode all pictures of a data set, by a Ray task for each part."""
    shared = ray.put(source)
    images = len(source.index)
    task = ray.remote(_decode_part)
    parts = [task.remote([shared], first, min(first + PART_IMAGES, images)) for first in range(0, images, PART_IMAGES)]
    wait_for(parts, f"decoding {images:,} images into memory", progress)
    return CachedPictures(source.image_size, parts)


def _decode_part(source: "list[ray.ObjectRef[ShardPictures]]", first: int, last: int) -> Part:
    pictures: ShardPictures = ray.get(source[0])
    out = np.zeros((last - first, pictures.image_size, pictures.image_size, 3), np.uint8)
    return out, pictures.read(np.arange(first, last), out, np.arange(last - first))


def is_cached(
    setting: Literal["auto", "on", "off"], images: int, image_size: int, images_read: int, store_bytes: float
) -> bool:
    """Whether a run keeps its pictures decoded.

    Args:
        images: of the data set.
        images_read: by the run, all epochs.
        store_bytes: object store of the smallest node; every node may come to hold all pictures.
    """
    if setting != "auto":
        return setting == "on"
    return images_read > images and images * image_size * image_size * 3 <= STORE_SHARE * store_bytes
