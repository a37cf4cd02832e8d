"""The images to which each feature responds most, out of any number of images, in memory for the few; no Ray."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.streaming.plan import Integers

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Strongest:
    """The images to which each feature responds most, the largest response first, the lower number among equals.

    Attributes:
        responses: float32 [C, k].
        numbers: int64 [C, k], of the images.
    """

    responses: Floats
    numbers: Integers

    def features(self, count: int) -> list[int]:
        """So many features, those with the largest responses first; the lower number among equals."""
        order = np.argsort(-self.responses[:, 0], kind="stable")
        return [int(feature) for feature in order[:count]]


def strongest(batches: Iterable[tuple[Integers, Floats]], k: int) -> Strongest | None:
    """The `k` images, or as many as there are, to which each feature responds most; None where there are no images.

    How the images are parted, and in which order the parts come, changes nothing: what parts have given is merged by
    the same function, as a batch whose images differ by feature.

    Args:
        batches: numbers of images, int64 [n], each number once in all; and their responses, float32 [n, C].
    """
    found: Strongest | None = None
    for numbers, responses in batches:
        each = np.broadcast_to(numbers, responses.T.shape)
        found = merge([*([found] if found else []), Strongest(responses.T, each)], k)
    return found


def merge(parts: list[Strongest], k: int) -> Strongest:
    """The `k` strongest of all parts, which may come in any order and need not be sorted."""
    responses = np.concatenate([part.responses for part in parts], axis=1)
    numbers = np.concatenate([part.numbers for part in parts], axis=1)
    order = np.lexsort((numbers, -responses), axis=1)[:, :k]
    return Strongest(np.take_along_axis(responses, order, 1), np.take_along_axis(numbers, order, 1))
