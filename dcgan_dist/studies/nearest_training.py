"""The training images nearest to given images, by pixels, found in one pass over all of them; no Ray."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.comparison import THRESHOLD, difference
from dcgan_dist.data.deduplication.encoder import SIDE
from dcgan_dist.data.image_decoding import fit_pixels
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.classifiers.nearest import merge, nearest
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.task import Labeled

BLOCK: Final = 512
"""Training images in memory at a time, as float32: 0.4 GB of 256 pixels."""


@dataclass(frozen=True, eq=False)
class NearestTraining:
    """The training images nearest to images.

    Attributes:
        places: int64 [n]: of the nearest training image of each, in `Labeled`.
        images: uint8 [n, S, S, 3]: these training images.
        levels: float64 [n]: root mean squares over the pixels of what they differ by.
    """

    places: NDArray[np.int64]
    images: Pixels
    levels: NDArray[np.float64]


def nearest_training(
    train: Labeled,
    images: Pixels,
    own: NDArray[np.int64] | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> NearestTraining:
    """Look at all training images once; those that cannot be decoded are passed over, as they are in training.

    Args:
        train: at least one.
        images: uint8 [n, S, S, 3].
        own: int64 [n]: where the images are training images, their places, since they are not compared with themselves;
            -1 for others. None: there are others alone.
        tell: is told how many training images have been looked at, now and then.

    Raises:
        DataError: for an image there is no training image that can be decoded.
    """
    encoder, size, decoded = PixelFeatures(), train.pictures.image_size, 0
    queries, parts = encoder.features(images), list[tuple[torch.Tensor, torch.Tensor]]()
    for first in range(0, len(train), BLOCK):
        tell(first)
        block = np.arange(first, min(first + BLOCK, len(train)))
        pixels = np.empty((len(block), size, size, 3), np.uint8)
        good = ~train.pictures.read(train.samples[block], pixels, np.arange(len(block)))
        decoded += int(good.sum())
        found = nearest(queries, encoder.features(pixels[good]), torch.from_numpy(block[good]), 2)
        parts = [merge([*parts, found], 2)]
    places = parts[0][1].numpy()
    column = np.zeros(len(images), np.intp) if own is None else ((places[:, 0] == own) & (own >= 0)).astype(np.intp)
    chosen = places[np.arange(len(images)), column]
    if (chosen < 0).any():
        raise DataError(
            f"of {len(train):,} training images {decoded:,} can be decoded, too few to compare others with, "
            f"for example {train.pictures.names(int(train.samples[0]))}: replace the damaged ones, or add others"
        )
    theirs = train.read(chosen)
    # The distances of the search come from squares that were summed in float32: equal images seem a little apart.
    differences = images.astype(np.float64) - theirs
    return NearestTraining(chosen, theirs, np.sqrt((differences**2).mean(axis=(1, 2, 3))))


def near_duplicates(first: Pixels, second: Pixels) -> NDArray[np.bool_]:
    """Which pairs of images, uint8 [n, S, S, 3] each, are near duplicates, as `dcgan_dist.data.dedup` finds them."""
    thumbnails = (np.stack([fit_pixels(image, SIDE, "resize") for image in images]) for images in (first, second))
    found: NDArray[np.bool_] = difference(*thumbnails) <= THRESHOLD
    return found
