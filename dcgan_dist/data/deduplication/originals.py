"""How large the originals of some images are, by their headers; no Ray."""

import io
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.processes import Workers
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place

_AT_ONCE = 4_096


def pixels_of(index: Index, group: NDArray[np.int64], workers: Workers) -> NDArray[np.int64]:
    """Pixels of each image that is in a group with others, int64 [n]; 0 of all others, and where all have one size.

    Args:
        index: of the images.
        group: int64 [n], of each the lowest image of its group.
        workers: who read the headers.

    Raises:
        DataError: a shard is gone, or a store fails.
    """
    pixels = np.zeros(len(index), np.int64)
    if index.image_size is not None:
        return pixels
    members = np.flatnonzero(np.bincount(group, minlength=len(group))[group] > 1)
    bounds = [*range(0, len(members), _AT_ONCE), len(members)]
    shards = tuple(map(Place, index.shards))
    tasks = (
        (rows, index.shard[rows], index.offset[rows], index.size[rows])
        for rows in (members[first:last] for first, last in pairwise(bounds))
    )
    for rows, sizes in workers.each(_measure, shards, tasks):
        pixels[rows] = sizes
    return pixels


def _measure(
    shards: tuple[Place, ...],
    rows: NDArray[np.int64],
    shard: NDArray[np.int32],
    offset: NDArray[np.int64],
    size: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    nothing = np.zeros(len(rows), np.int32)
    samples = Samples(pa.nulls(len(rows), pa.large_string()), shard, offset, size, nothing.astype(np.int16), nothing)
    return rows, np.array([_pixels(image) for image in fetch_ranges(shards, samples)], np.int64)


def _pixels(image: bytes | BadImage) -> int:
    if isinstance(image, BadImage):
        return 0
    with Image.open(io.BytesIO(image), formats=("JPEG", "PNG", "WEBP")) as opened:  # it was decoded before
        return opened.width * opened.height
