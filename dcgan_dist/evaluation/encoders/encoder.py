"""What makes features of images: the interface of all encoders.

An encoder is asked in two rounds, so that the images may lie in several parts: each part gathers what the features
depend on, the sums come together, and then each part makes its features.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from dcgan_dist.model.pixels import Pixels


class Encoder(Protocol):
    """Makes features of images."""

    @property
    def recipe(self) -> dict[str, Any]:
        """How, for the record: what distinguishes these features from others of the same name."""
        ...

    @property
    def standardized(self) -> bool:
        """Whether each feature is brought to mean 0 and deviation 1 over the training images."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same, computing there."""
        ...

    def gather(self, batches: Iterable[Pixels]) -> Any:
        """What a part of the training images says, in batches of `STATISTICS_BATCH`; None where there are none."""
        ...

    def combine(self, parts: Sequence[Any]) -> Self:
        """The encoder that knows what all parts have gathered."""
        ...

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, F] on the CPU."""
        ...
