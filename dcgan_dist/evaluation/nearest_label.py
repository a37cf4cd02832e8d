"""Classes of images by the nearest of labeled samples, or of real images (paper, supplementary, MNIST); no Ray.

An image gets the class of the nearest of the first n references. They come in blocks, each of which is always compared
as a whole: which part compares a block, and when, changes no digit of what is found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.classifiers.nearest import BLOCK, nearest
from dcgan_dist.evaluation.coverage import TOGETHER, Sampler
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.evaluation.task import Labeled

QUERIES = 1_024
"""Images that are compared at once: all distances of 10,000 images to a block would take half a gigabyte."""


class References(Protocol):
    """What images are compared with: pixels with their classes, in blocks."""

    @property
    def channels(self) -> int:
        """1 where shades of gray are compared, or 3."""
        ...

    @property
    def block_size(self) -> int:
        """References of each block but the last."""
        ...

    def block(self, number: int) -> tuple[Tensor, Tensor]:
        """Pixels float32 [m, F] in [0, 1] and classes int64 [m], both on the CPU."""
        ...

    def to(self, device: torch.device) -> "References":
        """The same, computing there."""
        ...


@dataclass(frozen=True, eq=False)
class LabeledSamples:
    """Samples of random classes, without end; a block is some batches of a sampler.

    Attributes:
        sampler: that draws; its networks know classes.
        run: whose they are, for a message.
    """

    sampler: Sampler
    run: str

    @property
    def channels(self) -> int:
        """See `References`."""
        return self.sampler.settings.channels

    @property
    def block_size(self) -> int:
        """See `References`."""
        return TOGETHER * self.sampler.batch_size

    def block(self, number: int) -> tuple[Tensor, Tensor]:
        """See `References`; raises `DataError` where a sample is not finite."""
        batches = [self.sampler.labeled(TOGETHER * number + batch) for batch in range(TOGETHER)]
        images, labels = (torch.cat(column) for column in zip(*batches, strict=True))
        if not torch.isfinite(images).all():
            raise DataError(
                f"samples of {self.run} are not finite: the generator has diverged; take an earlier checkpoint"
            )
        return images.add_(1).div_(2), labels

    def to(self, device: torch.device) -> "LabeledSamples":
        """See `References`."""
        return LabeledSamples(self.sampler.to(device), self.run)


@dataclass(frozen=True, eq=False)
class RealImages:
    """Images of a data set.

    Attributes:
        images: with their classes.
        channels: 1 where shades of gray are compared, or 3.
    """

    images: Labeled
    channels: int

    @property
    def block_size(self) -> int:
        """See `References`."""
        return BLOCK

    def block(self, number: int) -> tuple[Tensor, Tensor]:
        """See `References`; raises `DataError` where an image cannot be decoded."""
        places = np.arange(number * BLOCK, min(len(self.images), (number + 1) * BLOCK))
        return pixels(self.images.read(places), self.channels), torch.from_numpy(self.images.labels[places])

    def to(self, device: torch.device) -> "RealImages":
        """See `References`."""
        return self


def pixels(images: Pixels, channels: int) -> Tensor:
    """Raw pixels as they are compared, float32 [n, channels * S * S] in [0, 1], of images uint8 [n, S, S, 3]."""
    return to_float(images, torch.device("cpu"), channels).flatten(1).add_(1).div_(2)


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest of the first so many references, for several such numbers: a row each.

    Attributes:
        distances: float32 [k, n], of each image; infinite where none of them was compared yet.
        places: int64 [k, n], number of the reference, or -1.
        labels: int64 [k, n], its class, or -1.
    """

    distances: Tensor
    places: Tensor
    labels: Tensor

    @classmethod
    def none(cls, numbers: int, images: int) -> "Found":
        """Before any reference was compared."""
        nowhere = torch.full((numbers, images), -1)
        return cls(torch.full((numbers, images), torch.inf), nowhere, nowhere)

    def merge(self, other: "Found") -> "Found":
        """The nearer ones; of equals the reference that comes first, whichever was compared first."""
        nearer = other.distances < self.distances
        nearer |= (other.distances == self.distances) & (other.places < self.places)
        return Found(
            torch.where(nearer, other.distances, self.distances),
            torch.where(nearer, other.places, self.places),
            torch.where(nearer, other.labels, self.labels),
        )


def nearest_labels(references: References, images: Tensor, numbers: Sequence[int], blocks: Iterable[int]) -> Found:
    """Compare images with some blocks of references.

    Args:
        images: float32 [n, F] in [0, 1].
        numbers: how many references count, for each row of what is found.
        blocks: numbers of the blocks that are compared here.
    """
    found = Found.none(len(numbers), len(images))
    for block in blocks:
        compared, labels = references.block(block)
        before = block * references.block_size
        counted = torch.tensor([min(max(0, number - before), len(compared)) for number in numbers])
        for count in sorted({*counted.tolist()} - {0}):
            distances, rows = _nearest(images, compared[:count])
            rows_of = (counted == count)[:, None]
            found = found.merge(
                Found(
                    torch.where(rows_of, distances, torch.inf),
                    torch.where(rows_of, before + rows, -1),
                    torch.where(rows_of, labels[rows], -1),
                )
            )
    return found


def _nearest(images: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Distance float32 [n] of each image to the nearest reference, and which it is, int64 [n]."""
    places = torch.arange(len(references))
    parts = [nearest(some, references, places, kept=1) for some in torch.split(images, QUERIES)]
    distances, rows = (torch.cat(column)[:, 0] for column in zip(*parts, strict=True))
    return distances, rows
