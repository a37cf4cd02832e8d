"""The mean of a run's images, with which a generator may begin; no Ray."""

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.errors import DataError

MOST = 50_000
"""Images that it is taken of: all of MNIST's that the original GAN is trained on."""
CHUNK = 1_000
"""Images that are held at once."""


def mean_image(pictures: ShardPictures) -> NDArray[np.float32]:
    """Mean of the images, [channels, S, S] from 0 to 1: of all that can be decoded, or of `MOST` at even distances.

    Raises:
        DataError: none can be decoded, or a shard is gone.
    """
    number, size, channels = len(pictures.index), pictures.image_size, pictures.channels
    samples = np.unique(np.linspace(0, number - 1, min(number, MOST)).astype(np.int64))
    total, seen = np.zeros((size, size, channels)), 0
    for first in range(0, len(samples), CHUNK):
        part = samples[first : first + CHUNK]
        pixels = np.empty((len(part), size, size, channels), np.uint8)
        bad = pictures.read(part, pixels, np.arange(len(part)))
        total += pixels[~bad].sum(0, dtype=np.int64)
        seen += int((~bad).sum())
    if not seen:
        raise DataError(f"none of {len(samples):,} images can be decoded: look at the files, or name other shards")
    mean: NDArray[np.float32] = (total / (255 * seen)).astype(np.float32).transpose(2, 0, 1)
    return np.ascontiguousarray(mean)
