"""From images and samples to their features: sums over all of them, and the features of the first ones. No Ray."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.fidelity.frechet import Moments
from dcgan_dist.evaluation.task import STATISTICS_BATCH, Labeled

CHECKSUMS = 1 << 128
"""Sums of checksums are meant modulo this."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """Features of a part of a set.

    Attributes:
        places: int64 [n], rising: places in the set of those whose features are kept.
        features: float32 [n, F].
        moments: sums over the features of the whole part; None where it has nothing.
        checksum: of the pixels, to be added up over the parts.
    """

    places: Integers
    features: Tensor
    moments: Moments | None
    checksum: int


def held_out(images: Labeled, part: int, parts: int) -> Iterator[tuple[int, Pixels]]:
    """A part of images in batches of `STATISTICS_BATCH`, each with its first place; decoded one batch at a time."""
    places = images.part(part, parts)
    for first in range(0, len(places), STATISTICS_BATCH):
        batch = places[first : first + STATISTICS_BATCH]
        yield int(batch[0]), images.read(batch)


def drawn(sampler: Sampler, number: int, part: int, parts: int) -> Iterator[tuple[int, Pixels]]:
    """A part of so many samples in the batches in which they are drawn, each with its first place."""
    places = range(part * sampler.batch_size, number, parts * sampler.batch_size)
    yield from zip(places, sampler.frozen().draw(number, sampler.seed, part, parts), strict=True)


def embed(batches: Iterable[tuple[int, Pixels]], encoder: Encoder, kept: int) -> Embedded:
    """Features of a part of a set.

    Args:
        batches: first place, and images uint8 [n, S, S, 3].
        encoder: that is fitted.
        kept: features of those at smaller places are kept.

    Raises:
        DataError: features are not finite.
    """
    places: list[Integers] = []
    features: list[Tensor] = []
    moments: Moments | None = None
    checksum = 0
    for first, images in batches:
        made = encoder.features(images)
        if not torch.isfinite(made).all():
            raise DataError("features of task fidelity are not finite: the network has diverged; take an earlier one")
        moments = (Moments.zero(made.shape[1]) if moments is None else moments).add(made)
        checksum += sum(int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:16], "little") for image in images)
        places.append(np.arange(first, max(first, min(first + len(images), kept))))
        features.append(made[: len(places[-1])])
    if moments is None:
        return Embedded(np.empty(0, np.int64), torch.empty(0, 0), None, 0)
    return Embedded(np.concatenate(places), torch.cat(features), moments, checksum % CHECKSUMS)


def join(parts: Sequence[Embedded]) -> tuple[Tensor, Moments, int]:
    """Of all parts: the features that are kept in the order of their places, the sums, the checksum."""
    some = [part for part in parts if part.moments is not None]
    moments = [part.moments for part in some if part.moments is not None]
    order = torch.from_numpy(np.concatenate([part.places for part in some])).argsort()
    features = torch.cat([part.features for part in some])[order]
    return features, sum(moments[1:], moments[0]), sum(part.checksum for part in some) % CHECKSUMS
