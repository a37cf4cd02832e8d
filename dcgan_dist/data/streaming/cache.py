"""Decoded images in Ray's object store: the same samples in the same order, without decoding them again.

Read tasks then decode nothing: they yield the numbers of samples, and each worker copies its images out of the store.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import ray
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.data.streaming.ray_tasks import Progress, wait_for

PART_IMAGES = 2_048
"""Images of one object, which one task decodes: some megabytes."""
STORE_SHARE = 0.25
"""Largest share of a node's object store that `auto` uses: blocks on their way to the workers need the rest."""


@dataclass(frozen=True, eq=False)
class CachedPictures:
    """Decoded images in the object store.

    Attributes:
        image_size: height and width, in pixels.
        channels: colors of an image, 3 or 1.
        parts: part i holds uint8 [n, size, size, channels] of samples [i * PART_IMAGES, (i + 1) * PART_IMAGES).
        bad: bool [n], whether a sample could not be decoded.
    """

    image_size: int
    channels: int
    parts: "list[ray.ObjectRef[Pixels]]"
    bad: NDArray[np.bool_]


class Gatherer:
    """Copies images out of a cache. For use in one process: parts that were needed once stay mapped."""

    def __init__(self, cached: CachedPictures) -> None:
        self._cached = cached
        self._mapped: dict[int, Pixels] = {}

    def __call__(self, samples: Integers) -> Pixels:
        """The images of int64 [n] samples: uint8 [n, size, size, channels]."""
        part, within = np.divmod(samples, PART_IMAGES)
        missing = [number for number in np.unique(part).tolist() if number not in self._mapped]
        if missing:
            parts = ray.get([self._cached.parts[number] for number in missing])
            self._mapped.update(zip(missing, parts, strict=True))
        size = self._cached.image_size
        out = np.empty((len(samples), size, size, self._cached.channels), np.uint8)
        for row, number, at in zip(out, part.tolist(), within.tolist(), strict=True):
            row[...] = self._mapped[number][at]
        return out


def cache_pictures(source: ShardPictures, progress: Progress) -> CachedPictures:
    """Decode all images of a data set, with one Ray task for each part; raises `DataError` if a shard is gone."""
    shared = ray.put(source)
    images = len(source.index)
    # A trial of a sweep runs in a placement group, which has no CPU for these tasks.
    task = ray.remote(num_returns=2, scheduling_strategy="DEFAULT")(_decode_part)
    bounds = [(first, min(first + PART_IMAGES, images)) for first in range(0, images, PART_IMAGES)]
    results = [task.remote([shared], first, last) for first, last in bounds]
    parts, bad = zip(*results, strict=True)
    wait_for(bad, f"decoding {images:,} images into memory", progress)
    return CachedPictures(source.image_size, source.channels, list(parts), np.concatenate(ray.get(list(bad))))


def _decode_part(
    source: "list[ray.ObjectRef[ShardPictures]]", first: int, last: int
) -> tuple[Pixels, NDArray[np.bool_]]:
    pictures: ShardPictures = ray.get(source[0])
    out = np.zeros((last - first, pictures.image_size, pictures.image_size, pictures.channels), np.uint8)
    return out, pictures.read(np.arange(first, last), out, np.arange(last - first))


def is_cached(
    setting: Literal["auto", "on", "off"], images: int, image_bytes: int, images_read: int, store_bytes: float
) -> bool:
    """Whether a run keeps its images decoded in the object store.

    Args:
        setting: `data.cache`.
        images: images of the data set.
        image_bytes: of a decoded image.
        images_read: images that the run reads, over all epochs.
        store_bytes: object store of the smallest node, in bytes; any node may come to hold all images.
    """
    if setting != "auto":
        return setting == "on"
    return images_read > images and images * image_bytes <= STORE_SHARE * store_bytes
